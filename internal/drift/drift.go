// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

const (
	// MostObjects bounds how many objects Shown tells of.
	MostObjects = 16
	// MostFields bounds how many fields it tells of each.
	MostFields = 16
	// mostPath is how long a path may be, in bytes; what is longer is cut.
	mostPath = 512
	// gone is the message of an object that is not there.
	gone = "is gone"
)

// Found is every object that differs from what was approved, in the order of the plan.
type Found struct {
	objects []v1alpha1.DriftedObject
	// values are a line for each field that differs, with what is there; nil where nothing differs.
	values []byte
}

// Total of the objects that differ.
func (f Found) Total() int { return len(f.objects) }

// References of the objects that differ.
func (f Found) References() []v1alpha1.ObjectReference {
	refs := make([]v1alpha1.ObjectReference, 0, len(f.objects))
	for _, object := range f.objects {
		refs = append(refs, object.ObjectReference)
	}
	return refs
}

// Digest of every object that differs, with its fields and the values there; empty where nothing differs. The values of a Secret are left out: no diff shows
// them either.
func (f Found) Digest() v1alpha1.Digest {
	if len(f.objects) == 0 {
		return ""
	}
	return v1alpha1.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(f.values)))
}

// Shown are the first MostObjects objects, as a status holds them.
func (f Found) Shown() []v1alpha1.DriftedObject {
	return f.objects[:min(len(f.objects), MostObjects)]
}

// Find compares the desired objects with the pairs that a dry run has made of them. An object without a pair was not looked at, and does not differ.
func Find(desired []*unstructured.Unstructured, pairs []plan.Pair) Found {
	looked := make(map[v1alpha1.ObjectReference]plan.Pair, len(pairs))
	for _, pair := range pairs {
		looked[pair.Ref] = pair
	}
	var found Found
	for _, object := range desired {
		ref := plan.Reference(object)
		pair, is := looked[ref]
		switch {
		case !is || pair.Merged == nil:
		case pair.Live == nil:
			found.add(v1alpha1.DriftedObject{ObjectReference: ref, Message: gone})
		default:
			if differing := differences(object, pair); len(differing) > 0 {
				found.add(drifted(ref, pair.Live, differing), differing...)
			}
		}
	}
	return found
}

// add an object, and what is there in its fields.
func (f *Found) add(object v1alpha1.DriftedObject, differing ...difference) {
	f.objects = append(f.objects, object)
	f.values = fmt.Appendf(f.values, "%q\n", plan.Path(object.ObjectReference))
	for _, field := range differing {
		value := field.live
		if isSecret(object.ObjectReference) {
			value = nil
		}
		f.values = fmt.Appendf(f.values, "%q %#v\n", field.at, value)
	}
}

func isSecret(ref v1alpha1.ObjectReference) bool { return ref.Kind == "Secret" && ref.Group == "" }

func drifted(ref v1alpha1.ObjectReference, live *unstructured.Unstructured, differing []difference) v1alpha1.DriftedObject {
	object := v1alpha1.DriftedObject{ObjectReference: ref, Message: changedBy(live, differing)}
	if more := len(differing) - MostFields; more > 0 {
		object.Message += fmt.Sprintf("; %d more fields differ", more)
		differing = differing[:MostFields]
	}
	for _, field := range differing {
		object.Fields = append(object.Fields, field.at.String())
	}
	return object
}

// Describe tells in a sentence which objects differ, in which fields, and who has changed them: the first of them, and how many there are of how many.
// It is at most 4 KiB long.
func Describe(shown []v1alpha1.DriftedObject, total, of int) string {
	const most, mostFields = 4, 4
	var parts []string
	for i, object := range shown {
		if i == most {
			break
		}
		text := plan.Describe(object.ObjectReference)
		if object.Message == gone {
			parts = append(parts, text+" "+gone)
			continue
		}
		fields := object.Fields[:min(len(object.Fields), mostFields)]
		text += " in " + strings.Join(fields, ", ")
		if more := len(object.Fields) - len(fields); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, text+": "+object.Message)
	}
	if more := total - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return clip(fmt.Sprintf("%d of %d objects differ from what was approved: %s", total, of, strings.Join(parts, "; ")), 4096)
}

// clip a text to so many bytes, at a character.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	cut := most - len("…")
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
