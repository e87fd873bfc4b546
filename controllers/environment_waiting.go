// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
)

const (
	// waitingAfter is how long a Promotion waits before its Environment shows it: what is answered at once costs no write.
	waitingAfter = 10 * time.Second
	// mostWaiting is how many waiting Promotions an Environment shows; the API's bound.
	mostWaiting = 16
	// mostWaitingBlockers and mostWaitingMessage are how many gates it shows of each, and how much of what they say; the API's bounds.
	mostWaitingBlockers, mostWaitingMessage = 4, 256
)

// backlog is the Promotions that wait for each Environment, the oldest first, as the watch tells of them. So one of ten thousand that wait costs what
// one of ten does. It knows nothing that the cache does not: a new process has it complete before it works.
type backlog struct {
	mu            sync.Mutex
	byEnvironment map[types.NamespacedName][]*v1alpha1.Promotion
}

func newBacklog() *backlog {
	return &backlog{byEnvironment: map[types.NamespacedName][]*v1alpha1.Promotion{}}
}

// older orders Promotions by their creation, and by name those of the same second.
func older(a, b *v1alpha1.Promotion) int {
	if order := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); order != 0 {
		return order
	}
	return cmp.Compare(a.Name, b.Name)
}

// put a Promotion that waits in its place, and return it: 0 for the oldest.
func (b *backlog) put(p *v1alpha1.Promotion) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := environmentOf(p)
	at, found := slices.BinarySearchFunc(b.byEnvironment[key], p, older)
	if found {
		b.byEnvironment[key][at] = p
	} else {
		b.byEnvironment[key] = slices.Insert(b.byEnvironment[key], at, p)
	}
	return at
}

// remove a Promotion that does not wait any more, if it is there.
func (b *backlog) remove(p *v1alpha1.Promotion) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := environmentOf(p)
	at, found := slices.BinarySearchFunc(b.byEnvironment[key], p, older)
	if !found {
		return
	}
	left := slices.Delete(b.byEnvironment[key], at, at+1)
	if b.byEnvironment[key] = left; len(left) == 0 {
		delete(b.byEnvironment, key)
	}
}

// waited are the oldest Promotions that have waited for a while, at most as many as an Environment shows, and how many have in all.
// They must not be changed.
func (b *backlog) waited(environment types.NamespacedName, now time.Time) ([]*v1alpha1.Promotion, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.byEnvironment[environment]
	count := b.countWaited(all, now)
	return slices.Clone(all[:min(count, mostWaiting)]), count
}

// next is how long it is until one more Promotion has waited for a while; zero if there is none.
func (b *backlog) next(environment types.NamespacedName, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.byEnvironment[environment]
	if count := b.countWaited(all, now); count < len(all) {
		return all[count].CreationTimestamp.Add(waitingAfter).Sub(now)
	}
	return 0
}

func (b *backlog) countWaited(all []*v1alpha1.Promotion, now time.Time) int {
	return sort.Search(len(all), func(i int) bool { return all[i].CreationTimestamp.Add(waitingAfter).After(now) })
}

// told says what the watch has told of a Promotion. It returns whether the Environment's status may change by it now, and if not, how long it is
// until it may; zero for never. Before and after are nil where there is none.
func (b *backlog) told(before, after *v1alpha1.Promotion, now time.Time) (matters bool, in time.Duration) {
	if before != nil && (after == nil || before.UID != after.UID) {
		b.remove(before)
		matters = true // it may have left a rollout open
	}
	if after == nil {
		return matters, 0
	}
	if !waits(after) {
		b.remove(after)
		return matters || (before != nil && promotion.Ended(after) && !promotion.Ended(before)), 0
	}
	place := b.put(after)
	if left := after.CreationTimestamp.Add(waitingAfter).Sub(now); left > 0 {
		return matters, left
	}
	if before == nil || !waits(before) {
		return true, 0
	}
	return matters || (place < mostWaiting && !slices.Equal(inShort(before), inShort(after))), 0
}

// lookAtWaiting finds what waits for an Environment.
func (r *EnvironmentReconciler) lookAtWaiting(ctx context.Context, environment *v1alpha1.Environment, seen *surroundings) error {
	key := types.NamespacedName{Namespace: environment.Namespace, Name: environment.Name}
	seen.waiting, seen.waitingCount = r.backlog.waited(key, seen.now)
	seen.started = map[string]bool{}
	for _, shown := range environment.Status.Waiting {
		if slices.ContainsFunc(seen.waiting, func(p *v1alpha1.Promotion) bool { return p.Name == shown.Promotion }) {
			continue
		}
		p, err := find(ctx, r.Client, &v1alpha1.Promotion{}, types.NamespacedName{Namespace: key.Namespace, Name: shown.Promotion})
		if err != nil {
			return err
		}
		seen.started[shown.Promotion] = p != nil && promotion.Started(p)
	}
	return nil
}

// waitingOf lists the Promotions that have waited for a while, oldest first, and counts them. One that was shown and rolls out by now is taken off by
// the write that ends its rollout, not by one of its own.
func waitingOf(environment *v1alpha1.Environment, seen surroundings) ([]v1alpha1.WaitingPromotion, int) {
	var waiting []v1alpha1.WaitingPromotion
	count := seen.waitingCount
	for _, shown := range environment.Status.Waiting {
		if seen.started[shown.Promotion] {
			waiting = append(waiting, shown)
			count++
		}
	}
	for _, p := range seen.waiting {
		waiting = append(waiting, v1alpha1.WaitingPromotion{Promotion: p.Name, Since: p.CreationTimestamp, Blockers: inShort(p)})
	}
	slices.SortFunc(waiting, func(a, b v1alpha1.WaitingPromotion) int {
		if order := a.Since.Compare(b.Since.Time); order != 0 {
			return order
		}
		return cmp.Compare(a.Promotion, b.Promotion)
	})
	return waiting[:min(len(waiting), mostWaiting)], count
}

// inShort are a Promotion's blockers as its Environment shows them.
func inShort(p *v1alpha1.Promotion) []v1alpha1.WaitingBlocker {
	var blockers []v1alpha1.WaitingBlocker
	for _, blocker := range p.Status.Blockers[:min(len(p.Status.Blockers), mostWaitingBlockers)] {
		blockers = append(blockers, v1alpha1.WaitingBlocker{
			Gate: blocker.Gate, Message: promotion.Clip(blocker.Message, mostWaitingMessage), UntilTime: blocker.UntilTime,
		})
	}
	return blockers
}
