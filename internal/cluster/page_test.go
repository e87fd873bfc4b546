// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/cluster"
	testcluster "github.com/assent-dev/assent/test/cluster"
)

var blocks = regexp.MustCompile("(?ms)^```(sh|yaml)\n(.*?)^```$")

// follow does what the page says, word for word, but for the project's name: the local cluster may have one of that name already.
func follow(ctx context.Context, page, project string) {
	GinkgoHelper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	Expect(err).NotTo(HaveOccurred())
	content, err := os.ReadFile(filepath.Join(root, "docs", page))
	Expect(err).NotTo(HaveOccurred())
	dir := GinkgoT().TempDir()
	Expect(os.Symlink(filepath.Join(root, "config"), filepath.Join(dir, "config"))).To(Succeed())
	Expect(os.Symlink(remote.Kubeconfig(testcluster.Admin), filepath.Join(dir, "remote.yaml"))).To(Succeed())
	found := blocks.FindAllStringSubmatch(string(content), -1)
	Expect(found).NotTo(BeEmpty())
	for _, block := range found {
		text := regexp.MustCompile(`\bshop\b`).ReplaceAllString(block[2], project)
		command := exec.CommandContext(ctx, "sh", "-euc", text)
		if block[1] == "yaml" {
			command = exec.CommandContext(ctx, "kubectl", "apply", "--filename=-")
			command.Path = filepath.Join(local.Dir(), "bin", "kubectl")
			command.Stdin = strings.NewReader(text)
		}
		command.Dir = dir
		command.Env = append(os.Environ(), "KUBECONFIG="+local.Kubeconfig(testcluster.Admin), "PATH="+filepath.Join(local.Dir(), "bin")+":"+os.Getenv("PATH"))
		output, err := command.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), "%s\n%s", text, output)
	}
}

var _ = Describe("The page about remote clusters", func() {
	It("leads to an Environment whose cluster is deployed to, and locked", func(ctx context.Context) {
		shop := newProject(ctx)
		project := shop.name + "-own"
		follow(ctx, "remote-clusters.md", project)
		environment := &v1alpha1.Environment{}
		Expect(localAdmin.Get(ctx, client.ObjectKey{Namespace: project, Name: "production"}, environment)).To(Succeed())
		var found *cluster.Cluster
		Eventually(func() (err error) { // until the Role is in force
			found, err = shop.clusters.For(ctx, project, environment.Spec.Target)
			return err
		}).WithContext(ctx).Should(Succeed())
		Expect(apply.NewFactory(found.Config, found.Mapper).CheckDeployer(ctx, environment.Spec.Target)).To(Succeed())
	})

	It("installs of the guard what locks, and no more", func() {
		objects, err := testcluster.Build("config/remote/lock")
		Expect(err).NotTo(HaveOccurred())
		var names []string
		for _, object := range objects {
			names = append(names, object.GetKind()+" "+object.GetName())
		}
		Expect(names).To(ConsistOf(
			"ValidatingAdmissionPolicy assent-locks", "ValidatingAdmissionPolicyBinding assent-locks",
			"ValidatingAdmissionPolicy assent-scaling", "ValidatingAdmissionPolicyBinding assent-scaling",
			"ValidatingAdmissionPolicy assent-targets", "ValidatingAdmissionPolicyBinding assent-targets",
		))
	})
})
