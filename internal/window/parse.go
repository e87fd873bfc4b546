// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Problem is a window that cannot be carried out.
type Problem struct {
	// Field is where it is in the Environment, such as "spec.windows.freeze[2].timeZone".
	Field string
	// Message says what is wrong, and what to do.
	Message string
}

// The limits of the API, which are kept here too: what has been stored under other rules must not be carried out by chance.
const (
	maxAllow        = 16
	maxFreeze       = 64
	maxExpression   = 128
	minDuration     = 60
	maxDuration     = 366 * int32(secondsOfDay)
	exampleTimeZone = "Europe/Zurich"
)

// parser gathers what it finds.
type parser struct {
	policy   Policy
	zones    map[string]int // index in the Policy's locations
	problems []Problem
}

// Parse reads windows and finds every problem in them. The Policy is nil unless there is none.
func Parse(policy v1alpha1.WindowPolicy) (*Policy, []Problem) {
	p := &parser{zones: map[string]int{}}
	p.policy.allow = p.windows("spec.windows.allow", policy.Allow, maxAllow)
	p.policy.freeze = p.windows("spec.windows.freeze", policy.Freeze, maxFreeze)
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return &p.policy, nil
}

func (p *parser) problem(field, format string, arguments ...any) {
	p.problems = append(p.problems, Problem{Field: field, Message: fmt.Sprintf(format, arguments...)})
}

func (p *parser) windows(field string, sources []v1alpha1.Window, most int) []window {
	if len(sources) > most {
		p.problem(field, "must have at most %d windows, not %d; join some of them", most, len(sources))
		return nil
	}
	var parsed []window
	for i := range sources {
		parsed = append(parsed, p.window(fmt.Sprintf("%s[%d]", field, i), sources[i]))
	}
	return parsed
}

func (p *parser) window(field string, source v1alpha1.Window) window {
	recurs, isFixed := source.Schedule != "", !source.StartTime.IsZero()
	switch {
	case recurs && isFixed:
		p.problem(field, "must have either a `schedule` or a `startTime`, not both; make two windows of it")
	case recurs:
		return p.recurring(field, source)
	case isFixed:
		return p.fixed(field, source)
	default:
		p.problem(field, "must have a `schedule` and `durationSeconds`, or a `startTime` and an `endTime`")
	}
	return window{}
}

func (p *parser) fixed(field string, source v1alpha1.Window) window {
	if source.DurationSeconds != 0 {
		p.problem(field+".durationSeconds", "must not be set in a window with a `startTime`; set `endTime`")
	}
	if source.TimeZone != "" {
		p.problem(field+".timeZone", "must not be set in a window with a `startTime`: `startTime` and `endTime` carry their own")
	}
	switch {
	case source.EndTime.IsZero():
		p.problem(field+".endTime", "must be set in a window with a `startTime`")
	case !source.StartTime.Before(&source.EndTime):
		p.problem(field+".endTime", "must be after `startTime`")
	}
	return window{
		source: source,
		zone:   p.zone(field, "UTC"),
		fixed:  &span{source.StartTime.Unix(), source.EndTime.Unix()},
	}
}

func (p *parser) recurring(field string, source v1alpha1.Window) window {
	if !source.EndTime.IsZero() {
		p.problem(field+".endTime", "must not be set in a window with a `schedule`; set `durationSeconds`")
	}
	if source.DurationSeconds < minDuration || source.DurationSeconds > maxDuration {
		p.problem(field+".durationSeconds", "must be from %d to %d, not %d", minDuration, maxDuration, source.DurationSeconds)
	}
	parsed := window{source: source, zone: p.zone(field, source.TimeZone), duration: int64(source.DurationSeconds)}
	if len(source.Schedule) > maxExpression {
		p.problem(field+".schedule", "must have at most %d characters, not %d", maxExpression, len(source.Schedule))
		return parsed
	}
	var err error
	if parsed.schedule, err = parseCron(source.Schedule); err != nil {
		p.problem(field+".schedule", "%q %s", source.Schedule, err)
	}
	return parsed
}

// zone is the index of a time zone in the Policy's locations.
func (p *parser) zone(field, name string) int {
	if name == "" {
		name = "UTC"
	}
	if index, known := p.zones[name]; known {
		return index
	}
	location, err := location(name)
	if err != nil {
		p.problem(field+".timeZone", "%q is not the name of a time zone; name one of the IANA database, such as %q", name, exampleTimeZone)
		return 0
	}
	p.zones[name] = len(p.policy.locations)
	p.policy.locations = append(p.policy.locations, location)
	return p.zones[name]
}

// location knows the names of the IANA database alone. Files that a system has beside them mean something else on each machine, or count leap seconds.
func location(name string) (*time.Location, error) {
	folder, _, _ := strings.Cut(name, "/")
	switch folder {
	case "Local", "localtime", "posixrules", "posix", "right":
		return nil, fmt.Errorf("%q depends on the machine", name)
	}
	return time.LoadLocation(name)
}
