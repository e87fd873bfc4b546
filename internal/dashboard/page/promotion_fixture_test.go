// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page_test

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
)

// noon of a Friday is when these pages are looked at.
var noon = time.Date(2031, 3, 7, 12, 0, 0, 0, time.UTC)

const (
	planDigest  = v1alpha1.Digest("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
	otherDigest = v1alpha1.Digest("sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752")
)

// ago is so long before noon.
func ago(length time.Duration) metav1.Time { return metav1.NewTime(noon.Add(-length)) }

// looking is somebody at noon.
func looking(user string, groups ...string) page.Context {
	return page.Context{Base: "/assent", Me: v1alpha1.Person{Username: user, Groups: groups}, Now: noon}
}

const deploymentDiff = `--- live/Deployment.apps/shop-prod/shop
+++ plan/Deployment.apps/shop-prod/shop
@@ -8,13 +8,14 @@
   name: shop
   namespace: shop-prod
 spec:
-  replicas: 2
+  replicas: 3
   selector:
     matchLabels:
       app: shop
   template:
     spec:
       containers:
-      - image: registry.example.com/shop@sha256:aaaa
+      - image: registry.example.com/shop@sha256:bbbb
+        readinessProbe: {httpGet: {path: /ready, port: 8080}}
         name: shop
         ports:
@@ -41,4 +42,3 @@
         resources:
           limits:
-            cpu: 500m
             memory: 256Mi
`

const otherDiffs = `--- live/Secret/shop-prod/voucher-key
+++ plan/Secret/shop-prod/voucher-key
@@ -1,5 +1,5 @@
 apiVersion: v1
 data:
-  key: '*** (before)'
+  key: '*** (after)'
 kind: Secret
 metadata:
--- /dev/null
+++ plan/CronJob.batch/shop-prod/vouchers
@@ -0,0 +1,6 @@
+apiVersion: batch/v1
+kind: CronJob
+metadata:
+  name: vouchers
+spec:
+  schedule: 0 3 * * *
--- live/Job.batch/shop-prod/migrate
+++ plan/Job.batch/shop-prod/migrate (deleted and created again)
--- live/ConfigMap/shop-prod/banner
+++ /dev/null
@@ -1,4 +0,0 @@
-apiVersion: v1
-kind: ConfigMap
-metadata:
-  name: banner
`

func changes() []v1alpha1.Change {
	change := func(action v1alpha1.ChangeAction, group, kind, name string) v1alpha1.Change {
		return v1alpha1.Change{Action: action, ObjectReference: v1alpha1.ObjectReference{Group: group, Kind: kind, Namespace: "shop-prod", Name: name}}
	}
	return []v1alpha1.Change{
		change(v1alpha1.ChangeUpdate, "apps", "Deployment", "shop"), change(v1alpha1.ChangeUpdate, "", "Secret", "voucher-key"),
		change(v1alpha1.ChangeCreate, "batch", "CronJob", "vouchers"), change(v1alpha1.ChangeRecreate, "batch", "Job", "migrate"),
		change(v1alpha1.ChangePrune, "", "ConfigMap", "banner"),
	}
}

func release(version string, age time.Duration, notes string) *v1alpha1.Release {
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-" + version, Namespace: "shop", CreationTimestamp: ago(age)},
		Spec: v1alpha1.ReleaseSpec{
			Application: "shop", Version: version, Notes: notes,
			Build: v1alpha1.ReleaseBuild{Commit: "4f2a9c1b7d3e5f60718293a4b5c6d7e8f9012345", Branch: "main", Author: "bob", URL: "https://ci.example.com/runs/" + strings.ReplaceAll(version, ".", "")},
		},
	}
}

func production() *v1alpha1.Environment {
	return &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: "production", Namespace: "shop", UID: "e-1"},
		Spec: v1alpha1.EnvironmentSpec{
			Application: "shop", Target: v1alpha1.Target{Namespace: "shop-prod", ServiceAccountName: "assent-deployer"},
			After: []string{"staging"}, SoakSeconds: 3600,
			Approval: v1alpha1.ApprovalPolicy{
				Rules: []v1alpha1.ApprovalRule{
					{Name: "owners", Required: ptr.To[int32](2), Groups: []string{"shop-owners"}},
					{Name: "security", Groups: []string{"security"}, Users: []string{"dave"}, When: "plan.changes.exists(c, c.kind == 'Secret')"},
				},
				Comment: v1alpha1.CommentOnRejection, RequestTTLSeconds: 604800, ValidSeconds: 86400,
			},
			Windows: v1alpha1.WindowPolicy{
				Allow:  []v1alpha1.Window{{Schedule: "0 9 * * 1-5", DurationSeconds: 28800, TimeZone: "Europe/Zurich"}},
				Freeze: []v1alpha1.Window{{StartTime: metav1.NewTime(noon.Add(3*24*time.Hour - 2*time.Hour)), EndTime: metav1.NewTime(noon.Add(4 * 24 * time.Hour)), Reason: "stock-taking"}},
			},
			Rollout: v1alpha1.RolloutPolicy{TimeoutSeconds: 600, OnFailure: v1alpha1.OnFailureRollback, Drift: v1alpha1.DriftReport, Prune: v1alpha1.PruneEnabled},
			Checks: []v1alpha1.Check{
				{Name: "change-ticket", Phase: v1alpha1.CheckBefore, HTTP: v1alpha1.HTTPCheck{URL: "https://tickets.example.com/shop"}},
				{Name: "errors", Phase: v1alpha1.CheckAfter, Prometheus: v1alpha1.PrometheusCheck{URL: "https://prometheus.example.com", Query: "rate(errors[5m])", When: "result[0].value < 0.01"}, Times: 5, IntervalSeconds: 30},
			},
		},
		Status: v1alpha1.EnvironmentStatus{
			Current: v1alpha1.Deployment{
				Release: "shop-1.2.0", Version: "1.2.0", Promotion: "shop-1.2.0-production", Digest: otherDigest, StartedTime: ago(50 * time.Hour), SinceTime: ago(49 * time.Hour),
			},
			Previous: v1alpha1.Deployment{Release: "shop-1.1.0", Version: "1.1.0", Promotion: "shop-1.1.0-production"},
		},
	}
}

func promotion(state string, status metav1.ConditionStatus, message string) *v1alpha1.Promotion {
	return &v1alpha1.Promotion{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-1.4.0-production", Namespace: "shop", UID: "p-1", CreationTimestamp: ago(3 * time.Hour)},
		Spec: v1alpha1.PromotionSpec{
			Release: "shop-1.4.0", Environment: "production", Type: v1alpha1.PromotionTypePromote, Reason: "vouchers for the spring sale",
			RequestedBy: v1alpha1.Person{Username: "bob"},
		},
		Status: v1alpha1.PromotionStatus{
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: status, Reason: state, Message: message}},
			Plan: v1alpha1.Plan{
				Digest: planDigest, Objects: ptr.To[int32](7), Changes: changes(), Diff: deploymentDiff + otherDiffs, PlannedTime: ago(3*time.Hour - time.Minute),
				Fallback: v1alpha1.Fallback{Release: v1alpha1.ObjectIdentity{Name: "shop-1.2.0"}},
			},
		},
	}
}

// awaiting approval: one of three is given, and there are other gates to wait for.
func awaiting() *v1alpha1.Promotion {
	p := promotion(v1alpha1.ReasonAwaitingApproval, metav1.ConditionUnknown, `needs 1 more approval from group "shop-owners" and 1 from group "security"; 1 of 3 given`)
	p.Spec.Approvals = []v1alpha1.Approval{
		{User: "alice", Decision: v1alpha1.DecisionApproved, PlanDigest: planDigest, Comment: "Tried on staging, works."},
		{User: "erin", Decision: v1alpha1.DecisionApproved, PlanDigest: otherDigest},
	}
	p.Status.Approvals = v1alpha1.ApprovalStatus{
		Summary: "1/3", Required: ptr.To[int32](3), Granted: ptr.To[int32](1),
		Rules: []v1alpha1.RuleStatus{
			{Name: "owners", Required: ptr.To[int32](2), ApprovedBy: []string{"alice"}}, {Name: "security", Required: ptr.To[int32](1)},
		},
		Counted: []v1alpha1.CountedApproval{{User: "alice", PlanDigest: planDigest, Time: ago(2 * time.Hour)}},
		Ignored: []v1alpha1.IgnoredApproval{{User: "erin", Reason: "approved plan sha256:60303ae22b99…, and the plan has changed since; look at the new diff and approve again"}},
	}
	p.Status.Blockers = []v1alpha1.Blocker{
		{Gate: v1alpha1.GateApproval, Message: `needs 1 more approval from group "shop-owners" and 1 from group "security"`, Clears: `people of "shop-owners" and "security" who hold the verb "approve"`, UntilTime: ago(-160 * time.Hour)},
		{Gate: v1alpha1.GateWindow, Message: "a freeze lasts until Tuesday 2031-03-11 12:00 UTC: stock-taking", Clears: "time", UntilTime: ago(-96 * time.Hour)},
	}
	p.Status.Checks = []v1alpha1.CheckStatus{{Name: "change-ticket", Result: v1alpha1.CheckPassed, Message: "status 200", Time: ago(time.Hour), PlanDigest: planDigest}}
	return p
}

// rolling out, and one object does not become healthy.
func rolling() *v1alpha1.Promotion {
	p := promotion(v1alpha1.ReasonRollingOut, metav1.ConditionUnknown, "5 of 7 objects are healthy")
	p.Spec.Approvals = []v1alpha1.Approval{{User: "alice", Decision: v1alpha1.DecisionApproved, PlanDigest: planDigest}}
	p.Spec.Override = v1alpha1.PromotionOverride{Gates: []v1alpha1.OverridableGate{"Window"}, Reason: "mends incident 4711", UsedBy: v1alpha1.Person{Username: "carol"}}
	p.Status.Approvals.Counted = []v1alpha1.CountedApproval{{User: "alice", PlanDigest: planDigest, Time: ago(2 * time.Hour)}}
	p.Status.Approvals.Rules = []v1alpha1.RuleStatus{{Name: "owners", Required: ptr.To[int32](1), ApprovedBy: []string{"alice"}}}
	p.Status.Overridden = []v1alpha1.OverridableGate{"Window"}
	p.Status.Conditions = append(p.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionOverridden, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUnacknowledged})
	p.Status.StartTime = ago(3 * time.Minute)
	p.Status.Progress = v1alpha1.RolloutProgress{
		Applied: ptr.To[int32](7), Healthy: ptr.To[int32](5), Total: ptr.To[int32](7), Wave: 1, Waves: 2,
		Failing: []v1alpha1.FailingObject{{
			ObjectReference: v1alpha1.ObjectReference{Group: "apps", Kind: "Deployment", Name: "shop"},
			Message:         "1 of 3 replicas is ready; pod shop-7d9f-x2x: CrashLoopBackOff: exit code 1",
		}},
	}
	return p
}

func record(sequence int64, kind v1alpha1.AuditType, at metav1.Time) v1alpha1.AuditRecord {
	return v1alpha1.AuditRecord{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop"},
		Spec: v1alpha1.AuditRecordSpec{
			Environment: "production", Sequence: sequence, Type: kind, Time: at, Promotion: v1alpha1.ObjectIdentity{Name: "shop-1.4.0-production", UID: "p-1"},
			Release:     v1alpha1.AuditedRelease{ObjectIdentity: v1alpha1.ObjectIdentity{Name: "shop-1.4.0"}, Version: "1.4.0"},
			RequestedBy: v1alpha1.Person{Username: "bob"}, PlanDigest: planDigest,
		},
	}
}

// failed, and what ran before runs again.
func rolledBack() (*v1alpha1.Promotion, []v1alpha1.AuditRecord) {
	p := promotion(v1alpha1.ReasonRolledBack, metav1.ConditionFalse, `Deployment "shop" did not become healthy in 600 seconds; shop-1.2.0 runs again`)
	p.Spec.Approvals = []v1alpha1.Approval{{User: "alice", Decision: v1alpha1.DecisionApproved, PlanDigest: planDigest, Comment: "go"}}
	p.Status.Plan.Diff = ""
	p.Status.StartTime, p.Status.CompletionTime = ago(40*time.Minute), ago(25*time.Minute)
	p.Status.Rollback = v1alpha1.RollbackStatus{Reason: `Deployment "shop" did not become healthy in 600 seconds`, Release: "shop-1.2.0", StartTime: ago(30 * time.Minute)}
	p.Status.Progress = v1alpha1.RolloutProgress{Applied: ptr.To[int32](6), Healthy: ptr.To[int32](6), Total: ptr.To[int32](6)}
	intent, outcome := record(41, v1alpha1.AuditIntent, ago(40*time.Minute)), record(42, v1alpha1.AuditRolledBack, ago(25*time.Minute))
	intent.Spec.Decisions = []v1alpha1.AuditedDecision{{User: "alice", Decision: v1alpha1.DecisionApproved, Time: ago(time.Hour)}}
	outcome.Spec.Reason = `Deployment "shop" did not become healthy in 600 seconds`
	return p, []v1alpha1.AuditRecord{outcome, intent}
}

func releases() []*v1alpha1.Release {
	return []*v1alpha1.Release{
		release("1.1.0", 300*time.Hour, ""), release("1.2.0", 200*time.Hour, "Baskets."), release("1.3.0", 100*time.Hour, ""),
		release("1.4.0", 20*time.Hour, "# Vouchers\n\nPeople can pay with **vouchers** now ([design](https://wiki.example.com/vouchers)).\n\n- needs the new Secret `voucher-key`\n- the banner is gone\n"),
		release("1.5.0-rc.1", time.Hour, "Not part of it."),
	}
}

func seen(p *v1alpha1.Promotion, rights page.Rights) page.PromotionSeen {
	all := releases()
	return page.PromotionSeen{Promotion: p, Environment: production(), Release: all[3], Releases: all, Rights: rights}
}
