// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
)

func mapperOf(config *rest.Config) meta.RESTMapper {
	httpClient, err := rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	Expect(err).NotTo(HaveOccurred())
	return mapper
}

var _ = Describe("Prune", func() {
	It("deletes what this Environment applied, and nothing else", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.deployer.Apply(ctx, p.objects(configMap("ours", "x")))).Error().NotTo(HaveOccurred())
		Expect(p.deployer.Apply(ctx, p.objectsOf(apply.Owner{Project: "shop", Environment: "staging"}, configMap("theirs", "x")))).Error().NotTo(HaveOccurred())
		Expect(p.deployer.Apply(ctx, p.objectsOf(apply.Owner{Project: "other", Environment: "production"}, configMap("namesake", "x")))).Error().NotTo(HaveOccurred())
		Expect(admin.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "nobodys", Namespace: p.target.Namespace}})).To(Succeed())
		refs := []v1alpha1.ObjectReference{
			p.ref("", "ConfigMap", "ours"), p.ref("", "ConfigMap", "theirs"), p.ref("", "ConfigMap", "namesake"), p.ref("", "ConfigMap", "nobodys"),
			p.ref("", "ConfigMap", "gone"), p.ref("example.com", "GoneKind", "x"),
		}

		pairs, err := p.deployer.Live(ctx, refs, owner)
		Expect(err).NotTo(HaveOccurred())
		Expect(pairs).To(HaveExactElements(And(HaveField("Ref.Name", "ours"), HaveField("Merged", BeNil()))), "the plan shows what a prune would do, and no more")

		pruned, err := p.deployer.Prune(ctx, refs, owner)
		Expect(err).NotTo(HaveOccurred())
		Expect(pruned.Deleted).To(Equal(refs[:1]))
		Expect(pruned.Kept).To(HaveExactElements(HaveField("Ref.Name", "theirs"), HaveField("Ref.Name", "namesake"), HaveField("Ref.Name", "nobodys")))
		Expect(pruned.Kept[0].Reason).To(ContainSubstring(`no longer carries the labels of Environment "production"`))
		Expect(p.configMap(ctx, "ours")).To(BeNil())
		for _, name := range []string{"theirs", "namesake", "nobodys"} {
			Expect(admin.Get(ctx, client.ObjectKey{Namespace: p.target.Namespace, Name: name}, &corev1.ConfigMap{})).To(Succeed())
		}

		again, err := p.deployer.Prune(ctx, refs[:1], owner)
		Expect(err).NotTo(HaveOccurred(), "gone already is fine")
		Expect(again).To(Equal(apply.Pruned{}))
	})

	It("does not take away what the rollout stands on, nor what is in another namespace", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: p.target.ServiceAccountName, Namespace: p.target.Namespace}}
		Expect(admin.Patch(ctx, account, client.RawPatch("application/merge-patch+json",
			[]byte(`{"metadata":{"labels":{"assent.dev/project":"shop","assent.dev/environment":"production"}}}`)))).To(Succeed())
		pruned, err := p.deployer.Prune(ctx, []v1alpha1.ObjectReference{
			{Kind: "Namespace", Name: p.target.Namespace}, p.ref("", "ServiceAccount", p.target.ServiceAccountName), {Kind: "ConfigMap", Namespace: "default", Name: "x"},
		}, owner)
		Expect(err).NotTo(HaveOccurred())
		Expect(pruned.Deleted).To(BeEmpty())
		Expect(pruned.Kept).To(HaveLen(3))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(account), account)).To(Succeed())
	})

	It("says which right is missing", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		_, err := p.deployer.Prune(ctx, []v1alpha1.ObjectReference{p.ref("", "ResourceQuota", "q")}, owner)
		Expect(err).To(haveKind(apply.DeployerError))
	})
})
