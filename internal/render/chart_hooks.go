// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Helm's annotations on hooks.
const (
	annotationHook         = "helm.sh/hook"
	annotationHookWeight   = "helm.sh/hook-weight"
	annotationHookDeletion = "helm.sh/hook-delete-policy"
	annotationHookLogs     = "helm.sh/hook-output-log-policy"
)

// maxWave is the furthest that a wave may be from 0.
const maxWave = 1000

// hookPlace says when a hook runs, seen from one rollout.
type hookPlace int

const (
	hookNever hookPlace = iota
	hookBefore
	hookAfter
)

// hook is an object that Helm would run at some moment.
type hook struct {
	located
	place  hookPlace
	weight int
}

// placeHooks turns hooks into ordinary objects of waves: those before an installation or an upgrade into waves below all others, those after it into waves
// above, in the order of their weights. What belongs to another moment is left out.
func placeHooks(objects []located, upgrade bool) ([]located, error) {
	var ordinary []located
	var hooks []hook
	lowest, highest := 0, 0
	for _, object := range objects {
		if err := object.checkMetadata(); err != nil {
			return nil, err
		}
		annotations := object.object.GetAnnotations()
		events := annotations[annotationHook]
		if events == "" {
			ordinary = append(ordinary, object)
			if wave, err := strconv.Atoi(annotations[v1alpha1.AnnotationWave]); err == nil {
				lowest, highest = min(lowest, wave), max(highest, wave)
			}
			continue
		}
		found, err := object.hook(events, upgrade)
		if err != nil {
			return nil, err
		}
		if found.place != hookNever {
			hooks = append(hooks, found)
		}
	}
	before, after := weights(hooks, hookBefore), weights(hooks, hookAfter)
	for _, one := range hooks {
		wave := highest + 1 + slices.Index(after, one.weight)
		if one.place == hookBefore {
			wave = lowest - len(before) + slices.Index(before, one.weight)
		}
		if wave < -maxWave || wave > maxWave {
			return nil, one.errorf("would be in wave %d, and waves go from -%d to %d: use fewer hook weights, or other waves", wave, maxWave, maxWave)
		}
		one.settle(wave)
		ordinary = append(ordinary, one.located)
	}
	return ordinary, nil
}

// weights that the hooks of one place have, in order.
func weights(hooks []hook, place hookPlace) []int {
	var all []int
	for _, one := range hooks {
		if one.place == place {
			all = append(all, one.weight)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// hook finds out when the object runs.
func (l located) hook(events string, upgrade bool) (hook, error) {
	found := hook{located: l}
	if text, has := l.object.GetAnnotations()[annotationHookWeight]; has {
		weight, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return hook{}, l.errorf("`%s` %q must be a whole number", annotationHookWeight, short(text))
		}
		found.weight = weight
	}
	before, after := "pre-install", "post-install"
	if upgrade {
		before, after = "pre-upgrade", "post-upgrade"
	}
	var isBefore, isAfter, isOther bool
	var removal []string
	for _, event := range strings.Split(events, ",") {
		switch event = strings.ToLower(strings.TrimSpace(event)); event {
		case before:
			isBefore = true
		case after:
			isAfter = true
		case "pre-install", "post-install", "pre-upgrade", "post-upgrade", "test", "test-success":
			isOther = true
		case "pre-delete", "post-delete", "pre-rollback", "post-rollback":
			removal = append(removal, event)
		default:
			return hook{}, l.errorf("has the Helm hook %q, which is not known: correct the chart, or turn it off in `spec.overlay.values`", short(event))
		}
	}
	switch {
	case isBefore && isAfter:
		return hook{}, l.errorf("has the Helm hooks %q and %q, and one object cannot be in two waves: split it, or turn it off in `spec.overlay.values`", before, after)
	case isBefore:
		found.place = hookBefore
	case isAfter:
		found.place = hookAfter
	case len(removal) > 0 && !isOther:
		return hook{}, l.errorf("has the Helm hook %s, which would never run: Assent prunes objects and rolls back by applying what ran before. "+
			"Turn it off in `spec.overlay.values`, or take it out of the chart", quotedList(removal))
	}
	return found, nil
}

// settle makes an ordinary object of a hook. A wave that its author has chosen stays.
func (h hook) settle(wave int) {
	annotations := h.object.GetAnnotations()
	for _, name := range []string{annotationHook, annotationHookWeight, annotationHookDeletion, annotationHookLogs} {
		delete(annotations, name)
	}
	if annotations[v1alpha1.AnnotationWave] == "" {
		annotations[v1alpha1.AnnotationWave] = strconv.Itoa(wave)
	}
	// Helm runs a hook each time.
	if h.object.GetKind() == "Job" && annotations[v1alpha1.AnnotationRerun] == "" {
		annotations[v1alpha1.AnnotationRerun] = v1alpha1.RerunAlways
	}
	h.object.SetAnnotations(annotations)
}

// placeDefinitions puts the objects of crds/ before the hooks, which may need them.
func placeDefinitions(definitions, objects []located) {
	lowest := 0
	for _, one := range objects {
		if wave, err := strconv.Atoi(one.object.GetAnnotations()[v1alpha1.AnnotationWave]); err == nil {
			lowest = min(lowest, wave)
		}
	}
	if lowest == 0 {
		return
	}
	for _, one := range definitions {
		annotations := one.object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		if annotations[v1alpha1.AnnotationWave] == "" {
			annotations[v1alpha1.AnnotationWave] = fmt.Sprint(max(lowest-1, -maxWave))
			one.object.SetAnnotations(annotations)
		}
	}
}
