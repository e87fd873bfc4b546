// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math"
	"time"
)

// clock is the clock on the wall of one time zone. Instants are seconds since 1970 in UTC, wall times seconds since 1970 as the wall shows them.
// It remembers where it looked last, so it must not be used by two goroutines at once.
type clock struct {
	location *time.Location
	known    season
}

// season is a span of instants, end exclusive, in which the wall clock has the same offset from UTC. The next may have the same.
type season struct {
	begin, end, offset int64
}

const (
	// beginning and end of time are far enough from the limits of an int64 to add offsets to them.
	beginningOfTime = math.MinInt64 / 4
	endOfTime       = math.MaxInt64 / 4
	// farthestOffset is more than any wall clock differs from UTC, and more than it was ever put back at once.
	farthestOffset = secondsOfDay
)

func (c *clock) season(instant int64) season {
	if c.known.begin <= instant && instant < c.known.end {
		return c.known
	}
	at := time.Unix(instant, 0).In(c.location)
	begin, end := at.ZoneBounds()
	_, offset := at.Zone()
	c.known = season{begin: beginningOfTime, end: endOfTime, offset: int64(offset)}
	if !begin.IsZero() {
		c.known.begin = begin.Unix()
	}
	if !end.IsZero() {
		c.known.end = end.Unix()
	}
	// Where a zone's rules are a formula, ZoneBounds ends each season with the year, and on the last day of a leap year says that it has ended a day ago.
	for c.known.end <= instant {
		c.known.end += secondsOfDay
	}
	return c.known
}

// reached is what the wall clock has come up to right before an instant, were it never put back: wall times before it have been, or were skipped.
func (c *clock) reached(instant int64) int64 {
	current := c.season(instant - 1)
	highest := instant + current.offset
	for current.begin > instant-2*farthestOffset {
		current = c.season(current.begin - 1)
		highest = max(highest, current.end+current.offset)
	}
	return highest
}

// instant is when the wall clock first reaches a wall time or, if that is skipped, jumps over it.
func (c *clock) instant(wall int64) int64 {
	current := c.season(wall - farthestOffset)
	for wall >= current.end+current.offset {
		current = c.season(current.end)
	}
	return max(current.begin, wall-current.offset)
}
