// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/lint"
	"github.com/assent-dev/assent/test/oracle"
)

const environmentName = "production"

// life of an application in one Environment.
type life struct {
	application application
	project     *cluster.Project
	target      v1alpha1.Target
	store       *store
	admin       client.Client
	// log of what happens in the project.
	log *cluster.RequestLog
	// steps so far.
	steps int
}

// begin with a project, an Environment, and a deployer who may do everything in the target namespace and with the kinds of the cluster that applications bring along.
func begin(ctx context.Context, one application) *life {
	GinkgoHelper()
	requests, err := scene.Requests()
	Expect(err).NotTo(HaveOccurred())
	project, err := scene.Project(ctx)
	Expect(err).NotTo(HaveOccurred())
	target, err := scene.Target(ctx)
	Expect(err).NotTo(HaveOccurred())
	admin, err := scene.Client(cluster.Admin)
	Expect(err).NotTo(HaveOccurred())
	l := &life{application: one, project: project, target: target, store: openStore(), admin: admin, log: requests}
	DeferCleanup(l.judge)
	Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "apps-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: target.Namespace, Name: target.ServiceAccountName}},
	})).To(Succeed())
	environment := cluster.NewEnvironment(project.Name, environmentName, target)
	environment.Spec.Application = one.name
	environment.Spec.Rollout.ClusterScopedKinds = []v1alpha1.GroupKind{
		{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}, {Group: rbacv1.GroupName, Kind: "ClusterRole"}, {Group: rbacv1.GroupName, Kind: "ClusterRoleBinding"},
		{Group: "scheduling.k8s.io", Kind: "PriorityClass"}, {Group: "storage.k8s.io", Kind: "StorageClass"}, {Group: "networking.k8s.io", Kind: "IngressClass"},
	}
	Expect(admin.Create(ctx, environment)).To(Succeed())
	return l
}

// judge what has happened by the API server's audit log, and what the objects that are left say.
func (l *life) judge(ctx context.Context) {
	GinkgoHelper()
	evidence, err := oracle.Collect(ctx, l.admin, l.log, oracle.Scene{
		Project: l.project.Name, Targets: []string{l.target.Namespace}, Rights: l.project.Rights(),
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(evidence.Violations()).To(BeEmpty(), "the oracle (test/oracle) has found this in project %q", l.project.Name)
	Eventually(func() ([]lint.Finding, error) {
		left, err := lint.Collect(ctx, l.admin, l.project.Name)
		return left.Findings(time.Now()), err
	}).WithContext(ctx).Should(BeEmpty())
}

// promote the release of that number: bob hands it over and asks, alice approves what she sees.
func (l *life) promote(ctx context.Context, number int) {
	GinkgoHelper()
	made := l.application.releases[number]
	Expect(l.as(cluster.Bob).Create(ctx, &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: l.project.Name, Name: made.name(l.application.name)},
		Spec: v1alpha1.ReleaseSpec{
			Application: l.application.name, Version: made.version, Source: v1alpha1.ReleaseSource{OCI: l.store.push(l.application.name, made)},
		},
	})).To(Succeed())
	l.step(ctx, number, v1alpha1.PromotionTypePromote)
}

// goBack to the release of that number.
func (l *life) goBack(ctx context.Context, number int) {
	GinkgoHelper()
	l.step(ctx, number, v1alpha1.PromotionTypeRollback)
}

// step asks for a release, has it approved, waits for the end, and checks everything.
func (l *life) step(ctx context.Context, number int, kind v1alpha1.PromotionType) {
	GinkgoHelper()
	l.steps++
	made := l.application.releases[number]
	asked := cluster.NewPromotion(l.project.Name, fmt.Sprintf("step-%d", l.steps), made.name(l.application.name), environmentName)
	asked.Spec.Type = kind
	Expect(l.as(cluster.Bob).Create(ctx, asked)).To(Succeed())
	l.await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
	began := time.Now()
	l.approve(ctx, asked)
	l.await(ctx, asked, v1alpha1.ReasonSucceeded)
	By(fmt.Sprintf("%s %s %s: %d objects, %d changes, healthy %s after the approval",
		kind, l.application.name, made.version, ptr.Deref(asked.Status.Plan.Objects, 0), len(asked.Status.Plan.Changes), time.Since(began).Round(10*time.Millisecond)))
	l.expectRunning(ctx, made)
	l.expectOnRecord(ctx, asked)
}

func (l *life) as(user string) client.Client {
	GinkgoHelper()
	found, err := scene.Client(user)
	Expect(err).NotTo(HaveOccurred())
	return found
}

func (l *life) approve(ctx context.Context, asked *v1alpha1.Promotion) {
	GinkgoHelper()
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"approvals": []v1alpha1.Approval{{
		User: cluster.Alice, Decision: v1alpha1.DecisionApproved, PlanDigest: asked.Status.Plan.Digest,
	}}}})
	Expect(err).NotTo(HaveOccurred())
	Expect(l.as(cluster.Alice).Patch(ctx, asked.DeepCopy(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner("assent"))).To(Succeed())
}

// await a state, and no longer than until the promotion has ended in another.
func (l *life) await(ctx context.Context, asked *v1alpha1.Promotion, state string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(l.admin.Get(ctx, client.ObjectKeyFromObject(asked), asked)).To(Succeed())
		if found := promotion.State(asked); found != state && promotion.Ended(asked) {
			StopTrying("it has ended otherwise: " + saying(asked)).Now()
		}
		g.Expect(promotion.State(asked)).To(Equal(state), saying(asked))
	}).WithContext(ctx).Should(Succeed())
}

// saying is where a promotion stands, in words.
func saying(asked *v1alpha1.Promotion) string {
	text := fmt.Sprintf("promotion %q is %s", asked.Name, promotion.State(asked))
	for _, condition := range asked.Status.Conditions {
		if condition.Type == v1alpha1.ConditionSucceeded {
			text += ": " + condition.Message
		}
	}
	for _, blocker := range asked.Status.Blockers {
		text += fmt.Sprintf("\n  blocker %s: %s; clears: %s", blocker.Gate, blocker.Message, blocker.Clears)
	}
	return text
}
