// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// lost turns a request into one whose requester went away before it was answered.
func lost(e *edited, r *cluster.Request, version string) {
	e.Helper()
	var stored map[string]any
	if err := json.Unmarshal(r.ResponseObject, &stored); err != nil {
		e.Fatal(err)
	}
	if version != "" {
		set(version, "metadata", "resourceVersion")(stored)
	}
	raw, err := json.Marshal(stored)
	if err != nil {
		e.Fatal(err)
	}
	r.RequestObject, r.ResponseObject, r.ResponseStatus.Code = raw, nil, http.StatusGatewayTimeout
}

// closing finds the write that has closed the decisions on promotion one, and the version that it was meant for.
func closingWrite(e *edited) (at int, meantFor string) {
	e.Helper()
	for i := range e.Requests {
		var stored v1alpha1.Promotion
		if r := e.Requests[i]; r.ObjectRef.Resource != "promotions" || json.Unmarshal(r.ResponseObject, &stored) != nil || stored.Name != "one" {
			continue
		}
		if !stored.Status.StartTime.IsZero() {
			return i, meantFor
		}
		meantFor = stored.ResourceVersion
	}
	e.Fatal("nothing has closed the decisions")
	return 0, ""
}

func TestAWriteThatWasCarriedOutAndNotAnsweredCounts(t *testing.T) {
	t.Run("the one that closes the decisions", func(t *testing.T) {
		e := load(t)
		at, meantFor := closingWrite(e)
		lost(e, &e.Requests[at], meantFor)
		if found := e.Violations(); len(found) > 0 {
			t.Errorf("found %v", found)
		}
		e.Requests = slices.Delete(e.Requests, at, at+1)
		if found := e.Violations(); !slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == RuleClosed }) {
			t.Errorf("without it is found only %v", found)
		}
	})
	t.Run("the creation of an intent", func(t *testing.T) {
		e := load(t)
		lost(e, e.creation("1"), "")
		if found := e.Violations(); len(found) > 0 {
			t.Errorf("found %v", found)
		}
	})
}
