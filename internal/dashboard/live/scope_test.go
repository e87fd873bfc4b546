// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
)

func TestOnlyNamesOfNamespacesAreAskedAbout(t *testing.T) {
	many := make([]string, 0, 2*mostCandidates)
	for i := range 2 * mostCandidates {
		many = append(many, strings.Repeat("a", i%60+1)+strings.Repeat("b", i/60+1))
	}
	for _, test := range []struct {
		name  string
		lists [][]string
		want  []scope
	}{
		{"nothing", nil, nil},
		{"each once, the first lists first", [][]string{{"b", "a"}, {"a", "c"}}, []scope{"b", "a", "c"}},
		{"the empty name would stand for all projects", [][]string{{"", "a"}}, []scope{"a"}},
		{"what is no name", [][]string{{"../a", "A", "a/b", "a b", "*", strings.Repeat("a", 64)}}, nil},
	} {
		if got := candidates(test.lists...); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, not %q", test.name, got, test.want)
		}
	}
	if got := candidates([]string{"first"}, many); len(got) != mostCandidates || got[0] != "first" {
		t.Errorf("%d are asked about, the first %q", len(got), got[0])
	}
}

func worldOf(project string, environments ...string) *page.World {
	world := &page.World{Projects: []string{project}}
	for _, name := range environments {
		world.Environments = append(world.Environments, environment(project, name, 1))
	}
	return world
}

func TestAWorldIsComposedOfItsScopes(t *testing.T) {
	at := noon.Add(3 * time.Second)
	for _, test := range []struct {
		name         string
		portions     []portion
		environments []string
		projects     []string
		stale        string
	}{
		{"everything", []portion{{everything, worldOf("shop", "dev"), time.Time{}}}, []string{"dev"}, []string{"shop"}, ""},
		{"one project", []portion{{"shop", worldOf("shop", "dev"), time.Time{}}}, []string{"dev"}, []string{"shop"}, ""},
		{"an empty project", []portion{{"shop", &page.World{}, time.Time{}}}, []string{}, []string{"shop"}, ""},
		{"two projects", []portion{{"a", worldOf("a", "x", "z"), time.Time{}}, {"b", worldOf("b", "y"), time.Time{}}}, []string{"x", "z", "y"}, []string{"a", "b"}, ""},
		{"one of them not read yet", []portion{{"a", worldOf("a", "x"), time.Time{}}, {"b", nil, time.Time{}}}, []string{"x"}, []string{"a", "b"}, "Some projects are still being read."},
		{
			"the API server away", []portion{{"a", worldOf("a", "x"), at}, {"b", worldOf("b", "y"), noon}}, []string{"x", "y"},
			[]string{"a", "b"}, "The API server does not answer: this is what it said until 2026-05-04 12:00:00 UTC.",
		},
	} {
		world := compose(test.portions)
		if got := names(world.Environments); !slices.Equal(got, test.environments) {
			t.Errorf("%s: environments %q, not %q", test.name, got, test.environments)
		}
		if !slices.Equal(world.Projects, test.projects) || world.Stale != test.stale {
			t.Errorf("%s: projects %q, stale %q", test.name, world.Projects, world.Stale)
		}
	}
}

func TestOfAWorldOnlyWhatIsWithinTheScopesIsLeft(t *testing.T) {
	world := compose([]portion{{"a", worldOf("a", "x"), time.Time{}}, {"b", worldOf("b", "y"), time.Time{}}})
	world.Releases = []*v1alpha1.Release{{}}
	world.Releases[0].Namespace = "a"
	world.Promotions = []*v1alpha1.Promotion{promotion("p", "dev", 0)}
	left := within(world, []scope{"b"})
	if !slices.Equal(names(left.Environments), []string{"y"}) || len(left.Releases)+len(left.Promotions) != 0 || !slices.Equal(left.Projects, []string{"b"}) {
		t.Errorf("left is %+v", left)
	}
	if none := within(world, nil); len(none.Environments)+len(none.Releases)+len(none.Promotions)+len(none.Projects) != 0 {
		t.Errorf("left is %+v", none)
	}
	if len(world.Environments) != 2 || len(world.Projects) != 2 {
		t.Error("what others see was changed")
	}
}

func TestAFrozenWorldSaysSo(t *testing.T) {
	world := worldOf("a", "x")
	still := frozen(world)
	if still.Stale != unconfirmed || world.Stale != "" || frozen(still) != still {
		t.Errorf("%q, and what others see %q", still.Stale, world.Stale)
	}
}
