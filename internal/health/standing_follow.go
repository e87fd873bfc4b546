// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// followAgain and followAgainMost bound how soon a watch that has failed is tried again; the time doubles from one to the other.
	followAgain, followAgainMost = time.Second, 30 * time.Second
	// followedFor is how long a watch lasts that has not failed: the API server ends it after half an hour at the earliest.
	followedFor = 10 * time.Second
)

// follow lists and watches with the rights of a deployer until the context ends, and takes what comes. It does what client-go's Reflector does, with a
// third of its memory: there may be MostDeployerWatches of these, they are small, and next to nothing ever comes. So the client is made for each request
// and not kept, and one goroutine does everything.
func (w *standingWatch) follow(ctx context.Context, deployer func() (Readers, error)) {
	version, pause := "", followAgain
	for ctx.Err() == nil {
		began := time.Now()
		next, err := w.followFrom(ctx, deployer, version)
		if version = next; err == nil || time.Since(began) > followedFor {
			pause = followAgain
		}
		if err == nil {
			continue
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
		}
		pause = min(2*pause, followAgainMost)
	}
}

// followFrom watches from a version on, or lists if there is none, and returns from which version on to go on; none to list again.
func (w *standingWatch) followFrom(ctx context.Context, deployer func() (Readers, error), version string) (string, error) {
	readers, err := deployer()
	if err != nil {
		return "", err
	}
	if version == "" {
		return w.takeList(ctx, readers)
	}
	events, err := w.begin(ctx, readers, metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true})
	if err != nil {
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			version = ""
		}
		return version, err
	}
	defer events.Stop()
	return w.takeEvents(ctx, events, version)
}

func (w *standingWatch) takeList(ctx context.Context, readers Readers) (string, error) {
	found, err := w.list(ctx, readers, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	listed, err := meta.ListAccessor(found)
	if err != nil {
		return "", err
	}
	items, err := meta.ExtractList(found)
	if err != nil {
		return "", err
	}
	objects := make([]any, len(items))
	for i, item := range items {
		objects[i] = item
	}
	return listed.GetResourceVersion(), w.Replace(objects, listed.GetResourceVersion())
}

// takeEvents takes what a watch brings, and returns the version that was seen last; none if it is too old to go on from.
func (w *standingWatch) takeEvents(ctx context.Context, events watch.Interface, version string) (string, error) {
	began := time.Now()
	for event := range events.ResultChan() {
		switch event.Type {
		case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark:
		case watch.Error:
			return "", apierrors.FromObject(event.Object)
		}
		if err := w.takeEvent(event.Type, event.Object); err != nil {
			return "", err
		}
		seen, err := meta.Accessor(event.Object)
		if err != nil {
			return "", err
		}
		version = seen.GetResourceVersion()
	}
	if ctx.Err() == nil && time.Since(began) < followedFor {
		return version, fmt.Errorf("the watch of %s has ended early", w.key.resource.Resource)
	}
	return version, nil
}

func (w *standingWatch) takeEvent(kind watch.EventType, object runtime.Object) error {
	switch kind {
	case watch.Added, watch.Modified:
		return w.put(object)
	case watch.Deleted:
		return w.Delete(object)
	case watch.Bookmark, watch.Error:
	}
	return nil
}
