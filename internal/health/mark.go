// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"hash/maphash"
	"maps"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// marks tells an object as it was applied from the same object after somebody has changed what was applied. They are good for one process.
type marks struct{ seed maphash.Seed }

// mark of an object, in two parts.
type mark struct {
	// applied is its UID, and which of its fields are Assent's since when. The API server takes a field away from who applied it when somebody else gives
	// it another value, and tells another time when the same field manager applies another value. So it changes with every change of a field that was
	// applied, and neither with a status nor with a field that others look after, such as the replicas of an autoscaler. An object that Assent owns no
	// field of any more has what was written in its place.
	applied uint64
	// written changes with every write of its spec and its metadata: an object that differs from what was approved may be set right again by it, and
	// Assent does not get the field back by that. Kinds without a generation are told apart by their resource version.
	written uint64
}

// of an object.
func (m marks) of(object metav1.Object) mark {
	written := m.written(object)
	for _, entry := range object.GetManagedFields() {
		if entry.Manager != v1alpha1.FieldManager || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		texts := []string{string(object.GetUID()), entry.APIVersion, entry.FieldsV1.String()}
		if entry.Time != nil {
			texts = append(texts, entry.Time.UTC().String())
		}
		return mark{applied: m.hash(texts...), written: written}
	}
	return mark{applied: written, written: written}
}

func (m marks) written(object metav1.Object) uint64 {
	uid := string(object.GetUID())
	if object.GetGeneration() == 0 {
		return m.hash(uid, object.GetResourceVersion())
	}
	texts := []string{uid, strconv.FormatInt(object.GetGeneration(), 10)}
	for _, pairs := range []map[string]string{object.GetLabels(), object.GetAnnotations()} {
		texts = append(texts, "")
		for _, key := range slices.Sorted(maps.Keys(pairs)) {
			texts = append(texts, key, pairs[key])
		}
	}
	return m.hash(texts...)
}

func (m marks) hash(texts ...string) uint64 {
	var hash maphash.Hash
	hash.SetSeed(m.seed)
	for _, text := range texts {
		_, _ = hash.WriteString(text) // never fails
		_ = hash.WriteByte(0)
	}
	return hash.Sum64()
}
