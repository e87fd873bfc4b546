// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// cron is a schedule of five fields: the minutes of a day that it names, and the days. A bit stands for a value that matches.
type cron struct {
	minutes  minutes // of each day that matches
	days     uint64  // of the month, 1 to 31
	months   uint64  // 1 to 12
	weekdays uint64  // 0 (Sunday) to 6
	// anyDay and anyWeekday say that the field is `*`. If neither is, a day matches that either field names, as in every cron.
	anyDay, anyWeekday bool
}

// field is one of the five of a cron expression.
type field struct {
	name     string
	min, max int
	names    []string // from the lowest value on; nil if there are only numbers
}

var (
	minuteField  = field{name: "minute", min: 0, max: 59}
	hourField    = field{name: "hour", min: 0, max: 23}
	dayField     = field{name: "day of month", min: 1, max: 31}
	monthField   = field{name: "month", min: 1, max: 12, names: strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")}
	weekdayField = field{name: "day of week", min: 0, max: 6, names: strings.Fields("sun mon tue wed thu fri sat")}
)

var (
	errFiveFields = errors.New(`must have five fields (minute, hour, day of month, month, day of week), such as "0 9 * * 1-4"`)
	errNever      = errors.New("never fires: no month that it names has such a day; change the day of month or the month")
)

// parseCron reads a cron expression. It refuses one that never fires.
func parseCron(expression string) (cron, error) {
	texts := strings.Fields(expression)
	switch {
	case strings.HasPrefix(expression, "@"):
		return cron{}, fmt.Errorf("%w; write %q with them", errFiveFields, expression)
	case strings.Contains(expression, "TZ="):
		return cron{}, fmt.Errorf("%w; the time zone belongs in `timeZone`", errFiveFields)
	case len(texts) != 5:
		return cron{}, fmt.Errorf("%w; this one has %d", errFiveFields, len(texts))
	}
	var values [5]uint64
	var anyValue [5]bool
	for i, f := range []field{minuteField, hourField, dayField, monthField, weekdayField} {
		var err error
		if values[i], anyValue[i], err = f.parse(texts[i]); err != nil {
			return cron{}, err
		}
	}
	parsed := cron{
		minutes: minutesOf(values[0], values[1]),
		days:    values[2], months: values[3], weekdays: values[4],
		anyDay: anyValue[2], anyWeekday: anyValue[4],
	}
	if !parsed.fires() {
		return cron{}, errNever
	}
	return parsed, nil
}

// parse reads a list such as "1,10-20/2,*/15": the values it names, and whether it is, or contains, a plain `*`.
func (f field) parse(list string) (values uint64, anyValue bool, err error) {
	for item := range strings.SplitSeq(list, ",") {
		span, stepText, stepped := strings.Cut(item, "/")
		from, to, err := f.parseRange(span, stepped)
		if err != nil {
			return 0, false, fmt.Errorf("has a wrong %s %q: %w", f.name, item, err)
		}
		step := 1
		if stepped {
			if step, err = number(stepText, 1, f.max); err != nil {
				return 0, false, fmt.Errorf("has a wrong %s %q: the step %w", f.name, item, err)
			}
		}
		for value := from; value <= to; value += step {
			values |= 1 << f.canonical(value)
		}
		anyValue = anyValue || (isAny(span) && step == 1)
	}
	return values, anyValue, nil
}

// parseRange reads `*`, a value, or two with a hyphen between. A single value with a step lasts until the field's end: "5/15" is "5-59/15".
func (f field) parseRange(span string, stepped bool) (from, to int, err error) {
	if isAny(span) {
		return f.min, f.max, nil
	}
	first, last, hyphen := strings.Cut(span, "-")
	if from, err = f.value(first); err != nil {
		return 0, 0, err
	}
	switch {
	case hyphen:
		if to, err = f.value(last); err != nil {
			return 0, 0, err
		}
		if to < from {
			return 0, 0, fmt.Errorf("%s is after %s; write two ranges with a comma between", first, last)
		}
		return from, to, nil
	case stepped:
		return from, max(from, f.max), nil
	default:
		return from, from, nil
	}
}

func (f field) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.min + i, nil
		}
	}
	highest := f.max
	if f.name == weekdayField.name {
		highest++ // Sunday again, so that "5-7" can be said
	}
	return number(text, f.min, highest)
}

// canonical is the value that stands for the same: day of week 7 is Sunday, as 0 is.
func (f field) canonical(value int) int {
	if f.name == weekdayField.name {
		return value % 7
	}
	return value
}

func isAny(span string) bool { return span == "*" || span == "?" }

// number reads digits and nothing else: neither a sign nor an underscore.
func number(text string, lowest, highest int) (int, error) {
	value, err := strconv.ParseUint(text, 10, 8)
	if err != nil || int(value) < lowest || int(value) > highest {
		return 0, fmt.Errorf("must be a number from %d to %d, not %q", lowest, highest, text)
	}
	return int(value), nil
}

// fires tells whether any day matches. Only days of the month can name none.
func (c cron) fires() bool {
	if !c.anyDay && !c.anyWeekday {
		return true
	}
	for month := 1; month <= 12; month++ {
		longest := time.Date(2000, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day() // a leap year
		if c.months&(1<<month) != 0 && bits.TrailingZeros64(c.days) <= longest {
			return true
		}
	}
	return false
}

// matchesDay tells whether it fires on a day, counted from 1 January 1970.
func (c *cron) matchesDay(day int64) bool {
	if c.anyDay && c.months == everyMonth { // the usual case; a date costs much more than a day of the week
		return c.weekdays&(1<<weekday(day)) != 0
	}
	date := time.Unix(day*secondsOfDay, 0).UTC()
	_, month, dayOfMonth := date.Date()
	if c.months&(1<<month) == 0 {
		return false
	}
	byDay := c.days&(1<<dayOfMonth) != 0
	byWeekday := c.weekdays&(1<<weekday(day)) != 0
	if c.anyDay || c.anyWeekday {
		return byDay && byWeekday
	}
	return byDay || byWeekday
}

// dayBefore is the latest day before another that it fires on, but none before the oldest.
func (c *cron) dayBefore(day, oldest int64) (int64, bool) {
	for day--; day >= oldest; day-- {
		if c.matchesDay(day) {
			return day, true
		}
		if _, month, dayOfMonth := time.Unix(day*secondsOfDay, 0).UTC().Date(); c.months&(1<<month) == 0 {
			day -= int64(dayOfMonth) - 1 // on with the month before
		}
	}
	return 0, false
}

// weekday of a day, counted from 1 January 1970, a Thursday.
func weekday(day int64) int64 { return day + 4 - 7*floorDivide(day+4, 7) }

// everyMonth is the set of all twelve.
const everyMonth = 1<<13 - 1<<1
