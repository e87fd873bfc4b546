// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check_test

import (
	"strings"
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/check"
)

// attempts by letters: p passes, f fails, x fails so that no other attempt mends it.
var attempts = map[rune]check.Finding{
	'p': {Result: v1alpha1.CheckPassed, Message: "0.001"},
	'f': {Result: v1alpha1.CheckFailed, Retry: true, Message: "0.02"},
	'x': {Result: v1alpha1.CheckFailed, Message: "no such field"},
}

func TestACheckEndsWithTheAttemptThatDecidesIt(t *testing.T) {
	for name, test := range map[string]struct {
		phase           v1alpha1.CheckPhase
		times, attempts int32
		course          string
		result          v1alpha1.CheckResult
		message         string
	}{
		"before: once is enough":              {"", 0, 3, "p", v1alpha1.CheckPassed, "0.001"},
		"before: times is for After":          {v1alpha1.CheckBefore, 5, 3, "p", v1alpha1.CheckPassed, "0.001"},
		"before: at the last attempt":         {v1alpha1.CheckBefore, 1, 3, "ffp", v1alpha1.CheckPassed, "0.001"},
		"before: never":                       {v1alpha1.CheckBefore, 1, 3, "fff", v1alpha1.CheckFailed, "0.02"},
		"before: what cannot be mended":       {v1alpha1.CheckBefore, 1, 3, "fx", v1alpha1.CheckFailed, "no such field"},
		"before: without a number":            {v1alpha1.CheckBefore, 0, 0, "f", v1alpha1.CheckFailed, "0.02"},
		"after: once":                         {v1alpha1.CheckAfter, 1, 3, "ffp", v1alpha1.CheckPassed, "0.001"},
		"after: never":                        {v1alpha1.CheckAfter, 1, 2, "ff", v1alpha1.CheckFailed, "0.02"},
		"after: in succession":                {v1alpha1.CheckAfter, 3, 3, "ppp", v1alpha1.CheckPassed, "passed 3 times in succession; the last time: 0.001"},
		"after: a failure begins it again":    {v1alpha1.CheckAfter, 3, 3, "ppfppp", v1alpha1.CheckPassed, "passed 3 times in succession; the last time: 0.001"},
		"after: a pass begins failures again": {v1alpha1.CheckAfter, 3, 3, "ffpffp" + "f", v1alpha1.CheckFailed, "passed at most 1 of 3 times in succession, and can no longer within 9 attempts; failed again: 0.02"},
		"after: failures in succession":       {v1alpha1.CheckAfter, 5, 2, "ppff", v1alpha1.CheckFailed, "failed 2 times in succession, having passed 2 of 5 times: 0.02"},
		"after: nothing but failures":         {v1alpha1.CheckAfter, 5, 2, "ff", v1alpha1.CheckFailed, "failed 2 times in succession: 0.02"},
		"after: one failure is too many":      {v1alpha1.CheckAfter, 5, 1, "pppf", v1alpha1.CheckFailed, "failed once, having passed 3 of 5 times: 0.02"},
		"after: what cannot be mended":        {v1alpha1.CheckAfter, 5, 3, "ppx", v1alpha1.CheckFailed, "no such field"},
		"after: as late as it may":            {v1alpha1.CheckAfter, 2, 3, "fpfpp", v1alpha1.CheckPassed, "passed 2 times in succession; the last time: 0.001"},
		"after: now and then": {v1alpha1.CheckAfter, 4, 3, "pppfpppfp" + "f", v1alpha1.CheckFailed,
			"passed at most 3 of 4 times in succession, and can no longer within 12 attempts; failed again: 0.02"},
	} {
		t.Run(name, func(t *testing.T) {
			course := check.NewCourse(v1alpha1.Check{Phase: test.phase, Times: test.times, Attempts: test.attempts})
			for i, letter := range test.course {
				if ended := course.Count(attempts[letter]); ended != (i == len(test.course)-1) {
					t.Fatalf("after attempt %d: ended %v", i+1, ended)
				}
			}
			got := course.Finding()
			if got.Result != test.result || got.Message != test.message || int(course.Made()) != len(test.course) {
				t.Errorf("after %d attempts:\n got %s: %s\nwant %s: %s", course.Made(), got.Result, got.Message, test.result, test.message)
			}
		})
	}
}

func TestNoCheckGoesOnForEver(t *testing.T) {
	for _, pattern := range []string{"pf", "ppf", "f", "fp", "pppppppppf"} {
		course := check.NewCourse(v1alpha1.Check{Phase: v1alpha1.CheckAfter, Times: 1000, Attempts: 10})
		made := 0
		for ended := false; !ended; made++ {
			if made > 10_000 {
				t.Fatalf("%q: it goes on after %d attempts", pattern, made)
			}
			ended = course.Count(attempts[rune(pattern[made%len(pattern)])])
		}
		if course.Finding().Result != v1alpha1.CheckFailed {
			t.Errorf("%q: %+v", pattern, course.Finding())
		}
	}
}

func TestACheckSaysHowFarItIs(t *testing.T) {
	for _, test := range []struct {
		times  int32
		course string
		want   string
	}{
		{5, "", "passed 0 of 5 times"},
		{5, "ppp", "passed 3 of 5 times"},
		{5, "pppff", "passed 0 of 5 times; failed 2 times in succession, of 3 at most: 0.02"},
		{5, "pppfp", "passed 1 of 5 times"},
		{1, "", ""},
		{1, "f", "failed once, of 3 at most: 0.02"},
	} {
		course := check.NewCourse(v1alpha1.Check{Phase: v1alpha1.CheckAfter, Times: test.times, Attempts: 3})
		for _, letter := range test.course {
			course.Count(attempts[letter])
		}
		if got := course.SoFar(); got != test.want {
			t.Errorf("%q:\n got %s\nwant %s", test.course, got, test.want)
		}
	}
	course := check.NewCourse(v1alpha1.Check{Attempts: 3})
	course.Count(check.Finding{Result: v1alpha1.CheckFailed, Retry: true, Message: strings.Repeat("e", 2000)})
	if got := course.SoFar(); len(got) > 400 {
		t.Error(got)
	}
}
