// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// patience is how long anything may take on a machine that is very busy: what never happens is found late, and nothing is found that is only slow.
	patience = 5 * time.Minute
	// tokenAge is how long the token of the operator's service account is used; it is valid for an hour.
	tokenAge = 20 * time.Minute
)

// World is the cluster that the runs share, with the people in it.
type World struct {
	Cluster *cluster.Cluster
	// clients of the people, by their name.
	clients map[string]client.Client
	names   namer
	// watched is what the runs wait by, over all projects.
	watched cache.Cache

	mu sync.Mutex
	// changed is closed, and replaced, when something that is watched has changed.
	changed chan struct{}
	// operator is how the operator's service account connects, since issued.
	operator *rest.Config
	issued   time.Time
}

// NewWorld installs Assent into the cluster that is named by cluster.DirectoryVariable, and watches until ctx ends.
func NewWorld(ctx context.Context) (*World, error) {
	connected, err := cluster.Connect()
	if err != nil {
		return nil, err
	}
	if err := connected.Install(ctx); err != nil {
		return nil, err
	}
	w := &World{
		Cluster: connected, clients: map[string]client.Client{}, changed: make(chan struct{}),
		names: namer{decoder: clientgoscheme.Codecs.UniversalDeserializer()},
	}
	for _, user := range []string{cluster.Admin, cluster.Alice, cluster.Bob, cluster.Carol, cluster.Dave} {
		if w.clients[user], err = connected.Client(user); err != nil {
			return nil, err
		}
	}
	return w, w.watch(ctx)
}

// as is a live client of a person.
func (w *World) as(user string) client.Client { return w.clients[user] }

// connection of the operator's service account.
func (w *World) connection(ctx context.Context) (*rest.Config, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.operator == nil || time.Since(w.issued) > tokenAge {
		config, err := w.Cluster.ControllerConfig(ctx)
		if err != nil {
			return nil, err
		}
		w.operator, w.issued = config, time.Now()
	}
	return w.operator, nil
}

// watch what tells how far a run is.
func (w *World) watch(ctx context.Context) error {
	config, err := w.Cluster.Config(cluster.Admin)
	if err != nil {
		return err
	}
	if w.watched, err = cache.New(config, cache.Options{Scheme: w.Cluster.Scheme(), DefaultTransform: cache.TransformStripManagedFields()}); err != nil {
		return fmt.Errorf("setting up the watches: %w", err)
	}
	for _, kind := range []client.Object{&v1alpha1.Promotion{}, &v1alpha1.Environment{}, &v1alpha1.AuditRecord{}, &v1alpha1.Release{}} {
		informer, err := w.watched.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("setting up the watches: %w", err)
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { w.ring() }, UpdateFunc: func(any, any) { w.ring() }, DeleteFunc: func(any) { w.ring() },
		})
		if err != nil {
			return fmt.Errorf("setting up the watches: %w", err)
		}
	}
	go func() { _ = w.watched.Start(ctx) }() // it fails only when it was started before
	if !w.watched.WaitForCacheSync(ctx) {
		return errors.New("setting up the watches: they did not begin")
	}
	return nil
}

func (w *World) ring() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *World) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

// view is what is in a project, as the watches tell. It must not be changed.
type view struct {
	promotions   map[string]*v1alpha1.Promotion
	environments map[string]*v1alpha1.Environment
	releases     map[string]*v1alpha1.Release
	// records of the only Environment, in their order.
	records []v1alpha1.AuditRecord
}

func (w *World) look(ctx context.Context, project string) (view, error) {
	in := []client.ListOption{client.InNamespace(project), client.UnsafeDisableDeepCopy}
	var promotions v1alpha1.PromotionList
	var environments v1alpha1.EnvironmentList
	var releases v1alpha1.ReleaseList
	var records v1alpha1.AuditRecordList
	err := errors.Join(w.watched.List(ctx, &promotions, in...), w.watched.List(ctx, &environments, in...),
		w.watched.List(ctx, &releases, in...), w.watched.List(ctx, &records, in...))
	if err != nil {
		return view{}, fmt.Errorf("looking at project %q: %w", project, err)
	}
	return view{
		promotions:   byName(promotions.Items, func(p *v1alpha1.Promotion) string { return p.Name }),
		environments: byName(environments.Items, func(e *v1alpha1.Environment) string { return e.Name }),
		releases:     byName(releases.Items, func(r *v1alpha1.Release) string { return r.Name }),
		records:      inOrder(records.Items),
	}, nil
}

// until waits until what is in a project is as wanted. Wanted says what is missing; nothing when all is there.
func (w *World) until(ctx context.Context, project, what string, wanted func(view) (missing string)) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		next := w.next()
		seen, err := w.look(ctx, project)
		if err != nil {
			return err
		}
		missing := wanted(seen)
		if missing == "" {
			return nil
		}
		select {
		case <-next:
		case <-limited.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("waiting until %s: %w", what, context.Cause(ctx))
			}
			return &violation{Rule: "rest", Detail: fmt.Sprintf("not within %s that %s: %s", patience, what, missing)}
		}
	}
}

func byName[T any](items []T, name func(*T) string) map[string]*T {
	found := make(map[string]*T, len(items))
	for i := range items {
		found[name(&items[i])] = &items[i]
	}
	return found
}
