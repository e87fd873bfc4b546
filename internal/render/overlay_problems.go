// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// ownDomain is that of Assent's own labels, by which it finds what it manages.
const ownDomain = "assent.dev"

// Problem is one reason why an overlay can change nothing, whatever the Release.
type Problem struct {
	// Field of the Environment, such as spec.overlay.patches[0].target.name.
	Field string
	// Message says what is wrong with it, to be read after the field.
	Message string
}

// OverlayProblems finds what is wrong with an overlay that can be seen without objects: patches and targets that cannot be read, labels that no
// object may have, inline values that are no map. Whether a patch matches something is seen when a Release is rendered.
func OverlayProblems(overlay v1alpha1.Overlay) []Problem {
	var all []Problem
	for i, patch := range overlay.Patches {
		_, err := parsePatch(patch)
		var wrong *patchError
		if errors.As(err, &wrong) {
			all = append(all, Problem{Field: fmt.Sprintf("spec.overlay.patches[%d].%s", i, wrong.field), Message: wrong.message})
		}
	}
	for i, replicas := range overlay.Replicas {
		if replicas.Count == nil {
			all = append(all, Problem{Field: fmt.Sprintf("spec.overlay.replicas[%d].count", i), Message: "is missing: set it"})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(overlay.Labels)) {
		if message := labelProblem(key, overlay.Labels[key]); message != "" {
			all = append(all, Problem{Field: fmt.Sprintf("spec.overlay.labels[%s]", short(key)), Message: message})
		}
	}
	if overlay.Values != nil {
		const field = "spec.overlay.values"
		if _, err := ParseValues(field, overlay.Values.Raw); err != nil {
			all = append(all, Problem{Field: field, Message: strings.TrimPrefix(err.Error(), "`"+field+"` ")})
		}
	}
	return all
}

func labelProblem(key, value string) string {
	if problems := validation.IsQualifiedName(key); len(problems) > 0 {
		return fmt.Sprintf("is not a label's key (%s): correct it", short(problems[0]))
	}
	if domain, _, has := strings.Cut(key, "/"); has && (domain == ownDomain || strings.HasSuffix(domain, "."+ownDomain)) {
		return fmt.Sprintf("is of the domain %s, whose labels are Assent's own: choose another", ownDomain)
	}
	if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
		return fmt.Sprintf("has the value %q, which no label can have (%s): correct it", short(value), short(problems[0]))
	}
	return ""
}
