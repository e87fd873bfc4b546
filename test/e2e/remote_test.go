// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// another is a second cluster, set up as docs/remote-clusters.md says.
type another struct {
	*cluster.Cluster
	namespace string
}

func startAnother(ctx context.Context) *another {
	GinkgoHelper()
	By("starting a second cluster")
	second, stop, err := scene.cluster.Second(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(stop)
	far := &another{Cluster: second, namespace: "shop-prod"}
	far.kubectl(ctx, "apply", "-k", "../../config/remote")
	far.kubectl(ctx, "create", "namespace", far.namespace)
	far.kubectl(ctx, "create", "serviceaccount", cluster.Deployer, "--namespace", far.namespace)
	far.kubectl(ctx, "create", "rolebinding", cluster.Deployer, "--namespace", far.namespace, "--clusterrole=edit", "--serviceaccount="+far.namespace+":"+cluster.Deployer)
	return far
}

func (a *another) kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	output, err := a.Kubectl(ctx, cluster.Admin, "", args...)
	Expect(err).NotTo(HaveOccurred())
	return strings.TrimSpace(output)
}

// kubeconfig of the service account that may act as deployers, leading to a server.
func (a *another) kubeconfig(ctx context.Context, server string) []byte {
	GinkgoHelper()
	admin, err := a.Config(cluster.Admin)
	Expect(err).NotTo(HaveOccurred())
	authority := admin.CAData
	if len(authority) == 0 {
		authority, err = os.ReadFile(admin.CAFile)
		Expect(err).NotTo(HaveOccurred())
	}
	if server == "" {
		server = admin.Host
	}
	made := clientcmdapi.NewConfig()
	made.Clusters["far"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: authority}
	made.AuthInfos["assent-remote"] = &clientcmdapi.AuthInfo{Token: a.kubectl(ctx, "create", "token", "assent-remote", "--namespace", "assent-remote")}
	made.Contexts["far"] = &clientcmdapi.Context{Cluster: "far", AuthInfo: "assent-remote"}
	made.CurrentContext = "far"
	content, err := clientcmd.Write(*made)
	Expect(err).NotTo(HaveOccurred())
	return content
}

// value of a ConfigMap there.
func (a *another) value(ctx context.Context, name string) string {
	GinkgoHelper()
	return a.kubectl(ctx, "get", "configmap", name, "--namespace", a.namespace, "-o", "jsonpath={.data.value}")
}

// letOperatorReadSecret of the project, by name.
func (p *place) letOperatorReadSecret(ctx context.Context, name string) {
	GinkgoHelper()
	admin := scene.as(cluster.Admin)
	Expect(admin.Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: "read-" + name},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{name}, Verbs: []string{"get"}}},
	})).To(Succeed())
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: "read-" + name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "read-" + name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "assent-system", Name: "assent-controller"}},
	})).To(Succeed())
}

var _ = Describe("an environment in another cluster", func() {
	It("waits while that cannot be reached, rolls out there and nowhere else, and goes on with a new token", NodeTimeout(10*patience), func(ctx context.Context) {
		far := startAnother(ctx)
		p := newProject(ctx)
		p.target = v1alpha1.Target{
			Namespace: far.namespace, ServiceAccountName: cluster.Deployer,
			Cluster: v1alpha1.TargetCluster{Kubeconfig: v1alpha1.SecretKeyReference{Name: "far", Key: "kubeconfig"}},
		}
		p.establish(ctx, production)
		p.release(ctx, "shop-one", append(shop("1"), inWave(1, configMap("late", "1")))...)
		asked := p.request(ctx, "one", "shop-one")
		p.eventuallyBlocked(ctx, asked, "the operator must not read secret \"far\"")
		Expect(asked.Status.Blockers[0].Gate).To(Equal(v1alpha1.GateTarget))

		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: "far"}, Data: map[string][]byte{"kubeconfig": far.kubeconfig(ctx, "https://127.0.0.1:1")},
		}
		Expect(scene.as(cluster.Admin).Create(ctx, secret)).To(Succeed())
		p.letOperatorReadSecret(ctx, "far")
		p.eventuallyBlocked(ctx, asked, "the target cluster cannot be reached")
		environment := p.environment(ctx)
		Expect(condition(environment.Status.Conditions, v1alpha1.ConditionReady).Reason).To(Or(Equal(v1alpha1.ReasonClusterUnreachable), Equal("Accepted")))

		secret.Data["kubeconfig"] = far.kubeconfig(ctx, "")
		Expect(scene.as(cluster.Admin).Update(ctx, secret)).To(Succeed())
		eventually(ctx, asked, "is planned", func(g Gomega) {
			p.nudge(ctx, asked)
			g.Expect(asked.Status.Plan.Digest).NotTo(BeEmpty())
		})
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
		Expect(far.value(ctx, "settings")).To(Equal("1"))
		Expect(far.value(ctx, "late")).To(Equal("1"))
		here := &corev1.ConfigMapList{}
		Expect(scene.as(cluster.Admin).List(ctx, here, client.MatchingLabels{v1alpha1.LabelProject: p.project.Name})).To(Succeed())
		Expect(here.Items).To(BeEmpty(), "nothing may be applied in this cluster")

		secret.Data["kubeconfig"] = far.kubeconfig(ctx, "")
		Expect(scene.as(cluster.Admin).Update(ctx, secret)).To(Succeed())
		p.promoted(ctx, "two", shop("2")...)
		Expect(far.value(ctx, "settings")).To(Equal("2"))
		Expect(far.kubectl(ctx, "get", "configmap", "--namespace", far.namespace, "-o", "name")).NotTo(ContainSubstring("late"), "what the release has not any more is pruned there")

		By("changing what runs there behind the operator's back")
		far.kubectl(ctx, "patch", "configmap", "settings", "--namespace", far.namespace, "--type=merge", "--patch", `{"data": {"value": "3"}}`)
		Eventually(func(g Gomega) {
			found := p.environment(ctx)
			g.Expect(condition(found.Status.Conditions, v1alpha1.ConditionInSync).Reason).To(Equal(v1alpha1.ReasonDrifted))
			g.Expect(found.Status.Drifted).To(ConsistOf(And(HaveField("Name", "settings"), HaveField("Fields", ConsistOf("data.value")))))
		}).WithContext(ctx).Should(Succeed())
		far.kubectl(ctx, "patch", "deployment", "web", "--namespace", far.namespace, "--patch", toNowhere)
		p.eventuallyHealth(ctx, metav1.ConditionFalse, v1alpha1.ReasonUnhealthy)
	})
})
