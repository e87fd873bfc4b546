// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/rules"
	"github.com/assent-dev/assent/internal/soak"
)

// upstreamGate is closed until the Release has succeeded in every Environment that comes before this one, and while it is unhealthy where it still
// runs. A rollback does not ask.
func upstreamGate(seen Observation) *v1alpha1.Blocker {
	if seen.Release == nil || seen.Environment == nil || rollsBack(seen) {
		return nil
	}
	return upstream(seen.Release, seen.Environment, seen.Project)
}

// soakGate is closed until the Release has been healthy for long enough in each of them. A rollback does not ask.
func soakGate(seen Observation) *v1alpha1.Blocker {
	if seen.Release == nil || seen.Environment == nil || rollsBack(seen) {
		return nil
	}
	return soaked(seen.Release, seen.Environment, seen.Project, seen.Now)
}

// UpstreamBlockers are the gates Upstream and Soak of a Release in an Environment, for those who ask before there is a Promotion. Project are the
// Environments of the project by name.
func UpstreamBlockers(release *v1alpha1.Release, environment *v1alpha1.Environment, project map[string]*v1alpha1.Environment, now time.Time) []v1alpha1.Blocker {
	var found judgement
	found.add(upstream(release, environment, project))
	found.add(soaked(release, environment, project, now))
	return found.blockers
}

func upstream(release *v1alpha1.Release, environment *v1alpha1.Environment, project map[string]*v1alpha1.Environment) *v1alpha1.Blocker {
	var lacks, clears []string
	for _, problem := range rules.Upstreams(environment, project) {
		lacks = append(lacks, fmt.Sprintf("`%s` of environment %q: %s", problem.Field, environment.Name, problem.Message))
	}
	if len(lacks) > 0 {
		return &v1alpha1.Blocker{
			Gate: v1alpha1.GateUpstream, Message: sentence(lacks),
			Clears: fmt.Sprintf("whoever may change environment %q, by mending its `spec.after`; that voids the approvals given so far", environment.Name),
		}
	}
	for _, name := range environment.Spec.After {
		before := project[name]
		switch known := soak.Find(&before.Status, string(release.UID)); {
		case known == nil:
			lacks = append(lacks, fmt.Sprintf("release %q has not succeeded in environment %q yet", release.Name, name))
			clears = append(clears, fmt.Sprintf("a promotion of release %q to environment %q, once it has succeeded", release.Name, name))
		case before.Status.Current.Release == release.Name && unwell(before) != "":
			lacks = append(lacks, fmt.Sprintf("release %q is not healthy in environment %q: %s", release.Name, name, Clip(unwell(before), 300)))
			clears = append(clears, fmt.Sprintf("whoever mends what runs in environment %q", name))
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return &v1alpha1.Blocker{Gate: v1alpha1.GateUpstream, Message: sentence(lacks), Clears: sentence(clears)}
}

// unwell says why what runs in an Environment is not healthy; empty if it is.
func unwell(environment *v1alpha1.Environment) string {
	healthy := meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionHealthy)
	switch {
	case healthy == nil:
		return "nobody has looked yet"
	case healthy.Status != metav1.ConditionTrue:
		return healthy.Message
	}
	return ""
}

// soaked judges the soak time. What has not succeeded at all is told by the other gate.
func soaked(release *v1alpha1.Release, environment *v1alpha1.Environment, project map[string]*v1alpha1.Environment, now time.Time) *v1alpha1.Blocker {
	needed := time.Duration(environment.Spec.SoakSeconds) * time.Second
	var lacks, clears []string
	var until time.Time
	standing := false
	for _, name := range environment.Spec.After {
		before := project[name]
		if before == nil {
			continue
		}
		known := soak.Find(&before.Status, string(release.UID))
		if known == nil || soak.Healthy(*known, now) >= needed {
			continue
		}
		if at := soak.Reaches(*known, needed); !at.IsZero() {
			lacks = append(lacks, fmt.Sprintf("release %q has to be healthy in environment %q for %s (`spec.soakSeconds`), and reaches that on %s", release.Name, name, span(needed), moment(at)))
			clears = append(clears, fmt.Sprintf("time, as long as environment %q stays healthy", name))
			until = later(until, at)
			continue
		}
		standing = true
		had := soak.Healthy(*known, now)
		if before.Status.Current.Release == release.Name {
			lacks = append(lacks, fmt.Sprintf("release %q has been healthy in environment %q for %s of %s (`spec.soakSeconds`); the time stands still while it is not", release.Name, name, span(had), span(needed)))
			clears = append(clears, fmt.Sprintf("whoever mends what runs in environment %q", name))
			continue
		}
		lacks = append(lacks, fmt.Sprintf("release %q was replaced in environment %q when it had been healthy for %s of %s (`spec.soakSeconds`)", release.Name, name, span(had), span(needed)))
		clears = append(clears, fmt.Sprintf("a new promotion of release %q to environment %q, which goes on where it stopped", release.Name, name))
	}
	if len(lacks) == 0 {
		return nil
	}
	blocker := &v1alpha1.Blocker{Gate: v1alpha1.GateSoak, Message: sentence(lacks), Clears: sentence(clears)}
	if !standing {
		blocker.UntilTime = metav1.NewTime(until)
	}
	return blocker
}

// nextSoaked is when the Release will have soaked in the next of the Environments before this one: from then on the gate says less, although it may stay
// closed for the others. Zero if that does not come by itself.
func nextSoaked(seen Observation) time.Duration {
	needed := seconds(seen.Environment.Spec.SoakSeconds)
	var next time.Duration
	for _, name := range seen.Environment.Spec.After {
		if before := seen.Project[name]; before != nil {
			if known := soak.Find(&before.Status, string(seen.Release.UID)); known != nil && soak.Healthy(*known, seen.Now) < needed {
				next = soonest(next, soak.Reaches(*known, needed).Sub(seen.Now))
			}
		}
	}
	return next
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
