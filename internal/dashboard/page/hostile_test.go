// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/insight"
)

// hostile are texts that do harm where they are not escaped, or not shown for what they are.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus='alert(1)`, `</textarea><svg onload=alert(1)>`,
	`{{.Me}}{{template "frame"}}`, "`${alert(1)}`", "</title><script>alert(1)</script>", "\u202egnp.exe\u202c", "javascript:alert(1)", `&lt;script&gt;`,
}

// doesHarm finds in a document what none may hold: elements and attributes that run or fetch something, and what reorders text.
var doesHarm = []*regexp.Regexp{
	regexp.MustCompile(`(?i)<(script|img|iframe|object|embed|base)[^>]*(alert|onerror|src=x)`), regexp.MustCompile(`(?i)<[a-z][^>]*\son[a-z]+\s*=\s*["'a-z]`),
	regexp.MustCompile(`(?i)<[a-z][^>]*\sstyle\s*=`), regexp.MustCompile(`(?i)(href|action|src)\s*=\s*["']?\s*(javascript|data|vbscript):`),
	regexp.MustCompile("[\u202a-\u202e\u2066-\u2069]"), regexp.MustCompile(`(?i)<svg[^>]*onload`), regexp.MustCompile(`<script>`),
}

// outsideOfQuotes is a document without the values of its attributes, in which anything may stand that is escaped.
func outsideOfQuotes(document string) string {
	return regexp.MustCompile(`"[^"]*"`).ReplaceAllString(document, `""`)
}

func doesNoHarm(t *testing.T, document string) {
	t.Helper()
	for i, pattern := range doesHarm {
		in := document
		if i == 1 || i == 2 || i == 4 { // attributes by their names: a value may say the same, and does nothing
			in = outsideOfQuotes(document)
		}
		if found := pattern.FindString(in); found != "" {
			t.Errorf("there is %q", found)
		}
	}
}

// hostileRelease has a text wherever people write one.
func hostileRelease(text string) ReleaseSeen {
	seen := candidate()
	release := seen.Release
	release.Spec.Version, release.Spec.Notes, release.Spec.Application = text, text+"\n\n[x]("+text+")", text
	release.Spec.Build = v1alpha1.ReleaseBuild{URL: text, Commit: text, Author: text, Branch: text}
	release.Spec.Source = v1alpha1.ReleaseSource{Git: v1alpha1.GitSource{URL: text, Commit: text, Path: text}}
	release.Spec.Images = []v1alpha1.ReleaseImage{{Name: text, NewName: text, Digest: v1alpha1.Digest(text)}}
	release.Status.Conditions[0] = metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: text, Message: text}
	for _, environment := range seen.Environments {
		environment.Spec.Application, environment.Spec.Hold.Reason, environment.Spec.Stage = text, text, text
		environment.Status.Current.Version = text
		environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: text, Users: []string{text}, Groups: []string{text}}}
		environment.Spec.Signatures.Signers = []v1alpha1.Signer{{Name: text}}
		environment.Spec.Windows = v1alpha1.WindowPolicy{Freeze: []v1alpha1.Window{{StartTime: before(time.Hour), EndTime: before(-time.Hour), Reason: text}}}
	}
	for _, promotion := range seen.Promotions {
		promotion.Spec.Reason, promotion.Spec.RequestedBy.Username, promotion.Status.Conditions[0].Message = text, text, text
	}
	return seen
}

// hostileAudit has a text in every field of a record.
func hostileAudit(text string) AuditSeen {
	record := v1alpha1.AuditRecord{Spec: v1alpha1.AuditRecordSpec{
		Environment: text, Type: v1alpha1.AuditType(text), Sequence: 1, Time: before(time.Hour), Promotion: v1alpha1.ObjectIdentity{Name: text, UID: text},
		Release: v1alpha1.AuditedRelease{ObjectIdentity: v1alpha1.ObjectIdentity{Name: text, UID: text}, Version: text, Digest: v1alpha1.Digest(text)},
		Gates:   []v1alpha1.OverridableGate{v1alpha1.OverridableGate(text)}, By: v1alpha1.Person{Username: text}, RequestedBy: v1alpha1.Person{Username: text},
		Reason: text, PlanDigest: v1alpha1.Digest(text), Hash: v1alpha1.Digest(text), Previous: v1alpha1.Digest(text), Target: v1alpha1.Target{Namespace: text, ServiceAccountName: text},
		Decisions: []v1alpha1.AuditedDecision{{User: text, Decision: v1alpha1.DecisionRejected, Comment: text, Rules: []string{text}, Time: before(time.Hour)}},
		Checks:    []v1alpha1.AuditedCheck{{Name: text, Result: v1alpha1.CheckFailed, Message: text}},
	}}
	record.Namespace, record.Name = text, text
	filter := AuditFilterOf(url.Values{"q": {text}, "from": {text}, "type": {text}})
	return AuditSeen{Filter: filter, Records: []v1alpha1.AuditRecord{record}, Projects: []string{text}, Environments: []*v1alpha1.Environment{environmentOf(text, text, text)}}
}

// hostileInsight has rollouts of which everything is named like that.
func hostileInsight(text string) InsightSeen {
	environment, release := environmentOf(text, text, text, inStage(text)), releaseOf(text, text, text, 48*time.Hour)
	environment.CreationTimestamp = before(2000 * time.Hour)
	release.UID = "uid"
	var history told
	for i := range 6 {
		history.rolledOut(environment, release, friday.Add(-time.Duration(i)*time.Hour), v1alpha1.AuditFailed)
		history.rolledOut(environment, release, friday.Add(-time.Duration(i)*time.Hour), v1alpha1.AuditSucceeded)
	}
	return InsightSeen{
		Scope: insight.Scope{Project: text, Application: text, Stage: text, Days: 7}, Environments: []*v1alpha1.Environment{environment}, Releases: []*v1alpha1.Release{release},
		Projects: []string{text}, Records: history.records,
	}
}

func TestWhatPeopleWriteIsTextOnAReleaseInTheAuditAndInInsight(t *testing.T) {
	for _, text := range hostile {
		for name, make := range map[string]func() (View, error){
			"release": func() (View, error) { return Release(viewer(), hostileRelease(text)) },
			"audit":   func() (View, error) { return Audit(viewer(), hostileAudit(text)) },
			"insight": func() (View, error) { return Insight(viewer(), hostileInsight(text)) },
		} {
			t.Run(name+" "+text, func(t *testing.T) {
				view, err := make()
				if err != nil {
					t.Fatal(err)
				}
				made := document(t, viewer(), view, "/")
				doesNoHarm(t, made)
				if strings.Contains(made, "{{") && !strings.Contains(text, "{{") {
					t.Error("a template was left as it is")
				}
			})
		}
	}
}

func TestAnAddressOfCIIsALinkOnlyWhereABrowserMayGoThere(t *testing.T) {
	for address, link := range map[string]bool{
		"https://ci.example.com/1?a=b&c=<d>": true, "http://ci.example.com/1": true, "javascript:alert(1)": false, "JaVaScRiPt://x/%0aalert(1)": false, "data:text/html,x": false,
		"//ci.example.com/1": false, "/projects/x": false, "https:///nowhere": false, "file:///etc/passwd": false, "java\nscript:alert(1)": false,
	} {
		t.Run(address, func(t *testing.T) {
			seen := candidate()
			seen.Release.Spec.Build.URL = address
			view, err := Release(viewer(), seen)
			if err != nil {
				t.Fatal(err)
			}
			_, html := partsOf(t, view, "release-content")
			if is := strings.Contains(html["release-content-card"], `<a href="http`); is != link {
				t.Errorf("it is a link: %t, in %s", is, html["release-content-card"])
			}
			doesNoHarm(t, html["release-content-card"])
		})
	}
}
