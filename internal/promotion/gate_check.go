// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// checksJudged is what the checks of an Environment say together.
type checksJudged struct {
	blocker *v1alpha1.Blocker
	// run are the checks to run now, by name.
	run []string
	// again is when an answer that counts becomes stale; zero if nobody waits for it.
	again time.Duration
}

// judgeChecks says whether every check has passed for the current plan. A check runs as soon as there is a plan, so that people decide with its answer
// in view, and again when its answer is stale and nothing else keeps the Promotion from starting, neither another gate (last) nor another check that
// stands in the way: a Promotion that waits for people asks nobody.
func judgeChecks(seen Observation, last bool) checksJudged {
	var found checksJudged
	if currentPlan(seen).Digest == "" {
		return found
	}
	var lacks, clears []string
	asks := func(check v1alpha1.Check) {
		lacks = append(lacks, asking(seen, check))
		clears = append(clears, fmt.Sprintf("the answer to check %q; nobody has to do anything", check.Name))
		if !runs(seen, check.Name) {
			found.run = append(found.run, check.Name)
		}
	}
	var outdated []v1alpha1.Check
	for _, check := range checksOf(seen.Environment, v1alpha1.CheckBefore) {
		answer := answerOf(seen, check.Name)
		stale := answer != nil && !seen.Now.Before(answer.Time.Add(seconds(check.ValidSeconds)))
		switch {
		case runs(seen, check.Name), answer == nil, stale && last && answer.Result != v1alpha1.CheckPassed:
			asks(check)
		case answer.Result != v1alpha1.CheckPassed:
			lacks = append(lacks, fmt.Sprintf("check %q has failed: %s", check.Name, Clip(answer.Message, 600)))
			clears = append(clears, whoMends(seen, check))
			if last {
				found.again = soonest(found.again, answer.Time.Add(seconds(check.ValidSeconds)).Sub(seen.Now))
			}
		case stale:
			outdated = append(outdated, check)
		}
	}
	if last && len(lacks) == 0 {
		for _, check := range outdated {
			asks(check)
		}
	}
	if len(lacks) > 0 {
		found.blocker = &v1alpha1.Blocker{Gate: v1alpha1.GateCheck, Message: sentence(lacks), Clears: sentence(clears)}
	}
	return found
}

// asking says that a check has no answer that counts.
func asking(seen Observation, check v1alpha1.Check) string {
	if answerOf(seen, check.Name) != nil {
		return fmt.Sprintf("check %q is asked again: its answer is older than %s", check.Name, span(seconds(check.ValidSeconds)))
	}
	return fmt.Sprintf("check %q is running", check.Name)
}

// runs says whether a check is running for the current plan.
func runs(seen Observation, name string) bool {
	progress := seen.Checks[name]
	return progress.Running && progress.Plan == currentPlan(seen).Digest && progress.Rerun == Rerun(seen.Promotion)
}

// whoMends says what people can do about a check that has failed.
func whoMends(seen Observation, check v1alpha1.Check) string {
	return fmt.Sprintf("whoever mends what check %q found; it is asked again %s after its answer once nothing else is missing, or at once by "+
		"`kubectl annotate promotion %s --namespace %s --overwrite %s=\"$(date)\"`",
		check.Name, span(seconds(check.ValidSeconds)), seen.Promotion.Name, seen.Promotion.Namespace, v1alpha1.AnnotationRerunChecks)
}

// answerOf a check is its newest answer for the current plan and since the last wish to run it again; nil if there is none.
func answerOf(seen Observation, name string) *v1alpha1.CheckStatus {
	var newest *v1alpha1.CheckStatus
	consider := func(answer *v1alpha1.CheckStatus) {
		if answer == nil || answer.PlanDigest != currentPlan(seen).Digest || answer.Rerun != Rerun(seen.Promotion) {
			return
		}
		if newest == nil || newest.Time.Before(&answer.Time) {
			newest = answer
		}
	}
	for i := range seen.Promotion.Status.Checks {
		if seen.Promotion.Status.Checks[i].Name == name {
			consider(&seen.Promotion.Status.Checks[i])
		}
	}
	consider(seen.Checks[name].Found)
	return newest
}

// answers of all checks, in the order of the Environment.
func answers(seen Observation) []v1alpha1.CheckStatus {
	if seen.Environment == nil {
		return seen.Promotion.Status.Checks
	}
	var found []v1alpha1.CheckStatus
	for _, check := range seen.Environment.Spec.Checks {
		if answer := answerOf(seen, check.Name); answer != nil {
			found = append(found, *answer)
		}
	}
	return found
}

// Rerun identifies the last wish to run a Promotion's checks again: the digest of the annotation's value; empty if nobody has wished for it.
func Rerun(p *v1alpha1.Promotion) string {
	wish := p.Annotations[v1alpha1.AnnotationRerunChecks]
	if wish == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(wish))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// soonest of two waits, of which zero is never.
func soonest(a, b time.Duration) time.Duration {
	if a <= 0 || b <= 0 {
		return max(a, b, 0)
	}
	return min(a, b)
}
