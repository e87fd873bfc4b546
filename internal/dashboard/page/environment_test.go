// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page_test

import (
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
)

func TestAnEnvironmentIsShownAsItStands(t *testing.T) {
	empty := production()
	empty.Status = v1alpha1.EnvironmentStatus{Conditions: []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDeployerMissing, Message: `service account "assent-deployer" does not exist`,
	}}}
	empty.Spec.Windows, empty.Spec.Checks, empty.Spec.Approval, empty.Spec.After = v1alpha1.WindowPolicy{}, nil, v1alpha1.ApprovalPolicy{}, nil
	healthy := production()
	healthy.Spec.Hold.Reason = "incident 4711"
	healthy.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}, {Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionTrue, Message: "all objects are healthy", LastTransitionTime: ago(0)},
		{Type: v1alpha1.ConditionInSync, Status: metav1.ConditionTrue, Message: "as approved", LastTransitionTime: ago(0)},
	}
	for name, of := range map[string]page.EnvironmentSeen{
		"environment-troubled": {
			Environment: troubled(), Promotions: []*v1alpha1.Promotion{rolling(), awaiting()}, Records: history(), Trouble: trouble(),
			Rights: page.Rights{page.RightHold: true, page.RightRollback: true},
		},
		"environment-held":  {Environment: healthy, Rights: page.Rights{page.RightResume: true}},
		"environment-empty": {Environment: empty},
	} {
		t.Run(name, func(t *testing.T) {
			view, err := page.Environment(looking("frank"), of)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, slots(view))
			if _, err := looking("frank").Document(view, "/", "/assets"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnEnvironmentOffersWhatThePersonMayDo(t *testing.T) {
	all := page.Rights{page.RightHold: true, page.RightResume: true, page.RightRollback: true}
	annotated := troubled()
	annotated.Annotations = map[string]string{v1alpha1.AnnotationHold: "incident"}
	first := troubled()
	first.Status.Releases = first.Status.Releases[:1]
	for name, each := range map[string]struct {
		of     *v1alpha1.Environment
		rights page.Rights
		want   string
	}{
		"nothing":                          {troubled(), nil, ""},
		"everything":                       {troubled(), all, "environments/production/hold promotions"},
		"it is on hold":                    {annotated, all, "environments/production/resume promotions"},
		"holding is not resuming":          {annotated, page.Rights{page.RightHold: true}, ""},
		"resuming is not holding":          {troubled(), page.Rights{page.RightResume: true}, ""},
		"there is nothing to go back to":   {first, all, "environments/production/hold"},
		"promoting is not rolling back":    {troubled(), page.Rights{page.RightPromote: true}, ""},
		"a place where nothing ran so far": {func() *v1alpha1.Environment { e := troubled(); e.Status = v1alpha1.EnvironmentStatus{}; return e }(), all, "environments/production/hold"},
	} {
		t.Run(name, func(t *testing.T) {
			view, err := page.Environment(looking("frank"), page.EnvironmentSeen{Environment: each.of, Rights: each.rights})
			if err != nil {
				t.Fatal(err)
			}
			var offered []string
			for _, form := range regexp.MustCompile(`action="/assent/projects/shop/([\w/]+)"`).FindAllStringSubmatch(slots(view), -1) {
				offered = append(offered, form[1])
			}
			if got := strings.Join(offered, " "); got != each.want {
				t.Errorf("it offers %q, and not %q", got, each.want)
			}
		})
	}
}

func TestTheReleaseThatRanBeforeIsTheFirstToGoBackTo(t *testing.T) {
	view, err := page.Environment(looking("frank"), page.EnvironmentSeen{Environment: troubled(), Rights: page.Rights{page.RightRollback: true}})
	if err != nil {
		t.Fatal(err)
	}
	var options []string
	for _, option := range regexp.MustCompile(`<option value="([^"]+)"`).FindAllStringSubmatch(slots(view), -1) {
		options = append(options, option[1])
	}
	if got := strings.Join(options, " "); got != "shop-1.1.0 shop-1.0.0" {
		t.Errorf("it goes back to %q", got)
	}
}

func TestTheRecordsOfAnEnvironmentAreLeftInTheirOrder(t *testing.T) {
	records := history()
	records[0], records[3] = records[3], records[0]
	first := records[0].Spec.Sequence
	if _, err := page.Environment(looking("frank"), page.EnvironmentSeen{Environment: production(), Records: records}); err != nil {
		t.Fatal(err)
	}
	if records[0].Spec.Sequence != first {
		t.Error("they were sorted, and others look at them at the same time")
	}
}

func TestAnEnvironmentStaysTheSameAsTimeGoesBy(t *testing.T) {
	of := page.EnvironmentSeen{Environment: troubled(), Promotions: []*v1alpha1.Promotion{rolling()}, Records: history()}
	early, late := looking("frank"), looking("frank")
	late.Now = noon.Add(5 * 3600e9)
	first, err := page.Environment(early, of)
	if err != nil {
		t.Fatal(err)
	}
	second, err := page.Environment(late, of)
	if err != nil {
		t.Fatal(err)
	}
	if slots(first) != slots(second) {
		t.Error("it changes though nothing has happened")
	}
}
