// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// hunter runs the tests for each mutant, several mutants at a time.
type hunter struct {
	suites map[Tests]*suite
	out    io.Writer

	mu sync.Mutex
	// killers are the parts that have noticed mutants of a function before: they are asked first.
	killers map[string][]*part
	done    int
	noticed int
	began   time.Time
	// broken is why nothing that was found is worth anything.
	broken error
}

// hunt all mutants, in as many places at once as there are.
func (h *hunter) hunt(ctx context.Context, mutants []*mutant, places []*place) {
	h.began, h.killers = time.Now(), map[string][]*part{}
	queue := make(chan *mutant)
	var working sync.WaitGroup
	for _, place := range places {
		working.Go(func() {
			for m := range queue {
				m.result = h.one(ctx, m, place)
				h.progress(m, len(mutants))
			}
		})
	}
	for _, m := range mutants {
		if ctx.Err() != nil || h.blamed() != nil {
			break
		}
		queue <- m
	}
	close(queue)
	working.Wait()
}

func (h *hunter) progress(m *mutant, of int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done++
	switch m.result {
	case killed, timedOut:
		h.noticed++
	case survived, unreached:
		fmt.Fprintf(h.out, "  %s: %s\n", m.result, m.name())
	case excepted:
	}
	if h.done%50 == 0 || h.done == of {
		fmt.Fprintf(h.out, "  %5s %d of %d mutants, %d noticed\n", time.Since(h.began).Round(time.Second), h.done, of, h.noticed)
	}
}

func (h *hunter) blame(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken = err
}

func (h *hunter) blamed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.broken
}

// one mutant, against its tests in their order.
func (h *hunter) one(ctx context.Context, m *mutant, place *place) result {
	end := unreached
	for _, tests := range m.tests {
		s := h.suites[tests]
		if s == nil {
			continue
		}
		reaching := s.reaching(m.siteID())
		if len(reaching) == 0 {
			continue
		}
		end = survived
		for _, parts := range h.rounds(m, s, reaching) {
			ran := place.run(ctx, s, s.arguments(parts), limit(s, parts), mutantVariable+"="+m.id())
			if ran.none {
				h.blame(fmt.Errorf("%s: none of the specs ran that were asked about %s", s.name(), m.name()))
			}
			if ran.timedOut {
				return timedOut
			}
			if !ran.passed {
				h.remember(m, s, ran.failed)
				return killed
			}
		}
	}
	return end
}

// rounds of parts to ask: first those that have noticed other mutants of the function, then the quick ones, then all that get there. A quick suite is
// asked as a whole at once.
func (h *hunter) rounds(m *mutant, s *suite, reaching []*part) [][]*part {
	if !s.cluster() && s.took < time.Second {
		return [][]*part{nil}
	}
	var all [][]*part
	add := func(parts []*part) {
		asked := func(p *part) bool {
			return slices.ContainsFunc(all, func(before []*part) bool { return slices.Contains(before, p) })
		}
		if slices.ContainsFunc(parts, func(p *part) bool { return !asked(p) }) {
			all = append(all, parts)
		}
	}
	h.mu.Lock()
	known := slices.Clone(h.killers[killerKey(m, s)])
	h.mu.Unlock()
	add(slices.DeleteFunc(known, func(p *part) bool { return !slices.Contains(reaching, p) }))
	var total, quick time.Duration
	for _, p := range reaching {
		total += p.took()
	}
	count := 0
	for _, p := range reaching {
		if quick += p.took(); quick > total/4 && count > 0 {
			break
		}
		count++
	}
	add(reaching[:count])
	add(reaching)
	return all
}

func killerKey(m *mutant, s *suite) string {
	return m.in.short + " " + m.site.function + " " + s.name()
}

// remember who has noticed; the last three of a function are enough.
func (h *hunter) remember(m *mutant, s *suite, failed []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := killerKey(m, s)
	for _, p := range s.parts {
		if slices.ContainsFunc(failed, func(name string) bool { return name == p.name || strings.HasPrefix(name, p.name+" ") }) && !slices.Contains(h.killers[key], p) {
			h.killers[key] = append([]*part{p}, h.killers[key]...)
		}
	}
	h.killers[key] = h.killers[key][:min(3, len(h.killers[key]))]
}

// limit on the time of a run: several times what it takes without a mutant.
func limit(s *suite, parts []*part) time.Duration {
	var took time.Duration
	for _, p := range parts {
		took += p.took()
	}
	if len(parts) == 0 {
		took = s.took
	}
	if s.cluster() {
		return 90*time.Second + 4*took
	}
	return 5*time.Second + 6*took
}
