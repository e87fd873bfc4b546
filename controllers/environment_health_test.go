// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// soaking runs release 2.0.0 since noon.
func soaking() *v1alpha1.Environment {
	environment := inUse()
	intent, end := record(v1alpha1.AuditIntent, 3, configMap, deployment), record(v1alpha1.AuditSucceeded, 4)
	intent.Spec.Time, end.Spec.Time = metav1.NewTime(noon), metav1.NewTime(noon)
	afterRollout(&environment.Status, environment, intent, end)
	return environment
}

func failing(messages ...string) standing {
	found := standing{watched: true, known: true, total: 5}
	for i, message := range messages {
		found.failing = append(found.failing, v1alpha1.FailingObject{
			ObjectReference: v1alpha1.ObjectReference{Group: "apps", Kind: "Deployment", Name: fmt.Sprintf("web-%d", i)}, Message: message,
		})
	}
	return found
}

func healthyOf(environment *v1alpha1.Environment) *metav1.Condition {
	return meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionHealthy)
}

func TestTimeInWhichAReleaseWasUnhealthyDoesNotCount(t *testing.T) {
	g := NewWithT(t)
	environment := soaking()
	look := func(found standing, after time.Duration) {
		afterLook(&environment.Status, environment, found, noon.Add(after))
	}

	look(failing(), 10*time.Minute)
	g.Expect(environment).To(Equal(soaking()), "what stays healthy changes nothing")

	look(failing("is not ready"), 20*time.Minute)
	g.Expect(healthyOf(environment)).To(HaveValue(And(
		HaveField("Status", metav1.ConditionFalse), HaveField("Reason", v1alpha1.ReasonUnhealthy),
		HaveField("Message", `1 of 5 objects not healthy (Deployment.apps "web-0"): Deployment.apps "web-0": is not ready`))))
	g.Expect(environment.Status.Releases[0]).To(And(HaveField("HealthySeconds", HaveValue(BeEquivalentTo(1200))), HaveField("HealthySinceTime", BeZero())))
	g.Expect(meta.IsStatusConditionTrue(environment.Status.Conditions, v1alpha1.ConditionInSync)).To(BeTrue())

	unwell := environment.DeepCopy()
	look(failing("is not ready"), 30*time.Minute)
	g.Expect(environment).To(Equal(unwell), "what stays unhealthy changes nothing")

	look(failing(), 40*time.Minute)
	g.Expect(healthyOf(environment)).To(HaveValue(And(
		HaveField("Status", metav1.ConditionTrue), HaveField("Reason", v1alpha1.ReasonRolledOut),
		HaveField("Message", `release "shop-2.0.0" was rolled out by promotion "shop-2"`))))
	g.Expect(environment.Status.Releases[0]).To(And(
		HaveField("HealthySeconds", HaveValue(BeEquivalentTo(1200))), HaveField("HealthySinceTime.Time", noon.Add(40*time.Minute))))
}

func TestWhatWasSaidLastCountsUntilEverythingHasBeenLookedAt(t *testing.T) {
	g := NewWithT(t)
	environment := soaking()
	unknown := failing("is not ready")
	unknown.known = false
	afterLook(&environment.Status, environment, unknown, noon.Add(time.Hour))
	g.Expect(environment).To(Equal(soaking()))
}

func TestAfterARolloutThatFailedNothingThatIsSeenIsCalledHealthy(t *testing.T) {
	g := NewWithT(t)
	environment := soaking()
	afterRollout(&environment.Status, environment, record(v1alpha1.AuditIntent, 5), record(v1alpha1.AuditFailed, 6))
	before := environment.DeepCopy()
	afterLook(&environment.Status, environment, failing(), noon.Add(time.Hour))
	g.Expect(environment).To(Equal(before))
}

func TestAnEnvironmentThatIsNotWatchedSaysWhatCameOfItsLastRollout(t *testing.T) {
	g := NewWithT(t)
	environment := soaking()
	afterLook(&environment.Status, environment, standing{}, noon.Add(time.Hour))
	g.Expect(environment).To(Equal(soaking()))

	afterLook(&environment.Status, environment, failing("is not ready"), noon.Add(time.Hour))
	afterLook(&environment.Status, environment, standing{}, noon.Add(2*time.Hour))
	g.Expect(healthyOf(environment)).To(HaveValue(HaveField("Reason", v1alpha1.ReasonRolledOut)))
	g.Expect(environment.Status.Releases[0].HealthySinceTime).To(BeZero(), "and its time goes on once somebody looks again")
	afterLook(&environment.Status, environment, failing(), noon.Add(3*time.Hour))
	g.Expect(environment.Status.Releases[0]).To(And(
		HaveField("HealthySeconds", Equal(ptr.To[int64](3600))), HaveField("HealthySinceTime.Time", noon.Add(3*time.Hour))))
}

func TestTheMessageOfAnUnhealthyEnvironmentStaysWhileTheSameObjectsFail(t *testing.T) {
	g := NewWithT(t)
	first := unhealthy(failing("restarted once"), "")
	g.Expect(unhealthy(failing("restarted twice"), first)).To(Equal(first))
	both := unhealthy(failing("restarted twice", "is gone"), first)
	g.Expect(both).To(Equal(`2 of 5 objects not healthy (Deployment.apps "web-0", Deployment.apps "web-1"): ` +
		`Deployment.apps "web-0": restarted twice; Deployment.apps "web-1": is gone`))
	g.Expect(unhealthy(failing("restarted thrice"), both)).To(ContainSubstring("restarted thrice"))

	many := make([]string, 1000)
	for i := range many {
		many[i] = strings.Repeat("ü", 2000)
	}
	g.Expect(len(unhealthy(failing(many...), ""))).To(BeNumerically("<", 8192))
	g.Expect(unhealthy(failing(many...), "")).To(HavePrefix("1000 of 5"))
	g.Expect(unhealthy(failing(many...), "")).To(ContainSubstring("992 more"))
}
