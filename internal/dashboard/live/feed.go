// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/assent-dev/assent/internal/dashboard/page"
)

// feed is what is read of one scope.
type feed struct {
	scope scope
	kept  *kept
	// has is what was handed out last of what is kept; nil until everything was read once.
	has *page.World
	// toRead are the kinds that were not read yet, and whole is closed when there are none.
	toRead map[kind]struct{}
	whole  chan struct{}
	// asked is since when there is no answer to a request of a kind, and away are those of which that was told.
	asked, away map[kind]time.Time
	// sent is when a request of a kind was made that has not returned yet, in whatever way.
	sent map[kind]time.Time
	// problem is what went wrong last.
	problem error
	// present are the identities whose viewers see it, and refused those whose token was refused here since their last review.
	present, refused map[*identity]struct{}
	// turn is who reads at the moment.
	turn *turn
	// empty is since when nobody is present.
	empty time.Time
	ctx   context.Context //nolint:containedctx // it is the feed's own life
	drop  context.CancelFunc
}

// turn of an identity whose token is used. It ends when it is somebody else's.
type turn struct {
	by  *identity
	ctx context.Context //nolint:containedctx // it is the turn's own life
	end context.CancelFunc
}

func newFeed(ctx context.Context, of scope) *feed {
	f := &feed{
		scope: of, kept: newKept(), toRead: map[kind]struct{}{}, whole: make(chan struct{}),
		asked: map[kind]time.Time{}, sent: map[kind]time.Time{}, away: map[kind]time.Time{},
		present: map[*identity]struct{}{}, refused: map[*identity]struct{}{},
	}
	for _, one := range kinds {
		f.toRead[one] = struct{}{}
	}
	f.ctx, f.drop = context.WithCancel(ctx)
	return f
}

// enter of an identity that may see it. Where the token of one is used that is not present, that of this one is used from now on.
func (f *feed) enter(id *identity) {
	f.present[id] = struct{}{}
	f.empty = time.Time{}
	if f.turn == nil {
		f.pass(id)
	} else if _, there := f.present[f.turn.by]; !there {
		f.pass(id)
	}
}

// leave of an identity. Where its token was used, another one's is from now on; where nobody else is present it goes on with this one, unless it is of no use, and
// then false is returned.
func (f *feed) leave(id *identity, now time.Time, useless bool) bool {
	delete(f.present, id)
	delete(f.refused, id)
	if len(f.present) == 0 {
		f.empty = now
		return !useless
	}
	if f.turn.by == id {
		f.pass(f.next(now))
	}
	return true
}

// next is whose turn it should be, of those who are present: the one whose token lasts longest, and of those that were refused only where there is no other.
func (f *feed) next(now time.Time) *identity {
	var found *identity
	for _, id := range slices.Collect(maps.Keys(f.present)) {
		if found == nil || f.prefers(id, found, now) {
			found = id
		}
	}
	return found
}

func (f *feed) prefers(a, b *identity, now time.Time) bool {
	useless := func(id *identity) bool {
		_, refused := f.refused[id]
		return refused || id.expired(now)
	}
	if useless(a) != useless(b) {
		return useless(b)
	}
	return a.outlasts(b)
}

// pass the turn. What is under way ends, and goes on with the other token.
func (f *feed) pass(to *identity) {
	if f.turn != nil {
		f.turn.end()
	}
	next := &turn{by: to}
	next.ctx, next.end = context.WithCancel(f.ctx)
	f.turn = next
}

// refuse the token whose turn it is: somebody else's it is, if there is one.
func (f *feed) refuse(during *turn, now time.Time) (passed bool) {
	f.refused[during.by] = struct{}{}
	if f.turn != during {
		return true
	}
	next := f.next(now)
	if next == nil || next == during.by {
		return false
	}
	if _, refused := f.refused[next]; refused {
		return false
	}
	f.pass(next)
	return true
}

// over says whether it is not kept any longer: nobody is present, for so long or with a token that has expired.
func (f *feed) over(now time.Time, linger time.Duration) bool {
	return len(f.present) == 0 && (now.Sub(f.empty) >= linger || f.turn.by.expired(now))
}

// read all of a kind.
func (f *feed) read(of kind, fresh *kept) {
	f.kept.become(of, fresh)
	if _, first := f.toRead[of]; !first {
		return
	}
	delete(f.toRead, of)
	if len(f.toRead) == 0 {
		close(f.whole)
	}
}

// portion is what it has now.
func (f *feed) portion() portion {
	var since time.Time
	for _, at := range f.away {
		if since.IsZero() || at.Before(since) {
			since = at
		}
	}
	if len(f.toRead) == 0 {
		f.has, _ = f.kept.handOut(f.has)
	}
	return portion{f.scope, f.has, since}
}
