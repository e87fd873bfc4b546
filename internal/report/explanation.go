// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// APIVersion of all reports. A field of a report keeps its name and its meaning for as long as the version stays.
const APIVersion = "cli.assent.dev/v1alpha1"

// Explanation says where a Promotion stands and why: `kubectl assent why`.
type Explanation struct {
	metav1.TypeMeta `json:",inline"`
	Project         string                 `json:"project"`
	Promotion       string                 `json:"promotion"`
	Release         string                 `json:"release"`
	Environment     string                 `json:"environment"`
	Type            v1alpha1.PromotionType `json:"type"`
	RequestedBy     string                 `json:"requestedBy,omitempty"`
	Reason          string                 `json:"reason,omitempty"`
	// State is the reason of the condition Succeeded; empty before the operator has looked.
	State   string `json:"state"`
	Message string `json:"message,omitempty"`
	// Ended says that nothing moves any more.
	Ended bool `json:"ended"`
	// Blockers, Ignored, Checks and Failing are as in the status of the Promotion.
	Blockers  []v1alpha1.Blocker         `json:"blockers"`
	Approvals string                     `json:"approvals,omitempty"`
	Ignored   []v1alpha1.IgnoredApproval `json:"ignored,omitempty"`
	Checks    []v1alpha1.CheckStatus     `json:"checks,omitempty"`
	Failing   []v1alpha1.FailingObject   `json:"failing,omitempty"`
	// PlanDigest is what an approval names; empty while there is no plan.
	PlanDigest v1alpha1.Digest `json:"planDigest,omitempty"`
}

// Explain where a Promotion stands.
func Explain(promotion *v1alpha1.Promotion) Explanation {
	state, message := State(promotion)
	blockers := promotion.Status.Blockers
	if blockers == nil {
		blockers = []v1alpha1.Blocker{}
	}
	return Explanation{
		TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: "Explanation"},
		Project:  promotion.Namespace, Promotion: promotion.Name,
		Release: promotion.Spec.Release, Environment: promotion.Spec.Environment, Type: promotion.Spec.Type,
		RequestedBy: promotion.Spec.RequestedBy.Username, Reason: promotion.Spec.Reason,
		State: state, Message: message, Ended: Ended(promotion),
		Blockers: blockers, Approvals: promotion.Status.Approvals.Summary, Ignored: promotion.Status.Approvals.Ignored,
		Checks: promotion.Status.Checks, Failing: promotion.Status.Progress.Failing, PlanDigest: promotion.Status.Plan.Digest,
	}
}

// State is the reason of the condition Succeeded, and its message; both are empty before the operator has looked.
func State(promotion *v1alpha1.Promotion) (state, message string) {
	succeeded := meta.FindStatusCondition(promotion.Status.Conditions, v1alpha1.ConditionSucceeded)
	if succeeded == nil {
		return "", ""
	}
	return succeeded.Reason, succeeded.Message
}

// Ended says whether a Promotion has come to its end and never moves again.
func Ended(promotion *v1alpha1.Promotion) bool {
	succeeded := meta.FindStatusCondition(promotion.Status.Conditions, v1alpha1.ConditionSucceeded)
	return !promotion.Status.CompletionTime.IsZero() || (succeeded != nil && succeeded.Status != metav1.ConditionUnknown)
}

// Succeeded says whether a Promotion has ended well.
func Succeeded(promotion *v1alpha1.Promotion) bool {
	return meta.IsStatusConditionTrue(promotion.Status.Conditions, v1alpha1.ConditionSucceeded)
}

// Text says it to people.
func (e Explanation) Text(style Style, now time.Time) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s  %s to %s%s\n", style.Bold(e.Promotion), e.Release, e.Environment, asked(e))
	if e.Reason != "" {
		fmt.Fprintf(&out, "reason: %s\n", indented(e.Reason))
	}
	if e.State == "" {
		out.WriteString("The operator has not looked at it yet. If that lasts, see whether it runs: kubectl get pods --namespace assent-system\n")
		return out.String()
	}
	fmt.Fprintf(&out, "%s: %s\n", stateText(style, e), indented(e.Message))
	for _, blocker := range e.Blockers {
		fmt.Fprintf(&out, "\n%s: %s\n  cleared by: %s\n", style.Waiting(string(blocker.Gate)), indented(blocker.Message), indented(blocker.Clears))
		if until := blocker.UntilTime.Time; !until.IsZero() {
			fmt.Fprintf(&out, "  %s: %s%s\n", untilWord(blocker.Gate), moment(until), left(until, now))
		}
	}
	e.details(&out, style)
	return out.String()
}

// details are what was decided without effect, and what has failed.
func (e Explanation) details(out *strings.Builder, style Style) {
	for _, ignored := range e.Ignored {
		fmt.Fprintf(out, "\n%s: %s %s\n", style.Waiting("does not count"), shown(ignored.User), indented(ignored.Reason))
	}
	for _, check := range e.Checks {
		if check.Result == v1alpha1.CheckFailed {
			fmt.Fprintf(out, "\n%s: %s\n", style.Bad("check "+check.Name), indented(check.Message))
		}
	}
	if e.Ended && e.State == v1alpha1.ReasonSucceeded {
		return
	}
	for _, failing := range e.Failing {
		fmt.Fprintf(out, "\n%s: %s\n", style.Bad(failing.Kind+" "+failing.Name), indented(failing.Message))
	}
}

func asked(e Explanation) string {
	text := ""
	if e.Type == v1alpha1.PromotionTypeRollback {
		text = " (rollback)"
	}
	if e.RequestedBy != "" {
		text += ", asked for by " + shown(e.RequestedBy)
	}
	return text
}

func stateText(style Style, e Explanation) string {
	switch {
	case e.State == v1alpha1.ReasonSucceeded:
		return style.Good(e.State)
	case e.Ended:
		return style.Bad(e.State)
	default:
		return style.Waiting(e.State)
	}
}

// untilWord says what the time of a blocker means.
func untilWord(gate v1alpha1.Gate) string {
	if gate == v1alpha1.GateApproval {
		return "expires unanswered"
	}
	return "until"
}

// left is how long it is until a time, if that is to come.
func left(until, now time.Time) string {
	if !until.After(now) {
		return ""
	}
	return " (in " + age(now, until) + ")"
}

// indented is a text whose further lines stand under its first.
func indented(text string) string { return strings.ReplaceAll(shown(text), "\n", "\n  ") }
