// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Right is a verb on Environments that somebody holds for a time, as far as the test's own bindings say.
type Right struct {
	// Verb such as approve.
	Verb string `json:"verb"`
	// Environment that it is limited to; empty for all of the project.
	Environment string `json:"environment,omitempty"`
	// User or Group that holds it.
	User  string `json:"user,omitempty"`
	Group string `json:"group,omitempty"`
	// From when it may have been held; zero for always.
	From time.Time `json:"from,omitzero"`
	// Until when it may have been held: the API server surely said no from then on. Zero for ever.
	Until time.Time `json:"until,omitzero"`
}

// HeldAt says whether the right was held at a time.
func (r Right) HeldAt(at time.Time) bool {
	return !at.Before(r.From) && (r.Until.IsZero() || at.Before(r.Until))
}

// deciding are the verbs that the shipped ClusterRoles give to whoever decides.
var deciding = map[string]string{"assent-approver": v1alpha1.VerbApprove, "assent-override": v1alpha1.VerbOverride}

// Rights that the project's own bindings have given so far, for whoever judges afterwards whether somebody might.
func (p *Project) Rights() []Right { return slices.Clone(p.rights) }

// Withdrawn notes that a user has nothing any more by bindings to them alone. The API server surely says no a second later.
func (p *Project) Withdrawn(user string) {
	for i := range p.rights {
		if p.rights[i].User == user && p.rights[i].Until.IsZero() {
			p.rights[i].Until = time.Now().Add(time.Second)
		}
	}
}

// bound notes what a binding to one of the shipped ClusterRoles is about to give.
func (p *Project) bound(clusterRole string, who Right) {
	if verb, decides := deciding[clusterRole]; decides {
		who.Verb, who.From = verb, time.Now()
		p.rights = append(p.rights, who)
	}
}

// allowed notes what rules are about to give to a user.
func (p *Project) allowed(user string, rules []rbacv1.PolicyRule) {
	for _, rule := range rules {
		if !slices.Contains(rule.APIGroups, v1alpha1.GroupName) && !slices.Contains(rule.APIGroups, rbacv1.APIGroupAll) {
			continue
		}
		for _, verb := range []string{v1alpha1.VerbApprove, v1alpha1.VerbOverride} {
			if !slices.Contains(rule.Verbs, verb) && !slices.Contains(rule.Verbs, rbacv1.VerbAll) {
				continue
			}
			environments := rule.ResourceNames
			if len(environments) == 0 {
				environments = []string{""}
			}
			for _, environment := range environments {
				p.rights = append(p.rights, Right{Verb: verb, Environment: environment, User: user, From: time.Now()})
			}
		}
	}
}
