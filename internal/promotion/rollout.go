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
		return Finish{Type: v1alpha1.AuditCancelled, Message: clip(fmt.Sprintf("cancelled %s, %s: %s",
			during(seen.Promotion), stoppedAt(rollout.Progress), seen.Promotion.Spec.Cancel.Reason))}
	case !seen.Promotion.DeletionTimestamp.IsZero():
		return Finish{Type: v1alpha1.AuditCancelled, Message: clip(fmt.Sprintf("deleted %s, %s", during(seen.Promotion), stoppedAt(rollout.Progress)))}
	}
	next, failure := proceed(seen, rollout)
	if failure != nil {
		return giveUp(seen, rollout, *failure)
	}
	return next
}

// failure is why a rollout cannot succeed any more.
type failure struct {
	// why, as people read it.
	why string
	// applied says that a part of the objects may have been applied, and that it is up to people what becomes of them.
	applied bool
}

// proceed with a rollout, or with its way back, as long as it can succeed.
func proceed(seen Observation, rollout *Rollout) (Decision, *failure) {
	rejected := failedCheck(seen)
	switch {
	case rollout.Failure != "":
		return nil, &failure{why: rollout.Failure}
	case rollout.Hopeless:
		return nil, &failure{why: unhealthy(rollout.Progress), applied: true}
	case rejected != "":
		return nil, &failure{why: rejected, applied: true}
	case rollout.Applied && rollout.Healthy && rollout.Prunes:
		return Prune{}, nil
	case rollout.Applied && rollout.Healthy:
		return complete(seen)
	case remaining(seen) <= 0:
		return nil, &failure{applied: true,
			why: fmt.Sprintf("not healthy within %s (`spec.rollout.timeoutSeconds`): %s", span(timeout(seen.Environment)), late(rollout))}
	case !rollout.Applied && (rollout.Wave == 0 || rollout.Healthy):
		return Apply{}, nil
	default:
		return Watch{Deadline: remaining(seen)}, nil
	}
}

// complete decides on a rollout, or its way back, whose objects are all there and healthy.
func complete(seen Observation) (Decision, *failure) {
	if GoesBack(seen.Promotion) {
		return Finish{Type: v1alpha1.AuditRolledBack, Message: wentBack(seen.Promotion)}, nil
	}
	return verify(seen)
}

// giveUp a rollout: go back if the plan says what to, else leave everything as it is.
func giveUp(seen Observation, rollout *Rollout, found failure) Decision {
	switch {
	case GoesBack(seen.Promotion):
		return Finish{Type: v1alpha1.AuditFailed, Message: failedTwice(seen.Promotion, rollout, found.why)}
	case rollout.Intent.Spec.Fallback.Release.Name != "":
		return RollBack{Reason: clip(found.why)}
	case found.applied:
		return Finish{Type: v1alpha1.AuditFailed, Message: failed(found.why)}
	default:
		return Finish{Type: v1alpha1.AuditFailed, Message: clip(found.why)}
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

// remaining is how much time a rollout has left: to become healthy, then to be verified, or to go back.
func remaining(seen Observation) time.Duration {
	status := seen.Promotion.Status
	deadline := status.StartTime.Add(timeout(seen.Environment))
	switch {
	case GoesBack(seen.Promotion):
		deadline = status.Rollback.StartTime.Add(timeout(seen.Environment))
	case !status.Progress.VerifyingSinceTime.IsZero():
		deadline = status.Progress.VerifyingSinceTime.Add(timeout(seen.Environment) + verification(seen.Environment))
	}
	return deadline.Sub(seen.Now)
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
