// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"time"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// defaultTimeout is the API's default of `spec.rollout.timeoutSeconds`, for an Environment that is gone.
const defaultTimeout = 600 * time.Second

// decideRollout decides on a promotion whose decisions are closed.
func decideRollout(seen Observation) Decision {
	rollout := seen.Rollout
	if rollout == nil {
		rollout = &Rollout{}
	}
	switch {
	case rollout.Intent == nil:
		return decideUnrecorded(seen)
	case seen.Promotion.Spec.Cancel.Reason != "":
		return Finish{Type: v1alpha1.AuditCancelled, Message: fmt.Sprintf("cancelled during its rollout, %s: %s",
			stoppedAt(rollout.Progress), seen.Promotion.Spec.Cancel.Reason)}
	case !seen.Promotion.DeletionTimestamp.IsZero():
		return Finish{Type: v1alpha1.AuditCancelled, Message: "deleted during its rollout, " + stoppedAt(rollout.Progress)}
	case rollout.Failure != "":
		return Finish{Type: v1alpha1.AuditFailed, Message: clip(rollout.Failure)}
	case rollout.Hopeless:
		return Finish{Type: v1alpha1.AuditFailed, Message: failed(unhealthy(rollout.Progress))}
	case rollout.Applied && rollout.Healthy && rollout.Prunes:
		return Prune{}
	case rollout.Applied && rollout.Healthy:
		return Finish{Type: v1alpha1.AuditSucceeded, Message: "every object is applied and healthy"}
	case remaining(seen) <= 0:
		return Finish{Type: v1alpha1.AuditFailed,
			Message: failed(fmt.Sprintf("not healthy within %s (`spec.rollout.timeoutSeconds`): %s", span(timeout(seen.Environment)), late(rollout)))}
	case !rollout.Applied:
		return Apply{}
	default:
		return Watch{Deadline: remaining(seen)}
	}
}

// decideUnrecorded decides on a promotion whose decisions were closed, but whose intent is not on record: the operator died
// in between. Nothing was applied, so every gate is proved again; what does not hold any more ends it.
func decideUnrecorded(seen Observation) Decision {
	if !seen.Live {
		return Prove{}
	}
	end := func(why string) Decision {
		return Finish{Type: v1alpha1.AuditFailed, Message: clip("stopped before anything was applied: " + why)}
	}
	approvals := countApprovals(seen)
	switch stop := endOf(seen); {
	case stop != nil && stop.Type != "":
		return Finish{Type: stop.Type, Message: clip(stop.Message)}
	case stop != nil:
		return end(stop.Message)
	case len(approvals.Rejections) > 0:
		return Finish{Type: v1alpha1.AuditRejected, Message: clip(rejected(approvals).Message)}
	}
	if plannable(seen) {
		if seen.Planned == nil {
			return MakePlan{Inputs: inputsOf(seen)}
		}
		if seen.Planned.Refused != "" {
			return end(seen.Planned.Refused)
		}
	}
	found := judge(seen, approvals)
	switch unannounced := found.unannounced(seen.Promotion); {
	case len(unannounced) > 0:
		return end(fmt.Sprintf("%s closed after the decisions had been, and nobody was told that the override would open it; create a new promotion", gateWords(unannounced)))
	case len(found.blockers) == 0:
		return Start{Approvals: approvals, Overridden: found.overridden}
	case found.only(v1alpha1.GateQueue) && remaining(seen) > 0:
		return Watch{Deadline: remaining(seen)}
	case found.only(v1alpha1.GateQueue):
		return end(fmt.Sprintf("its turn did not come within %s (`spec.rollout.timeoutSeconds`): %s", span(timeout(seen.Environment)), found.blockers[0].Message))
	default:
		return end(found.blockers[0].Message)
	}
}

// failed says why, and what people can do.
func failed(why string) string {
	return clip(why) + "; what was applied stays: to try again, or to go back, create a new promotion"
}

func timeout(environment *v1alpha1.Environment) time.Duration {
	if environment == nil || environment.Spec.Rollout.TimeoutSeconds == 0 {
		return defaultTimeout
	}
	return time.Duration(environment.Spec.Rollout.TimeoutSeconds) * time.Second
}

func remaining(seen Observation) time.Duration {
	return seen.Promotion.Status.StartTime.Add(timeout(seen.Environment)).Sub(seen.Now)
}

// late says in words what a rollout waited for in vain.
func late(rollout *Rollout) string {
	if rollout.Applied || rollout.Trouble == "" {
		return unhealthy(rollout.Progress)
	}
	return "its objects could not be applied: " + rollout.Trouble
}

func stoppedAt(progress v1alpha1.RolloutProgress) string {
	if progress.Total == nil {
		return "which may have applied some of its objects"
	}
	return fmt.Sprintf("with %d of %d objects applied", ptr.Deref(progress.Applied, 0), *progress.Total)
}

// unhealthy says in words what keeps a rollout from being healthy.
func unhealthy(progress v1alpha1.RolloutProgress) string {
	if len(progress.Failing) == 0 {
		if progress.Total == nil {
			return "nothing was applied yet"
		}
		return fmt.Sprintf("%d of %d objects are healthy", ptr.Deref(progress.Healthy, 0), *progress.Total)
	}
	var parts []string
	for _, failing := range progress.Failing {
		parts = append(parts, fmt.Sprintf("%s %q: %s", failing.Kind, failing.Name, failing.Message))
	}
	return sentence(parts)
}
