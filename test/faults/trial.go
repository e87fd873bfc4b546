// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"slices"
	"sync"
)

// Fault is what one write meets.
type Fault struct {
	// At names the write, such as "create auditrecords production-0000000001 Intent"; of several with that name, one by its number: " #2".
	At string
	// Next is for a fault without a name: it is met by the write that many after the fault before it.
	Next int
	Mode Mode
}

// String is the fault as messages show it.
func (f Fault) String() string {
	if f.At == "" {
		return fmt.Sprintf("%s %d writes later", f.Mode, f.Next)
	}
	return fmt.Sprintf("%s at %q", f.Mode, f.At)
}

// trial is what happens to the requests of one run, through all the processes of the operator in it.
type trial struct {
	mu sync.Mutex
	// armed says that what is to be swept has begun.
	armed  bool
	counts map[string]int
	// met are the writes and questions since then, in the order of their sending, and timed those of them that the clock alone decides on.
	met []met
	// left are the faults that were not met yet, in their order.
	left  []Fault
	found []Fault
}

// met is a request that could have met a fault.
type met struct {
	name  string
	class class
	timed bool
}

func newTrial(faults []Fault) *trial {
	return &trial{counts: map[string]int{}, left: slices.Clone(faults)}
}

// arm begins to count.
func (t *trial) arm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed = true
}

// meet counts a request and says how it is called among those of its name, and what it meets; both are empty for what is not swept.
func (t *trial) meet(sent request) (string, Mode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.armed || (sent.class != writing && sent.class != asking) {
		return "", ""
	}
	t.counts[sent.name]++
	name := sent.name
	if count := t.counts[name]; count > 1 {
		name = fmt.Sprintf("%s #%d", name, count)
	}
	one := met{name: name, class: sent.class, timed: sent.timed && (sent.verb != "create" || t.counts[sent.name] > 1)}
	t.met = append(t.met, one)
	if len(t.left) == 0 || !t.left[0].meets(one, len(t.found) > 0) {
		return name, ""
	}
	fault := t.left[0]
	t.left, t.found = t.left[1:], append(t.found, fault)
	return name, fault.Mode
}

// meets says whether it is the turn of a fault. It counts what passes.
func (f *Fault) meets(one met, later bool) bool {
	if f.At != "" {
		return f.At == one.name
	}
	if later && one.class == writing && !one.timed {
		f.Next--
	}
	return f.Next == 0
}

// reached are the faults that were met so far.
func (t *trial) reached() []Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.found)
}

// seen are the requests so far that could have met a fault.
func (t *trial) seen() []met {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.met)
}
