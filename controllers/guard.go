// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/guard"
	"github.com/assent-dev/assent/internal/promotion"
)

// judgedGuard reads the guard live, and judges what it has not judged before: which versions there are costs a fraction of what their content does. It is safe for
// concurrent use.
type judgedGuard struct {
	live client.Reader

	mu sync.Mutex
	// versions are those of which the judgement speaks, in the order of the guard's names; empty before there is one.
	versions  []objectVersion
	judgement promotion.Guard
}

// objectVersion names a content: what is written gets another one. It is zero where there is no object.
type objectVersion struct {
	uid             types.UID
	resourceVersion string
}

func versionOf(object metav1.Object) objectVersion {
	return objectVersion{uid: object.GetUID(), resourceVersion: object.GetResourceVersion()}
}

// read what the guard is now.
func (j *judgedGuard) read(ctx context.Context) (promotion.Guard, error) {
	now, err := guardVersions(ctx, j.live)
	if err != nil {
		return promotion.Guard{}, err
	}
	if judgement, known := j.of(now); known {
		return judgement, nil
	}
	policies, bindings, err := guardParts(ctx, j.live)
	if err != nil {
		return promotion.Guard{}, err
	}
	judgement := judge(policies, bindings)
	j.keep(slices.Concat(versionsOf(policies), versionsOf(bindings)), judgement)
	return judgement, nil
}

// of these versions, what was found.
func (j *judgedGuard) of(versions []objectVersion) (promotion.Guard, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.judgement, slices.Equal(j.versions, versions)
}

func (j *judgedGuard) keep(versions []objectVersion, judgement promotion.Guard) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.versions, j.judgement = versions, judgement
}

// guardVersions reads which versions of the guard's policies and bindings there are.
func guardVersions(ctx context.Context, reader client.Reader) ([]objectVersion, error) {
	policyNames, bindingNames := guard.Names()
	versions := make([]objectVersion, len(policyNames)+len(bindingNames))
	group, together := errgroup.WithContext(ctx)
	ask := func(at int, kind, name string) {
		group.Go(func() error {
			object := &metav1.PartialObjectMetadata{}
			object.SetGroupVersionKind(admissionregistrationv1.SchemeGroupVersion.WithKind(kind))
			there, err := find(together, reader, object, types.NamespacedName{Name: name})
			if there != nil {
				versions[at] = versionOf(there)
			}
			return err
		})
	}
	for i, name := range policyNames {
		ask(i, "ValidatingAdmissionPolicy", name)
	}
	for i, name := range bindingNames {
		ask(len(policyNames)+i, "ValidatingAdmissionPolicyBinding", name)
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read the guard: %w", err)
	}
	return versions, nil
}

// readGuard reads the admission policies that enforce the rules, with their bindings, and judges them.
func readGuard(ctx context.Context, reader client.Reader) (promotion.Guard, error) {
	policies, bindings, err := guardParts(ctx, reader)
	if err != nil {
		return promotion.Guard{}, err
	}
	return judge(policies, bindings), nil
}

type (
	guardPolicy  = admissionregistrationv1.ValidatingAdmissionPolicy
	guardBinding = admissionregistrationv1.ValidatingAdmissionPolicyBinding
)

func judge(policies []*guardPolicy, bindings []*guardBinding) promotion.Guard {
	digest, problems := guard.Identify(found(policies), found(bindings))
	return promotion.Guard{Digest: digest, Problems: problems}
}

// guardParts are the guard's policies and bindings in the order of their names, nil where one is not there.
func guardParts(ctx context.Context, reader client.Reader) (policies []*guardPolicy, bindings []*guardBinding, err error) {
	policyNames, bindingNames := guard.Names()
	policies, bindings = make([]*guardPolicy, len(policyNames)), make([]*guardBinding, len(bindingNames))
	group, together := errgroup.WithContext(ctx)
	for i, name := range policyNames {
		group.Go(func() (err error) {
			policies[i], err = find(together, reader, &guardPolicy{}, types.NamespacedName{Name: name})
			return err
		})
	}
	for i, name := range bindingNames {
		group.Go(func() (err error) {
			bindings[i], err = find(together, reader, &guardBinding{}, types.NamespacedName{Name: name})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, fmt.Errorf("read the guard: %w", err)
	}
	return policies, bindings, nil
}

// found are the objects that are there.
func found[T any](objects []*T) []T {
	var there []T
	for _, object := range objects {
		if object != nil {
			there = append(there, *object)
		}
	}
	return there
}

// versionsOf objects, in their order.
func versionsOf[T any, P interface {
	*T
	metav1.Object
}](objects []P) []objectVersion {
	versions := make([]objectVersion, len(objects))
	for i, object := range objects {
		if object != nil {
			versions[i] = versionOf(object)
		}
	}
	return versions
}
