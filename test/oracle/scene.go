// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// Scene is what the log does not say.
type Scene struct {
	// Project that is judged.
	Project string `json:"project"`
	// Targets are the namespaces that its Environments go to, in this cluster. Their final content is kept, in this order.
	Targets []string `json:"targets"`
	// Rights of people, and when they held them. Members of system:masters hold all.
	Rights []cluster.Right `json:"rights"`
	// Applies says of rules with a `when`, by their names, whether they apply. Of those that are not named, the plan's own word is taken.
	Applies map[string]bool `json:"applies,omitempty"`
	// AtRest says that nothing is under way: every rollout has to have ended.
	AtRest bool `json:"atRest,omitempty"`
	// Lossy says that the API server was ended by force: what it has committed may be missing in its log. Then what is missing is no violation.
	Lossy bool `json:"lossy,omitempty"`
	// Exceptions are what the scenario does on purpose.
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// Exception lets one rule be broken.
type Exception struct {
	Rule Rule `json:"rule"`
	// About is a text that the violation's detail must hold, such as a name; empty for every violation of the rule.
	About string `json:"about,omitempty"`
	// Reason why the scenario does it.
	Reason string `json:"reason"`
}

// excepts says whether a violation was declared.
func (s Scene) excepts(v Violation) bool {
	return slices.ContainsFunc(s.Exceptions, func(e Exception) bool { return e.Rule == v.Rule && strings.Contains(v.Detail, e.About) })
}

// holds says whether somebody held a verb on an Environment at a time.
func (s Scene) holds(verb, environment, user string, groups []string, at time.Time) bool {
	if slices.Contains(groups, "system:masters") {
		return true
	}
	return slices.ContainsFunc(s.Rights, func(r cluster.Right) bool {
		return r.Verb == verb && (r.Environment == "" || r.Environment == environment) &&
			(r.User != "" && r.User == user || r.Group != "" && slices.Contains(groups, r.Group)) && r.HeldAt(at)
	})
}

// applies says whether an approval rule applies to a plan.
func (s Scene) applies(rule v1alpha1.ApprovalRule, plan v1alpha1.Plan) bool {
	if rule.When == "" {
		return true
	}
	if fact, known := s.Applies[rule.Name]; known {
		return fact
	}
	return !slices.ContainsFunc(plan.Rules, func(r v1alpha1.PlanRule) bool {
		return r.Name == rule.Name && r.Applicability == v1alpha1.RuleDoesNotApply
	})
}
