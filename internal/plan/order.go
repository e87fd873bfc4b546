// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"sort"

	"github.com/fluxcd/pkg/ssa"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// waveOfKind puts the kinds that others need into the waves before them. What is not listed goes with the workloads.
// A role binding is refused while its role is missing, a pod while its service account is, and a workload should not see traffic
// before its network policy stands.
var waveOfKind = map[string]int{
	"CustomResourceDefinition": waveDefinitions,
	"Namespace":                waveDefinitions,
	"ClusterClass":             waveDefinitions,
	"RuntimeClass":             waveDefinitions,
	"PriorityClass":            waveDefinitions,
	"StorageClass":             waveDefinitions,
	"VolumeSnapshotClass":      waveDefinitions,
	"IngressClass":             waveDefinitions,
	"GatewayClass":             waveDefinitions,

	"ClusterRole":    waveIdentities,
	"Role":           waveIdentities,
	"ServiceAccount": waveIdentities,
	"ResourceQuota":  waveIdentities,
	"LimitRange":     waveIdentities,

	"ClusterRoleBinding":    waveConfiguration,
	"RoleBinding":           waveConfiguration,
	"ConfigMap":             waveConfiguration,
	"Secret":                waveConfiguration,
	"PersistentVolume":      waveConfiguration,
	"PersistentVolumeClaim": waveConfiguration,
	"NetworkPolicy":         waveConfiguration,
	"Service":               waveConfiguration,

	"MutatingWebhookConfiguration":   waveAdmission,
	"ValidatingWebhookConfiguration": waveAdmission,
}

const (
	waveDefinitions = iota
	waveIdentities
	waveConfiguration
	waveWorkloads
	// waveAdmission is last: a webhook is served by a workload of the same release.
	waveAdmission
	waveCount
)

// Sort brings objects into the order in which they are applied and digested: definitions first, the usual order after that, then by name.
func Sort(objects []*unstructured.Unstructured) {
	sort.Sort(ssa.SortableUnstructureds(objects))
}

// Waves parts objects into groups that are applied one after another; within a group the order does not matter, and is kept.
// The first is what others are defined by, namespaces and custom resource definitions. Empty groups are left out.
func Waves(objects []*unstructured.Unstructured) [][]*unstructured.Unstructured {
	return inWaves(objects, func(o *unstructured.Unstructured) string { return o.GetKind() })
}

// PruneWaves parts references into groups that are deleted one after another: the reverse of how they were applied.
func PruneWaves(refs []v1alpha1.ObjectReference) [][]v1alpha1.ObjectReference {
	waves := inWaves(refs, func(ref v1alpha1.ObjectReference) string { return ref.Kind })
	slices.Reverse(waves)
	return waves
}

func inWaves[T any](items []T, kindOf func(T) string) [][]T {
	var waves [waveCount][]T
	for _, item := range items {
		wave, listed := waveOfKind[kindOf(item)]
		if !listed {
			wave = waveWorkloads
		}
		waves[wave] = append(waves[wave], item)
	}
	return slices.DeleteFunc(waves[:], func(wave []T) bool { return len(wave) == 0 })
}
