// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/dashboard/live"
)

// once is one list and one watch of each kind.
var once = map[string]int{
	"list environments": 1, "list releases": 1, "list promotions": 1,
	"watch environments": 1, "watch releases": 1, "watch promotions": 1,
}

func TestFiftyViewersReadOnceAndSeeAChangeWithinASecond(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	changing := s.environment(ctx, project, "production")
	people := make([]live.Person, 50)
	for i := range people {
		people[i] = s.viewer(ctx, project, fmt.Sprintf("viewer-%d", i))
	}
	log := s.log()
	hub := live.NewHub(s.config, live.Options{})
	defer hub.Close()
	viewers := make([]*live.Viewer, len(people))
	var joining sync.WaitGroup
	for i, who := range people {
		joining.Go(func() {
			viewer, err := hub.Join(ctx, who)
			if err != nil {
				t.Error(err)
				return
			}
			viewers[i] = viewer
		})
	}
	joining.Wait()
	if t.Failed() {
		return
	}
	for _, viewer := range viewers {
		if viewer.World() != viewers[0].World() {
			t.Fatal("viewers who may see the same have different Worlds")
		}
	}
	if world := viewers[0].World(); !has(world, project.Name, "production") || world.Stale != "" || !slices.Equal(world.Projects, []string{project.Name}) {
		t.Fatalf("they see %+v", world)
	}

	changing.Annotations = map[string]string{"changed": "yes"}
	s.must(s.admin.Update(ctx, changing))
	changed := time.Now()
	for _, viewer := range viewers {
		s.eventually(ctx, "the change is seen", func() bool { return viewer.World().Environments[0].Annotations["changed"] == "yes" })
		<-viewer.Changed()
	}
	if took := time.Since(changed); took > time.Second {
		t.Errorf("it took %s until all had seen the change", took)
	}

	hub.Close() // a watch is in the log when it has ended
	s.eventually(ctx, "the watches have ended", func() bool { return s.reads(log, project.Name)["watch promotions"] > 0 })
	if reads := s.reads(log, project.Name); !maps.Equal(reads, once) {
		t.Errorf("the reads are %v", reads)
	}
}

func TestWhenTheOneWhoseTokenIsUsedLeavesOthersGoOn(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	hub := s.hub(live.Options{})
	first := s.join(ctx, hub, s.viewer(ctx, project, "first"))
	second := s.join(ctx, hub, s.viewer(ctx, project, "second"))
	before := second.World()
	log := s.log()
	first.Close()
	s.eventually(ctx, "the first one's watches end", func() bool { return s.reads(log, project.Name)["watch promotions"] == 1 })
	if second.World() != before {
		t.Error("the other one has noticed")
	}
	s.environment(ctx, project, "production")
	s.eventually(ctx, "the change is seen", func() bool { return has(second.World(), project.Name, "production") })
	if reads := s.reads(log, project.Name); reads["list environments"]+reads["list releases"]+reads["list promotions"] > 0 {
		t.Errorf("all was read again: %v", reads)
	}
	s.goes(ctx, first, live.ErrClosed)
}

func TestPagesThatAreLoadedOneAfterTheOtherShare(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	who := s.viewer(ctx, project, "somebody")
	log := s.log()
	hub := s.hub(live.Options{Linger: time.Minute})
	for range 3 {
		s.join(ctx, hub, who).Close()
	}
	s.environment(ctx, project, "production")
	s.eventually(ctx, "it is followed meanwhile", func() bool {
		viewer := s.join(ctx, hub, who)
		defer viewer.Close()
		return has(viewer.World(), project.Name, "production")
	})
	if reads := s.reads(log, project.Name); reads["list promotions"] != 1 || reads["watch promotions"] != 0 {
		t.Errorf("the reads are %v", reads)
	}
}

func TestWhatNobodyLooksAtIsNotKept(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	log := s.log()
	hub := s.hub(live.Options{Linger: 100 * time.Millisecond})
	s.join(ctx, hub, s.viewer(ctx, project, "somebody")).Close()
	s.eventually(ctx, "the watches end", func() bool {
		reads := s.reads(log, project.Name)
		return reads["watch environments"] == 1 && reads["watch releases"] == 1 && reads["watch promotions"] == 1
	})
}

func TestTheLastPromotionToHaveEndedIsSeenAlsoWhenOneIsDeleted(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	s.environment(ctx, project, "dev")
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s.promotion(ctx, project, "first", "dev", noon)
	viewer := s.join(ctx, s.hub(live.Options{}), s.viewer(ctx, project, "somebody"))
	sees := func(want ...string) {
		t.Helper()
		s.eventually(ctx, fmt.Sprintf("the promotions are %q", want), func() bool { return slices.Equal(promotionsOf(viewer.World()), want) })
	}
	sees("first")
	second := s.promotion(ctx, project, "second", "dev", noon.Add(time.Minute))
	sees("second")
	s.promotion(ctx, project, "waiting", "dev", time.Time{})
	sees("second", "waiting")
	s.must(s.admin.Delete(ctx, second, client.Preconditions{UID: &second.UID}))
	sees("first", "waiting")
}
