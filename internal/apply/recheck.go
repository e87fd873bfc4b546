// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// StillTrue tells whether what Compare has found of the objects holds now, by live reads: nobody has made, written or deleted one of them
// since, and the deployer may still write them. It costs a dry run for each kind and action, and a list for each kind of which there are others than those that
// are tried, where Compare costs two requests for each object. When it cannot be sure it says no, and Compare says why.
func (d *Deployer) StillTrue(ctx context.Context, objects []*unstructured.Unstructured, found []Finding) bool {
	questions, sure := d.questionsAbout(objects, found)
	if !sure {
		return false
	}
	var wrong atomic.Bool
	_ = each(questions, func(_ int, holds func(context.Context) bool) *problem {
		if !wrong.Load() && !holds(ctx) {
			wrong.Store(true)
		}
		return nil
	})
	return !wrong.Load()
}

// pile is what is asked about together: the objects of one kind in one namespace.
type pile struct {
	kind      schema.GroupVersionKind
	namespace string
}

// sample is what one object is tried for: RBAC and admission tell kinds apart, and creating from updating.
type sample struct {
	pile
	action v1alpha1.ChangeAction
}

// questionsAbout the findings, each of which answers whether they hold. It is not sure where something has to be looked at again in any case:
// an object without a finding, of a kind that is not defined yet, or one that is created again.
func (d *Deployer) questionsAbout(objects []*unstructured.Unstructured, found []Finding) (questions []func(context.Context) bool, sure bool) {
	if len(objects) != len(found) {
		return nil, false
	}
	piles, samples, tried := map[pile][]Finding{}, map[pile]int{}, map[sample]bool{}
	for i, object := range objects {
		finding := found[i]
		seen, trouble := d.find(object, release{})
		if trouble != nil || finding.Ref != seen.Ref || finding.Action == v1alpha1.ChangeRecreate {
			return nil, false
		}
		of := pile{kind: object.GroupVersionKind(), namespace: object.GetNamespace()}
		piles[of] = append(piles[of], finding)
		if one := (sample{pile: of, action: finding.Action}); finding.Action != "" && !tried[one] {
			tried[one] = true
			samples[of]++
			questions = append(questions, func(ctx context.Context) bool { return d.mayStill(ctx, seen, finding) })
		}
	}
	for of, findings := range piles {
		if samples[of] == len(findings) {
			continue // the answer to the dry run says which version it was made on
		}
		questions = append(questions, func(ctx context.Context) bool { return d.asFound(ctx, of, findings) })
	}
	return questions, true
}

// mayStill tells whether the deployer may write an object over the version that was found, or over none. What is new has no version before it is stored.
func (d *Deployer) mayStill(ctx context.Context, seen comparison, finding Finding) bool {
	writes, err := d.metadataOf(seen.desired.GroupVersionKind(), seen.desired.GetNamespace())
	if err != nil {
		return false
	}
	now, err := tryWrite(ctx, writes, seen.desired)
	if err != nil {
		return false
	}
	return finding.stillTrue(now) || (finding.UID == "" && now.ResourceVersion == "")
}

// asFound tells whether the objects of one kind are in the versions that were found.
func (d *Deployer) asFound(ctx context.Context, of pile, findings []Finding) bool {
	resource, err := d.metadataOf(of.kind, of.namespace)
	if err != nil {
		return false
	}
	versions, listed := versionsOf(ctx, resource, len(findings))
	if !listed {
		return false
	}
	for _, finding := range findings {
		if versions[finding.Ref.Name] != (version{finding.UID, finding.ResourceVersion}) {
			return false
		}
	}
	return true
}

// version of an object; zero where there is none.
type version struct {
	uid      types.UID
	resource string
}

// versionsOf all objects of a kind, by name. They are not known where the deployer may not list them, or where so many others are there that
// looking at its own again costs less.
func versionsOf(ctx context.Context, resource metadata.ResourceInterface, own int) (map[string]version, bool) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	list, err := resource.List(ctx, metav1.ListOptions{Limit: int64(max(mostListed, 2*own))})
	if err != nil || list.Continue != "" {
		return nil, false
	}
	versions := make(map[string]version, len(list.Items))
	for i := range list.Items {
		versions[list.Items[i].Name] = version{list.Items[i].UID, list.Items[i].ResourceVersion}
	}
	return versions, true
}
