// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/badinput"
	"github.com/assent-dev/assent/test/cluster"
)

// way to change an object.
type way string

const (
	byUpdate     way = "update"
	byMergePatch way = "merge patch"
	byJSONPatch  way = "JSON patch"
	byApply      way = "server-side apply"
)

var ways = []way{byUpdate, byMergePatch, byJSONPatch, byApply}

// sender is who writes objects of a kind.
func (w *walk) sender(kind string) *person {
	if kind == "Environment" {
		return scene.people[cluster.Admin]
	}
	return scene.people[cluster.Bob]
}

func (w *walk) path(kind string) string {
	return fmt.Sprintf("/apis/%s/namespaces/%s/%s/%s", v1alpha1.SchemeGroupVersion, w.batch.project.Name, kindOf(kind).Plural, w.name())
}

func (w *walk) manifest(kind string, spec map[string]any) []byte {
	return encoded(map[string]any{
		"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": kind, "metadata": map[string]any{"name": w.name(), "namespace": w.batch.project.Name}, "spec": spec,
	})
}

// write leads from one specification to another, and tells whether that was refused. How it was refused is judged.
func (w *walk) write(ctx context.Context, from, to map[string]any) (refused bool, err error) {
	given, err := w.send(ctx, from, to)
	if err != nil || given.accepted() {
		return false, err
	}
	if wrong := w.change.Input().Refusal(given.code, given.status); wrong != "" {
		return true, fmt.Errorf("%s: %d %q", wrong, given.code, tail(given.status.Message, 1000))
	}
	return true, nil
}

func (w *walk) send(ctx context.Context, from, to map[string]any) (answer, error) {
	sender, path := w.sender(w.kind.Name), w.path(w.kind.Name)
	switch w.way {
	case byUpdate:
		return w.update(ctx, from, to)
	case byMergePatch:
		return sender.send(ctx, http.MethodPatch, path, "application/merge-patch+json", encoded(map[string]any{"spec": badinput.MergePatch(from, to)}))
	case byJSONPatch:
		// What others have written there, and what was stamped, is left out: the guard puts it back.
		return sender.send(ctx, http.MethodPatch, path, "application/json-patch+json", encoded([]any{map[string]any{"op": "replace", "path": "/spec", "value": to}}))
	case byApply:
		return sender.send(ctx, http.MethodPatch, path, "application/apply-patch+yaml", w.manifest(w.kind.Name, to), "force=true")
	}
	return answer{}, fmt.Errorf("there is no way %q", w.way)
}

// update reads the object and writes it back with what the specification has and no longer has.
func (w *walk) update(ctx context.Context, from, to map[string]any) (answer, error) {
	sender, path := w.sender(w.kind.Name), w.path(w.kind.Name)
	for {
		given, err := sender.send(ctx, http.MethodGet, path, "application/json", nil)
		if err != nil || !given.accepted() {
			return given, err
		}
		var live map[string]any
		if err := json.Unmarshal(given.body, &live); err != nil {
			return given, err
		}
		spec, _ := live["spec"].(map[string]any)
		spec = maps.Clone(spec)
		for key := range from {
			delete(spec, key)
		}
		maps.Copy(spec, to)
		live["spec"] = spec
		given, err = sender.send(ctx, http.MethodPut, path, "application/json", encoded(live))
		if err != nil || given.code != http.StatusConflict {
			return given, err
		}
	}
}

func encoded(content any) []byte {
	body, err := json.Marshal(content)
	if err != nil {
		panic(err) // it is made of what JSON has
	}
	return body
}

// plain is a value as JSON has it.
func plain(value any) map[string]any {
	var content map[string]any
	if err := json.Unmarshal(encoded(value), &content); err != nil {
		panic(err)
	}
	return content
}

// shownOf a place is what people see of it, apart from times and generations.
func shownOf(now place) map[string]any {
	found := map[string]any{}
	if now.promotion != nil {
		found["promotion"] = timeless(plain(now.promotion.Status))
	}
	if now.environment != nil {
		found["environment"] = timeless(plain(now.environment.Status))
	}
	if now.release != nil {
		found["release"] = timeless(plain(now.release.Status))
	}
	return found
}

func timeless(value any) any {
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for key, inner := range v {
			if key != "observedGeneration" && key != "time" && !strings.HasSuffix(key, "Time") {
				kept[key] = timeless(inner)
			}
		}
		return kept
	case []any:
		kept := make([]any, 0, len(v))
		for _, inner := range v {
			kept = append(kept, timeless(inner))
		}
		return kept
	}
	return value
}
