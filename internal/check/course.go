// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// maxSoFar is how much of an attempt's message SoFar shows, in characters.
const maxSoFar = 300

// Course of a check: what came of its attempts until now, and whether there has to be another one. A check of phase Before has to pass once, one of
// phase After `times` in succession. It has failed
//
//	when an attempt fails that no other can mend (Finding.Retry is false),
//	when `attempts` attempts fail in succession,
//	when it can no longer pass within `times` times `attempts` attempts: one that fails now and then would go on for ever.
//
// It begins with NewCourse, knows no time, and is not safe for concurrent use.
type Course struct {
	times, attempts int32
	// made attempts, of which passed or failed are the last ones in succession; best is the most that have passed so.
	made, passed, failed, best int32
	last                       Finding
}

// NewCourse of a check that was not tried yet.
func NewCourse(check v1alpha1.Check) *Course {
	course := &Course{times: 1, attempts: max(1, check.Attempts)}
	if check.Phase == v1alpha1.CheckAfter {
		course.times = max(1, check.Times)
	}
	return course
}

// Made is how many attempts were counted.
func (c *Course) Made() int32 { return c.made }

// Passed is how many of the last attempts have passed in succession.
func (c *Course) Passed() int32 { return c.passed }

// Count an attempt, and say whether the check has ended with it.
func (c *Course) Count(attempt Finding) bool {
	c.last = attempt
	c.made++
	if attempt.Result == v1alpha1.CheckPassed {
		c.passed, c.failed = c.passed+1, 0
		c.best = max(c.best, c.passed)
		return c.passed >= c.times
	}
	c.passed, c.failed = 0, c.failed+1
	return !attempt.Retry || c.failed >= c.attempts || c.hopeless()
}

// hopeless says that even if every attempt passed from now on, there would be too many. What has passed is no part of it: after a failure it is none.
func (c *Course) hopeless() bool {
	return c.made > c.most()-c.times
}

// most attempts that there are.
func (c *Course) most() int32 { return c.times * c.attempts }

// Finding of the whole check, once it has ended.
func (c *Course) Finding() Finding {
	whole := c.last
	switch {
	case c.times == 1, whole.Result == v1alpha1.CheckFailed && !whole.Retry:
	case whole.Result == v1alpha1.CheckPassed:
		whole.Message = sentence("passed %d times in succession; the last time: %s", c.passed, whole.Message)
	case c.failed >= c.attempts && c.best == 0:
		whole.Message = sentence("failed %s: %s", succession(c.failed), whole.Message)
	case c.failed >= c.attempts:
		whole.Message = sentence("failed %s, having passed %d of %d times: %s", succession(c.failed), c.best, c.times, whole.Message)
	default:
		whole.Message = sentence("passed at most %d of %d times in succession, and can no longer within %d attempts; failed again: %s", c.best, c.times, c.most(), whole.Message)
	}
	return whole
}

// SoFar says what the attempts have found until now, such as "passed 3 of 5 times"; "" when there is nothing to say.
func (c *Course) SoFar() string {
	var parts []string
	if c.times > 1 {
		parts = append(parts, fmt.Sprintf("passed %d of %d times", c.passed, c.times))
	}
	if c.failed > 0 {
		parts = append(parts, fmt.Sprintf("failed %s, of %d at most: %s", succession(c.failed), c.attempts, printable(c.last.Message, maxSoFar)))
	}
	return strings.Join(parts, "; ")
}

func succession(times int32) string {
	if times == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in succession", times)
}
