// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// mirror has the Environments and the Promotions that have not ended, as the API server has them now. Both are listed once, page by page, and then watched; where
// a watch ends, or the API server is away for a time, they are listed again.
type mirror struct {
	*connection
	options []client.ListOption

	mu           sync.Mutex
	environments map[place]v1alpha1.Environment
	promotions   map[client.ObjectKey]v1alpha1.Promotion
	// changed holds a token where something has changed since it was taken, and failed what ends the mirror.
	changed chan struct{}
	failed  chan error
}

// mirroredKind is one of the kinds, which differ in what is kept of them.
type mirroredKind struct {
	// narrow chooses in the API server what is kept; nil where everything is, or where the definitions in the cluster are too old for it.
	narrow []client.ListOption
	empty  func() client.ObjectList
	forget func()
	keep   func(client.Object)
	drop   func(client.Object)
}

// mirror what these options choose, until the context ends. It is complete when this returns.
func (c *connection) mirror(ctx context.Context, options ...client.ListOption) (*mirror, error) {
	m := &mirror{connection: c, options: options, changed: make(chan struct{}, 1), failed: make(chan error, 1)}
	kinds := []*mirroredKind{m.ofEnvironments(), m.ofPromotions()}
	versions := make([]string, len(kinds))
	for i, kind := range kinds {
		version, err := m.list(ctx, kind)
		if apierrors.IsBadRequest(err) && kind.narrow != nil {
			kind.narrow = nil
			version, err = m.list(ctx, kind)
		}
		if err != nil {
			return nil, err
		}
		versions[i] = version
	}
	for i, kind := range kinds {
		go m.follow(ctx, kind, versions[i])
	}
	return m, nil
}

func (m *mirror) ofEnvironments() *mirroredKind {
	return &mirroredKind{
		empty:  func() client.ObjectList { return &v1alpha1.EnvironmentList{} },
		forget: func() { m.environments = map[place]v1alpha1.Environment{} },
		keep: func(object client.Object) {
			if environment, ok := object.(*v1alpha1.Environment); ok {
				m.environments[place{environment.Namespace, environment.Name}] = *environment
			}
		},
		drop: func(object client.Object) { delete(m.environments, place{object.GetNamespace(), object.GetName()}) },
	}
}

func (m *mirror) ofPromotions() *mirroredKind {
	drop := func(object client.Object) { delete(m.promotions, client.ObjectKeyFromObject(object)) }
	return &mirroredKind{
		narrow: []client.ListOption{client.MatchingFields{completionTime: ""}},
		empty:  func() client.ObjectList { return &v1alpha1.PromotionList{} },
		forget: func() { m.promotions = map[client.ObjectKey]v1alpha1.Promotion{} },
		keep: func(object client.Object) {
			promotion, ok := object.(*v1alpha1.Promotion)
			switch {
			case !ok:
			case report.Ended(promotion):
				drop(object)
			default:
				m.promotions[client.ObjectKeyFromObject(object)] = *promotion
			}
		},
		drop: drop,
	}
}

// list a kind anew, and return from where on it is to be watched.
func (m *mirror) list(ctx context.Context, kind *mirroredKind) (version string, err error) {
	var listed []client.ObjectList
	err = pages(ctx, m.connection, kind.empty, func(page client.ObjectList) {
		listed, version = append(listed, page), page.GetResourceVersion()
	}, slices.Concat(m.options, kind.narrow)...)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kind.forget()
	for _, page := range listed {
		items, err := meta.ExtractList(page)
		if err != nil {
			return "", err
		}
		for _, item := range items {
			if object, ok := item.(client.Object); ok {
				kind.keep(object)
			}
		}
	}
	m.tell()
	return version, nil
}

// tell that something has changed. Whoever looks later sees all of it, so that one token is enough.
func (m *mirror) tell() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// follow a kind until the context ends, or until the caller may not any more. After a watch what was missed meanwhile is found by listing anew.
func (m *mirror) follow(ctx context.Context, kind *mirroredKind, version string) {
	for ctx.Err() == nil {
		err := m.watch(ctx, kind, version)
		var refused failing
		for again := true; again && ctx.Err() == nil; again = err != nil {
			if refused.finally(err) {
				select {
				case m.failed <- err:
				default:
				}
				return
			}
			if err != nil {
				linger(ctx, pause)
			}
			version, err = m.list(ctx, kind)
		}
	}
}

// grace is for how long a refusal is taken for one of an API server that has just started, and does not know yet who may what.
const grace = 20 * time.Second

// failing is what fails again and again.
type failing struct{ since time.Time }

// finally says of one more error whether trying again does not help any more: the caller may not, or is not known. Without an error it begins anew.
func (f *failing) finally(err error) bool {
	if !f.refuses(err) {
		f.since = time.Time{}
		return false
	}
	if f.since.IsZero() {
		f.since = now()
	}
	return now().Sub(f.since) > grace
}

// refuses says of an error whether it is because of who asks.
func (*failing) refuses(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}

func linger(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}

// watch until the watch ends, as watches do.
func (m *mirror) watch(ctx context.Context, kind *mirroredKind, version string) error {
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}}
	watched, err := m.Watch(ctx, kind.empty(), slices.Concat([]client.ListOption{from}, m.options, kind.narrow)...)
	if apierrors.IsGone(err) || apierrors.IsResourceExpired(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer watched.Stop()
	for event := range watched.ResultChan() {
		object, ok := event.Object.(client.Object)
		if !ok { // an error of the watch, such as one that is too old
			return nil
		}
		m.mu.Lock()
		if event.Type == watch.Deleted {
			kind.drop(object)
		} else {
			kind.keep(object)
		}
		m.mu.Unlock()
		m.tell()
	}
	return nil
}

// now are copies of what is there at the moment.
func (m *mirror) now() (map[place]v1alpha1.Environment, []v1alpha1.Promotion) {
	m.mu.Lock()
	defer m.mu.Unlock()
	environments := make(map[place]v1alpha1.Environment, len(m.environments))
	for at, environment := range m.environments {
		environments[at] = *environment.DeepCopy()
	}
	promotions := make([]v1alpha1.Promotion, 0, len(m.promotions))
	for _, promotion := range m.promotions {
		promotions = append(promotions, *promotion.DeepCopy())
	}
	return environments, promotions
}
