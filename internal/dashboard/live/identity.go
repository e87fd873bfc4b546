// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/dashboard/page"
)

// mostAsked is how many projects are remembered that one identity has asked for.
const mostAsked = 64

// seldom is how many times as long an answer is kept about a project that nobody has asked for here, and that may not be seen.
const seldom = 10

// hash of a token: who somebody is. Nothing but the API server knows whom a token stands for, and it may say so differently tomorrow.
type hash [sha256.Size]byte

// answer of the API server, to a question that was put at a time.
type answer struct {
	allowed bool
	at      time.Time
}

// identity is whoever a token stands for, and what it may see.
type identity struct {
	hash       hash
	connection client.WithWatch
	// expires is zero where that is not known.
	expires time.Time
	// asked are the projects that its viewers have asked for, the last one first.
	asked   []string
	answers map[scope]answer
	// scopes that it has now, in their order.
	scopes []scope
	// doubtful is whether a denial was not believed, since the API server had just started.
	doubtful bool
	viewers  map[*Viewer]struct{}
	// left is when the last viewer has left.
	left time.Time
	// world that its viewers have.
	world *page.World
	// rights are answers about what it may do.
	rights map[question]reviewed
	// asking has room for one at a time who asks what it may see, and again asks for that to be done soon.
	asking, again chan struct{}
	// stop asking.
	stop context.CancelFunc
}

func newIdentity(of hash, connection client.WithWatch, expires time.Time) *identity {
	return &identity{
		hash: of, connection: connection, expires: expires, answers: map[scope]answer{}, viewers: map[*Viewer]struct{}{}, rights: map[question]reviewed{},
		asking: make(chan struct{}, 1), again: make(chan struct{}, 1), stop: func() {},
	}
}

// expired says whether its token is of no use any more.
func (i *identity) expired(now time.Time) bool {
	return !i.expires.IsZero() && !now.Before(i.expires)
}

// outlasts says whether its token lasts longer than that of another one; it is decided for any two.
func (i *identity) outlasts(other *identity) bool {
	switch {
	case i.expires.Equal(other.expires):
		return slices.Compare(i.hash[:], other.hash[:]) < 0
	case i.expires.IsZero() || other.expires.IsZero():
		return i.expires.IsZero()
	default:
		return i.expires.After(other.expires)
	}
}

// wants projects, which are asked about from now on.
func (i *identity) wants(projects []string) {
	for _, project := range slices.Backward(projects[:min(len(projects), mostAsked)]) {
		i.asked = slices.Insert(slices.DeleteFunc(i.asked, func(one string) bool { return one == project }), 0, project)
	}
	i.asked = i.asked[:min(len(i.asked), mostAsked)]
}

// due are those of some scopes whose answers are as old as that, or that were never asked about. Projects that may not be seen, and that nobody has asked for here
// or always tries, are asked about more seldom: there may be many.
func (i *identity) due(of []scope, now time.Time, old time.Duration, always []string) []scope {
	return slices.DeleteFunc(slices.Clone(of), func(one scope) bool {
		known, there := i.answers[one]
		lasts := old
		if !known.allowed && one != everything && !slices.Contains(i.asked, string(one)) && !slices.Contains(always, string(one)) {
			lasts *= seldom
		}
		return there && now.Sub(known.at) < lasts
	})
}

// learn what was answered to questions that were put at a time. Where the API server has just started, a denial of what was allowed before is not believed; whether
// there was one is returned.
func (i *identity) learn(answers map[scope]bool, at time.Time, doubt bool) (doubted bool) {
	for about, allowed := range answers {
		if !allowed && doubt && slices.Contains(i.scopes, about) {
			doubted = true
			continue
		}
		i.answers[about] = answer{allowed, at}
	}
	return doubted
}

// held are the scopes that were allowed, in their order: where that is everything, it alone. An old answer gives nothing that it does not have yet.
func (i *identity) held(now time.Time, keep time.Duration) []scope {
	var held []scope
	for one, known := range i.answers {
		if known.allowed && (now.Sub(known.at) <= keep || slices.Contains(i.scopes, one)) {
			held = append(held, one)
		}
	}
	if slices.Contains(held, everything) {
		return []scope{everything}
	}
	slices.Sort(held)
	return held
}

// forget answers that are of no use any more.
func (i *identity) forget(now time.Time, keep time.Duration) {
	maps.DeleteFunc(i.answers, func(one scope, known answer) bool {
		return now.Sub(known.at) > seldom*keep && !slices.Contains(i.scopes, one)
	})
	maps.DeleteFunc(i.rights, func(_ question, known reviewed) bool { return now.Sub(known.at) > keep })
}

// confirmed says whether everything that it has was allowed recently.
func (i *identity) confirmed(now time.Time, keep time.Duration) bool {
	return !i.doubtful && !i.expired(now) && !slices.ContainsFunc(i.scopes, func(one scope) bool { return now.Sub(i.answers[one].at) > keep })
}

// soon is its review asked for.
func (i *identity) soon() {
	select {
	case i.again <- struct{}{}:
	default:
	}
}
