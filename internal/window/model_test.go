// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// model is what the windows should say, found by looking at every minute (or second) of a time, one after the other. It shares nothing with the package.
type model struct {
	begin, step int64
	open        []bool
	freezes     [][]bool // of each freeze, when it is active
	nextOpen    []int    // index of the next step that is open; -1 if there is none
	nextClosed  []int
}

func newModel(t testing.TB, policy v1alpha1.WindowPolicy, begin, end, step int64) *model {
	m := &model{begin: begin, step: step}
	count := int((end - begin) / step)
	m.open = make([]bool, count)
	for _, w := range policy.Freeze {
		m.freezes = append(m.freezes, m.active(t, w, count))
	}
	allowed := make([]bool, count)
	for i := range allowed {
		allowed[i] = len(policy.Allow) == 0
	}
	for _, w := range policy.Allow {
		for i, active := range m.active(t, w, count) {
			allowed[i] = allowed[i] || active
		}
	}
	for i := range m.open {
		m.open[i] = allowed[i]
		for _, active := range m.freezes {
			m.open[i] = m.open[i] && !active[i]
		}
	}
	m.nextOpen, m.nextClosed = make([]int, count), make([]int, count)
	for i, nextOpen, nextClosed := count-1, -1, -1; i >= 0; i-- {
		if m.open[i] {
			nextOpen = i
		} else {
			nextClosed = i
		}
		m.nextOpen[i], m.nextClosed[i] = nextOpen, nextClosed
	}
	return m
}

// active walks from well before the model's begin on, so that it sees each beginning that may still count.
func (m *model) active(t testing.TB, w v1alpha1.Window, count int) []bool {
	active := make([]bool, count)
	if w.Schedule == "" {
		for i := range active {
			at := m.at(i)
			active[i] = !at.Before(w.StartTime.Time) && at.Before(w.EndTime.Time)
		}
		return active
	}
	location, err := time.LoadLocation(w.TimeZone)
	if err != nil {
		t.Fatal(err)
	}
	matcher := newMatcher(t, w.Schedule)
	warmUp := (int64(w.DurationSeconds)/m.step + 3*day/m.step) + 1
	until := m.begin - warmUp*m.step
	shown := wall(location, until)
	for i := -warmUp; i < int64(count); i++ {
		now := m.begin + i*m.step
		// Each time that the wall shows now and has not shown before, or that it just skipped.
		for now := wall(location, now); shown < now; {
			shown += m.step
			if shown%minute == 0 && matcher.matches(time.Unix(shown, 0).UTC()) {
				until = max(until, m.begin+i*m.step+int64(w.DurationSeconds))
			}
		}
		if i >= 0 {
			active[i] = now < until
		}
	}
	return active
}

func (m *model) at(i int) time.Time { return time.Unix(m.begin+int64(i)*m.step, 0).UTC() }

// lastFreeze is the index of the freeze that is active and ends last; -1 if none is active, and not sure if one outlasts the model.
func (m *model) lastFreeze(i int) (last int, sure bool) {
	last, lastEnd := -1, -1
	for f, active := range m.freezes {
		end := i
		for end < len(active) && active[end] {
			end++
		}
		if end == len(active) {
			return last, false
		}
		if active[i] && end > lastEnd {
			last, lastEnd = f, end
		}
	}
	return last, true
}

// wall is what the wall clock shows, as seconds since 1970 would be written.
func wall(location *time.Location, instant int64) int64 {
	_, offset := time.Unix(instant, 0).In(location).Zone()
	return instant + int64(offset)
}

// matcher is a cron expression as crontab(5) explains it.
type matcher struct {
	fields             [5][60]bool
	anyDay, anyWeekday bool
}

func newMatcher(t testing.TB, expression string) *matcher {
	m := &matcher{}
	lowest, highest := [5]int{0, 0, 1, 1, 0}, [5]int{59, 23, 31, 12, 7}
	names := strings.NewReplacer("mon", "1", "fri", "5", "sun", "0", "jan", "1", "dec", "12")
	for i, text := range strings.Fields(names.Replace(expression)) {
		for part := range strings.SplitSeq(text, ",") {
			span, step, hasStep := strings.Cut(part, "/")
			first, last, isRange := strings.Cut(span, "-")
			if span == "*" {
				first, last = strconv.Itoa(lowest[i]), strconv.Itoa(highest[i])
			} else if !isRange {
				last = first
			}
			if !hasStep {
				step = "1"
			}
			for value := integer(t, first); value <= integer(t, last); value += integer(t, step) {
				m.fields[i][value] = true
			}
		}
		if text == "*" {
			m.anyDay, m.anyWeekday = m.anyDay || i == 2, m.anyWeekday || i == 4
		}
	}
	m.fields[4][0] = m.fields[4][0] || m.fields[4][7]
	return m
}

func (m *matcher) matches(shown time.Time) bool {
	if !m.fields[0][shown.Minute()] || !m.fields[1][shown.Hour()] || !m.fields[3][shown.Month()] {
		return false
	}
	byDay, byWeekday := m.fields[2][shown.Day()], m.fields[4][shown.Weekday()]
	switch {
	case m.anyDay:
		return byWeekday
	case m.anyWeekday:
		return byDay
	default:
		return byDay || byWeekday
	}
}

func integer(t testing.TB, text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
