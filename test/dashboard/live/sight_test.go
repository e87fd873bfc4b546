// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/assent-dev/assent/internal/dashboard/live"
)

func TestWhoIsNotKnownOrMayNothingSeesNothing(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	s.environment(ctx, project, "production")
	nobody, known := s.account(ctx, project, "nobody"), s.viewer(ctx, project, "known")
	// The Hub's own configuration is the administrator's, who may see everything.
	hub := s.hub(live.Options{Projects: []string{project.Name}})
	s.join(ctx, hub, known)
	for _, test := range []struct {
		name string
		who  live.Person
		want string
	}{
		{"an empty token", live.Person{Projects: known.Projects}, live.ErrUnauthorized.Error()},
		{"an empty token of one who is there", live.Person{Name: known.Name, Projects: known.Projects}, live.ErrUnauthorized.Error()},
		{"a token of nobody", live.Person{Token: "made up", Projects: known.Projects}, live.ErrUnauthorized.Error()},
		{"a token that has expired", live.Person{Token: known.Token, Expires: time.Now(), Projects: known.Projects}, live.ErrUnauthorized.Error()},
		{"one who may nothing", nobody, live.ErrForbidden.Error()},
		{"one who may nothing, with another's name", live.Person{Token: nobody.Token, Name: known.Name, Projects: known.Projects}, live.ErrForbidden.Error()},
	} {
		viewer, err := hub.Join(ctx, test.who)
		if err == nil {
			viewer.Close()
		}
		if err == nil || err.Error() != test.want && !slices.Contains([]string{"asking what you may see: " + test.want}, err.Error()) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestAViewerOfOneProjectNeverSeesAnotherOne(t *testing.T) {
	ctx, s := begin(t)
	mine, other := s.project(ctx), s.project(ctx)
	s.environment(ctx, mine, "mine")
	s.environment(ctx, other, "other")
	hub := s.hub(live.Options{Keep: time.Second, Projects: []string{other.Name}})
	all := s.join(ctx, hub, s.everywhere(ctx, mine, "everywhere"))
	if world := all.World(); !has(world, mine.Name, "mine") || !has(world, other.Name, "other") || !slices.Contains(world.Projects, other.Name) {
		t.Fatal("one who may see all projects does not")
	}
	who := s.viewer(ctx, mine, "narrow")
	who.Projects = []string{mine.Name, other.Name, "", "*", "../" + other.Name}
	narrow := s.join(ctx, hub, who)
	s.onlyOf(narrow.World(), mine.Name)
	if !has(narrow.World(), mine.Name, "mine") {
		t.Error("one who may see a project does not")
	}
	// What happens there is not told either: when the change in the other project is followed by one in theirs, they see theirs alone.
	for _, name := range []string{"a", "b", "c"} {
		s.environment(ctx, other, name)
		s.environment(ctx, mine, name)
		s.eventually(ctx, "the change is seen", func() bool { return has(narrow.World(), mine.Name, name) && has(all.World(), other.Name, name) })
		s.onlyOf(narrow.World(), mine.Name)
	}
	// Nor what was kept for one who has left.
	all.Close()
	again := s.join(ctx, hub, who)
	s.onlyOf(again.World(), mine.Name)
	if again.World() != narrow.World() {
		t.Error("the same person sees two Worlds")
	}
}

func TestProjectsThatOthersSeeAreFound(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	s.environment(ctx, project, "production")
	hub := s.hub(live.Options{})
	who := s.viewer(ctx, project, "narrow")
	who.Projects = nil
	if _, err := hub.Join(ctx, who); err == nil {
		t.Fatal("there was nothing to ask about")
	}
	s.join(ctx, hub, s.everywhere(ctx, project, "everywhere"))
	if world := s.join(ctx, hub, who).World(); !has(world, project.Name, "production") {
		t.Error("the project is not found")
	}
}

func TestWhoMayListButNotWatchSeesNothing(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	who := s.account(ctx, project, "lists")
	s.allow(ctx, project, who, []string{"list"}, "environments", "releases", "promotions")
	hub := s.hub(live.Options{})
	if _, err := hub.Join(ctx, who); err == nil {
		t.Error("they see the project")
	}
	s.allow(ctx, project, who, []string{"watch"}, "environments", "releases")
	if _, err := hub.Join(ctx, who); err == nil {
		t.Error("they see the project without promotions")
	}
	s.allow(ctx, project, who, []string{"watch"}, "promotions")
	s.join(ctx, hub, who)
}

func TestARightThatIsWithdrawnIsGone(t *testing.T) {
	const keep = time.Second
	ctx, s := begin(t)
	one, two := s.project(ctx), s.project(ctx)
	s.environment(ctx, one, "one")
	s.environment(ctx, two, "two")
	hub := s.hub(live.Options{Keep: keep})
	who := s.viewer(ctx, one, "somebody")
	s.bindIn(ctx, two, who)
	who.Projects = []string{one.Name, two.Name}
	viewer, stays := s.join(ctx, hub, who), s.join(ctx, hub, s.viewer(ctx, two, "stays"))
	if !has(viewer.World(), one.Name, "one") || !has(viewer.World(), two.Name, "two") {
		t.Fatal("they do not see what they may")
	}
	within := func(what string, gone func() bool) {
		t.Helper()
		withdrawn := time.Now()
		s.eventually(ctx, what, gone)
		if took := time.Since(withdrawn); took > keep+time.Second {
			t.Errorf("%s after %s", what, took)
		}
	}
	s.withdraw(ctx, one, "somebody")
	log := s.log()
	within("one project is gone", func() bool { return !has(viewer.World(), one.Name, "one") })
	s.onlyOf(viewer.World(), two.Name)
	s.eventually(ctx, "nothing is read there any more", func() bool { return s.reads(log, one.Name)["watch promotions"] == 1 })
	s.withdraw(ctx, two, "somebody")
	within("the other one is gone", func() bool { return viewer.Failed() != nil })
	s.goes(ctx, viewer, live.ErrForbidden)
	if _, err := hub.Join(ctx, who); err == nil {
		t.Error("they come back")
	}
	s.environment(ctx, two, "later")
	s.eventually(ctx, "another one goes on", func() bool { return has(stays.World(), two.Name, "later") })
}

func TestARightThatIsGivenIsSeen(t *testing.T) {
	ctx, s := begin(t)
	one, two := s.project(ctx), s.project(ctx)
	s.environment(ctx, two, "two")
	who := s.viewer(ctx, one, "somebody")
	who.Projects = []string{one.Name, two.Name}
	viewer := s.join(ctx, s.hub(live.Options{Keep: time.Second}), who)
	s.onlyOf(viewer.World(), one.Name)
	s.bindIn(ctx, two, who)
	s.eventually(ctx, "the other project is seen", func() bool { return has(viewer.World(), two.Name, "two") })
	three := s.project(ctx)
	s.environment(ctx, three, "three")
	s.bindEverywhere(ctx, who)
	s.eventually(ctx, "all projects are seen", func() bool {
		if world := viewer.World(); !has(world, two.Name, "two") {
			t.Fatal("something is lost by being given more")
		}
		return has(viewer.World(), three.Name, "three")
	})
}

func TestATokenThatIsOfNoUseAnyMoreEndsItsViewersAndNobodyElses(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(context.Context, *suite, *live.Person)
		then func(context.Context, *suite, string)
	}{
		{"it expires", func(_ context.Context, _ *suite, who *live.Person) { who.Expires = time.Now().Add(2 * time.Second) }, nil},
		{"it is revoked", nil, func(ctx context.Context, s *suite, project string) {
			account := &corev1.ServiceAccount{}
			account.Namespace, account.Name = project, "ends"
			s.must(s.admin.Delete(ctx, account))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, s := begin(t)
			project := s.project(ctx)
			hub := s.hub(live.Options{Keep: time.Second})
			who := s.viewer(ctx, project, "ends")
			if test.end != nil {
				test.end(ctx, s, &who)
			}
			ends, stays := s.join(ctx, hub, who), s.join(ctx, hub, s.viewer(ctx, project, "stays"))
			before := stays.World()
			if test.then != nil {
				test.then(ctx, s, project.Name)
			}
			s.goes(ctx, ends, live.ErrUnauthorized)
			if stays.World() != before {
				t.Error("the other one has noticed")
			}
			s.environment(ctx, project, "production")
			s.eventually(ctx, "the other one goes on", func() bool { return has(stays.World(), project.Name, "production") })
		})
	}
}
