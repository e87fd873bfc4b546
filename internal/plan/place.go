// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// ScopeLookup tells whether a kind lives in namespaces or in the cluster. For a kind that the cluster does not know its error
// satisfies meta.IsNoMatchError.
type ScopeLookup func(schema.GroupVersionKind) (meta.RESTScopeName, error)

// PlaceOptions say where objects go.
type PlaceOptions struct {
	// Target is where the Environment's rollouts go.
	Target v1alpha1.Target
	// ClusterScopedKinds that the Environment allows.
	ClusterScopedKinds []v1alpha1.GroupKind
	// Project and Environment are written on every object as labels: they say whose the object is.
	Project, Environment string
	// PromotionUID is written on the Jobs that each promotion runs anew (v1alpha1.AnnotationRerun). It must be the same whenever the objects of
	// one promotion are rendered again, and differ from every other promotion's; "" writes nothing.
	PromotionUID types.UID
	// Lock writes the label v1alpha1.LabelLock on every object, and on the pods and Jobs that are made of it.
	Lock bool
	// Scope knows the cluster's kinds.
	Scope ScopeLookup
}

// Place puts objects where their Environment says, in place: namespaced objects get the target namespace, all get the labels that say whose
// they are and whether others may change them, and what the API server writes itself is dropped. What must not be applied there is refused with an *InvalidError that
// lists all problems. Any other error means that the cluster could not be asked.
func Place(objects []*unstructured.Unstructured, options PlaceOptions) error {
	placement := placement{PlaceOptions: options, defined: definedKinds(objects), seen: map[v1alpha1.ObjectReference]bool{}}
	for _, object := range objects {
		if err := placement.place(object); err != nil {
			return err
		}
	}
	placement.checkSteps(objects)
	if len(placement.problems) > 0 {
		return &InvalidError{Problems: placement.problems}
	}
	return nil
}

type placement struct {
	PlaceOptions
	defined  map[schema.GroupVersionKind]meta.RESTScopeName
	seen     map[v1alpha1.ObjectReference]bool
	problems []string
}

func (p *placement) refuse(object *unstructured.Unstructured, format string, args ...any) {
	p.problems = append(p.problems, Describe(Reference(object))+" "+fmt.Sprintf(format, args...))
}

func (p *placement) place(object *unstructured.Unstructured) error {
	dropServerFields(object)
	if reason := forbidden(object); reason != "" {
		p.refuse(object, "%s", reason)
		return nil
	}
	scope, err := p.scope(object.GroupVersionKind())
	switch {
	case meta.IsNoMatchError(err):
		p.problems = append(p.problems, fmt.Sprintf("kind %s of %s is not known to this cluster (object %s): install its CustomResourceDefinition first, or correct `apiVersion` and `kind`",
			quote(object.GetKind()), quote(object.GetAPIVersion()), quote(object.GetName())))
		return nil
	case err != nil:
		return fmt.Errorf("find out the scope of %s: %w", describeKind(Reference(object)), err)
	case scope == meta.RESTScopeNameNamespace:
		p.placeNamespaced(object)
	default:
		p.placeClusterScoped(object)
	}
	p.checkContent(object)
	p.checkSize(object)
	p.checkDuplicate(object)
	p.instruct(object)
	p.label(object)
	p.labelTemplates(object)
	return nil
}

func (p *placement) scope(kind schema.GroupVersionKind) (meta.RESTScopeName, error) {
	if scope, found := p.defined[kind]; found {
		return scope, nil
	}
	return p.Scope(kind)
}

func (p *placement) placeNamespaced(object *unstructured.Unstructured) {
	if namespace := object.GetNamespace(); namespace != "" && namespace != p.Target.Namespace {
		p.refuse(object, "sets `metadata.namespace` to %s: remove the field, or set it to the Environment's `spec.target.namespace` %q",
			quote(namespace), p.Target.Namespace)
		return
	}
	object.SetNamespace(p.Target.Namespace)
}

func (p *placement) placeClusterScoped(object *unstructured.Unstructured) {
	// Charts often write a namespace on cluster-scoped objects; it means nothing, and kubectl drops it too.
	object.SetNamespace("")
	kind := object.GroupVersionKind()
	allowed := slices.Contains(p.ClusterScopedKinds, v1alpha1.GroupKind{Group: kind.Group, Kind: kind.Kind})
	if !allowed {
		p.refuse(object, "is cluster-scoped: remove it from the Release, or add its kind to `spec.rollout.clusterScopedKinds` of Environment %q", p.Environment)
	}
}

func (p *placement) checkContent(object *unstructured.Unstructured) {
	if object.GetName() == "" {
		p.refuse(object, "has no `metadata.name`: give it one; `metadata.generateName` would make a new object with every rollout")
	}
	if field := inexactNumber(object.Object); field != "" {
		p.refuse(object, "has in `%s` a number that JSON does not keep exactly: write it as a string, or make it smaller than 2^53", field)
	}
}

// maxObjectBytes is what etcd takes by default. No dry run gets that far, so that a larger object would fail in the middle of its rollout.
const maxObjectBytes = 1536 << 10

// checkSize refuses an object that cannot be kept. What cannot be encoded is for the API server to refuse.
func (p *placement) checkSize(object *unstructured.Unstructured) {
	if content, _ := object.MarshalJSON(); len(content) > maxObjectBytes {
		p.refuse(object, "is %d KiB large: split it into several objects; a cluster keeps none over %d KiB", len(content)>>10, maxObjectBytes>>10)
	}
}

func (p *placement) checkDuplicate(object *unstructured.Unstructured) {
	ref := Reference(object)
	if p.seen[ref] && ref.Name != "" {
		p.refuse(object, "is there more than once: remove all but one")
	}
	p.seen[ref] = true
}

func dropServerFields(object *unstructured.Unstructured) {
	unstructured.RemoveNestedField(object.Object, "status")
	for _, field := range serverFields {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
}
