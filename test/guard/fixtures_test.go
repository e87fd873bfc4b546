// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

var (
	planA = v1alpha1.Digest("sha256:" + strings.Repeat("a", 64))
	planB = v1alpha1.Digest("sha256:" + strings.Repeat("b", 64))
)

// groupsOf are the people's groups as the API server finds them.
func groupsOf(user string) []string {
	if user == manyGroups {
		return manyGroupsNames()[:512]
	}
	groups := map[string][]string{
		cluster.Alice: {"shop-owners"}, cluster.Carol: {"shop-owners"}, cluster.Bob: {"developers"}, cluster.Dave: {"security"}, erin: {"approvers"},
		frank: {"incident-leads"},
	}[user]
	return append(groups, "system:authenticated")
}

// request is a Promotion that a user asks for, with everything spelled out that could be stamped.
func (w *world) request(user, environment string) *v1alpha1.Promotion {
	promotion := cluster.NewPromotion(w.project.Name, "", "shop-1", environment)
	promotion.GenerateName = "promotion-"
	promotion.Spec.RequestedBy = v1alpha1.Person{Username: user, Groups: groupsOf(user)}
	return promotion
}

// approval is a user's decision on a plan, with everything spelled out that could be stamped.
func approval(user string, plan v1alpha1.Digest) v1alpha1.Approval {
	return v1alpha1.Approval{User: user, Decision: v1alpha1.DecisionApproved, PlanDigest: plan, Groups: groupsOf(user)}
}

// requested has no plan yet.
func (w *world) requested(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := w.request(cluster.Bob, production)
	Expect(w.as(cluster.Bob).Create(ctx, promotion)).To(Succeed())
	return promotion
}

// planned has a plan.
func (w *world) planned(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := w.requested(ctx)
	w.plan(ctx, promotion, planA)
	return promotion
}

// approved has a plan and alice's approval of it.
func (w *world) approved(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := w.planned(ctx)
	w.approve(ctx, cluster.Alice, promotion)
	return promotion
}

// replanned has another plan than the one that alice approved.
func (w *world) replanned(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := w.approved(ctx)
	w.plan(ctx, promotion, planB)
	return promotion
}

// started is approved by alice and rolls out.
func (w *world) started(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := w.approved(ctx)
	w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) { status.StartTime = metav1.NewTime(time.Now()) })
	return promotion
}

// ended was approved by alice and never started.
func (w *world) ended(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := w.approved(ctx)
	w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) { status.CompletionTime = metav1.NewTime(time.Now()) })
	return promotion
}

// invalid was approved by alice; nothing but its condition says that it has ended.
func (w *world) invalid(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := w.approved(ctx)
	w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) {
		status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInvalid,
			Message: "It cannot be carried out.", LastTransitionTime: metav1.NewTime(time.Now()),
		}}
	})
	return promotion
}

func (w *world) approve(ctx context.Context, user string, promotion *v1alpha1.Promotion) {
	GinkgoHelper()
	promotion.Spec.Approvals = append(promotion.Spec.Approvals, approval(user, promotion.Status.Plan.Digest))
	Expect(w.as(user).Update(ctx, promotion)).To(Succeed())
}

func (w *world) plan(ctx context.Context, promotion *v1alpha1.Promotion, digest v1alpha1.Digest) {
	GinkgoHelper()
	identity := v1alpha1.ObjectIdentity{Name: "name", UID: "uid"}
	w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) {
		status.Plan = v1alpha1.Plan{
			Digest: digest, RenderedDigest: digest, Objects: ptr.To[int32](1), PlannedTime: metav1.NewTime(time.Now()),
			Inputs: v1alpha1.PlanInputs{
				Release: identity, ReleaseDigest: digest, Environment: identity, EnvironmentDigest: digest, GuardDigest: digest,
			},
		}
	})
}

func (w *world) status(ctx context.Context, promotion *v1alpha1.Promotion, change func(*v1alpha1.PromotionStatus)) {
	GinkgoHelper()
	change(&promotion.Status)
	Expect(w.as(operator).Status().Update(ctx, promotion)).To(Succeed())
}

// held is a planned Promotion with the operator's finalizer.
func (w *world) held(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := w.planned(ctx)
	before := promotion.DeepCopy()
	promotion.Finalizers = []string{"assent.dev/rollout"}
	Expect(w.as(operator).Patch(ctx, promotion, client.MergeFrom(before))).To(Succeed())
	return promotion
}

func (w *world) release(ctx context.Context) *v1alpha1.Release {
	GinkgoHelper()
	release := cluster.NewRelease(w.project.Name, "", "1.0.0", "{}")
	release.GenerateName = "release-"
	Expect(w.as(cluster.Bob).Create(ctx, release)).To(Succeed())
	return release
}

func (w *world) environment(ctx context.Context) *v1alpha1.Environment {
	GinkgoHelper()
	environment := cluster.NewEnvironment(w.project.Name, "", w.target)
	environment.GenerateName = "environment-"
	Expect(w.as(cluster.Dave).Create(ctx, environment)).To(Succeed())
	return environment
}

// record is the next audit record of production, not created yet.
func (w *world) record() *v1alpha1.AuditRecord {
	w.sequence++
	return &v1alpha1.AuditRecord{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%010d", production, w.sequence), Namespace: w.project.Name},
		Spec: v1alpha1.AuditRecordSpec{
			Environment: production, Sequence: w.sequence, Hash: planA, Type: v1alpha1.AuditIntent, Time: metav1.NewTime(time.Now()),
			Promotion: v1alpha1.ObjectIdentity{Name: "name", UID: "uid"},
		},
	}
}

func (w *world) recorded(ctx context.Context) *v1alpha1.AuditRecord {
	GinkgoHelper()
	record := w.record()
	Expect(w.as(operator).Create(ctx, record)).To(Succeed())
	return record
}

// loose is an object as the API server sees it: fields that Go's types leave out can be left out, and others be there.
func (w *world) loose(object client.Object) *unstructured.Unstructured {
	GinkgoHelper()
	kinds, _, err := w.cluster.Scheme().ObjectKinds(object)
	Expect(err).NotTo(HaveOccurred())
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	Expect(err).NotTo(HaveOccurred())
	loose := &unstructured.Unstructured{Object: content}
	loose.SetGroupVersionKind(kinds[0])
	return loose
}
