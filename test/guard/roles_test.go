// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"os"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

var _ = Describe("the rights of the operator", func() {
	// The API server's own answer, so that no binding and no aggregation goes unseen. A right more is a decision: write down why.
	DescribeTable("are no more than what is written down", func(ctx context.Context, namespace func() string, golden string) {
		want, err := os.ReadFile(golden)
		Expect(err).NotTo(HaveOccurred())
		everybody := scene.rights(ctx, scene.impersonating("system:serviceaccount:default:default"), "default")
		rights := slices.DeleteFunc(scene.rights(ctx, scene.as(operator), namespace()), func(right string) bool {
			return slices.Contains(everybody, right)
		})
		Expect(strings.Join(rights, "\n") + "\n").To(Equal(string(want)))
	},
		Entry("in any namespace", func() string { return scene.elsewhere.Namespace }, "testdata/operator_rights.golden"),
		Entry("in its own namespace", func() string { return cluster.SystemNamespace }, "testdata/operator_rights_at_home.golden"),
	)
})

var _ = Describe("the roles of people", Ordered, func() {
	roles := []string{"assent-viewer", "assent-releaser", "assent-promoter", "assent-approver", "assent-override", "assent-admin", "assent-archiver", "view", "edit"}
	var project *cluster.Project
	BeforeAll(func(ctx context.Context) {
		var err error
		project, err = scene.cluster.Project(ctx)
		Expect(err).NotTo(HaveOccurred())
		for _, role := range roles {
			Expect(project.Bind(ctx, role, "bound-to-"+role)).To(Succeed())
		}
	})

	for _, right := range []struct {
		verb, resource string
		holders        []string
	}{
		{"create", "releases", []string{"assent-releaser", "assent-admin", "edit"}},
		{"create", "environments", []string{"assent-admin"}},
		{"create", "promotions", []string{"assent-promoter", "assent-admin"}},
		{"patch", "promotions", []string{"assent-promoter", "assent-approver", "assent-override", "assent-admin"}},
		{"delete", "promotions", []string{"assent-promoter", "assent-admin"}},
		{"promote", "environments", []string{"assent-promoter", "assent-admin"}},
		{"rollback", "environments", []string{"assent-promoter", "assent-admin"}},
		{"resume", "environments", []string{"assent-admin"}},
		{"unblock", "releases", []string{"assent-admin"}},
		{"approve", "environments", []string{"assent-approver"}},
		{"override", "environments", []string{"assent-override"}},
		{"archive", "auditrecords", []string{"assent-archiver"}},
		{"delete", "auditrecords", []string{"assent-archiver"}},
		{"create", "auditrecords", nil},
		{"get", "auditrecords", []string{
			"assent-viewer", "assent-promoter", "assent-approver", "assent-override", "assent-admin", "assent-archiver", "view", "edit",
		}},
	} {
		It("let "+strings.Join(right.holders, ", ")+" and no other "+right.verb+" "+right.resource, func(ctx context.Context) {
			var holders []string
			for _, role := range roles {
				review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
					User: "bound-to-" + role,
					ResourceAttributes: &authorizationv1.ResourceAttributes{
						Group: v1alpha1.GroupName, Resource: right.resource, Verb: right.verb, Namespace: project.Name, Name: "some",
					},
				}}
				Expect(scene.as(operator).Create(ctx, review)).To(Succeed())
				if review.Status.Allowed {
					holders = append(holders, role)
				}
			}
			Expect(holders).To(HaveExactElements(right.holders))
		})
	}

	It("let the checker's account work on Jobs, and on nothing else", func(ctx context.Context) {
		Expect(project.Bind(ctx, "assent-checker", "bound-to-assent-checker")).To(Succeed())
		checker := scene.impersonating("bound-to-assent-checker")
		everybody := scene.rights(ctx, checker, "default")
		Eventually(func() []string {
			return slices.DeleteFunc(scene.rights(ctx, checker, project.Name), func(right string) bool { return slices.Contains(everybody, right) })
		}).WithTimeout(patience).Should(HaveExactElements("create jobs.batch", "delete jobs.batch", "get jobs.batch", "list jobs.batch", "watch jobs.batch"))
	})

	It("write status to nobody", func(ctx context.Context) {
		shipped := &rbacv1.ClusterRoleList{}
		Expect(scene.as(cluster.Admin).List(ctx, shipped)).To(Succeed())
		for _, role := range shipped.Items {
			if !strings.HasPrefix(role.Name, "assent-") || role.Name == "assent-controller" {
				continue
			}
			for _, rule := range role.Rules {
				Expect(rule.Resources).NotTo(ContainElement(Or(HaveSuffix("/status"), Equal("*"))), role.Name)
			}
		}
	})
})

// rights of a connection in a namespace, one verb and resource a line, as the API server lists them.
func (w *world) rights(ctx context.Context, c client.Client, namespace string) []string {
	GinkgoHelper()
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	Expect(c.Create(ctx, review)).To(Succeed())
	Expect(review.Status.Incomplete).To(BeFalse())
	var rights []string
	for _, rule := range review.Status.ResourceRules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					rights = append(rights, strings.TrimSpace(verb+" "+strings.TrimSuffix(resource+"."+group, ".")+" "+strings.Join(rule.ResourceNames, ",")))
				}
			}
		}
	}
	for _, rule := range review.Status.NonResourceRules {
		for _, verb := range rule.Verbs {
			rights = append(rights, verb+" "+strings.Join(rule.NonResourceURLs, ","))
		}
	}
	slices.Sort(rights)
	return slices.Compact(rights)
}
