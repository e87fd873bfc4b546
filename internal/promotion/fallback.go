// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// GoesBack says whether a rollout has failed, and what ran before is being applied again.
func GoesBack(p *v1alpha1.Promotion) bool { return !p.Status.Rollback.StartTime.IsZero() }

// during says in words what somebody has put an end to.
func during(p *v1alpha1.Promotion) string {
	if GoesBack(p) {
		return fmt.Sprintf("on the way back to release %q, after the rollout had failed (%s)", p.Status.Rollback.Release, p.Status.Rollback.Reason)
	}
	return "during its rollout"
}

// wentBack says what has happened to a rollout that failed, and after which what ran before runs again.
func wentBack(p *v1alpha1.Promotion) string {
	return clip(fmt.Sprintf("release %q, which ran before, was applied again and is healthy, because the rollout of release %q failed: %s",
		p.Status.Rollback.Release, p.Spec.Release, p.Status.Rollback.Reason))
}

// failedTwice says what runs after neither the rollout nor the way back has ended well.
func failedTwice(p *v1alpha1.Promotion, rollout *Rollout, why string) string {
	back := p.Status.Rollback
	runs := fmt.Sprintf("of release %q, an unknown part is applied", back.Release)
	if progress := rollout.Progress; progress.Total != nil {
		runs = fmt.Sprintf("of release %q, %d of %d objects are applied and %d healthy",
			back.Release, ptr.Deref(progress.Applied, 0), *progress.Total, ptr.Deref(progress.Healthy, 0))
	}
	return clip(fmt.Sprintf("going back to release %q failed: %s; %s; objects that release %q alone has are still there; the rollout had failed before that: %s",
		back.Release, Clip(why, 700), runs, p.Spec.Release, Clip(back.Reason, 700))) + "; to mend it, create a new promotion"
}
