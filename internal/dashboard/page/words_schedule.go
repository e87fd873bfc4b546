// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"strconv"
	"strings"
)

var weekdays = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

// scheduleInWords says when a cron expression begins, where that is a time on days of the week, as nearly all are: "Monday to Friday at 09:00". False for any other,
// which people have to read as it is.
func scheduleInWords(expression string) (string, bool) {
	fields := strings.Fields(expression)
	if len(fields) != 5 || fields[2] != "*" || fields[3] != "*" {
		return "", false
	}
	minute, errMinute := strconv.Atoi(fields[0])
	hour, errHour := strconv.Atoi(fields[1])
	if errMinute != nil || errHour != nil || minute < 0 || minute > 59 || hour < 0 || hour > 23 {
		return "", false
	}
	days, ok := daysInWords(fields[4])
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%s at %02d:%02d", days, hour, minute), true
}

func daysInWords(field string) (string, bool) {
	if field == "*" {
		return "every day", true
	}
	var days []string
	for item := range strings.SplitSeq(field, ",") {
		first, last, isRange := strings.Cut(item, "-")
		from, ok := weekday(first)
		if !ok {
			return "", false
		}
		if !isRange {
			days = append(days, weekdays[from])
			continue
		}
		to, ok := weekday(last)
		if !ok || to <= from {
			return "", false
		}
		days = append(days, weekdays[from]+" to "+weekdays[to])
	}
	return enumerated(days, "and"), true
}

// weekday by its number, 0 for Sunday, or the first three letters of its name.
func weekday(text string) (int, bool) {
	for i, name := range weekdays {
		if strings.EqualFold(text, name[:3]) || text == strconv.Itoa(i) {
			return i, true
		}
	}
	return 0, false
}
