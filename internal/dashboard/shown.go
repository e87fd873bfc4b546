// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"sync"

	"github.com/assent-dev/assent/internal/dashboard/page"
)

// mostShown is how many views are kept for others to see.
const mostShown = 32

// shown are views that are the same for everybody who may see the same world: each is made once, however many look at it.
type shown struct {
	mu   sync.Mutex
	each []*shownView
}

// shownView is one of them.
type shownView struct {
	world *page.World
	of    string
	view  func() (page.View, error)
}

// view of that name, of that world; made by the first who asks.
func (s *shown) view(world *page.World, of string, make func() (page.View, error)) (page.View, error) {
	return s.entry(world, of, make).view()
}

func (s *shown) entry(world *page.World, of string, make func() (page.View, error)) *shownView {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.each {
		if one.world == world && one.of == of {
			return one
		}
	}
	made := &shownView{world, of, sync.OnceValues(make)}
	if len(s.each) == mostShown {
		s.each = s.each[1:] // the oldest, whose world is past
	}
	s.each = append(s.each, made)
	return made
}
