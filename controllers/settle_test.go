// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

var (
	configMap  = v1alpha1.ObjectReference{Kind: "ConfigMap", Namespace: "shop-prod", Name: "shop"}
	deployment = v1alpha1.ObjectReference{Group: "apps", Kind: "Deployment", Namespace: "shop-prod", Name: "shop"}
	service    = v1alpha1.ObjectReference{Kind: "Service", Namespace: "shop-prod", Name: "shop"}
	noon       = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

func record(kind v1alpha1.AuditType, sequence int64, objects ...v1alpha1.ObjectReference) *v1alpha1.AuditRecord {
	return &v1alpha1.AuditRecord{Spec: v1alpha1.AuditRecordSpec{
		Type: kind, Sequence: sequence, Hash: v1alpha1.Digest(fmt.Sprintf("sha256:%064d", sequence)), Environment: "production",
		Time: metav1.NewTime(noon.Add(time.Duration(sequence) * time.Minute)), Promotion: v1alpha1.ObjectIdentity{Name: "shop-2", UID: "u2"},
		Release: v1alpha1.AuditedRelease{ObjectIdentity: v1alpha1.ObjectIdentity{Name: "shop-2.0.0", UID: "r2"}, Version: "2.0.0"},
		Reason:  "the reason", Objects: objects,
	}}
}

func inUse() *v1alpha1.Environment {
	return &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: "production", Generation: 3},
		Status: v1alpha1.EnvironmentStatus{
			Current:      v1alpha1.Deployment{Release: "shop-1.0.0", Version: "1.0.0"},
			Inventory:    []v1alpha1.ObjectReference{configMap, service},
			Waiting:      []v1alpha1.WaitingPromotion{{Promotion: "shop-2"}, {Promotion: "shop-3"}},
			WaitingCount: ptr.To[int32](2),
		},
	}
}

func TestARolloutThatSucceededIsWhatRunsAndTheInventoryIsItsObjects(t *testing.T) {
	g := NewWithT(t)
	environment := inUse()
	afterRollout(&environment.Status, environment, record(v1alpha1.AuditIntent, 3, configMap, deployment), record(v1alpha1.AuditSucceeded, 4))

	g.Expect(environment.Status.Current.Version).To(Equal("2.0.0"))
	g.Expect(environment.Status.Current.StartedTime.Time).To(Equal(noon.Add(3 * time.Minute)))
	g.Expect(environment.Status.Current.SinceTime.Time).To(Equal(noon.Add(4 * time.Minute)))
	g.Expect(environment.Status.Previous.Version).To(Equal("1.0.0"))
	g.Expect(environment.Status.Inventory).To(ConsistOf(configMap, deployment))
	g.Expect(environment.Status.Audit.Sequence).To(BeEquivalentTo(4))
	g.Expect(environment.Status.Waiting).To(HaveExactElements(HaveField("Promotion", "shop-3")))
	g.Expect(environment.Status.WaitingCount).To(HaveValue(BeEquivalentTo(1)))
	g.Expect(meta.IsStatusConditionTrue(environment.Status.Conditions, v1alpha1.ConditionHealthy)).To(BeTrue())
}

func TestARolloutThatDidNotEndWellLeavesWhatRanAndTheInventoryKnowsWhatItMayHaveApplied(t *testing.T) {
	for end, reason := range map[v1alpha1.AuditType]string{
		v1alpha1.AuditFailed: v1alpha1.ReasonRolloutFailed, v1alpha1.AuditCancelled: v1alpha1.ReasonRolloutStopped,
	} {
		t.Run(string(end), func(t *testing.T) {
			g := NewWithT(t)
			environment := inUse()
			afterRollout(&environment.Status, environment, record(v1alpha1.AuditIntent, 3, configMap, deployment), record(end, 4))

			g.Expect(environment.Status.Current.Version).To(Equal("1.0.0"))
			g.Expect(environment.Status.Inventory).To(ConsistOf(configMap, deployment, service))
			for _, kind := range []string{v1alpha1.ConditionHealthy, v1alpha1.ConditionInSync} {
				condition := meta.FindStatusCondition(environment.Status.Conditions, kind)
				g.Expect(condition).To(HaveValue(And(HaveField("Status", metav1.ConditionFalse), HaveField("Reason", reason))))
				g.Expect(condition.Message).To(ContainSubstring("the reason"))
			}
		})
	}
}

func TestAnInventoryStaysWithinItsBoundAndKeepsTheNewest(t *testing.T) {
	g := NewWithT(t)
	many := func(prefix string, count int) (refs []v1alpha1.ObjectReference) {
		for i := range count {
			refs = append(refs, v1alpha1.ObjectReference{Kind: "ConfigMap", Name: fmt.Sprintf("%s-%d", prefix, i)})
		}
		return refs
	}
	all := union(many("old", 1500), many("new", 1000))
	g.Expect(all).To(HaveLen(mostInventory))
	g.Expect(all[:1000]).To(Equal(many("new", 1000)))
}

func TestAReleaseSoaksFromItsSuccessOnAndTheOneBeforeItUntilTheRolloutStarted(t *testing.T) {
	g := NewWithT(t)
	environment := inUse()
	environment.Status.Releases = []v1alpha1.SucceededRelease{{Name: "shop-1.0.0", UID: "r1", HealthySinceTime: metav1.NewTime(noon)}}
	afterRollout(&environment.Status, environment, record(v1alpha1.AuditIntent, 3, configMap), record(v1alpha1.AuditSucceeded, 4))

	succeeded := metav1.NewTime(noon.Add(4 * time.Minute))
	g.Expect(environment.Status.Releases).To(Equal([]v1alpha1.SucceededRelease{
		{Name: "shop-2.0.0", UID: "r2", Version: "2.0.0", SucceededTime: succeeded, HealthySinceTime: succeeded},
		{Name: "shop-1.0.0", UID: "r1", HealthySeconds: ptr.To[int64](180)},
	}))
}

func TestNothingSoaksAfterARolloutThatDidNotEndWell(t *testing.T) {
	for _, end := range []v1alpha1.AuditType{v1alpha1.AuditFailed, v1alpha1.AuditCancelled} {
		t.Run(string(end), func(t *testing.T) {
			g := NewWithT(t)
			environment := inUse()
			environment.Status.Releases = []v1alpha1.SucceededRelease{{Name: "shop-1.0.0", UID: "r1", HealthySinceTime: metav1.NewTime(noon)}}
			afterRollout(&environment.Status, environment, record(v1alpha1.AuditIntent, 3, configMap), record(end, 4))
			g.Expect(environment.Status.Releases).To(Equal([]v1alpha1.SucceededRelease{{Name: "shop-1.0.0", UID: "r1", HealthySeconds: ptr.To[int64](180)}}))
		})
	}
}

func TestTheMarkOfAnOverrideStaysUntilItIsTakenOff(t *testing.T) {
	g := NewWithT(t)
	status := &v1alpha1.EnvironmentStatus{}
	addOverride(status, v1alpha1.UsedOverride{Promotion: "a", User: "dave"})
	addOverride(status, v1alpha1.UsedOverride{Promotion: "b"})
	once := status.DeepCopy()
	addOverride(status, v1alpha1.UsedOverride{Promotion: "a", User: "dave"})
	g.Expect(status).To(Equal(once), "marking again changes nothing")
	g.Expect(status.Overrides).To(HaveExactElements(HaveField("Promotion", "a"), HaveField("Promotion", "b")))

	removeOverride(status, "a")
	removeOverride(status, "a")
	g.Expect(status.Overrides).To(HaveExactElements(HaveField("Promotion", "b")))

	for i := range 40 {
		addOverride(status, v1alpha1.UsedOverride{Promotion: fmt.Sprintf("p%d", i)})
	}
	g.Expect(status.Overrides).To(HaveLen(mostOverrides))
	g.Expect(status.Overrides[0].Promotion).To(Equal("b"), "no mark gives way to another")
}

func TestAPromotionThatWaitedUnlistedIsCountedOutByTheWriteThatEndsIt(t *testing.T) {
	for name, c := range map[string]struct {
		listed []string
		count  *int32
		want   *int32
	}{
		"more wait than are listed":            {[]string{"a"}, ptr.To[int32](3), ptr.To[int32](2)},
		"it is listed, and taken off the list": {[]string{"a", "shop-2"}, ptr.To[int32](3), ptr.To[int32](3)},
		"all that wait are listed":             {[]string{"a"}, ptr.To[int32](1), ptr.To[int32](1)},
		"nobody has counted":                   {nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			status := &v1alpha1.EnvironmentStatus{WaitingCount: c.count}
			for _, listed := range c.listed {
				status.Waiting = append(status.Waiting, v1alpha1.WaitingPromotion{Promotion: listed})
			}
			takeOffCount(status, "shop-2")
			g.Expect(status.WaitingCount).To(Equal(c.want))
		})
	}
}
