// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	lowestWave  = -1000
	highestWave = 1000
	// leastTTLSeconds is how long a Job has to stay after it has finished when others wait for it: long enough for an operator that was
	// restarted to see that it is complete, instead of running it once more.
	leastTTLSeconds = 300
)

// Steps parts placed objects by the annotation v1alpha1.AnnotationWave, in ascending order; within a step the order is kept. A step begins
// when all objects of the one before it are healthy; Waves still says in which order the objects of a step are applied.
func Steps(objects []*unstructured.Unstructured) [][]*unstructured.Unstructured {
	byWave := map[int][]*unstructured.Unstructured{}
	var waves []int
	for _, object := range objects {
		wave, _ := waveOf(object)
		if _, known := byWave[wave]; !known {
			waves = append(waves, wave)
		}
		byWave[wave] = append(byWave[wave], object)
	}
	slices.Sort(waves)
	steps := make([][]*unstructured.Unstructured, 0, len(waves))
	for _, wave := range waves {
		steps = append(steps, byWave[wave])
	}
	return steps
}

// waveOf reads an object's wave: 0 if it says none, and false if what it says is no wave.
func waveOf(object *unstructured.Unstructured) (int, bool) {
	value, found := annotationOf(object, v1alpha1.AnnotationWave)
	if !found {
		return 0, true
	}
	text, _ := value.(string)
	wave, err := strconv.Atoi(text)
	// One way to write a number: what reads differently should not be the same wave.
	if err != nil || strconv.Itoa(wave) != text || wave < lowestWave || wave > highestWave {
		return 0, false
	}
	return wave, true
}

// checkSteps refuses what could not be carried out in the order that the waves ask for.
func (p *placement) checkSteps(objects []*unstructured.Unstructured) {
	last := lowestWave
	for _, object := range objects {
		wave, _ := waveOf(object)
		last = max(last, wave)
	}
	for _, object := range objects {
		wave, _ := waveOf(object)
		if seconds, short := shortLived(object); short && wave < last {
			p.refuse(object, "is removed %d seconds after it has finished, while later waves wait for it: set `spec.ttlSecondsAfterFinished` to at least %d, or remove the field",
				seconds, leastTTLSeconds)
		}
		p.checkNeededInTime(object, wave, objects)
	}
}

// checkNeededInTime refuses an object that another one of an earlier wave cannot be without.
func (p *placement) checkNeededInTime(object *unstructured.Unstructured, wave int, objects []*unstructured.Unstructured) {
	needs := p.neededBy(object)
	if needs == nil {
		return
	}
	for _, other := range objects {
		if earlier, _ := waveOf(other); earlier < wave && needs(other) {
			p.refuse(object, "is in wave %d, and %s, which needs it, in wave %d already: change the annotation `%s` of one of the two",
				wave, Describe(Reference(other)), earlier, v1alpha1.AnnotationWave)
			return
		}
	}
}

// neededBy tells which other objects the API server refuses while an object is not there; nil if none.
func (p *placement) neededBy(object *unstructured.Unstructured) func(other *unstructured.Unstructured) bool {
	kind := object.GroupVersionKind().GroupKind()
	switch kind {
	case schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}:
		kinds := definedKinds([]*unstructured.Unstructured{object})
		return func(other *unstructured.Unstructured) bool {
			_, defined := kinds[other.GroupVersionKind()]
			return defined
		}
	case schema.GroupKind{Kind: "Namespace"}:
		return func(other *unstructured.Unstructured) bool { return other.GetNamespace() == object.GetName() }
	case schema.GroupKind{Group: rbacGroup, Kind: "Role"}, schema.GroupKind{Group: rbacGroup, Kind: "ClusterRole"}:
		return func(other *unstructured.Unstructured) bool {
			return other.GroupVersionKind().Group == rbacGroup && field(other, "roleRef", "kind") == kind.Kind && field(other, "roleRef", "name") == object.GetName()
		}
	}
	return nil
}

const rbacGroup = "rbac.authorization.k8s.io"

// shortLived tells after how many seconds a finished Job is removed, if that is too soon for others to wait for it.
func shortLived(object *unstructured.Unstructured) (int64, bool) {
	if !isJob(object) {
		return 0, false
	}
	value, _, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "ttlSecondsAfterFinished")
	switch seconds := value.(type) {
	case int64:
		return seconds, seconds < leastTTLSeconds
	case float64:
		return int64(seconds), seconds < leastTTLSeconds
	}
	return 0, false
}

func isJob(object *unstructured.Unstructured) bool {
	return object.GroupVersionKind().GroupKind() == schema.GroupKind{Group: "batch", Kind: "Job"}
}
