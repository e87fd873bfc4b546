// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Progress is one line about where a Promotion stands, for whoever waits: a new one whenever something has moved.
func Progress(promotion *v1alpha1.Promotion) string {
	state, message := State(promotion)
	switch state {
	case "":
		return "waiting for the operator to look at it"
	case v1alpha1.ReasonAwaitingApproval, v1alpha1.ReasonBlocked, v1alpha1.ReasonQueued, v1alpha1.ReasonPlanning:
		return state + ": " + oneLine(firstBlocker(promotion, message))
	case v1alpha1.ReasonRollingOut, v1alpha1.ReasonVerifying, v1alpha1.ReasonRollingBack:
		return state + rollout(promotion.Status.Progress)
	default:
		return state + ": " + oneLine(message)
	}
}

func firstBlocker(promotion *v1alpha1.Promotion, message string) string {
	if len(promotion.Status.Blockers) == 0 {
		return message
	}
	return promotion.Status.Blockers[0].Message
}

func rollout(progress v1alpha1.RolloutProgress) string {
	if progress.Total == nil {
		return ""
	}
	line := fmt.Sprintf(": %d of %d objects applied, %d healthy", number(progress.Applied), *progress.Total, number(progress.Healthy))
	if progress.Waves > 0 {
		line += fmt.Sprintf(", wave %d of %d", progress.Wave, progress.Waves)
	}
	var waits []string
	for _, failing := range progress.Failing {
		waits = append(waits, fmt.Sprintf("%s %s: %s", failing.Kind, failing.Name, failing.Message))
	}
	if len(waits) > 0 {
		line += "; " + oneLine(strings.Join(waits, "; "))
	}
	return line
}

func number(of *int32) int32 {
	if of == nil {
		return 0
	}
	return *of
}
