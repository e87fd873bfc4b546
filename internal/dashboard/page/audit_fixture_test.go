// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
)

var rewriteGolden = flag.Bool("rewrite-golden", false, "write what pages are now into testdata, to be looked at in a diff")

// goldenView compares the parts of a page with those of a file, one line for each.
func goldenView(t *testing.T, name string, view View) {
	t.Helper()
	var got strings.Builder
	fmt.Fprintf(&got, "title %s\n", view.Title)
	for _, slot := range view.Slots {
		fmt.Fprintf(&got, "\n== %s\n", slot.ID)
		for _, part := range slot.Parts {
			fmt.Fprintf(&got, "-- %s\n", part.ID)
			for line := range strings.Lines(string(part.HTML)) {
				if text := strings.TrimSpace(line); text != "" {
					got.WriteString(text + "\n")
				}
			}
		}
	}
	file := filepath.Join("testdata", name+".golden")
	if *rewriteGolden {
		if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got.String())) {
		t.Errorf("the page differs from %s. If it is meant to, run `go test ./internal/dashboard/page -run %s -rewrite-golden` and look at the diff. It is now:\n%s", file, t.Name(), got.String())
	}
}

// told is a history, sealed as the operator does it, of entries with what they say.
type told struct {
	records []v1alpha1.AuditRecord
	heads   map[Place]v1alpha1.AuditHead
}

func (h *told) add(project, environment string, at time.Time, entry v1alpha1.AuditRecordSpec) {
	if h.heads == nil {
		h.heads = map[Place]v1alpha1.AuditHead{}
	}
	of := Place{project, environment}
	entry.Environment, entry.Time = environment, metav1.NewTime(at)
	record, err := audit.Seal(project, h.heads[of], entry)
	if err != nil {
		panic(err)
	}
	h.heads[of] = audit.HeadOf(record)
	h.records = append(h.records, *record)
}

// rolledOut is a whole rollout of ten minutes: who has asked, who has approved when, and what became of it.
func (h *told) rolledOut(environment *v1alpha1.Environment, release *v1alpha1.Release, began time.Time, outcome v1alpha1.AuditType, changes ...func(*v1alpha1.AuditRecordSpec)) {
	promotion := release.Name + "-" + environment.Name + "-" + began.Format("0102")
	entry := v1alpha1.AuditRecordSpec{
		Type: v1alpha1.AuditIntent, Promotion: v1alpha1.ObjectIdentity{Name: promotion, UID: "uid-" + promotion}, RequestedBy: v1alpha1.Person{Username: "bob"},
		Reason: "vouchers for everybody", PlanDigest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Target: v1alpha1.Target{Namespace: "shop-prod", ServiceAccountName: "assent-deployer"}, Objects: []v1alpha1.ObjectReference{{Kind: "Deployment", Name: "web"}},
		Release: v1alpha1.AuditedRelease{
			ObjectIdentity: v1alpha1.ObjectIdentity{Name: release.Name, UID: string(release.UID)}, Version: release.Spec.Version,
			Digest: "sha256:4bd5035c0a303666c61700597c8a79a0b39e322d8c2ab3c5b448e058115923d0",
		},
		Decisions: []v1alpha1.AuditedDecision{{User: "alice", Decision: v1alpha1.DecisionApproved, Rules: []string{"owners"}, Comment: "looks right", Time: metav1.NewTime(began.Add(-5 * time.Minute))}},
	}
	for _, change := range changes {
		change(&entry)
	}
	if len(entry.Gates) > 0 {
		opened := entry
		opened.Type, opened.Reason, opened.Decisions = v1alpha1.AuditOverridden, "incident 4711: the shop is down", nil
		h.add(environment.Namespace, environment.Name, began, opened)
		entry.Gates, entry.By = nil, v1alpha1.Person{}
	}
	h.add(environment.Namespace, environment.Name, began, entry)
	if outcome == "" {
		return
	}
	entry.Type, entry.Decisions, entry.Objects, entry.Target = outcome, nil, nil, v1alpha1.Target{}
	entry.Reason = map[v1alpha1.AuditType]string{
		v1alpha1.AuditSucceeded: "every object is healthy", v1alpha1.AuditFailed: "Deployment web did not become healthy: ImagePullBackOff",
		v1alpha1.AuditRolledBack: "check errors failed; 1.3.0 runs again",
	}[outcome]
	if outcome != v1alpha1.AuditSucceeded {
		entry.Checks = []v1alpha1.AuditedCheck{{Name: "errors", Result: v1alpha1.CheckFailed, Message: "0.12 is not below 0.01"}}
	}
	h.add(environment.Namespace, environment.Name, began.Add(10*time.Minute), entry)
}

func asRollback(entry *v1alpha1.AuditRecordSpec) {
	entry.PromotionType, entry.Reason = v1alpha1.PromotionTypeRollback, "customers cannot pay"
}

func byBreakGlass(entry *v1alpha1.AuditRecordSpec) {
	entry.Gates, entry.By = []v1alpha1.OverridableGate{"Window", "Soak"}, v1alpha1.Person{Username: "dave"}
}

// delivered is a quarter of a shop and its payments, and what was read of it.
func delivered() (environments []*v1alpha1.Environment, releases []*v1alpha1.Release, history told, requests map[string]time.Time) {
	requests = map[string]time.Time{}
	for _, application := range []struct {
		project, name string
		every         time.Duration
	}{{"payments", "ledger", 6 * 24 * time.Hour}, {"shop", "cart", 26 * time.Hour}, {"shop", "search", 20 * 24 * time.Hour}} {
		var three []*v1alpha1.Environment
		for i, stage := range []string{"dev", "staging", "production"} {
			environment := environmentOf(application.project, application.name+"-"+stage, application.name, inStage(stage))
			environment.CreationTimestamp = before(200 * 24 * time.Hour)
			if i > 0 {
				environment.Spec.After = []string{three[i-1].Name}
			}
			three = append(three, environment)
		}
		n := 0
		for age := 100 * 24 * time.Hour; age > 12*time.Hour; age -= application.every {
			n++
			release := releaseOf(application.project, application.name, fmt.Sprintf("1.%d.0", n), age)
			release.UID = types.UID("uid-" + release.Name)
			releases = append(releases, release)
			began := friday.Add(-age + time.Hour)
			for i, environment := range three {
				began = began.Add(time.Duration((n*7+i*3)%5+1) * time.Hour)
				requests["uid-"+release.Name+"-"+environment.Name+"-"+began.Format("0102")] = began.Add(-time.Duration(10+(n*37)%90) * time.Minute)
				if i == 2 && n%3 == 0 {
					break
				}
				switch {
				case i == 2 && n%11 == 0:
					history.rolledOut(environment, release, began, v1alpha1.AuditFailed)
				case i == 2 && n%13 == 0:
					history.rolledOut(environment, release, began, v1alpha1.AuditRolledBack)
				case i == 2 && n%17 == 0:
					history.rolledOut(environment, release, began, v1alpha1.AuditSucceeded, byBreakGlass)
				default:
					history.rolledOut(environment, release, began, v1alpha1.AuditSucceeded)
				}
				if i == 2 && n%19 == 0 {
					history.rolledOut(environment, releases[len(releases)-2], began.Add(2*time.Hour), v1alpha1.AuditSucceeded, asRollback)
				}
			}
		}
		for _, environment := range three {
			environment.Status.Audit = history.heads[Place{environment.Namespace, environment.Name}]
		}
		environments = append(environments, three...)
	}
	return environments, releases, history, requests
}
