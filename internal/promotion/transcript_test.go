// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"flag"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
)

var update = flag.Bool("update", false, "write the transcripts in testdata anew")

// transcripts are whole promotions, each with what happens in it. What comes of it is in testdata/NAME.golden.
var transcripts = map[string]func(w *world){
	"happy-path": func(w *world) {
		w.objects.prunes = true
		w.requested()
		w.approves("alice")
		w.healthy(2)
		w.healthy(3)
		w.nothing()
	},
	"rejected": func(w *world) {
		w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "two", Required: ptr.To[int32](2)}}
		w.requested()
		w.approves("alice")
		w.rejects("dave", "the port is open to the world")
		w.approves("carol")
	},
	"rejected-by-the-requester": func(w *world) {
		w.requested()
		w.rejects("bob", "")
	},
	"rejected-while-queued": func(w *world) {
		w.otherStarts("shop-1.3.9-production")
		w.requested()
		w.approves("alice")
		w.rejects("alice", "not today after all")
	},
	"rejection-without-the-right": func(w *world) {
		w.requested()
		w.lost["dave"] = true
		w.rejects("dave", "no")
		w.approves("alice")
	},
	"withdrawn": func(w *world) {
		w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "two", Required: ptr.To[int32](2)}}
		w.requested()
		w.approves("alice")
		w.withdraws("alice")
		w.approves("carol")
		w.approves("alice")
	},
	"requester-approves": func(w *world) {
		w.requested()
		w.approves("bob")
		w.approves("system:serviceaccount:ci:robot")
		w.approves("alice")
	},
	"nobody-has-to-approve": func(w *world) {
		w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "none", Required: ptr.To[int32](0)}}
		w.requested()
		w.healthy(3)
	},
	"several-rules": func(w *world) {
		w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{
			{Name: "owners", Required: ptr.To[int32](2), Groups: []string{"shop-owners"}},
			{Name: "security", Required: ptr.To[int32](1), Groups: []string{"security"}, Users: []string{"erin"}},
		}
		w.requested()
		w.approves("alice", "shop-owners", "security")
		w.approves("carol", "shop-owners")
		w.approves("mallory", "guests")
		w.approves("erin")
	},
	"release-changed-after-approval": func(w *world) {
		w.otherStarts("shop-1.3.9-production")
		w.requested()
		w.approves("alice")
		w.happens(`release "shop-1.4.0" is deleted and created again with other content`, func() {
			w.release.UID = "another-release-uid"
			w.release.Status.Digest = digestOf("other content")
		})
		w.otherEnds("shop-1.3.9-production")
		w.approves("alice")
	},
	"environment-changed-after-approval": func(w *world) {
		w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "two", Required: ptr.To[int32](2)}}
		w.requested()
		w.approves("alice")
		w.happens(`somebody lowers the approvals that environment "production" needs to 1`, func() {
			w.environment.Spec.Approval.Rules[0].Required = ptr.To[int32](1)
		})
		w.approves("carol")
	},
	"approver-lost-the-right": func(w *world) {
		w.otherStarts("shop-1.3.9-production")
		w.requested()
		w.approves("alice")
		w.loses("alice")
		w.otherEnds("shop-1.3.9-production")
		w.nothing()
		w.regains("alice")
	},
	"guard-missing": func(w *world) {
		w.otherStarts("shop-1.3.9-production")
		w.requested()
		w.approves("alice")
		w.guardIsTakenAway()
		w.otherEnds("shop-1.3.9-production")
		w.guardIsBack()
		w.approves("alice")
	},
	"guard-never-there": func(w *world) {
		w.guard = Guard{Problems: []string{`ValidatingAdmissionPolicy "assent-approvals" does not exist`, `ValidatingAdmissionPolicyBinding "assent-approvals" does not exist`}}
		w.requested()
	},
	"environment-busy": func(w *world) {
		w.otherStarts("shop-1.3.9-production")
		w.requested()
		w.approves("alice")
		w.otherEnds("shop-1.3.9-production")
		w.healthy(3)
	},
	"what-runs-is-changed-while-it-waits": func(w *world) {
		w.requested()
		w.happens("somebody changes what runs in production", func() { w.environment.Status.DriftDigest = digestOf("drift") })
		w.happens("and changes it back", func() { w.environment.Status.DriftDigest = "" })
		w.approves("alice")
		w.healthy(3)
	},
	"superseded": func(w *world) {
		w.requested()
		w.happens(`the newer promotion "shop-1.5.0-production" starts`, func() {
			w.appendOther("shop-1.5.0-production", v1alpha1.AuditIntent)
			w.newer = "shop-1.5.0-production"
		})
		w.approves("alice")
	},
	"rollout-hopeless": func(w *world) {
		w.requested()
		w.approves("alice")
		w.failing("the new image cannot be pulled", `pod "shop-6d5f7-x2x4q": ImagePullBackOff: manifest unknown`, false)
		w.failing("the deployment gives up", `progress deadline exceeded; pod "shop-6d5f7-x2x4q": ImagePullBackOff: manifest unknown`, true)
		w.healthy(3)
	},
	"rollout-late": func(w *world) {
		w.requested()
		w.approves("alice")
		w.failing("a pod does not become ready", `0 of 2 pods are ready; pod "shop-6d5f7-x2x4q": readiness probe failed`, false)
		w.passes("the time-out passes", 4*time.Minute)
	},
	"rollout-refused-by-the-api-server": func(w *world) {
		w.requested()
		w.happens("alice approves, and the deployer must not create Ingresses any more", func() {
			w.decide(v1alpha1.Approval{User: "alice", Decision: v1alpha1.DecisionApproved, PlanDigest: w.promotion.Status.Plan.Digest})
			w.failure = `Ingress "shop": the deployer "assent-deployer" of namespace "shop-prod" must not patch ingresses: allow it in its Role, then create a new promotion`
		})
	},
	"cancelled-before-start": func(w *world) {
		w.requested()
		w.cancelled("bob", "found a bug in staging")
		w.approves("alice")
	},
	"cancelled-during-the-rollout": func(w *world) {
		w.requested()
		w.approves("alice")
		w.healthy(1)
		w.cancelled("alice", "orders fail")
	},
	"deleted-before-start": func(w *world) {
		w.requested()
		w.deleted("bob")
	},
	"deleted-during-the-rollout": func(w *world) {
		w.requested()
		w.approves("alice")
		w.deleted("bob")
	},
	"deployer-missing": func(w *world) {
		w.noDeployer = true
		w.requested()
		w.happens("the deployer is created", func() { w.noDeployer = false })
		w.happens("the deployer is deleted, and alice approves", func() {
			w.noDeployer = true
			w.decide(v1alpha1.Approval{User: "alice", Decision: v1alpha1.DecisionApproved, PlanDigest: w.promotion.Status.Plan.Digest})
		})
		w.happens("somebody points the environment to a deployer that does not exist either", func() {
			w.environment.Spec.Target.ServiceAccountName = "deployer"
		})
		w.happens("that one is created", func() { w.noDeployer = false })
		w.approves("alice")
	},
	"deployer-missing-while-another-ends": func(w *world) {
		w.otherStarts("shop-1.3.9-production")
		w.requested()
		w.approves("alice")
		w.happens("the deployer is deleted, and the other one succeeds", func() {
			w.noDeployer = true
			w.appendOther("shop-1.3.9-production", v1alpha1.AuditSucceeded)
		})
		w.happens("the deployer is created again", func() { w.noDeployer = false })
	},
	"deployer-missing-and-approval-withdrawn": func(w *world) {
		w.requested()
		w.happens("the deployer is deleted, and alice approves", func() {
			w.noDeployer = true
			w.decide(v1alpha1.Approval{User: "alice", Decision: v1alpha1.DecisionApproved, PlanDigest: w.promotion.Status.Plan.Digest})
		})
		w.withdraws("alice")
	},
	"release-not-ready": func(w *world) {
		w.release.Status = v1alpha1.ReleaseStatus{}
		w.requested()
		w.happens("the registry does not answer", func() {
			w.releaseIs(metav1.ConditionFalse, v1alpha1.ReasonFetchFailed, "registry.example.com: connection refused; tried again in a minute")
		})
		w.happens("the release is ready", func() {
			w.releaseIs(metav1.ConditionTrue, v1alpha1.ReasonResolved, "the content has been fetched")
			w.release.Status.Digest = digestOf("content")
		})
	},
	"release-and-environment-missing": func(w *world) {
		release, environment := w.release, w.environment
		w.release, w.environment = nil, nil
		w.requested()
		w.happens("the release is created", func() { w.release = release })
		w.happens("the environment is created", func() { w.environment = environment })
	},
	"release-unusable": func(w *world) {
		w.releaseIs(metav1.ConditionFalse, v1alpha1.ReasonInvalidSource, "line 3 of manifests.yaml is not YAML")
		w.requested()
		w.nothing()
	},
	"wrong-application": func(w *world) {
		w.release.Spec.Application = "billing"
		w.requested()
		w.nothing()
	},
	"rollback-to-nothing": func(w *world) {
		w.promotion.Spec.Type = v1alpha1.PromotionTypeRollback
		w.requested()
	},
	"override-by-nobody": func(w *world) {
		w.promotion.Spec.Override = v1alpha1.PromotionOverride{Gates: []v1alpha1.OverridableGate{"Approval"}, Reason: "it is urgent"}
		w.requested()
	},
	"requester-unknown": func(w *world) {
		w.promotion.Spec.RequestedBy = v1alpha1.Person{}
		w.requested()
	},
	"plan-refused": func(w *world) {
		w.refused = `Deployment "shop" is in namespace "kube-system": every object must be in the target namespace "shop-prod"; take the namespace out of the manifest`
		w.requested()
	},
	"process-dies-before-start": func(w *world) {
		w.requested()
		w.dying("status", func() { w.approves("alice") })
		w.newProcess()
	},
	"process-dies-before-intent": func(w *world) {
		w.requested()
		w.dying("record", func() { w.approves("alice") })
		w.newProcess()
		w.healthy(3)
	},
	"process-dies-before-intent-and-another-starts": func(w *world) {
		w.requested()
		w.dying("record", func() { w.approves("alice") })
		w.appendOther("shop-1.3.9-production", v1alpha1.AuditIntent)
		w.newProcess()
		w.otherEnds("shop-1.3.9-production")
	},
	"process-dies-before-intent-and-another-takes-too-long": func(w *world) {
		w.requested()
		w.dying("record", func() { w.approves("alice") })
		w.appendOther("shop-1.3.9-production", v1alpha1.AuditIntent)
		w.newProcess()
		w.passes("the time-out passes", 5*time.Minute)
	},
	"process-dies-before-intent-and-a-newer-starts": func(w *world) {
		w.requested()
		w.dying("record", func() { w.approves("alice") })
		w.appendOther("shop-1.5.0-production", v1alpha1.AuditIntent)
		w.newer = "shop-1.5.0-production"
		w.newProcess()
	},
	"process-dies-before-intent-and-it-is-cancelled": func(w *world) {
		w.requested()
		w.dying("record", func() { w.approves("alice") })
		w.promotion.Spec.Cancel.Reason = "changed my mind"
		w.newProcess()
	},
	"process-dies-before-intent-and-the-approver-loses-the-right": func(w *world) {
		w.requested()
		w.dying("record", func() { w.approves("alice") })
		w.lost["alice"] = true
		w.newProcess()
	},
	"process-dies-before-intent-and-the-environment-changes": func(w *world) {
		w.requested()
		w.dying("record", func() { w.approves("alice") })
		w.environment.Spec.Target.Namespace = "elsewhere"
		w.newProcess()
	},
	"process-dies-before-intent-and-the-plan-is-refused": func(w *world) {
		w.requested()
		w.dying("record", func() { w.approves("alice") })
		w.refused = `Deployment "shop" is in namespace "kube-system": take the namespace out of the manifest`
		w.newProcess()
	},
	"process-dies-before-intent-and-it-is-rejected": func(w *world) {
		w.requested()
		w.dying("record", func() { w.approves("alice") })
		w.decide(v1alpha1.Approval{User: "dave", Decision: v1alpha1.DecisionRejected, Comment: "too late for this"})
		w.newProcess()
	},
	"process-dies-before-intent-and-the-guard-goes": func(w *world) {
		w.requested()
		w.dying("record", func() { w.approves("alice") })
		w.guard = Guard{Problems: []string{`ValidatingAdmissionPolicy "assent-approvals" does not exist`}}
		w.newProcess()
	},
	"process-dies-during-the-rollout": func(w *world) {
		w.requested()
		w.approves("alice")
		w.healthy(1)
		w.happens("the process dies, and a new one starts", w.dies)
		w.healthy(3)
	},
	"process-dies-before-outcome": func(w *world) {
		w.requested()
		w.approves("alice")
		w.dying("record", func() { w.healthy(3) })
		w.newProcess()
	},
	"process-dies-between-outcome-and-status": func(w *world) {
		w.requested()
		w.approves("alice")
		w.dying("status", func() { w.failing("the deployment gives up", "progress deadline exceeded", true) })
		w.newProcess()
		w.nothing()
	},
	"process-dies-between-rejection-and-status": func(w *world) {
		w.requested()
		w.dying("status", func() { w.rejects("dave", "no") })
		w.withdraws("dave")
		w.approves("alice")
	},
	"process-dies-between-cancellation-and-status": func(w *world) {
		w.requested()
		w.dying("status", func() { w.cancelled("bob", "found a bug in staging") })
		w.newProcess()
	},
}

func allTranscripts() map[string]func(w *world) {
	all := maps.Clone(transcripts)
	maps.Copy(all, gateTranscripts)
	maps.Copy(all, pairTranscripts)
	maps.Copy(all, rolloutTranscripts)
	return all
}

func TestWholePromotionsGoAsTheTranscriptsSay(t *testing.T) {
	for name, story := range allTranscripts() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			story(w)
			if problems := audit.Verify(w.records, w.history.Head); len(problems) > 0 {
				t.Errorf("the history has problems: %v", problems)
			}
			compare(t, filepath.Join("testdata", name+".golden"), w.log.String())
		})
	}
}

func TestEveryTranscriptHasItsPromotion(t *testing.T) {
	all := allTranscripts()
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".golden"); all[name] == nil {
			t.Errorf("%s belongs to no promotion: delete it", file)
		}
	}
}
