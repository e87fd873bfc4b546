// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// unanswered finds out what became of writes whose requester went away before the answer, as one does that dies. The log says of them that they took
// too long, and not whether they were carried out; what was stored afterwards says so.
func (s *story) unanswered() {
	for i := range s.Requests {
		request := &s.Requests[i]
		if request.ObjectRef.APIGroup != v1alpha1.GroupName || request.ResponseStatus.Code < http.StatusInternalServerError {
			continue
		}
		switch request.ObjectRef.Resource {
		case "promotions":
			s.closedUnanswered(request)
		case "auditrecords":
			s.recordedUnanswered(request)
		}
	}
}

// closedUnanswered finds the write that has closed the decisions: what is stored next says the same time. It named the version that it was meant for, so
// that it was the next after that.
func (s *story) closedUnanswered(request *cluster.Request) {
	var asked v1alpha1.Promotion
	if json.Unmarshal(request.RequestObject, &asked) != nil || asked.Status.StartTime.IsZero() {
		return
	}
	on, err := strconv.ParseInt(asked.ResourceVersion, 10, 64)
	if err != nil {
		return
	}
	known := s.promotions[string(asked.UID)]
	before := known.before(on + 1)
	if before == nil || before.version != on || !before.object.Status.StartTime.IsZero() {
		return
	}
	for i := range known.states {
		next := &known.states[i]
		if next.version > on && next.object.Status.StartTime.Equal(&asked.Status.StartTime) {
			known.states = append(known.states, state[v1alpha1.Promotion]{version: on + 1, object: asked, by: request})
			return
		}
	}
}

// recordedUnanswered finds who has created a record that is there: one has each name, and its hash says what it holds.
func (s *story) recordedUnanswered(request *cluster.Request) {
	var asked v1alpha1.AuditRecord
	if request.Verb != "create" || json.Unmarshal(request.RequestObject, &asked) != nil {
		return
	}
	for _, found := range s.histories[asked.Spec.Environment] {
		if found.by == nil && found.Name == asked.Name && found.Spec.Hash == asked.Spec.Hash {
			found.by = request
		}
	}
}
