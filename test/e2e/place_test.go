// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
)

const production = "production"

// place is a project with one Environment, production, and its target namespace with a deployer.
type place struct {
	project   *cluster.Project
	target    v1alpha1.Target
	judgement judgement
}

// rule changes an Environment from its defaults: one approval by anyone who may.
type rule func(*v1alpha1.EnvironmentSpec)

func newPlace(ctx context.Context, rules ...rule) *place {
	GinkgoHelper()
	made := newProject(ctx)
	made.establish(ctx, production, rules...)
	return made
}

// newProject has a target namespace and no Environment yet. After the test it is judged, and goes away: what it left behind would cost the others time.
func newProject(ctx context.Context) *place {
	GinkgoHelper()
	log := scene.requests()
	project, err := scene.cluster.Project(ctx)
	Expect(err).NotTo(HaveOccurred())
	target, err := scene.cluster.Target(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) {
		for _, name := range []string{project.Name, target.Namespace} {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
			Expect(client.IgnoreNotFound(scene.as(cluster.Admin).Delete(ctx, namespace))).To(Succeed())
		}
	})
	made := &place{project: project, target: target, judgement: judgement{log: log}}
	DeferCleanup(made.judge)
	return made
}

func (p *place) establish(ctx context.Context, name string, rules ...rule) *v1alpha1.Environment {
	GinkgoHelper()
	environment := cluster.NewEnvironment(p.project.Name, name, p.target)
	for _, change := range rules {
		change(&environment.Spec)
	}
	Expect(scene.as(cluster.Admin).Create(ctx, environment)).To(Succeed())
	return environment
}

// release is created by bob.
func (p *place) release(ctx context.Context, name string, objects ...string) *v1alpha1.Release {
	GinkgoHelper()
	release := cluster.NewRelease(p.project.Name, name, strings.TrimPrefix(name, "shop-"), manifests(objects...))
	Expect(scene.as(cluster.Bob).Create(ctx, release)).To(Succeed())
	return release
}

// request is made by bob, and goes to production.
func (p *place) request(ctx context.Context, name, release string) *v1alpha1.Promotion {
	GinkgoHelper()
	asked := cluster.NewPromotion(p.project.Name, name, release, production)
	Expect(scene.as(cluster.Bob).Create(ctx, asked)).To(Succeed())
	return asked
}

// planned is a new release's promotion that waits for approval.
func (p *place) planned(ctx context.Context, name string, objects ...string) *v1alpha1.Promotion {
	GinkgoHelper()
	p.release(ctx, "shop-"+name, objects...)
	asked := p.request(ctx, name, "shop-"+name)
	await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
	return asked
}

// approved is a new release's promotion that alice has approved, and nothing more is known of it.
func (p *place) approved(ctx context.Context, name string, objects ...string) *v1alpha1.Promotion {
	GinkgoHelper()
	asked := p.planned(ctx, name, objects...)
	approve(ctx, cluster.Alice, asked)
	return asked
}

// promoted is a new release's promotion that has succeeded.
func (p *place) promoted(ctx context.Context, name string, objects ...string) *v1alpha1.Promotion {
	GinkgoHelper()
	asked := p.approved(ctx, name, objects...)
	await(ctx, asked, v1alpha1.ReasonSucceeded)
	p.awaitSettled(ctx)
	return asked
}

// decide writes the caller's own decision as `kubectl patch --type=merge` does, on the plan that they have read.
func decide(ctx context.Context, user string, asked *v1alpha1.Promotion, decision v1alpha1.Decision, comment string) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"approvals": []v1alpha1.Approval{{
		User: user, Decision: decision, Comment: comment, PlanDigest: asked.Status.Plan.Digest,
	}}}})
	if err != nil {
		return err
	}
	return scene.as(user).Patch(ctx, asked.DeepCopy(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner("assent"))
}

func approve(ctx context.Context, user string, asked *v1alpha1.Promotion) {
	GinkgoHelper()
	Expect(decide(ctx, user, asked, v1alpha1.DecisionApproved, "")).To(Succeed())
}

// eventually reads the promotion into asked until it is as wanted.
func eventually(ctx context.Context, asked *v1alpha1.Promotion, what string, wanted func(Gomega)) {
	GinkgoHelper()
	By(fmt.Sprintf("waiting until promotion %q %s", asked.Name, what))
	Eventually(func(g Gomega) {
		g.Expect(refresh(ctx, asked)).To(Succeed())
		wanted(g)
	}).WithContext(ctx).Should(Succeed(), func() string { return describe(asked) })
}

// refresh reads an object anew: what is not there any more must not stay in the Go value.
func refresh(ctx context.Context, asked *v1alpha1.Promotion) error {
	now := &v1alpha1.Promotion{}
	if err := scene.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(asked), now); err != nil {
		return err
	}
	*asked = *now
	return nil
}

// await waits for a state, and no longer than until the promotion has ended in another.
func await(ctx context.Context, asked *v1alpha1.Promotion, state string) {
	GinkgoHelper()
	eventually(ctx, asked, "is "+state, func(g Gomega) {
		if found := promotion.State(asked); found != state && promotion.Ended(asked) {
			StopTrying("it has ended otherwise: " + describe(asked)).Now()
		}
		g.Expect(promotion.State(asked)).To(Equal(state))
	})
}

// describe says where a promotion stands, for failures.
func describe(asked *v1alpha1.Promotion) string {
	text := fmt.Sprintf("promotion %q is %s: %s", asked.Name, promotion.State(asked), message(asked))
	for _, blocker := range asked.Status.Blockers {
		text += fmt.Sprintf("\n  blocker %s: %s; clears: %s", blocker.Gate, blocker.Message, blocker.Clears)
	}
	for _, ignored := range asked.Status.Approvals.Ignored {
		text += fmt.Sprintf("\n  ignored %s: %s", ignored.User, ignored.Reason)
	}
	return text
}

// message of the condition that carries the state.
func message(asked *v1alpha1.Promotion) string {
	for _, condition := range asked.Status.Conditions {
		if condition.Type == v1alpha1.ConditionSucceeded {
			return condition.Message
		}
	}
	return ""
}

// blocker of a gate; nil if the gate holds.
func blocker(asked *v1alpha1.Promotion, gate v1alpha1.Gate) *v1alpha1.Blocker {
	i := slices.IndexFunc(asked.Status.Blockers, func(b v1alpha1.Blocker) bool { return b.Gate == gate })
	if i < 0 {
		return nil
	}
	return &asked.Status.Blockers[i]
}

// environment production as it is now.
func (p *place) environment(ctx context.Context) *v1alpha1.Environment {
	GinkgoHelper()
	found := &v1alpha1.Environment{}
	Expect(scene.as(cluster.Admin).Get(ctx, client.ObjectKey{Namespace: p.project.Name, Name: production}, found)).To(Succeed())
	return found
}

// history of production, oldest first.
func (p *place) history(ctx context.Context) []v1alpha1.AuditRecord {
	GinkgoHelper()
	records := &v1alpha1.AuditRecordList{}
	Expect(scene.as(cluster.Admin).List(ctx, records, client.InNamespace(p.project.Name), client.MatchingFields{"spec.environment": production})).To(Succeed())
	return records.Items
}

// types of the records on a promotion, oldest first.
func (p *place) recordsOf(ctx context.Context, asked *v1alpha1.Promotion) []v1alpha1.AuditType {
	GinkgoHelper()
	var kinds []v1alpha1.AuditType
	for _, record := range p.history(ctx) {
		if record.Spec.Promotion.UID == string(asked.UID) {
			kinds = append(kinds, record.Spec.Type)
		}
	}
	return kinds
}

// awaitSettled waits until the Environment's status has seen the newest record, and verifies the history.
func (p *place) awaitSettled(ctx context.Context) *v1alpha1.Environment {
	GinkgoHelper()
	return p.expectSettled(ctx, production, p.history(ctx))
}

// expectSettled waits until an Environment's status has seen the last of these records, and verifies them.
func (p *place) expectSettled(ctx context.Context, environment string, records []v1alpha1.AuditRecord) *v1alpha1.Environment {
	GinkgoHelper()
	Expect(records).NotTo(BeEmpty())
	By("waiting until the environment shows the outcome")
	found := &v1alpha1.Environment{}
	Eventually(func(g Gomega) {
		g.Expect(scene.as(cluster.Admin).Get(ctx, client.ObjectKey{Namespace: p.project.Name, Name: environment}, found)).To(Succeed())
		g.Expect(found.Status.Audit).To(Equal(audit.HeadOf(&records[len(records)-1])))
	}).WithContext(ctx).Should(Succeed())
	Expect(audit.Verify(records, found.Status.Audit)).To(BeEmpty())
	return found
}

// names in an inventory, as Kind/name.
func names(refs []v1alpha1.ObjectReference) []string {
	var all []string
	for _, ref := range refs {
		all = append(all, ref.Kind+"/"+ref.Name)
	}
	return all
}

// condition of an Environment or a Promotion.
func condition(conditions []metav1.Condition, kind string) metav1.Condition {
	for _, found := range conditions {
		if found.Type == kind {
			return found
		}
	}
	return metav1.Condition{}
}

// value of a ConfigMap in the target.
func (p *place) value(ctx context.Context, name string) (string, error) {
	found := &corev1.ConfigMap{}
	err := scene.as(cluster.Admin).Get(ctx, client.ObjectKey{Namespace: p.target.Namespace, Name: name}, found)
	return found.Data["value"], err
}

// unbind takes away what a user was given by bindings in the project.
func (p *place) unbind(ctx context.Context, user string) {
	GinkgoHelper()
	bindings := &rbacv1.RoleBindingList{}
	Expect(scene.as(cluster.Admin).List(ctx, bindings, client.InNamespace(p.project.Name))).To(Succeed())
	for i := range bindings.Items {
		binding := &bindings.Items[i]
		kept := slices.DeleteFunc(slices.Clone(binding.Subjects), func(subject rbacv1.Subject) bool { return subject.Name == user })
		if len(kept) == len(binding.Subjects) {
			continue
		}
		binding.Subjects = kept
		Expect(scene.as(cluster.Admin).Update(ctx, binding)).To(Succeed())
	}
	p.project.Withdrawn(user)
}

// awaitRelease waits until a release is ready, or is not for a reason, and reads it.
func awaitRelease(ctx context.Context, release *v1alpha1.Release, status metav1.ConditionStatus, reason string) {
	GinkgoHelper()
	By(fmt.Sprintf("waiting until release %q is %s", release.Name, reason))
	Eventually(func(g Gomega) {
		found := &v1alpha1.Release{}
		g.Expect(scene.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(release), found)).To(Succeed())
		*release = *found
		ready := condition(found.Status.Conditions, v1alpha1.ConditionReady)
		g.Expect(ready).To(And(HaveField("Status", status), HaveField("Reason", reason)))
	}).WithContext(ctx).Should(Succeed())
}
