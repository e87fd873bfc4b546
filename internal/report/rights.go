// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Rights are what somebody may do in a project: `kubectl assent can-i`.
type Rights struct {
	metav1.TypeMeta `json:",inline"`
	User            string  `json:"user"`
	Items           []Right `json:"items"`
}

// Right says which of the deciding verbs somebody holds on one Environment.
type Right struct {
	Project     string `json:"project"`
	Environment string `json:"environment"`
	Promote     bool   `json:"promote"`
	Rollback    bool   `json:"rollback"`
	Approve     bool   `json:"approve"`
	Override    bool   `json:"override"`
	Resume      bool   `json:"resume"`
}

// NewRights are none yet.
func NewRights(user, project string, environments []string) Rights {
	rights := Rights{TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: "Rights"}, User: user, Items: []Right{}}
	for _, environment := range environments {
		rights.Items = append(rights.Items, Right{Project: project, Environment: environment})
	}
	return rights
}

// Verbs are those that are asked for, and where the answers go.
func (r *Right) Verbs() map[string]*bool {
	return map[string]*bool{
		v1alpha1.VerbPromote: &r.Promote, v1alpha1.VerbRollback: &r.Rollback, v1alpha1.VerbApprove: &r.Approve,
		v1alpha1.VerbOverride: &r.Override, v1alpha1.VerbResume: &r.Resume,
	}
}

// Names are those of the Environments.
func (r Rights) Names() []string {
	named := make([]string, 0, len(r.Items))
	for _, item := range r.Items {
		named = append(named, "environment."+v1alpha1.GroupName+"/"+item.Environment)
	}
	return named
}

// Table for people.
func (r Rights) Table() *Table {
	table := NewTable("ENVIRONMENT", "PROMOTE", "ROLLBACK", "APPROVE", "OVERRIDE", "RESUME")
	for _, item := range r.Items {
		table.Add(item.Environment, yes(item.Promote), yes(item.Rollback), yes(item.Approve), yes(item.Override), yes(item.Resume))
	}
	return table
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
