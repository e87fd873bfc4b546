// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// Observation is everything that a decision depends on.
type Observation struct {
	// Now by the operator's clock.
	Now time.Time
	// Live says that every part was read from the API server just now, that the approvers' authority was asked for, and
	// that the plan was made anew. Otherwise the observation comes from caches.
	Live bool

	// Promotion that is decided on.
	Promotion *v1alpha1.Promotion
	// Release that it names; nil if there is none.
	Release *v1alpha1.Release
	// Bundled are the Releases that a bundle names, as far as they exist.
	Bundled []*v1alpha1.Release
	// Environment that it names; nil if there is none.
	Environment *v1alpha1.Environment
	// EnvironmentDigest of the Environment's rules.
	EnvironmentDigest v1alpha1.Digest
	// Project are the Environments of the project by name, as far as the rules of this one name them; the Environment itself is among them.
	Project map[string]*v1alpha1.Environment
	// ProjectHold is why the whole project is on hold; empty if it is not.
	ProjectHold string
	// ValuesDigest of what the Environment takes Helm values from; empty if there is nothing.
	ValuesDigest v1alpha1.Digest
	// ClusterDigest of where the target cluster is reached; empty for this cluster.
	ClusterDigest v1alpha1.Digest
	// Unreadable is why these cannot be found out now; nil if they can.
	Unreadable *v1alpha1.Blocker
	// Guard that is in place.
	Guard Guard
	// Authority of the approvers by user; whoever is not in it is unproven.
	Authority map[string]approval.Authority
	// OverrideAuthority of whoever has set the override; empty means unproven.
	OverrideAuthority approval.Authority
	// Checks that this process runs or has run for the promotion, by name.
	Checks map[string]CheckProgress
	// Running names the promotion whose rollout runs in the Environment; empty if none does, or if it is this one.
	Running string
	// Newer names a newer promotion to the Environment that has started; empty if there is none.
	Newer string
	// Planned is the plan that was made just now; nil if none was.
	Planned *Planned
	// Rollout is what is known of a started promotion. Before the start it is nil, or holds nothing but the Outcome that
	// is on record already; a live observation has looked for it.
	Rollout *Rollout
}

// CheckProgress is how far a check of the Environment is.
type CheckProgress struct {
	// Running says that it has not ended. It is for Plan, and for the wish to run it again that Rerun identifies.
	Running bool
	Plan    v1alpha1.Digest
	Rerun   string
	// SoFar says what a check of phase After has found while it runs, such as "passed 3 of 5 times"; empty before its first attempt.
	SoFar string
	// Found is what it has found; nil while it runs.
	Found *v1alpha1.CheckStatus
}

// Guard is the admission policies as the operator finds them.
type Guard struct {
	// Digest of their identity; empty if there are problems.
	Digest v1alpha1.Digest
	// Problems that keep the guard from being trusted, as sentences.
	Problems []string
}

// Planned is the result of making a plan.
type Planned struct {
	// Plan that was made; its digest is empty if there was a problem.
	Plan v1alpha1.Plan
	// Refused says why the plan cannot be carried out, ever; the message says what to change.
	Refused string
	// Unable says why the plan cannot be made or carried out now, and Remedy who does what about it.
	Unable, Remedy string
	// Gate that this closes; Target if it is empty.
	Gate v1alpha1.Gate
}

// Rollout is what is known of a started promotion. Once its way back has begun, it is what is known of that.
type Rollout struct {
	// Intent on record; nil if none was written.
	Intent *v1alpha1.AuditRecord
	// Outcome on record, of any type but Intent; nil while the rollout runs.
	Outcome *v1alpha1.AuditRecord
	// Applied says that every object has been applied by this process.
	Applied bool
	// Wave is how many of the release's Waves this process has applied.
	Wave, Waves int
	// Failure that no retry mends; empty if there was none.
	Failure string
	// Trouble that is being tried again; empty if there is none.
	Trouble string
	// Progress of the objects' health.
	Progress v1alpha1.RolloutProgress
	// Healthy says that every object is that was applied so far.
	Healthy bool
	// Hopeless says that an object has failed for good, so that there is no use in waiting for the time-out.
	Hopeless bool
	// Prunes says that there are objects left to prune.
	Prunes bool
}
