// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Change pins images in objects and puts an Environment's overlay over them. The objects may be changed in place. What comes out passes the same
// checks as what [Render] returns. Every error is an [*Error].
func Change(objects []*unstructured.Unstructured, images []v1alpha1.ReleaseImage, overlay v1alpha1.Overlay) ([]*unstructured.Unstructured, error) {
	found := make([]located, 0, len(objects))
	for _, object := range objects {
		found = append(found, located{object: object})
	}
	if err := checkAll(found, ""); err != nil {
		return nil, err
	}
	if err := pinImages(objects, images); err != nil {
		return nil, err
	}
	found, err := overlaid(found, overlay)
	if err != nil {
		return nil, err
	}
	return objectsOf(found), nil
}

func objectsOf(found []located) []*unstructured.Unstructured {
	objects := make([]*unstructured.Unstructured, 0, len(found))
	for _, one := range found {
		objects = append(objects, one.object)
	}
	return objects
}

// overlaid are the objects with an overlay over them: its patches in their order, then its replicas, then its labels.
func overlaid(found []located, overlay v1alpha1.Overlay) ([]located, error) {
	if len(overlay.Patches)+len(overlay.Replicas)+len(overlay.Labels) == 0 {
		return found, nil
	}
	if problems := OverlayProblems(overlay); len(problems) > 0 {
		return nil, &Error{Message: fmt.Sprintf("`%s` %s", problems[0].Field, problems[0].Message)}
	}
	for i, patch := range overlay.Patches {
		var err error
		if found, err = applyPatch(found, i, patch); err != nil {
			return nil, err
		}
	}
	for i, replicas := range overlay.Replicas {
		if err := setReplicas(found, i, replicas); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, &Error{Message: "`spec.overlay.patches` delete every object: leave at least one"}
	}
	addLabels(objectsOf(found), overlay.Labels)
	return found, checkAll(found, "")
}

// applyPatch to each object that it is for. Only those are handed to kustomize, one by one: it compares all that it is given with each other.
func applyPatch(found []located, index int, patch v1alpha1.OverlayPatch) ([]located, error) {
	field := fmt.Sprintf("spec.overlay.patches[%d]", index)
	parsed, err := parsePatch(patch)
	if err != nil {
		return nil, &Error{Message: fmt.Sprintf("`%s` %v", field, err)}
	}
	left := make([]located, 0, len(found))
	matched := 0
	for _, one := range found {
		if !parsed.matches(one.object) {
			left = append(left, one)
			continue
		}
		matched++
		changed, err := parsed.apply(one.object)
		if err != nil {
			return nil, one.errorf("`%s` cannot be applied (%s): correct the patch", field, buildMessage(err))
		}
		if changed == nil {
			continue
		}
		after := located{place: one.place, object: changed}
		if after.identity() != one.identity() {
			return nil, one.errorf("`%s` changes the object's kind, name or namespace: a patch must leave them; leave the object out of the patch's target, or change the release", field)
		}
		if _, err := after.check(); err != nil {
			return nil, patched(err, field)
		}
		left = append(left, after)
	}
	if matched == 0 {
		return nil, &Error{Message: fmt.Sprintf("`%s` matches nothing: %s", field, parsed.candidates(found))}
	}
	return left, nil
}

// patched says by which patch an object has become what it must not be.
func patched(err error, field string) error {
	if located, ok := err.(*Error); ok { //nolint:errorlint // it is made here and never wrapped
		located.Message = fmt.Sprintf("after `%s` the object is not valid: %s", field, located.Message)
	}
	return err
}

// scaled kinds have replicas that an overlay sets.
var scaled = []string{"Deployment", "ReplicaSet", "StatefulSet"}

func isScaled(object *unstructured.Unstructured) bool {
	kind := object.GroupVersionKind()
	return kind.Group == "apps" && slices.Contains(scaled, kind.Kind)
}

func setReplicas(found []located, index int, replicas v1alpha1.OverlayReplicas) error {
	field := fmt.Sprintf("spec.overlay.replicas[%d]", index)
	if replicas.Count == nil {
		return &Error{Message: fmt.Sprintf("`%s.count` is missing: set it", field)}
	}
	var names []string
	matched := false
	for _, one := range found {
		if !isScaled(one.object) {
			continue
		}
		names = append(names, one.object.GetName())
		if one.object.GetName() != replicas.Name {
			continue
		}
		matched = true
		if err := unstructured.SetNestedField(one.object.Object, int64(*replicas.Count), "spec", "replicas"); err != nil {
			return one.errorf("`%s` cannot be set (%s): correct the object", field, short(err.Error()))
		}
	}
	if !matched {
		slices.Sort(names)
		return &Error{Message: fmt.Sprintf("`%s` %q matches nothing: the Deployments, ReplicaSets and StatefulSets are %s", field, replicas.Name, quotedList(slices.Compact(names)))}
	}
	return nil
}

// matches says whether a patch is for an object.
func (p *overlayPatch) matches(object *unstructured.Unstructured) bool {
	kind := object.GroupVersionKind()
	if p.named != nil {
		named := p.named.GroupVersionKind()
		if kind != named || object.GetName() != p.named.GetName() {
			return false
		}
		return p.named.GetNamespace() == "" || p.named.GetNamespace() == object.GetNamespace()
	}
	target := p.target
	switch {
	case target.Group != "" && target.Group != kind.Group:
		return false
	case target.Version != "" && target.Version != kind.Version:
		return false
	case target.Kind != "" && target.Kind != kind.Kind:
		return false
	case p.name != nil && !p.name.MatchString(object.GetName()):
		return false
	}
	return p.selector == nil || p.selector.Matches(labels.Set(object.GetLabels()))
}

// candidates helps to find out what a patch that matches nothing was meant for.
func (p *overlayPatch) candidates(found []located) string {
	kind := p.target.Kind
	if p.named != nil {
		kind = p.named.GetKind()
	}
	var names []string
	for _, one := range found {
		if kind == "" || one.object.GetKind() == kind {
			names = append(names, strings.ReplaceAll(describe(one.object), `"`, ""))
		}
	}
	if len(names) == 0 {
		return fmt.Sprintf("the release has no %s; correct the target, or take the patch out", shownKind(kind))
	}
	return fmt.Sprintf("the release has %s; correct the target, or take the patch out", quotedList(names))
}

// shownKind quotes what is no kind: whoever wrote it should see what it is.
func shownKind(kind string) string {
	for _, r := range kind {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return fmt.Sprintf("%q", short(kind))
		}
	}
	return kind
}
