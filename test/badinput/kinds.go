// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package badinput makes inputs for Assent's kinds out of the schemas that config/crd ships, the good ones and above all the bad ones: each field at
// its bounds and beyond them, empty, null, of another type, in any Unicode, left out where it is needed, twice where it must be once, and together with
// what it makes no sense with. It knows no field by name but where only people know what makes sense there: a new field is covered on the day
// that it is added.
//
// The suite beside it sends them to a real API server, with the real operator behind it. Each input is refused in words that name the field, or it is
// accepted and the operator comes to rest with a status that can be read. Which inputs there are depends on a seed alone, which is printed.
package badinput

import (
	"fmt"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/assent-dev/assent/test/cluster"
)

// schema is what a definition says of one value.
type schema = apiextensionsv1.JSONSchemaProps

// Kind is one of Assent's kinds.
type Kind struct {
	// Name and Plural of the kind, such as Release and releases.
	Name, Plural string
	spec         schema
}

// Kinds are all that config/crd defines, by name.
func Kinds() ([]Kind, error) {
	objects, err := cluster.Build("config/crd")
	if err != nil {
		return nil, err
	}
	var kinds []Kind
	for _, object := range objects {
		var definition apiextensionsv1.CustomResourceDefinition
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &definition); err != nil {
			return nil, fmt.Errorf("reading the definition %q: %w", object.GetName(), err)
		}
		served := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
		kinds = append(kinds, Kind{Name: definition.Spec.Names.Kind, Plural: definition.Spec.Names.Plural, spec: served.Properties["spec"]})
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
	return kinds, nil
}
