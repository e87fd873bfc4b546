// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

func locked(spec *v1alpha1.EnvironmentSpec) { spec.Lock = v1alpha1.LockEnabled }

// label the target namespace, as whoever administers it does.
func (p *place) label(ctx context.Context, value string) {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.target.Namespace}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"labels": {"assent.dev/lock": "`+value+`"}}}`))
	Expect(scene.as(cluster.Admin).Patch(ctx, namespace, patch)).To(Succeed())
}

var _ = Describe("an environment that is locked", func() {
	It("waits until the namespace says so, too, and is then changed by promotions alone", func(ctx context.Context) {
		p := newPlace(ctx, locked)
		p.release(ctx, "shop-one", shop("1")...)
		asked := p.request(ctx, "one", "shop-one")
		p.eventuallyBlocked(ctx, asked, "does not carry the label assent.dev/lock="+p.project.Name)
		p.label(ctx, p.project.Name)
		eventually(ctx, asked, "is planned", func(g Gomega) {
			p.nudge(ctx, asked)
			g.Expect(asked.Status.Plan.Digest).NotTo(BeEmpty())
		})
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)

		By("trying to change it as somebody who may do everything in the namespace")
		Expect(scene.as(cluster.Admin).Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "dave"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: cluster.Dave}},
		})).To(Succeed())
		namespace := "--namespace=" + p.target.Namespace
		for _, attempt := range [][]string{
			{"set", "image", "deployment/web", "web=registry.example/other:1", namespace},
			{"scale", "deployment/web", "--replicas=0", namespace},
			{"label", "configmap/settings", "assent.dev/lock-", namespace},
			{"delete", "configmap/settings", namespace},
			{"rollout", "restart", "deployment/web", namespace},
		} {
			Eventually(func() error {
				_, err := scene.cluster.Kubectl(ctx, cluster.Dave, "", attempt...)
				return err
			}).WithContext(ctx).Should(MatchError(ContainSubstring("locked")), attempt[0])
		}
		Expect(p.value(ctx, "settings")).To(Equal("1"))

		By("promoting the next release")
		p.promoted(ctx, "two", shop("2")...)
		Expect(p.value(ctx, "settings")).To(Equal("2"))
	})
})
