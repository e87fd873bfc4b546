// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func inSyncOf(environment *v1alpha1.Environment) *metav1.Condition {
	return meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionInSync)
}

var settingsDrifted = []v1alpha1.DriftedObject{{
	ObjectReference: v1alpha1.ObjectReference{Kind: "ConfigMap", Name: "settings"}, Fields: []string{"data.a"}, Message: `changed by "me"`,
}}

func TestInSyncSaysWhatTheLastComparisonHasFound(t *testing.T) {
	g := NewWithT(t)
	environment := soaking()
	look := func(found *comparison) { afterComparison(&environment.Status, environment, found, noon.Add(time.Hour)) }
	be := func(status metav1.ConditionStatus, reason, message string) OmegaMatcher {
		return HaveValue(And(HaveField("Status", status), HaveField("Reason", reason), HaveField("Message", message)))
	}
	const rolledOut, differs = `release "shop-2.0.0" was rolled out by promotion "shop-2"`, `1 of 2 objects differ from what was approved: ConfigMap "settings" in data.a: changed by "me"`

	look(nil)
	look(&comparison{of: 2})
	g.Expect(environment).To(Equal(soaking()), "what is in sync changes nothing")

	look(&comparison{drifted: settingsDrifted, total: 1, of: 2, digest: "sha256:1"})
	g.Expect(inSyncOf(environment)).To(be(metav1.ConditionFalse, v1alpha1.ReasonDrifted, differs))
	g.Expect(environment.Status.Drifted).To(Equal(settingsDrifted))
	g.Expect(environment.Status.DriftDigest).To(BeEquivalentTo("sha256:1"))
	g.Expect(healthyOf(environment)).To(HaveValue(HaveField("Status", metav1.ConditionTrue)))

	drifted := environment.DeepCopy()
	look(nil)
	look(&comparison{drifted: settingsDrifted, total: 1, of: 2, digest: "sha256:1"})
	g.Expect(environment).To(Equal(drifted), "what was said last counts, and what stays as it is changes nothing")

	look(&comparison{drifted: settingsDrifted, total: 1, of: 2, digest: "sha256:2", note: "held: incident 4711"})
	g.Expect(environment.Status.DriftDigest).To(BeEquivalentTo("sha256:2"), "other values in the same fields")
	g.Expect(inSyncOf(environment)).To(be(metav1.ConditionFalse, v1alpha1.ReasonDrifted, differs+"; not corrected: held: incident 4711"))

	look(&comparison{unknown: "cannot be told"})
	g.Expect(inSyncOf(environment)).To(be(metav1.ConditionUnknown, v1alpha1.ReasonDriftUnknown, "cannot be told"))
	g.Expect(environment.Status.Drifted).To(BeEmpty())
	g.Expect(environment.Status.DriftDigest).To(BeEquivalentTo("sha256:2"), "nothing else was seen")

	look(&comparison{of: 2})
	g.Expect(inSyncOf(environment)).To(be(metav1.ConditionTrue, v1alpha1.ReasonRolledOut, rolledOut))
	g.Expect(environment.Status.DriftDigest).To(BeEmpty())

	look(&comparison{drifted: settingsDrifted, total: 1, of: 2, digest: "sha256:1"})
	environment.Spec.Rollout.Drift = v1alpha1.DriftIgnore
	look(nil)
	g.Expect(inSyncOf(environment)).To(be(metav1.ConditionTrue, v1alpha1.ReasonRolledOut, rolledOut))
	g.Expect(environment.Status.Drifted).To(BeEmpty())
	g.Expect(environment.Status.DriftDigest).To(BeEmpty())
}

func TestARolloutEndsWhatWasSaidOfDrift(t *testing.T) {
	for _, test := range []struct {
		name string
		end  v1alpha1.AuditType
		want metav1.ConditionStatus
	}{
		{"one that succeeded", v1alpha1.AuditSucceeded, metav1.ConditionTrue},
		{"one that failed", v1alpha1.AuditFailed, metav1.ConditionFalse},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := NewWithT(t)
			environment := soaking()
			afterComparison(&environment.Status, environment, &comparison{drifted: settingsDrifted, total: 1, of: 2, digest: "sha256:1"}, noon)
			afterRollout(&environment.Status, environment, record(v1alpha1.AuditIntent, 5), record(test.end, 6))
			said := *inSyncOf(environment)
			afterComparison(&environment.Status, environment, nil, noon)
			g.Expect(environment.Status.Drifted).To(BeEmpty())
			g.Expect(environment.Status.DriftDigest).To(BeEmpty())
			g.Expect(inSyncOf(environment)).To(HaveValue(Equal(said)))
			g.Expect(said.Status).To(Equal(test.want))
		})
	}
}

func TestComparisonsWaitForMoreChangesAndAreMadeOnce(t *testing.T) {
	g := NewWithT(t)
	passing := testclock.NewFakeClock(noon)
	d := newDrifts(passing)
	key := types.NamespacedName{Namespace: "shop", Name: "production"}
	first := subject{plan: "p", sequence: 4, changes: 1}
	g.Expect(d.look(key, first)).To(BeNil())
	passing.Step(time.Second)
	second := first
	second.changes = 2
	g.Expect(d.look(key, second)).To(BeNil())
	g.Expect(d.queue.Len()).To(BeZero())
	passing.Step(time.Second)
	g.Eventually(d.queue.Len).Should(Equal(1))
	next, _ := d.queue.Get()
	g.Expect(next).To(Equal(key))
	wanted, _ := d.wanted(key)
	g.Expect(wanted).To(Equal(second))
	d.found(key, comparison{subject: wanted, of: 3})
	d.queue.Done(key)

	written := second
	written.writes = 7
	g.Expect(d.look(key, written)).To(HaveValue(Equal(comparison{subject: wanted, of: 3})))
	g.Expect(passing.HasWaiters()).To(BeFalse(), "while nothing differs, only changes of what was applied matter")

	d.found(key, comparison{subject: wanted, drifted: settingsDrifted, total: 1, of: 3})
	g.Expect(d.hasDrifted(key)).To(BeTrue())
	g.Expect(d.drifted("shop")).To(ConsistOf(key))
	g.Expect(d.drifted("other")).To(BeEmpty())
	g.Expect(d.look(key, written)).NotTo(BeNil())
	g.Expect(passing.HasWaiters()).To(BeTrue(), "any write may set right what differs")

	after := written
	after.sequence = 6
	g.Expect(d.look(key, after)).To(BeNil(), "what was found before a rollout says nothing after it")
	d.forget(key)
	g.Expect(passing.HasWaiters()).To(BeFalse())
	d.found(key, comparison{subject: after})
	g.Expect(d.byKey).To(BeEmpty(), "what was forgotten stays so")
}

func TestAnEnvironmentIsCorrectedFiveTimesWithinAnHour(t *testing.T) {
	corrections := func(times ...time.Duration) []v1alpha1.AuditRecord {
		records := []v1alpha1.AuditRecord{*record(v1alpha1.AuditIntent, 1), *record(v1alpha1.AuditSucceeded, 2)}
		for i, after := range times {
			one := record(v1alpha1.AuditCorrected, int64(3+i))
			one.Spec.Time = metav1.NewTime(noon.Add(after))
			records = append(records, *one)
		}
		return records
	}
	for _, test := range []struct {
		name  string
		times []time.Duration
		want  bool
	}{
		{"never", nil, false},
		{"four times", []time.Duration{0, 1, 2, 3}, false},
		{"five times in an hour", []time.Duration{0, 1, 2, 3, time.Hour}, true},
		{"five times in more than an hour", []time.Duration{0, 1, 2, 3, time.Hour + 1}, false},
		{"five times in an hour, long ago", []time.Duration{0, 1, 2, 3, 4, 100 * time.Hour}, true},
		{"in any order", []time.Duration{100 * time.Hour, 4, 3, 2, 1, 0}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			NewWithT(t).Expect(keptChanging(corrections(test.times...))).To(Equal(test.want))
		})
	}
}

func TestARecoveryCountsFromItsBeginningAndAnewAfterARelapse(t *testing.T) {
	g := NewWithT(t)
	r := newRecoveries()
	key := types.NamespacedName{Name: "production"}
	g.Expect(r.since(key, noon)).To(Equal(noon))
	g.Expect(r.since(key, noon.Add(time.Second))).To(Equal(noon))
	r.forget(key)
	g.Expect(r.since(key, noon.Add(2*time.Second))).To(Equal(noon.Add(2 * time.Second)))
}

func TestAComparisonAfterARolloutIsInNoHurryUnlessSomebodyChangesSomething(t *testing.T) {
	g := NewWithT(t)
	passing := testclock.NewFakeClock(noon)
	d := newDrifts(passing)
	key := types.NamespacedName{Namespace: "shop", Name: "production"}
	first := subject{plan: "p", sequence: 4, changes: 1}
	d.look(key, first)
	passing.Step(compareAfter)
	g.Eventually(d.queue.Len).Should(Equal(1), "a process that has just started knows nothing")
	next, _ := d.queue.Get()
	d.found(key, comparison{subject: first, of: 3})
	d.queue.Done(next)

	second := subject{plan: "q", sequence: 6, changes: 5}
	g.Expect(d.look(key, second)).To(BeNil())
	passing.Step(compareAfterRollout - time.Second)
	g.Consistently(d.queue.Len, "100ms").Should(BeZero())
	passing.Step(time.Second)
	g.Eventually(d.queue.Len).Should(Equal(1))
	next, _ = d.queue.Get()
	d.queue.Done(next)

	third := subject{plan: "r", sequence: 8, changes: 9}
	d.look(key, third)
	third.changes++
	d.look(key, third)
	passing.Step(compareAfter)
	g.Eventually(d.queue.Len).Should(Equal(1), "somebody has changed something since")
}
