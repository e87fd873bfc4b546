// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"cmp"
	"fmt"
	"reflect"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// RuleInput is what the `when` of an approval rule is asked about.
type RuleInput struct {
	// Plan gives its digest and how many objects it holds.
	Plan v1alpha1.Plan
	// Changes are all changes of the plan; those in its status may have been cut.
	Changes []v1alpha1.Change
	// Release, Environment and Promotion that the plan is for. All must be there.
	Release     *v1alpha1.Release
	Environment *v1alpha1.Environment
	Promotion   *v1alpha1.Promotion
}

// The variables of a rule, with the names that the API's JSON has. What is absent there is empty here, and `has()` tells.
type (
	plan struct {
		Objects int64    `cel:"objects"`
		Digest  string   `cel:"digest"`
		Changes []change `cel:"changes"`
	}
	change struct {
		Group     string `cel:"group"`
		Kind      string `cel:"kind"`
		Namespace string `cel:"namespace"`
		Name      string `cel:"name"`
		Action    string `cel:"action"`
	}
	release struct {
		Name        string            `cel:"name"`
		Application string            `cel:"application"`
		Version     string            `cel:"version"`
		Digest      string            `cel:"digest"`
		Images      []image           `cel:"images"`
		Labels      map[string]string `cel:"labels"`
		Annotations map[string]string `cel:"annotations"`
		Build       build             `cel:"build"`
	}
	image struct {
		Name    string `cel:"name"`
		NewName string `cel:"newName"`
		Digest  string `cel:"digest"`
	}
	build struct {
		Commit string `cel:"commit"`
		URL    string `cel:"url"`
		Author string `cel:"author"`
		Branch string `cel:"branch"`
	}
	environment struct {
		Name        string            `cel:"name"`
		Application string            `cel:"application"`
		Stage       string            `cel:"stage"`
		Labels      map[string]string `cel:"labels"`
	}
	promotion struct {
		Name        string `cel:"name"`
		Type        string `cel:"type"`
		Reason      string `cel:"reason"`
		RequestedBy person `cel:"requestedBy"`
	}
	person struct {
		Username string   `cel:"username"`
		Groups   []string `cel:"groups"`
	}
)

const (
	// maxChanges is every object of a plan, and every object of an inventory that is pruned.
	maxChanges = 3000
	// maxLabels is for labels and for annotations, which Kubernetes bounds by their length alone.
	maxLabels = 1000
)

// ruleSizes are the bounds of the API, or of Applies.
var ruleSizes = sizes{
	"plan.changes":                  maxChanges,
	"plan.changes.@items.group":     253,
	"plan.changes.@items.kind":      63,
	"plan.changes.@items.namespace": 63,
	"plan.changes.@items.name":      253,
	"plan.changes.@items.action":    16,
	"plan.digest":                   71,
	"release.name":                  253,
	"release.application":           63,
	"release.version":               128,
	"release.digest":                71,
	"release.images":                128,
	"release.images.@items.name":    255,
	"release.images.@items.newName": 255,
	"release.images.@items.digest":  71,
	"release.labels":                maxLabels,
	"release.annotations":           maxLabels,
	"release.annotations.@values":   1 << 20, // an object is not larger
	"release.build.url":             2048,
	"environment.labels":            maxLabels,
	"promotion.reason":              1024,
	"promotion.requestedBy.groups":  512,
	// Names, labels, users and whatever else is a short text.
	"release.*":     512,
	"environment.*": 512,
	"promotion.*":   512,
}

// ruleLanguage is made once: it does not change.
var ruleLanguage = sync.OnceValues(func() (language, error) {
	typed := func(name string, variable any) cel.EnvOption {
		return cel.Variable(name, cel.ObjectType(reflect.TypeOf(variable).String()))
	}
	made, err := newEnvironment(
		ext.Lists(ext.ListsVersion(3)), ext.Sets(),
		ext.NativeTypes(ext.ParseStructTags(true), reflect.TypeFor[plan](), reflect.TypeFor[release](), reflect.TypeFor[environment](), reflect.TypeFor[promotion]()),
		typed("plan", plan{}), typed("release", release{}), typed("environment", environment{}), typed("promotion", promotion{}),
	)
	return language{environment: made, results: []*cel.Type{cel.BoolType}, sizes: ruleSizes}, err
})

// Rule is the compiled `when` of an approval rule.
type Rule struct {
	program cel.Program
}

// CompileRule compiles an expression over `plan`, `release`, `environment` and `promotion`. An error is of type *Error.
func CompileRule(source string) (*Rule, error) {
	rules, err := ruleLanguage()
	if err != nil {
		return nil, whole("the language of rules cannot be set up: %v", err)
	}
	program, err := rules.compile(source)
	if err != nil {
		return nil, err
	}
	return &Rule{program: program}, nil
}

// Applies tells whether the rule applies to a plan. With an error nobody knows, and nothing may start.
func (r *Rule) Applies(in RuleInput) (bool, error) {
	if in.Release == nil || in.Environment == nil || in.Promotion == nil {
		return false, fmt.Errorf("evaluate: the release, the environment and the promotion must be known")
	}
	if most := max(len(in.Release.Labels), len(in.Release.Annotations), len(in.Environment.Labels)); most > maxLabels || len(in.Changes) > maxChanges {
		return false, fmt.Errorf("evaluate: there must not be more than %d changes and %d labels or annotations: there are %d and %d", maxChanges, maxLabels, len(in.Changes), most)
	}
	return evaluate(r.program, map[string]any{
		"plan":        planVariable(in.Plan, in.Changes),
		"release":     releaseVariable(in.Release),
		"environment": environmentVariable(in.Environment),
		"promotion":   promotionVariable(in.Promotion),
	})
}

func planVariable(from v1alpha1.Plan, changes []v1alpha1.Change) plan {
	made := plan{Objects: int64(ptr.Deref(from.Objects, 0)), Digest: string(from.Digest), Changes: make([]change, 0, len(changes))}
	for _, c := range changes {
		made.Changes = append(made.Changes, change{Group: c.Group, Kind: c.Kind, Namespace: c.Namespace, Name: c.Name, Action: string(c.Action)})
	}
	return made
}

func releaseVariable(from *v1alpha1.Release) release {
	made := release{
		Name: from.Name, Application: from.Spec.Application, Version: from.Spec.Version, Digest: string(from.Status.Digest),
		Images: make([]image, 0, len(from.Spec.Images)), Labels: present(from.Labels), Annotations: present(from.Annotations), Build: build(from.Spec.Build),
	}
	for _, i := range from.Spec.Images {
		made.Images = append(made.Images, image{Name: i.Name, NewName: i.NewName, Digest: string(i.Digest)})
	}
	return made
}

func environmentVariable(from *v1alpha1.Environment) environment {
	return environment{
		Name: from.Name, Application: from.Spec.Application, Stage: cmp.Or(from.Spec.Stage, from.Name), Labels: present(from.Labels),
	}
}

func promotionVariable(from *v1alpha1.Promotion) promotion {
	by := from.Spec.RequestedBy
	return promotion{
		Name: from.Name, Type: string(cmp.Or(from.Spec.Type, v1alpha1.PromotionTypePromote)), Reason: from.Spec.Reason,
		RequestedBy: person{Username: by.Username, Groups: append([]string{}, by.Groups...)},
	}
}

// present makes a map that is not nil: an expression that asks for a label of an object without any is told that it is not there.
func present(from map[string]string) map[string]string {
	if from == nil {
		return map[string]string{}
	}
	return from
}
