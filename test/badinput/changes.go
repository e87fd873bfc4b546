// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"fmt"
	"maps"
	"strings"
)

// Change is another value for one field of an object, which its schema does not rule out.
type Change struct {
	// Name says which field gets what.
	Name string
	// Field as the API server writes it.
	Field string

	kind *Kind
	at   field
	is   any
}

// goodValue ends the name of a change to what makes sense.
const goodValue = ": a good value"

// Good says that the change is to a value that makes sense.
func (c Change) Good() bool { return strings.HasSuffix(c.Name, goodValue) }

// Changes are all that there are for a kind, in the same order each time.
func Changes(kind *Kind) []Change {
	maker := maker{kind: kind}
	everyField(nil, &kind.spec, maker.field)
	changes := make([]Change, 0, 2*len(maker.taken))
	everyField(nil, &kind.spec, func(at field, of *schema) {
		if len(at) > 0 {
			changes = append(changes, Change{Name: kind.Name + " " + at.String() + goodValue, Field: at.String(), kind: kind, at: at, is: sample(at.name(), of)})
		}
	})
	for _, one := range maker.taken {
		changes = append(changes, Change{
			Name: fmt.Sprintf("%s %s: %s", kind.Name, one.at, one.of.called), Field: one.at.String(), kind: kind, at: one.at, is: one.of.is,
		})
	}
	return changes
}

// Apply returns a specification with the change in it, and leaves the one that is given alone.
func (c Change) Apply(spec map[string]any) map[string]any {
	return put(spec, &c.kind.spec, c.at, c.is).(map[string]any) //nolint:forcetypeassert // a change is below the specification
}

// Input is the change as an input, to judge how it was refused.
func (c Change) Input() *Input {
	return &Input{Name: c.Name, Kind: c.kind, Field: c.Field}
}

// MergePatch leads from one object to another (RFC 7386).
func MergePatch(from, to map[string]any) map[string]any {
	patch := maps.Clone(to)
	for key, before := range from {
		after, kept := to[key]
		if !kept {
			patch[key] = nil
			continue
		}
		beforeMap, isMap := before.(map[string]any)
		if afterMap, staysMap := after.(map[string]any); isMap && staysMap {
			patch[key] = MergePatch(beforeMap, afterMap)
		}
	}
	return patch
}
