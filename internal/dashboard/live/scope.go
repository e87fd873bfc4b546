// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/assent-dev/assent/internal/dashboard/page"
)

// scope is all projects, or the one of that name.
type scope string

// everything is the scope of all projects. As a namespace, it is how the API server is asked for all of them.
const everything scope = ""

// mostCandidates is how many projects are asked about for one identity.
const mostCandidates = 256

// candidates are the projects that may be asked about: the first of these lists that have them, each once. What is no name of a namespace is none, and least of
// all the empty one, which stands for all of them.
func candidates(lists ...[]string) []scope {
	var found []scope
	for _, list := range lists {
		for _, project := range list {
			if len(found) == mostCandidates {
				return found
			}
			if len(validation.IsDNS1123Label(project)) == 0 && !slices.Contains(found, scope(project)) {
				found = append(found, scope(project))
			}
		}
	}
	return found
}

// keyOf scopes that are in their order. No name of a namespace has a slash.
func keyOf(scopes []scope) string {
	names := make([]string, 0, len(scopes))
	for _, one := range scopes {
		names = append(names, string(one))
	}
	return strings.Join(names, "/")
}

// portion of a World is what one feed has.
type portion struct {
	scope scope
	// has is nil until everything was read once.
	has *page.World
	// away is since when the API server does not answer; zero where it does.
	away time.Time
}

// compose one World of the portions of scopes that are in their order. It copies pointers only, and where there is one portion not even these.
func compose(portions []portion) *page.World {
	world := &page.World{Stale: stale(portions)}
	for _, part := range portions {
		if part.scope != everything {
			world.Projects = append(world.Projects, string(part.scope))
		}
		if part.has == nil {
			continue
		}
		if part.scope == everything {
			world.Projects = part.has.Projects
		}
		if len(portions) == 1 {
			world.Environments, world.Releases, world.Promotions = part.has.Environments, part.has.Releases, part.has.Promotions
			break
		}
		world.Environments = append(world.Environments, part.has.Environments...)
		world.Releases = append(world.Releases, part.has.Releases...)
		world.Promotions = append(world.Promotions, part.has.Promotions...)
	}
	return world
}

// stale says why portions are not what the API server has now.
func stale(portions []portion) string {
	var since time.Time
	for _, part := range portions {
		if !part.away.IsZero() && (since.IsZero() || part.away.Before(since)) {
			since = part.away
		}
	}
	if !since.IsZero() {
		return fmt.Sprintf("The API server does not answer: this is what it said until %s.", since.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	for _, part := range portions {
		if part.has == nil {
			return "Some projects are still being read."
		}
	}
	return ""
}

// unconfirmed is told to whoever was allowed to see what they have, and cannot be asked about now.
const unconfirmed = "The API server does not say at the moment what you may see: this is what it said before."

// frozen is a World that gets nothing newer, and says so.
func frozen(world *page.World) *page.World {
	if world.Stale != "" {
		return world
	}
	still := *world
	still.Stale = unconfirmed
	return &still
}

// within is what a World has of some scopes.
func within(world *page.World, scopes []scope) *page.World {
	outside := func(project string) bool {
		return !slices.Contains(scopes, everything) && !slices.Contains(scopes, scope(project))
	}
	return &page.World{
		Environments: without(world.Environments, outside),
		Releases:     without(world.Releases, outside),
		Promotions:   without(world.Promotions, outside),
		Projects:     slices.DeleteFunc(slices.Clone(world.Projects), outside),
		Stale:        world.Stale,
	}
}

func without[T interface{ GetNamespace() string }](objects []T, outside func(string) bool) []T {
	return slices.DeleteFunc(slices.Clone(objects), func(object T) bool { return outside(object.GetNamespace()) })
}
