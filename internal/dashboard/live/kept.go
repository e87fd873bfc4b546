// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"slices"
	"sort"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
)

// kind of objects that are followed.
type kind int

const (
	ofEnvironments kind = iota
	ofReleases
	ofPromotions
)

// kinds are all of them.
var kinds = []kind{ofEnvironments, ofReleases, ofPromotions}

// resource is what the API server calls it.
func (k kind) resource() string {
	return [...]string{"environments", "releases", "promotions"}[k]
}

// list is an empty one.
func (k kind) list() client.ObjectList {
	switch k {
	case ofEnvironments:
		return &v1alpha1.EnvironmentList{}
	case ofReleases:
		return &v1alpha1.ReleaseList{}
	case ofPromotions:
	}
	return &v1alpha1.PromotionList{}
}

// kept is what a feed has of each kind.
type kept struct {
	environments *shelf[*v1alpha1.Environment]
	releases     *shelf[*v1alpha1.Release]
	promotions   *promotions
}

func newKept() *kept {
	return &kept{newShelf[*v1alpha1.Environment](), newShelf[*v1alpha1.Release](), newPromotions()}
}

// put an object as the API server has it now.
func (k *kept) put(object client.Object) {
	strip(object)
	switch object := object.(type) {
	case *v1alpha1.Environment:
		k.environments.put(object)
	case *v1alpha1.Release:
		k.releases.put(object)
	case *v1alpha1.Promotion:
		k.promotions.put(object)
	}
}

// remove an object that was deleted.
func (k *kept) remove(object client.Object) {
	switch object := object.(type) {
	case *v1alpha1.Environment:
		k.environments.take(client.ObjectKeyFromObject(object))
	case *v1alpha1.Release:
		k.releases.take(client.ObjectKeyFromObject(object))
	case *v1alpha1.Promotion:
		k.promotions.remove(object)
	}
}

// become has of one kind what another one has.
func (k *kept) become(of kind, other *kept) {
	switch of {
	case ofEnvironments:
		k.environments.become(other.environments)
	case ofReleases:
		k.releases.become(other.releases)
	case ofPromotions:
		k.promotions.become(other.promotions)
	}
}

// missing are the Environments whose last Promotion is to be looked for. They are told once.
func (k *kept) missing() []place {
	var places []place
	for at := range k.promotions.missing {
		if _, there := k.environments.objects[at]; there {
			places = append(places, at)
		}
	}
	clear(k.promotions.missing)
	return places
}

// strip what nobody is shown, and is often most of an object.
func strip(object client.Object) {
	object.SetManagedFields(nil)
	if annotations := object.GetAnnotations(); annotations[corev1.LastAppliedConfigAnnotation] != "" {
		delete(annotations, corev1.LastAppliedConfigAnnotation)
		object.SetAnnotations(annotations)
	}
}

// handOut a World of what is kept, and say whether it differs from the one that was handed out last.
func (k *kept) handOut(last *page.World) (world *page.World, differs bool) {
	environments, one := k.environments.handOut()
	releases, two := k.releases.handOut()
	found, three := k.promotions.handOut()
	if last != nil && !one && !two && !three {
		return last, false
	}
	return &page.World{Environments: environments, Releases: releases, Promotions: found, Projects: projectsOf(environments, releases, found)}, true
}

// projectsOf objects, in their order.
func projectsOf(environments []*v1alpha1.Environment, releases []*v1alpha1.Release, promotions []*v1alpha1.Promotion) []string {
	projects := slices.Concat(distinct(environments), distinct(releases), distinct(promotions))
	slices.Sort(projects)
	return slices.Compact(projects)
}

// distinct projects of objects that are in their order. It leaps from project to project: there are many objects, and few projects.
func distinct[T client.Object](objects []T) []string {
	var projects []string
	for len(objects) > 0 {
		project := objects[0].GetNamespace()
		projects = append(projects, project)
		objects = objects[sort.Search(len(objects), func(i int) bool { return objects[i].GetNamespace() > project }):]
	}
	return projects
}
