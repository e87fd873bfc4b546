// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"io"
	"slices"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	testingclock "k8s.io/utils/clock/testing"
)

const keep = 30 * time.Second

func someone(name byte, expires time.Time) *identity {
	return newIdentity(hash{name}, nil, expires)
}

func TestWhatAnIdentityHasIsWhatWasAllowed(t *testing.T) {
	for _, test := range []struct {
		name    string
		before  []scope
		answers map[scope]answer
		want    []scope
	}{
		{"nothing", nil, nil, nil},
		{"nothing that was denied", nil, map[scope]answer{everything: {false, noon}, "a": {false, noon}}, nil},
		{"projects in their order", nil, map[scope]answer{everything: {false, noon}, "b": {true, noon}, "a": {true, noon}, "c": {false, noon}}, []scope{"a", "b"}},
		{"everything, and nothing beside", nil, map[scope]answer{everything: {true, noon}, "a": {true, noon}}, []scope{everything}},
		{"nothing by an old answer", nil, map[scope]answer{everything: {true, noon.Add(-keep - 1)}}, nil},
		{"what it has, until it is denied", []scope{"a"}, map[scope]answer{"a": {true, noon.Add(-keep - 1)}}, []scope{"a"}},
	} {
		id := someone('a', time.Time{})
		id.scopes = test.before
		for about, known := range test.answers {
			id.answers[about] = known
		}
		if got := id.held(noon, keep); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, not %q", test.name, got, test.want)
		}
	}
}

func TestNothingNewerIsShownThanWhatWasAllowedRecently(t *testing.T) {
	for _, test := range []struct {
		name     string
		allowed  time.Time
		doubtful bool
		expires  time.Time
		want     bool
	}{
		{"just now", noon, false, time.Time{}, true},
		{"as long ago as answers count", noon.Add(-keep), false, time.Time{}, true},
		{"longer ago", noon.Add(-keep - 1), false, time.Time{}, false},
		{"denied since, by a server that had just started", noon, true, time.Time{}, false},
		{"with a token that lasts", noon, false, noon.Add(1), true},
		{"with a token that has expired", noon, false, noon, false},
	} {
		id := someone('a', test.expires)
		id.scopes, id.doubtful = []scope{"a", "b"}, test.doubtful
		id.learn(map[scope]bool{"a": true}, noon, false)
		id.learn(map[scope]bool{"b": true}, test.allowed, false)
		if got := id.confirmed(noon, keep); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestADenialIsBelievedUnlessTheServerHasJustStarted(t *testing.T) {
	for _, test := range []struct {
		name           string
		has            []scope
		doubt, doubted bool
		want           []scope
	}{
		{"at once", []scope{"a"}, false, false, nil},
		{"not of what it has", []scope{"a"}, true, true, []scope{"a"}},
		{"of what it does not have, even then", nil, true, false, nil},
	} {
		id := someone('a', time.Time{})
		id.scopes = test.has
		id.answers["a"] = answer{true, noon.Add(-keep / 2)}
		doubted := id.learn(map[scope]bool{everything: false, "a": false}, noon, test.doubt)
		if got := id.held(noon, keep); doubted != test.doubted || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, in doubt %v", test.name, got, doubted)
		}
	}
}

func TestWhatWasAnsweredRecentlyIsNotAskedAgain(t *testing.T) {
	id := someone('a', time.Time{})
	id.wants([]string{"mine"})
	known := []scope{everything, "mine", "always", "allowed", "denied"}
	for _, one := range known {
		id.answers[one] = answer{one == "allowed", noon}
	}
	for _, test := range []struct {
		after time.Duration
		want  []scope
	}{
		{0, []scope{"new"}},
		{keep/2 - 1, []scope{"new"}},
		{keep / 2, []scope{everything, "mine", "always", "allowed", "new"}},
		{seldom * keep / 2, []scope{everything, "mine", "always", "allowed", "denied", "new"}},
	} {
		if got := id.due(append(slices.Clone(known), "new"), noon.Add(test.after), keep/2, []string{"always"}); !slices.Equal(got, test.want) {
			t.Errorf("after %s: %q, not %q", test.after, got, test.want)
		}
	}
	if got := id.due(known, noon, 0, nil); !slices.Equal(got, known) {
		t.Errorf("anew: %q", got)
	}
}

func TestTheProjectsThatWereAskedForLastAreRemembered(t *testing.T) {
	id := someone('a', time.Time{})
	id.wants([]string{"a", "b"})
	id.wants([]string{"c", "b"})
	if want := []string{"c", "b", "a"}; !slices.Equal(id.asked, want) {
		t.Errorf("%q, not %q", id.asked, want)
	}
	for i := range 2 * mostAsked {
		id.wants([]string{fmt.Sprint("project-", i)})
	}
	if len(id.asked) != mostAsked || id.asked[0] != fmt.Sprint("project-", 2*mostAsked-1) {
		t.Errorf("%d: %q", len(id.asked), id.asked)
	}
}

func TestTheTokenThatLastsLongestIsUsed(t *testing.T) {
	short, long, ever := someone('a', noon.Add(time.Minute)), someone('b', noon.Add(time.Hour)), someone('c', time.Time{})
	for _, test := range []struct {
		name    string
		present []*identity
		refused []*identity
		now     time.Time
		want    *identity
	}{
		{"nobody", nil, nil, noon, nil},
		{"the only one", []*identity{short}, nil, noon, short},
		{"the longest", []*identity{short, long}, nil, noon, long},
		{"one without an end", []*identity{short, ever, long}, nil, noon, ever},
		{"not one that was refused", []*identity{short, ever}, []*identity{ever}, noon, short},
		{"one that was refused before none", []*identity{short, long}, []*identity{short, long}, noon, long},
		{"not one that has expired", []*identity{short, ever}, []*identity{ever}, noon.Add(time.Hour), ever},
	} {
		f := newFeed(t.Context(), "shop")
		for _, id := range test.present {
			f.present[id] = struct{}{}
		}
		for _, id := range test.refused {
			f.refused[id] = struct{}{}
		}
		if got := f.next(test.now); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestAFeedGoesOnWithWhoeverIsPresent(t *testing.T) {
	f := newFeed(t.Context(), "shop")
	short, long, other := someone('a', noon.Add(time.Minute)), someone('b', noon.Add(time.Hour)), someone('c', noon.Add(time.Second))
	f.enter(short)
	first := f.turn
	f.enter(long)
	f.enter(other)
	if f.turn != first || f.turn.by != short || first.ctx.Err() != nil {
		t.Error("it is passed though the one whose turn it is is there")
	}
	f.leave(short, noon, false)
	if f.turn.by != long || first.ctx.Err() == nil {
		t.Error("the token of one who has left is still used")
	}
	if !f.refuse(f.turn, noon) || f.turn.by != other {
		t.Error("the token that was refused is still used")
	}
	if f.refuse(f.turn, noon) {
		t.Error("it goes to and fro between tokens that are refused")
	}
	f.leave(long, noon, false)
	if !f.leave(other, noon, false) || f.turn.by != other || f.turn.ctx.Err() != nil {
		t.Error("with nobody present it does not go on")
	}
	before := f.turn
	f.enter(other)
	if f.turn != before {
		t.Error("it begins anew for the same one")
	}
	f.leave(other, noon, false)
	f.enter(long)
	if f.turn.by != long {
		t.Error("the token of one who is not present is used though somebody is")
	}
	if f.leave(long, noon, true) {
		t.Error("it goes on with a token that is of no use")
	}
}

func TestAFeedIsDroppedWhenNobodyHasLookedForAWhile(t *testing.T) {
	for _, test := range []struct {
		name    string
		present bool
		after   time.Duration
		expires time.Time
		want    bool
	}{
		{"somebody looks", true, time.Hour, time.Time{}, false},
		{"nobody, for a short time", false, time.Minute - 1, time.Time{}, false},
		{"nobody, for long", false, time.Minute, time.Time{}, true},
		{"nobody, and the token has expired", false, time.Second, noon.Add(time.Second), true},
	} {
		f := newFeed(t.Context(), "shop")
		id := someone('a', test.expires)
		f.enter(id)
		if !test.present {
			f.leave(id, noon, false)
		}
		if got := f.over(noon.Add(test.after), time.Minute); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestWaitingGrowsAndIsBounded(t *testing.T) {
	retry := backoff{first: soon, most: longest}
	var most time.Duration
	for i := range 10 {
		most = min(max(soon, 2*most), longest)
		if got := retry.next(); got < most/2 || got > most {
			t.Errorf("wait %d is %s, not between %s and %s", i, got, most/2, most)
		}
	}
	retry.reset()
	if got := retry.next(); got > soon {
		t.Errorf("after success the first wait is %s", got)
	}
}

func TestARefusalIsAnAnswer(t *testing.T) {
	group := schema.GroupResource{Resource: "reviews"}
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{apierrors.NewUnauthorized("no"), false},
		{apierrors.NewForbidden(group, "", nil), false},
		{apierrors.NewNotFound(group, ""), false},
		{apierrors.NewBadRequest("no"), false},
		{apierrors.NewInternalError(io.EOF), true},
		{apierrors.NewServiceUnavailable("away"), true},
		{apierrors.NewTooManyRequestsError("later"), true},
		{fmt.Errorf("asking: %w", syscall.ECONNREFUSED), true},
		{errCut, true},
	} {
		if got := unavailable(test.err); got != test.want {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}

func TestAServerThatLetsARequestWaitIsAwayAndOneThatRefusesIsNot(t *testing.T) {
	for _, test := range []struct {
		name        string
		waits       bool
		away, stale bool
	}{
		{"a request waits", true, true, true},
		{"requests are refused again and again", false, false, true},
	} {
		now := testingclock.NewFakeClock(noon)
		h := &Hub{clock: now, stirred: make(chan struct{}, 1)}
		f := newFeed(t.Context(), "shop")
		h.asks(f, ofReleases)
		now.Step(overdue)
		if !test.waits {
			h.returned(f, ofReleases)
			h.asks(f, ofReleases)
		}
		h.missed(f, now.Now())
		if away, stale := !h.away.IsZero(), !f.away[ofReleases].IsZero(); away != test.away || stale != test.stale {
			t.Errorf("%s: away %v, stale %v", test.name, away, stale)
		}
	}
}
