// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// stateBadge is a state as icon and words; its colour is one of those of base.css, and says nothing that the words do not.
type stateBadge struct{ Class, Icon, Text string }

// stateBadges by the reason of the condition Succeeded. Those that wait, that were ended by people, by time, and that have failed read and look different.
var stateBadges = map[string]stateBadge{
	"":                              {"quiet", "clock", "Not looked at yet"},
	v1alpha1.ReasonPlanning:         {"run", "running", "Planning"},
	v1alpha1.ReasonAwaitingApproval: {"wait", "waiting", "Awaiting approval"},
	v1alpha1.ReasonBlocked:          {"stop", "blocked", "Blocked"},
	v1alpha1.ReasonQueued:           {"wait", "clock", "Queued"},
	v1alpha1.ReasonRollingOut:       {"run", "running", "Rolling out"},
	v1alpha1.ReasonVerifying:        {"run", "running", "Verifying"},
	v1alpha1.ReasonRollingBack:      {"run", "rollback", "Rolling back"},
	v1alpha1.ReasonSucceeded:        {"good", "ok", "Succeeded"},
	v1alpha1.ReasonRejected:         {"stop", "ended", "Rejected"},
	v1alpha1.ReasonExpired:          {"quiet", "clock", "Expired"},
	v1alpha1.ReasonSuperseded:       {"quiet", "forward", "Superseded"},
	v1alpha1.ReasonCancelled:        {"quiet", "ended", "Cancelled"},
	v1alpha1.ReasonInvalid:          {"bad", "failed", "Invalid"},
	v1alpha1.ReasonFailed:           {"bad", "failed", "Failed"},
	v1alpha1.ReasonRolledBack:       {"bad", "rollback", "Rolled back"},
	// Of a history alone.
	string(v1alpha1.AuditCorrected): {"wait", "drift", "Corrected"},
}

// promotionState is where a Promotion stands.
func promotionState(promotion *v1alpha1.Promotion) stateBadge {
	state, _ := report.State(promotion)
	return badgeOf(state)
}

func badgeOf(state string) stateBadge {
	if badge, known := stateBadges[state]; known {
		return badge
	}
	return stateBadge{"quiet", "clock", state}
}

// counted is a number of things, such as "1 object" and "2 objects".
func counted(number int, thing string) string {
	if number == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", number, thing)
}

// enumerated lists words as a sentence does.
func enumerated(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

// shortDigest is enough of a digest for people to compare.
func shortDigest(digest v1alpha1.Digest) string {
	const digits = len("sha256:") + 12
	if len(digest) <= digits {
		return cmp.Or(string(digest), "none")
	}
	return string(digest[:digits])
}
