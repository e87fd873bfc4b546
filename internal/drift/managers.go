// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	// mostManagers is how many field managers a message names, and mostManager how long each name may be, in bytes.
	mostManagers, mostManager = 3, 128
)

// changedBy tells who has set the differing fields to what they are, as far as the API server has written it down. Anybody can call themselves by any
// name there, and what was removed has no owner: it informs, and decides nothing.
func changedBy(live *unstructured.Unstructured, differing []difference) string {
	entries := slices.DeleteFunc(live.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return (entry.Manager == v1alpha1.FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply) || entry.FieldsV1 == nil || entry.Manager == ""
	})
	// The last to write comes first.
	slices.SortStableFunc(entries, func(a, b metav1.ManagedFieldsEntry) int { return timeOf(b).Compare(timeOf(a).Time) })
	var managers []string
	for _, entry := range entries {
		var fields map[string]any
		if json.Unmarshal([]byte(entry.FieldsV1.String()), &fields) != nil {
			continue
		}
		name := fmt.Sprintf("%q", clip(entry.Manager, mostManager))
		if len(managers) < mostManagers && !slices.Contains(managers, name) && slices.ContainsFunc(differing, func(field difference) bool { return owns(fields, field.at) }) {
			managers = append(managers, name)
		}
	}
	if len(managers) == 0 {
		return "was changed by somebody else"
	}
	return "changed by " + strings.Join(managers, ", ")
}

func timeOf(entry metav1.ManagedFieldsEntry) *metav1.Time {
	if entry.Time == nil {
		return &metav1.Time{}
	}
	return entry.Time
}

// owns says whether a set of fields, as FieldsV1 writes it, has a field or anything inside of it.
func owns(fields map[string]any, at path) bool {
	for _, step := range at {
		inside, found := enter(fields, step)
		if !found {
			return false
		}
		if len(inside) == 0 {
			return true // it has the whole of it
		}
		fields = inside
	}
	return true
}

func enter(fields map[string]any, step step) (map[string]any, bool) {
	if step.value == nil {
		inside, found := fields["f:"+step.field].(map[string]any)
		return inside, found
	}
	for key, content := range fields {
		keys := map[string]any{}
		text, isKey := strings.CutPrefix(key, "k:")
		if !isKey || json.Unmarshal([]byte(text), &keys) != nil {
			continue
		}
		if value, found := keys[step.field]; found && fmt.Sprint(value) == fmt.Sprint(step.value) {
			inside, isMap := content.(map[string]any)
			return inside, isMap
		}
	}
	return nil, false
}
