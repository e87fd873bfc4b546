// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/window"
)

func at(text string) metav1.Time {
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return metav1.NewTime(parsed)
}

// officeHours of Zurich: on working days from nine to five.
var officeHours = v1alpha1.Window{Schedule: "0 9 * * 1-5", DurationSeconds: 8 * 3600, TimeZone: "Europe/Zurich"}

func TestACalendarSaysOfEachDayWhenARolloutMayStart(t *testing.T) {
	friday := at("2031-03-28T22:30:00Z") // in Zurich it is 23:30, and on Sunday the clock is put forward
	freeze := func(begin, end, reason string) v1alpha1.Window {
		return v1alpha1.Window{StartTime: at(begin), EndTime: at(end), Reason: reason}
	}
	for name, each := range map[string]struct {
		policy v1alpha1.WindowPolicy
		zone   string
		days   map[int]string
	}{
		"working hours, before and after the clock is put forward": {
			v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{officeHours}}, "Europe/Zurich",
			map[int]string{0: "09:00–17:00", 1: "closed", 2: "closed", 3: "09:00–17:00", 13: "09:00–17:00"},
		},
		"a freeze goes before a window": {
			v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{officeHours}, Freeze: []v1alpha1.Window{freeze("2031-03-31T10:00:00Z", "2031-04-02T10:00:00Z", "quarter end")}},
			"Europe/Zurich",
			map[int]string{0: "09:00–17:00", 3: "09:00–12:00; frozen 12:00–24:00: quarter end", 4: "frozen: quarter end", 5: "frozen 00:00–12:00: quarter end; 12:00–17:00"},
		},
		"nothing but freezes": {
			v1alpha1.WindowPolicy{Freeze: []v1alpha1.Window{freeze("2031-03-30T06:00:00Z", "2031-03-30T07:30:00Z", "")}}, "UTC",
			map[int]string{0: "all day", 2: "00:00–06:00; frozen 06:00–07:30; 07:30–24:00"},
		},
		"a freeze that is long over": {
			v1alpha1.WindowPolicy{Freeze: []v1alpha1.Window{freeze("2021-03-30T06:00:00Z", "2021-03-30T07:30:00Z", "")}}, "UTC",
			map[int]string{0: "all day", 13: "all day"},
		},
		"a window over midnight": {
			v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{{Schedule: "0 22 * * *", DurationSeconds: 4 * 3600}}}, "UTC",
			map[int]string{0: "00:00–02:00; 22:00–24:00"},
		},
		"a window in the hour that is skipped begins when the clock has jumped": {
			v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{{Schedule: "30 2 * * *", DurationSeconds: 3600, TimeZone: "Europe/Zurich"}}}, "Europe/Zurich",
			map[int]string{1: "02:30–03:30", 2: "03:00–04:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			shown := calendarOf(each.policy, friday.Time)
			if shown.Zone != each.zone || len(shown.Days) != calendarDays {
				t.Fatalf("it has %d days in %q, and not in %q", len(shown.Days), shown.Zone, each.zone)
			}
			for day, want := range each.days {
				if got := strings.Join(shown.Days[day].Words(), "; "); got != want {
					t.Errorf("%s says %q, and not %q", shown.Days[day].Label, got, want)
				}
			}
		})
	}
}

func TestACalendarSaysTheSameAsTheGate(t *testing.T) {
	policy := v1alpha1.WindowPolicy{
		Allow: []v1alpha1.Window{officeHours, {Schedule: "*/40 3,20 * * *", DurationSeconds: 1200, TimeZone: "Asia/Tokyo"}},
		Freeze: []v1alpha1.Window{
			{Schedule: "0 12 * * *", DurationSeconds: 1800, TimeZone: "Europe/Zurich", Reason: "lunch"},
			{StartTime: at("2031-10-26T00:00:00Z"), EndTime: at("2031-10-27T09:00:00Z"), Reason: "the clock is put back"},
		},
	}
	gate, problems := window.Parse(policy)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	now := at("2031-10-20T12:00:00Z")
	shown := calendarOf(policy, now.Time)
	zone, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2031, 10, 20, 0, 0, 0, 0, zone)
	for number, day := range shown.Days {
		end := 0
		for _, span := range day.Spans {
			if span.At != end {
				t.Errorf("%s has a hole, or spans over each other, at minute %d", day.Label, span.At)
			}
			end = span.At + span.Width
			date := begin.AddDate(0, 0, number)
			moment := time.Date(date.Year(), date.Month(), date.Day(), 0, span.At+span.Width/2, 0, 0, zone)
			if open := gate.At(moment).Open; open != (span.State == calendarOpen) {
				t.Errorf("%s at minute %d is %s, and the gate says %v", day.Label, span.At+span.Width/2, span.State, open)
			}
		}
		if end != minutesADay {
			t.Errorf("%s ends at minute %d", day.Label, end)
		}
	}
	if !shown.Zones {
		t.Error("it does not say that there are windows in other time zones")
	}
}

func TestACalendarOfNoWindowsOrOfWrongOnesSaysSo(t *testing.T) {
	if shown := calendarOf(v1alpha1.WindowPolicy{}, time.Time{}); !shown.Any || len(shown.Days) != 0 {
		t.Errorf("without windows it is %+v", shown)
	}
	shown := calendarOf(v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{{Schedule: "never", DurationSeconds: 3600}}}, time.Time{})
	if len(shown.Problems) != 1 || !strings.Contains(shown.Problems[0], "spec.windows.allow[0].schedule") {
		t.Errorf("of a wrong window it says %q", shown.Problems)
	}
}

func TestACalendarStaysTheSameForAllOfTheDay(t *testing.T) {
	policy := v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{officeHours}}
	morning, evening := viewer(), viewer()
	evening.Now = morning.Now.Add(9 * time.Hour)
	for name, of := range map[string]Context{"morning": morning, "evening": evening} {
		first, err := morning.part("a", "environment-calendar", calendarOf(policy, morning.Now))
		if err != nil {
			t.Fatal(err)
		}
		second, err := of.part("a", "environment-calendar", calendarOf(policy, of.Now))
		if err != nil {
			t.Fatal(err)
		}
		if first != second {
			t.Errorf("in the %s it is another one", name)
		}
	}
}
