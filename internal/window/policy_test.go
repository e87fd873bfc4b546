// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/window"
)

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
)

func recurring(schedule string, seconds int32, zone string) v1alpha1.Window {
	return v1alpha1.Window{Schedule: schedule, DurationSeconds: seconds, TimeZone: zone}
}

func fixed(begin, end string) v1alpha1.Window {
	return v1alpha1.Window{StartTime: metav1.NewTime(instant(begin)), EndTime: metav1.NewTime(instant(end))}
}

func because(reason string, w v1alpha1.Window) v1alpha1.Window {
	w.Reason = reason
	return w
}

func instant(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return at
}

func allow(windows ...v1alpha1.Window) v1alpha1.WindowPolicy {
	return v1alpha1.WindowPolicy{Allow: windows}
}

func freeze(windows ...v1alpha1.Window) v1alpha1.WindowPolicy {
	return v1alpha1.WindowPolicy{Freeze: windows}
}

func both(allowed, frozen v1alpha1.WindowPolicy) v1alpha1.WindowPolicy {
	return v1alpha1.WindowPolicy{Allow: allowed.Allow, Freeze: frozen.Freeze}
}

func parse(t testing.TB, policy v1alpha1.WindowPolicy) *window.Policy {
	t.Helper()
	parsed, problems := window.Parse(policy)
	if len(problems) > 0 {
		t.Fatalf("unexpected problems: %v", problems)
	}
	return parsed
}

func TestARolloutMayStartInsideOfAnAllowWindowAndOutsideOfEveryFreeze(t *testing.T) {
	office := allow(recurring("0 9 * * 1-4", 8*hour, "Europe/Zurich"))
	yearEnd := freeze(because("year end", fixed("2025-12-20T00:00:00Z", "2026-01-05T00:00:00Z")))
	leapDay := allow(recurring("0 0 29 2 *", hour, ""))
	for _, row := range []struct {
		name    string
		policy  v1alpha1.WindowPolicy
		at      string
		opens   string // closed until then; "never" if it does not open
		closes  string // open until then; "never" if it does not close
		message string
	}{
		// Inside and outside.
		{"no windows", v1alpha1.WindowPolicy{}, "2026-03-04T10:00:00Z", "", "never", "the windows are open"},
		{"the first second of a window is in it", office, "2026-03-04T08:00:00Z", "", "2026-03-04T16:00:00Z", "the windows are open until Wednesday 2026-03-04 17:00 CET"},
		{"the second before it is not", office, "2026-03-04T07:59:59Z", "2026-03-04T08:00:00Z", "", "outside the allow windows; the next opens Wednesday 2026-03-04 09:00 CET"},
		{"the last second of a window is in it", office, "2026-03-04T15:59:59Z", "", "2026-03-04T16:00:00Z", "the windows are open until Wednesday 2026-03-04 17:00 CET"},
		{"its end is not", office, "2026-03-04T16:00:00Z", "2026-03-05T08:00:00Z", "", "outside the allow windows; the next opens Thursday 2026-03-05 09:00 CET"},
		{"over a weekend", office, "2026-03-06T10:00:00Z", "2026-03-09T08:00:00Z", "", "outside the allow windows; the next opens Monday 2026-03-09 09:00 CET"},
		{"over a weekend in which the clocks change", office, "2026-03-27T10:00:00Z", "2026-03-30T07:00:00Z", "", "outside the allow windows; the next opens Monday 2026-03-30 09:00 CEST"},
		{"a fixed allow window that has passed", allow(fixed("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z")), "2026-03-04T10:00:00Z", "never", "",
			"outside the allow windows, and none opens in the next eight years; change `spec.windows`"},
		{"a fixed allow window to come", allow(fixed("2026-04-01T10:00:30+02:00", "2026-04-01T12:00:00+02:00")), "2026-03-04T10:00:00Z", "2026-04-01T08:00:30Z", "",
			"outside the allow windows; the next opens Wednesday 2026-04-01 08:00:30 UTC"},

		// Freezes.
		{"before a freeze", yearEnd, "2025-12-19T23:59:59Z", "", "2025-12-20T00:00:00Z", "the windows are open until Saturday 2025-12-20 00:00 UTC"},
		{"the first second of a freeze", yearEnd, "2025-12-20T00:00:00Z", "2026-01-05T00:00:00Z", "", "a freeze lasts until Monday 2026-01-05 00:00 UTC: year end"},
		{"the end of a freeze", yearEnd, "2026-01-05T00:00:00Z", "", "never", "the windows are open"},
		{"a freeze inside of an allow window", both(office, yearEnd), "2025-12-22T10:00:00Z", "2026-01-05T08:00:00Z", "",
			"a freeze lasts until Monday 2026-01-05 00:00 UTC: year end; the next opening is Monday 2026-01-05 09:00 CET"},
		{"a freeze cuts an allow window short", both(office, freeze(recurring("0 15 * * 4", 4*day, "Europe/Zurich"))), "2026-03-05T09:00:00Z", "", "2026-03-05T14:00:00Z",
			"the windows are open until Thursday 2026-03-05 15:00 CET"},
		{"of two freezes the one that ends last is named", freeze(
			because("short", fixed("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z")),
			because("long", recurring("0 0 1 3 *", 5*day, "Asia/Kathmandu"))), "2026-03-02T10:00:00Z", "2026-03-05T18:15:00Z", "",
			"a freeze lasts until Friday 2026-03-06 00:00 +0545: long"},
		{"before a freeze that recurs", freeze(recurring("0 17 * * 5", 3*day, "Europe/Zurich")), "2026-03-02T18:00:00Z", "", "2026-03-06T16:00:00Z",
			"the windows are open until Friday 2026-03-06 17:00 CET"},
		{"freezes that follow each other", freeze(
			because("one", fixed("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z")),
			because("two", fixed("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"))), "2026-03-02T10:00:00Z", "2026-03-04T00:00:00Z", "",
			"a freeze lasts until Tuesday 2026-03-03 00:00 UTC: one; the next opening is Wednesday 2026-03-04 00:00 UTC"},
		{"a freeze without end", freeze(recurring("* * * * *", minute, "")), "2026-03-02T10:00:00Z", "never", "",
			"a freeze lasts; no opening follows in the next eight years; change `spec.windows`"},
		{"freezes that exclude everything together", freeze(
			because("even", recurring("*/2 * * * *", minute, "")),
			because("odd", recurring("1-59/2 * * * *", minute, ""))), "2026-03-02T10:00:00Z", "never", "",
			"a freeze lasts: even; no opening follows in the next eight years; change `spec.windows`"},
		{"allow windows that are always frozen", both(office, freeze(recurring("0 8 * * *", 10*hour, "Europe/Zurich"))), "2026-03-02T20:00:00Z", "never", "",
			"outside the allow windows, and none opens in the next eight years; change `spec.windows`"},
		{"freezes that follow each other, of which the second names a time zone", freeze(
			because("one", fixed("2026-03-01T00:00:00Z", "2026-03-03T23:00:00Z")),
			because("two", recurring("0 0 4 3 *", day, "Europe/Zurich"))), "2026-03-02T10:00:00Z", "2026-03-04T23:00:00Z", "",
			"a freeze lasts until Tuesday 2026-03-03 23:00 UTC: one; the next opening is Wednesday 2026-03-04 23:00 UTC"},
		{"freezes that follow each other, of which the first names a time zone", freeze(
			because("one", recurring("0 0 3 3 *", day, "Europe/Zurich")),
			because("two", fixed("2026-03-03T23:00:00Z", "2026-03-04T23:00:00Z"))), "2026-03-03T10:00:00Z", "2026-03-04T23:00:00Z", "",
			"a freeze lasts until Wednesday 2026-03-04 00:00 CET: one; the next opening is Thursday 2026-03-05 00:00 CET"},
		{"a freeze that begins before midnight and after it leaves the day between", freeze(recurring("0 0,20 * * *", 6*hour, "")), "2026-03-02T01:00:00Z", "2026-03-02T06:00:00Z", "",
			"a freeze lasts until Monday 2026-03-02 06:00 UTC"},
		{"a fixed freeze until long after", freeze(fixed("2026-01-01T00:00:00Z", "2126-01-01T00:00:00Z")), "2026-03-02T20:00:00Z", "2126-01-01T00:00:00Z", "",
			"a freeze lasts until Tuesday 2126-01-01 00:00 UTC"},
		{"freezes that touch for more than a day leave no gap", freeze(recurring("0 0 * * 1", 7*day, "")), "2026-03-02T20:00:00Z", "never", "",
			"a freeze lasts; no opening follows in the next eight years; change `spec.windows`"},

		// Midnight, months, years.
		{"an allow window of another time zone than the first", allow(recurring("0 9 * * 2", hour, "Asia/Kathmandu"), recurring("0 9 * * 1", hour, "Europe/Zurich")),
			"2026-03-02T08:30:00Z", "", "2026-03-02T09:00:00Z", "the windows are open until Monday 2026-03-02 10:00 CET"},
		{"before 1970", office, "1969-03-05T10:00:00Z", "", "1969-03-05T16:00:00Z", "the windows are open until Wednesday 1969-03-05 17:00 CET"},
		{"a time that nobody has set", office, "", "0001-01-01T08:25:52Z", "", "outside the allow windows; the next opens Monday 0001-01-01 09:00:00 LMT"},
		{"across midnight", allow(recurring("0 22 * * 5", 4*hour, "America/New_York")), "2026-03-07T06:59:59Z", "", "2026-03-07T07:00:00Z", "the windows are open until Saturday 2026-03-07 02:00 EST"},
		{"across the year", freeze(recurring("0 0 20 12 *", 16*day, "Europe/Zurich")), "2026-01-04T22:59:59Z", "2026-01-04T23:00:00Z", "", "a freeze lasts until Monday 2026-01-05 00:00 CET"},
		{"overlapping with itself", allow(recurring("0 * * * 1", 90*minute, "")), "2026-03-02T05:10:00Z", "", "2026-03-03T00:30:00Z", "the windows are open until Tuesday 2026-03-03 00:30 UTC"},
		{"a duration with seconds", allow(recurring("0 12 * * *", 61, "")), "2026-03-02T12:01:00Z", "", "2026-03-02T12:01:01Z", "the windows are open until Monday 2026-03-02 12:01:01 UTC"},
		{"its end", allow(recurring("0 12 * * *", 61, "")), "2026-03-02T12:01:01Z", "2026-03-03T12:00:00Z", "", "outside the allow windows; the next opens Tuesday 2026-03-03 12:00 UTC"},
		{"the leap day", leapDay, "2024-02-29T01:00:00Z", "2028-02-29T00:00:00Z", "", "outside the allow windows; the next opens Tuesday 2028-02-29 00:00 UTC"},
		{"the leap day across 2100", leapDay, "2096-02-29T01:00:00Z", "2104-02-29T00:00:00Z", "", "outside the allow windows; the next opens Friday 2104-02-29 00:00 UTC"},
		{"a day of month or a day of week", allow(recurring("0 0 13 * 5", hour, "")), "2026-03-07T00:00:00Z", "2026-03-13T00:00:00Z", "", "outside the allow windows; the next opens Friday 2026-03-13 00:00 UTC"},
		{"a day of month that is no such day of week", allow(recurring("0 0 14 * 5", hour, "")), "2026-03-13T10:00:00Z", "2026-03-14T00:00:00Z", "", "outside the allow windows; the next opens Saturday 2026-03-14 00:00 UTC"},
		{"the 31st, where there is one", allow(recurring("0 0 31 * *", hour, "")), "2026-03-31T10:00:00Z", "2026-05-31T00:00:00Z", "", "outside the allow windows; the next opens Sunday 2026-05-31 00:00 UTC"},

		// Daylight saving. Zurich: 2026-03-29 01:00Z from 02:00 to 03:00, 2026-10-25 01:00Z from 03:00 to 02:00.
		{"a skipped time begins when the clock has jumped", allow(recurring("30 2 * * *", hour, "Europe/Zurich")), "2026-03-28T10:00:00Z", "2026-03-29T01:00:00Z", "",
			"outside the allow windows; the next opens Sunday 2026-03-29 03:00 CEST"},
		{"and lasts as long as ever", allow(recurring("30 2 * * *", hour, "Europe/Zurich")), "2026-03-29T01:59:59Z", "", "2026-03-29T02:00:00Z", "the windows are open until Sunday 2026-03-29 04:00 CEST"},
		{"a time that comes twice begins the first time", allow(recurring("30 2 * * *", 10*minute, "Europe/Zurich")), "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "",
			"outside the allow windows; the next opens Sunday 2026-10-25 02:30 CEST"},
		{"and not again", allow(recurring("30 2 * * *", 10*minute, "Europe/Zurich")), "2026-10-25T00:40:00Z", "2026-10-26T01:30:00Z", "", "outside the allow windows; the next opens Monday 2026-10-26 02:30 CET"},
		{"seconds that pass, not what the wall shows", allow(recurring("0 0 25 10 *", day, "Europe/Zurich")), "2026-10-25T12:00:00Z", "", "2026-10-25T22:00:00Z", "the windows are open until Sunday 2026-10-25 23:00 CET"},
		{"an hour that comes twice is covered by what began before it", freeze(recurring("0 1 * * *", 4*hour, "Europe/Zurich")), "2026-10-25T01:30:00Z", "2026-10-25T03:00:00Z", "", "a freeze lasts until Sunday 2026-10-25 04:00 CET"},
		{"a skipped time of another day of the week begins nothing", freeze(recurring("30 2 * * 1", hour, "Europe/Zurich"), fixed("2026-03-29T00:00:00Z", "2026-03-29T01:10:00Z")),
			"2026-03-29T00:30:00Z", "2026-03-29T01:10:00Z", "", "a freeze lasts until Sunday 2026-03-29 01:10 UTC"},
		{"half an hour of daylight saving", allow(recurring("15 2 * * *", 10*minute, "Australia/Lord_Howe")), "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z", "", "outside the allow windows; the next opens Sunday 2026-10-04 02:30 +11"},
		{"a midnight that is skipped", allow(recurring("0 0 * * *", hour, "America/Sao_Paulo")), "2018-11-03T12:00:00Z", "2018-11-04T03:00:00Z", "", "outside the allow windows; the next opens Sunday 2018-11-04 01:00 -02"},
		{"the last day of a leap year far away", allow(recurring("0 9 1 1 *", hour, "Europe/Zurich")), "2040-12-31T12:00:00Z", "2041-01-01T08:00:00Z", "",
			"outside the allow windows; the next opens Tuesday 2041-01-01 09:00 CET"},
		{"a clock that changes far away", allow(recurring("30 2 * * 0", hour, "Europe/Zurich")), "2040-03-24T12:00:00Z", "2040-03-25T01:00:00Z", "",
			"outside the allow windows; the next opens Sunday 2040-03-25 03:00 CEST"},
		{"a day that is skipped", allow(recurring("0 9 30 12 *", hour, "Pacific/Apia")), "2011-12-29T12:00:00Z", "2011-12-30T10:00:00Z", "", "outside the allow windows; the next opens Saturday 2011-12-31 00:00 +14"},

		// Searches that pass over what they must not.
		{"only the tail of a minute is open", both(allow(recurring("0 12 * * *", 90, "")), freeze(recurring("0 12 * * *", minute, ""))), "2026-03-02T11:00:00Z", "2026-03-02T12:01:00Z", "",
			"outside the allow windows; the next opens Monday 2026-03-02 12:01 UTC"},
		{"only the head of a minute is open", both(allow(recurring("0 12 * * *", hour, "")), freeze(fixed("2026-03-02T12:00:30Z", "2026-03-02T14:00:00Z"))), "2026-03-02T11:00:00Z",
			"2026-03-02T12:00:00Z", "", "outside the allow windows; the next opens Monday 2026-03-02 12:00 UTC"},
		{"only the last minute of a day is open", freeze(recurring("0 0 * * *", day-minute, "")), "2026-03-02T11:00:00Z", "2026-03-02T23:59:00Z", "", "a freeze lasts until Monday 2026-03-02 23:59 UTC"},
		{"only the last minute of the second day is open", freeze(recurring("0 0 1 3 *", 2*day-minute, "")), "2026-03-01T11:00:00Z", "2026-03-02T23:59:00Z", "", "a freeze lasts until Monday 2026-03-02 23:59 UTC"},
		{"what began on the last day of a month", freeze(recurring("0 0 31 1 *", 60*day, "")), "2026-02-15T00:00:00Z", "2026-04-01T00:00:00Z", "", "a freeze lasts until Wednesday 2026-04-01 00:00 UTC"},
		{"days like those before the clocks changed", both(allow(recurring("0 9 * * *", hour, "Europe/Zurich")), freeze(recurring("0 0 1 3 *", 40*day, ""))), "2026-03-02T00:00:00Z",
			"2026-04-10T07:00:00Z", "", "a freeze lasts until Friday 2026-04-10 00:00 UTC; the next opening is Friday 2026-04-10 09:00 CEST"},
		{"days unlike that after the clocks changed", freeze(recurring("30 2 * * *", day-10*minute, "Europe/Zurich")), "2026-03-29T12:00:00Z", "2026-03-31T00:20:00Z", "",
			"a freeze lasts until Tuesday 2026-03-31 02:20 CEST"},
	} {
		t.Run(row.name, func(t *testing.T) {
			verdict := parse(t, row.policy).At(instant(row.at))
			if verdict.Open != (row.opens == "") {
				t.Errorf("open is %v", verdict.Open)
			}
			expectTime(t, "opens", verdict.Opens, row.opens)
			expectTime(t, "closes", verdict.Closes, row.closes)
			if message := verdict.Message(); message != row.message {
				t.Errorf("the message is\n%s\nwanted\n%s", message, row.message)
			}
		})
	}
}

func TestWhoHasNoPolicyHasNoWindows(t *testing.T) {
	for name, policy := range map[string]*window.Policy{"nil": nil, "zero": {}} {
		if verdict := policy.At(instant("2026-03-04T10:00:00Z")); !verdict.Open || verdict.Message() != "the windows are open" {
			t.Errorf("%s: %+v", name, verdict)
		}
	}
}

func TestAVerdictThatWasMadeByHandSaysItsTimesInUTC(t *testing.T) {
	frozen := because("audit", recurring("0 0 * * *", hour, "Europe/Zurich"))
	verdict := window.Verdict{Freeze: &frozen, Opens: instant("2026-03-04T10:00:00+01:00")}
	if message := verdict.Message(); message != "a freeze lasts until Wednesday 2026-03-04 09:00 UTC: audit" {
		t.Error(message)
	}
}

func expectTime(t *testing.T, what string, is time.Time, wanted string) {
	t.Helper()
	if wanted == "never" {
		wanted = ""
	}
	if !is.Equal(instant(wanted)) {
		t.Errorf("%s is %s, wanted %q", what, is, wanted)
	}
}
