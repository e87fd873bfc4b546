// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// class of a request: what a fault can do with it.
type class int

const (
	// reading changes nothing and decides nothing by itself.
	reading class = iota
	// watching is a stream of events.
	watching
	// asking is a write by its verb that changes nothing: a dry run, or the question who may do what.
	asking
	// writing changes an object.
	writing
)

// request of the operator's, as this package calls it.
type request struct {
	class class
	// verb as RBAC has it, resource, and subresource if there is one.
	verb, resource string
	// name says what is written, such as "update promotions/status one RollingOut". The same write has the same name in every run.
	name string
	// timed says that the clock alone decides how often it is made.
	timed bool
}

// path of a request for a resource; see https://kubernetes.io/docs/reference/using-api/api-concepts/#standard-api-terminology.
type path struct{ resource, name, subresource string }

func parsePath(of string) (path, bool) {
	parts := strings.Split(strings.Trim(of, "/"), "/")
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		parts = parts[3:]
	default:
		return path{}, false
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	found := path{resource: parts[0]}
	if len(parts) > 1 {
		found.name = parts[1]
	}
	if len(parts) > 2 {
		found.subresource = parts[2]
	}
	return found, true
}

var verbs = map[string]string{
	http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete", http.MethodGet: "get",
}

// namer knows what is in a request's body.
type namer struct{ decoder runtime.Decoder }

// describe a request. Its body can be read once more afterwards.
func (n namer) describe(sent *http.Request) (request, error) {
	query := sent.URL.Query()
	at, is := parsePath(sent.URL.Path)
	found := request{verb: verbs[sent.Method], resource: at.resource}
	if at.subresource != "" {
		found.resource += "/" + at.subresource
	}
	switch {
	case !is:
		return request{class: reading, verb: found.verb}, nil
	case sent.Method == http.MethodGet && query.Get("watch") != "" && query.Get("watch") != "false":
		found.class, found.verb = watching, "watch"
		return found, nil
	case sent.Method == http.MethodGet:
		return found, nil
	}
	body, err := readAgain(sent)
	if err != nil {
		return request{}, err
	}
	words := []string{found.verb, found.resource}
	found.class = writing
	if query.Has("dryRun") || strings.HasSuffix(at.resource, "accessreviews") {
		found.class = asking
	}
	if query.Has("dryRun") {
		words = slices.Insert(words, 0, "dry-run")
	}
	words = append(words, n.about(at, body)...)
	found.timed = at.resource == "leases" || (at.resource == "events" && found.verb == "patch")
	found.name = strings.Join(words, " ")
	return found, nil
}

// readAgain reads a request's body and puts it back.
func readAgain(sent *http.Request) ([]byte, error) {
	if sent.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(sent.Body)
	if err != nil {
		return nil, fmt.Errorf("reading a request: %w", err)
	}
	if err := sent.Body.Close(); err != nil {
		return nil, fmt.Errorf("reading a request: %w", err)
	}
	sent.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// about is what tells a write from others of its resource: whom it is about and what it says.
func (n namer) about(at path, body []byte) []string {
	switch at.resource {
	case "leases":
		return nil
	case "events", "subjectaccessreviews":
		return n.aboutBuiltIn(body)
	case "releases", "environments", "promotions", "auditrecords":
		return aboutOurs(at, body)
	default:
		return []string{at.name}
	}
}

func (n namer) aboutBuiltIn(body []byte) []string {
	object, _, err := n.decoder.Decode(body, nil, nil)
	if err != nil {
		return nil
	}
	switch object := object.(type) {
	case *eventsv1.Event:
		return []string{object.Regarding.Name, object.Reason}
	case *authorizationv1.SubjectAccessReview:
		said := []string{object.Spec.User}
		if object.Spec.ResourceAttributes != nil {
			said = append(said, object.Spec.ResourceAttributes.Verb)
		}
		return said
	}
	return nil
}

// aboutOurs names a write of one of Assent's kinds by the state that it puts the object into.
func aboutOurs(at path, body []byte) []string {
	switch at.resource {
	case "auditrecords":
		var record v1alpha1.AuditRecord
		_ = json.Unmarshal(body, &record) // what cannot be read has no type
		return []string{record.Name, string(record.Spec.Type)}
	case "environments":
		var environment v1alpha1.Environment
		_ = json.Unmarshal(body, &environment) // what cannot be read has no state
		said := []string{at.name, fmt.Sprintf("audit=%d", environment.Status.Audit.Sequence)}
		for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionHealthy} {
			if condition := meta.FindStatusCondition(environment.Status.Conditions, kind); condition != nil {
				said = append(said, condition.Reason)
			}
		}
		if marks := len(environment.Status.Overrides); marks > 0 {
			said = append(said, fmt.Sprintf("overrides=%d", marks))
		}
		return said
	case "promotions":
		var promotion v1alpha1.Promotion
		_ = json.Unmarshal(body, &promotion) // what cannot be read has no state
		return append([]string{at.name}, promotionState(&promotion)...)
	default:
		var release v1alpha1.Release
		_ = json.Unmarshal(body, &release) // what cannot be read has no state
		said := []string{at.name}
		if ready := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
			said = append(said, ready.Reason)
		}
		if places := len(release.Status.Environments); places > 0 {
			said = append(said, fmt.Sprintf("environments=%d", places))
		}
		return said
	}
}

func promotionState(promotion *v1alpha1.Promotion) []string {
	state := meta.FindStatusCondition(promotion.Status.Conditions, v1alpha1.ConditionSucceeded)
	if state == nil {
		return nil
	}
	return []string{state.Reason}
}
