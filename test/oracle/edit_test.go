// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// edited is the recorded good log, to be edited.
type edited struct {
	*testing.T
	*Evidence
}

// load the log that the live test has recorded: go test ./test/oracle -record
func load(t *testing.T) *edited {
	t.Helper()
	raw, err := os.ReadFile("testdata/good.json")
	if err != nil {
		t.Fatal(err)
	}
	evidence := &Evidence{}
	if err := json.Unmarshal(raw, evidence); err != nil {
		t.Fatal(err)
	}
	return &edited{T: t, Evidence: evidence}
}

// index of the nth request (from 0) for a resource such as promotions/status, by its object's name and the user who has made it.
func (e *edited) index(verb, resource, name, user string, nth int) int {
	e.Helper()
	for i, r := range e.Requests {
		what := r.ObjectRef.Resource
		if r.ObjectRef.Subresource != "" {
			what += "/" + r.ObjectRef.Subresource
		}
		if r.Verb == verb && what == resource && r.ObjectRef.Name == name && r.User.Username == user {
			if nth == 0 {
				return i
			}
			nth--
		}
	}
	e.Fatalf("the recorded log has no such request: %s %s %s by %s", verb, resource, name, user)
	return -1
}

func (e *edited) find(verb, resource, name, user string, nth int) *cluster.Request {
	e.Helper()
	return &e.Requests[e.index(verb, resource, name, user, nth)]
}

// write is the nth write of a ConfigMap by the deployer.
func (e *edited) write(verb, name string, nth int) *cluster.Request {
	e.Helper()
	return e.find(verb, "configmaps", name, v1alpha1.ControllerUsername, nth)
}

// creation of the record with that number.
func (e *edited) creation(number string) *cluster.Request {
	e.Helper()
	return e.find("create", "auditrecords", "production-000000000"+number, v1alpha1.ControllerUsername, 0)
}

// moved a request to just before or after another one's answer.
func moved(r *cluster.Request, to time.Time) {
	r.Received, r.Done = to, to.Add(time.Millisecond)
}

// each stored object of a kind and name, in the log and at the end.
func (e *edited) each(kind, name string, change func(object map[string]any)) {
	e.Helper()
	changed := 0
	for i := range e.Requests {
		changed += e.within(&e.Requests[i], kind, name, change)
	}
	for i := range e.Objects {
		if object := &e.Objects[i]; object.GetKind() == kind && (name == "" || object.GetName() == name) {
			change(object.Object)
			changed++
		}
	}
	if changed == 0 {
		e.Fatalf("there is no %s %q", kind, name)
	}
}

// within the response to a request.
func (e *edited) within(r *cluster.Request, kind, name string, change func(object map[string]any)) int {
	e.Helper()
	object := &unstructured.Unstructured{}
	if json.Unmarshal(r.ResponseObject, &object.Object) != nil || object.GetKind() != kind || name != "" && object.GetName() != name {
		return 0
	}
	change(object.Object)
	raw, err := json.Marshal(object.Object)
	if err != nil {
		e.Fatal(err)
	}
	r.ResponseObject = raw
	return 1
}

// final object of a kind and name.
func (e *edited) final(kind, name string) *unstructured.Unstructured {
	e.Helper()
	for i := range e.Objects {
		if e.Objects[i].GetKind() == kind && e.Objects[i].GetName() == name {
			return &e.Objects[i]
		}
	}
	e.Fatalf("there is no %s %q", kind, name)
	return nil
}

// drop requests and final objects that are called so.
func (e *edited) drop(kind, name string) {
	e.Requests = slices.DeleteFunc(e.Requests, func(r cluster.Request) bool {
		return e.Kinds[r.ObjectRef.Resource+"."+r.ObjectRef.APIGroup] == kind && r.ObjectRef.Name == name
	})
	e.Objects = slices.DeleteFunc(e.Objects, func(o unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name })
}

// again appends a request like another one, with an object that was stored at a version.
func (e *edited) again(like *cluster.Request, version string, change func(object map[string]any)) {
	e.Helper()
	next := *like
	moved(&next, e.Requests[len(e.Requests)-1].Done.Add(time.Second))
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(next.ResponseObject, &object.Object); err != nil {
		e.Fatal(err)
	}
	object.SetResourceVersion(version)
	change(object.Object)
	raw, err := json.Marshal(object.Object)
	if err != nil {
		e.Fatal(err)
	}
	next.ResponseObject, next.ObjectRef.Name = raw, object.GetName()
	e.Requests = append(e.Requests, next)
	if object.GetKind() == "AuditRecord" {
		e.Objects = append(e.Objects, *object)
	}
}

// reseal the history after an edit, as somebody would who can write it all anew: hashes, and what the Environment names.
func (e *edited) reseal() {
	e.Helper()
	hashes := map[any]any{}
	var previous any
	names := e.recordNames()
	for _, name := range names {
		var hash any
		e.each("AuditRecord", name, func(object map[string]any) {
			spec := object["spec"].(map[string]any)
			if previous != nil {
				spec["previous"] = previous
			}
			sealed, err := hashOf(spec)
			if err != nil {
				e.Fatal(err)
			}
			hash, spec["hash"] = string(sealed), string(sealed)
			hashes[number(spec["sequence"])] = hash
		})
		previous = hash
	}
	e.each("Environment", "production", func(object map[string]any) {
		if head, found, _ := unstructured.NestedMap(object, "status", "audit"); found {
			head["head"] = hashes[number(head["sequence"])]
			if err := unstructured.SetNestedMap(object, head, "status", "audit"); err != nil {
				e.Fatal(err)
			}
		}
	})
}

func (e *edited) recordNames() []string {
	var names []string
	for _, object := range e.Objects {
		if object.GetKind() == "AuditRecord" {
			names = append(names, object.GetName())
		}
	}
	slices.Sort(names)
	return names
}

// number as both ways of decoding JSON have it.
func number(value any) int64 {
	switch value := value.(type) {
	case float64:
		return int64(value)
	case int64:
		return value
	}
	return 0
}

// set a field by its path.
func set(value any, path ...string) func(map[string]any) {
	return func(object map[string]any) {
		if err := unstructured.SetNestedField(object, value, path...); err != nil {
			panic(err) // the path is written in the test
		}
	}
}

// unset a field by its path.
func unset(path ...string) func(map[string]any) {
	return func(object map[string]any) { unstructured.RemoveNestedField(object, path...) }
}

// decision changes the entry of a user, where there is one.
func decision(user string, change func(entry map[string]any)) func(map[string]any) {
	return entry(change, user, "spec", "approvals")
}

// tells changes what an audit record tells of a user's decision.
func tells(user string, change func(entry map[string]any)) func(map[string]any) {
	return entry(change, user, "spec", "decisions")
}

func entry(change func(map[string]any), user string, path ...string) func(map[string]any) {
	return func(object map[string]any) {
		found, _, _ := unstructured.NestedFieldNoCopy(object, path...)
		entries, _ := found.([]any)
		for _, one := range entries {
			if one := one.(map[string]any); one["user"] == user {
				change(one)
			}
		}
	}
}

// condition changes the condition of that type.
func condition(kind string, change func(map[string]any)) func(map[string]any) {
	return func(object map[string]any) {
		found, _, _ := unstructured.NestedFieldNoCopy(object, "status", "conditions")
		conditions, _ := found.([]any)
		for _, one := range conditions {
			if one := one.(map[string]any); one["type"] == kind {
				change(one)
			}
		}
	}
}

// rule changes a field of one of the Environment's approval rules.
func rule(name, field string, value any) func(map[string]any) {
	return func(object map[string]any) {
		rules, _, _ := nested(object, "spec", "approval", "rules")
		for _, one := range rules.([]any) {
			if one := one.(map[string]any); one["name"] == name {
				one[field] = value
			}
		}
	}
}

// overriding changes the override, where there is one.
func overriding(change func(map[string]any)) func(map[string]any) {
	return func(object map[string]any) {
		if found, there, _ := nested(object, "spec", "override"); there {
			change(found.(map[string]any))
		}
	}
}

func nested(object map[string]any, path ...string) (any, bool, error) {
	return unstructured.NestedFieldNoCopy(object, path...)
}

// record appends another record of the history like one that is there, as the operator would: sealed, and after all that has happened.
func (e *edited) record(like string, change func(map[string]any)) {
	e.Helper()
	e.Scene.AtRest = false
	e.again(e.creation(like), free, func(record map[string]any) {
		set("production-0000000009", "metadata", "name")(record)
		set("another", "metadata", "uid")(record)
		set(int64(9), "spec", "sequence")(record)
		if change != nil {
			change(record)
		}
	})
	e.reseal()
}

// later appends a write of the first promotion's status, after its end.
func (e *edited) later(change func(map[string]any)) {
	e.Helper()
	e.Scene.AtRest = false
	e.again(e.find("update", "promotions/status", "one", v1alpha1.ControllerUsername, 3), free, change)
}
