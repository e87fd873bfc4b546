// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page_test

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// troubled is the production Environment: what runs there is unhealthy, somebody has changed it, and an override waits to be acknowledged.
func troubled() *v1alpha1.Environment {
	e := production()
	e.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAccepted},
		{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonUnhealthy, Message: `Deployment "shop": 1 of 3 replicas is ready`, LastTransitionTime: ago(time.Hour)},
		{Type: v1alpha1.ConditionInSync, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDrifted, Message: `1 object differs from what was approved`, LastTransitionTime: ago(2 * time.Hour)},
	}
	e.Status.Inventory = make([]v1alpha1.ObjectReference, 7)
	e.Status.Drifted = []v1alpha1.DriftedObject{{
		ObjectReference: v1alpha1.ObjectReference{Group: "apps", Kind: "Deployment", Namespace: "shop-prod", Name: "shop"},
		Fields:          []string{"spec.replicas"}, Message: "changed last by kubectl-scale",
	}}
	e.Status.Overrides = []v1alpha1.UsedOverride{{
		Promotion: "shop-1.2.0-production", User: "carol", Gates: []v1alpha1.OverridableGate{"Window", "Soak"}, Reason: "mends incident 4711", Time: ago(50 * time.Hour),
	}}
	e.Status.Releases = []v1alpha1.SucceededRelease{{Name: "shop-1.2.0", Version: "1.2.0"}, {Name: "shop-1.0.0", Version: "1.0.0"}, {Name: "shop-1.1.0", Version: "1.1.0"}}
	return e
}

// history of it: a success through opened gates, and a refusal.
func history() []v1alpha1.AuditRecord {
	overridden, intent, outcome := record(38, v1alpha1.AuditOverridden, ago(50*time.Hour)), record(39, v1alpha1.AuditIntent, ago(50*time.Hour)), record(40, v1alpha1.AuditSucceeded, ago(49*time.Hour))
	overridden.Spec.By, overridden.Spec.Gates = v1alpha1.Person{Username: "carol"}, []v1alpha1.OverridableGate{"Window", "Soak"}
	intent.Spec.Decisions = []v1alpha1.AuditedDecision{{User: "alice"}, {User: "dave"}}
	intent.Spec.Reason = "mends incident 4711"
	rejected := record(41, v1alpha1.AuditRejected, ago(10*time.Hour))
	rejected.Spec.Reason = "the migration is not tested"
	rejected.Spec.Decisions = []v1alpha1.AuditedDecision{{User: "alice"}}
	rejected.Spec.Promotion = v1alpha1.ObjectIdentity{Name: "shop-1.3.0-production", UID: "p-0"}
	rejected.Spec.Release = v1alpha1.AuditedRelease{ObjectIdentity: v1alpha1.ObjectIdentity{Name: "shop-1.3.0"}, Version: "1.3.0"}
	return []v1alpha1.AuditRecord{overridden, intent, outcome, rejected}
}
