// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/window"
)

const fiveFields = `must have five fields (minute, hour, day of month, month, day of week), such as "0 9 * * 1-4"`

func TestAScheduleThatCannotBeCarriedOutIsAProblem(t *testing.T) {
	for schedule, message := range map[string]string{
		"@daily":                               fiveFields + "; write \"@daily\" with them",
		"@every 5m":                            fiveFields + "; write \"@every 5m\" with them",
		"0 0 9 * * 1":                          fiveFields + "; this one has 6",
		"9 * * 1":                              fiveFields + "; this one has 4",
		"   ":                                  fiveFields + "; this one has 0",
		"TZ=UTC 0 9 * * *":                     fiveFields + "; the time zone belongs in `timeZone`",
		"CRON_TZ=Europe/Rome 0 9 * * *":        fiveFields + "; the time zone belongs in `timeZone`",
		"60 9 * * *":                           `has a wrong minute "60": must be a number from 0 to 59, not "60"`,
		"0 24 * * *":                           `has a wrong hour "24": must be a number from 0 to 23, not "24"`,
		"0 9 0 * *":                            `has a wrong day of month "0": must be a number from 1 to 31, not "0"`,
		"0 9 * 13 *":                           `has a wrong month "13": must be a number from 1 to 12, not "13"`,
		"0 9 * * 8":                            `has a wrong day of week "8": must be a number from 0 to 7, not "8"`,
		"0 9 * * mo":                           `has a wrong day of week "mo": must be a number from 0 to 7, not "mo"`,
		"0 9 L * *":                            `has a wrong day of month "L": must be a number from 1 to 31, not "L"`,
		"0 9 * * fri#1":                        `has a wrong day of week "fri#1": must be a number from 0 to 7, not "fri#1"`,
		"H 9 * * *":                            `has a wrong minute "H": must be a number from 0 to 59, not "H"`,
		"-5 9 * * *":                           `has a wrong minute "-5": must be a number from 0 to 59, not ""`,
		"+5 9 * * *":                           `has a wrong minute "+5": must be a number from 0 to 59, not "+5"`,
		"0 22-2 * * *":                         `has a wrong hour "22-2": 22 is after 2; write two ranges with a comma between`,
		"0 9,,10 * * *":                        `has a wrong hour "": must be a number from 0 to 23, not ""`,
		"*/90 * * * *":                         `has a wrong minute "*/90": the step must be a number from 1 to 59, not "90"`,
		"*/0 * * * *":                          `has a wrong minute "*/0": the step must be a number from 1 to 59, not "0"`,
		"1-2-3 * * * *":                        `has a wrong minute "1-2-3": must be a number from 0 to 59, not "2-3"`,
		"*-5 * * * *":                          `has a wrong minute "*-5": must be a number from 0 to 59, not "*"`,
		"99999999999999999999 * * * *":         `has a wrong minute "99999999999999999999": must be a number from 0 to 59, not "99999999999999999999"`,
		"0 0 30 2 *":                           "never fires: no month that it names has such a day; change the day of month or the month",
		"0 0 31 2,4,6,9,11 *":                  "never fires: no month that it names has such a day; change the day of month or the month",
		"0 0 30 2 ?":                           "never fires: no month that it names has such a day; change the day of month or the month",
		strings.Repeat("0,", 65) + "0 * * * *": "must have at most 128 characters, not 139",
	} {
		t.Run(schedule, func(t *testing.T) {
			_, problems := window.Parse(freeze(recurring(schedule, hour, "")))
			if len(problems) != 1 || problems[0].Field != "spec.windows.freeze[0].schedule" || !strings.HasSuffix(problems[0].Message, message) {
				t.Errorf("the problems are %q\nwanted %q", problems, message)
			}
		})
	}
}

func TestAScheduleOfFiveFieldsIsReadAsEveryCronReadsIt(t *testing.T) {
	for _, row := range []struct{ schedule, first, second string }{ // after the first minute of Sunday 2026-03-01
		{"*/20 * * * *", "2026-03-01T00:20:00Z", "2026-03-01T00:40:00Z"},
		{"5/30 * * * *", "2026-03-01T00:05:00Z", "2026-03-01T00:35:00Z"},
		{"10-20/7,3 * * * *", "2026-03-01T00:03:00Z", "2026-03-01T00:10:00Z"},
		{"0 9 ? * ?", "2026-03-01T09:00:00Z", "2026-03-02T09:00:00Z"},
		{"0 9 * * Mon-FRI", "2026-03-02T09:00:00Z", "2026-03-03T09:00:00Z"},
		{"0 9 * * 7", "2026-03-01T09:00:00Z", "2026-03-08T09:00:00Z"},
		{"0 9 * * 0", "2026-03-01T09:00:00Z", "2026-03-08T09:00:00Z"},
		{"0 9 * * 6-7", "2026-03-01T09:00:00Z", "2026-03-07T09:00:00Z"},
		{"0 9 * * 2/3", "2026-03-03T09:00:00Z", "2026-03-06T09:00:00Z"},
		{"0 0 1 JAN,jul *", "2026-07-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"0 0 10 * 3", "2026-03-04T00:00:00Z", "2026-03-10T00:00:00Z"},
		{"0 0 */10 * 3", "2026-03-04T00:00:00Z", "2026-03-11T00:00:00Z"},
		{"0 0 30 2 1", "2027-02-01T00:00:00Z", "2027-02-08T00:00:00Z"},
		{"  0\t9 * *  * ", "2026-03-01T09:00:00Z", "2026-03-02T09:00:00Z"},
	} {
		t.Run(row.schedule, func(t *testing.T) {
			policy, at := parse(t, freeze(recurring(row.schedule, minute, ""))), instant("2026-03-01T00:01:00Z")
			first := policy.At(at).Closes
			expectTime(t, "the first beginning", first, row.first)
			expectTime(t, "the second beginning", policy.At(first.Add(time.Minute)).Closes, row.second)
		})
	}
}

func TestAWindowThatCannotBeCarriedOutIsAProblem(t *testing.T) {
	office := recurring("0 9 * * *", hour, "")
	year := fixed("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
	changed := func(w v1alpha1.Window, change func(*v1alpha1.Window)) v1alpha1.Window {
		change(&w)
		return w
	}
	unknownZone := func(name string) string {
		return `timeZone: "` + name + `" is not the name of a time zone; name one of the IANA database, such as "Europe/Zurich"`
	}
	for _, row := range []struct {
		name   string
		window v1alpha1.Window
		want   []string // field and message
	}{
		{"nothing", v1alpha1.Window{}, []string{": must have a `schedule` and `durationSeconds`, or a `startTime` and an `endTime`"}},
		{"both kinds", changed(office, func(w *v1alpha1.Window) { w.StartTime, w.EndTime = year.StartTime, year.EndTime }),
			[]string{": must have either a `schedule` or a `startTime`, not both; make two windows of it"}},
		{"a schedule with an end", changed(office, func(w *v1alpha1.Window) { w.EndTime = year.EndTime }),
			[]string{"endTime: must not be set in a window with a `schedule`; set `durationSeconds`"}},
		{"no duration", recurring("0 9 * * *", 0, ""), []string{"durationSeconds: must be from 60 to 31622400, not 0"}},
		{"a negative duration", recurring("0 9 * * *", -hour, ""), []string{"durationSeconds: must be from 60 to 31622400, not -3600"}},
		{"a duration too long", recurring("0 9 * * *", 366*day+1, ""), []string{"durationSeconds: must be from 60 to 31622400, not 31622401"}},
		{"a zone of no world", recurring("0 9 * * *", hour, "Mars/Phobos"), []string{unknownZone("Mars/Phobos")}},
		{"the zone of the machine", recurring("0 9 * * *", hour, "Local"), []string{unknownZone("Local")}},
		{"a file of the machine", recurring("0 9 * * *", hour, "localtime"), []string{unknownZone("localtime")}},
		{"a zone with leap seconds", recurring("0 9 * * *", hour, "right/Europe/Zurich"), []string{unknownZone("right/Europe/Zurich")}},
		{"a path", recurring("0 9 * * *", hour, "../../etc/passwd"), []string{unknownZone("../../etc/passwd")}},
		{"an abbreviation that means several", recurring("0 9 * * *", hour, "CEST"), []string{unknownZone("CEST")}},
		{"a blank", recurring("0 9 * * *", hour, " "), []string{unknownZone(" ")}},
		{"everything wrong is said at once", recurring("0 25 * * *", 1, "Nowhere"), []string{
			"durationSeconds: must be from 60 to 31622400, not 1", unknownZone("Nowhere"),
			`schedule: "0 25 * * *" has a wrong hour "25": must be a number from 0 to 23, not "25"`,
		}},
		{"no end", changed(year, func(w *v1alpha1.Window) { w.EndTime = metav1.Time{} }), []string{"endTime: must be set in a window with a `startTime`"}},
		{"an end without a start", v1alpha1.Window{EndTime: year.EndTime}, []string{": must have a `schedule` and `durationSeconds`, or a `startTime` and an `endTime`"}},
		{"an end at the start", fixed("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"), []string{"endTime: must be after `startTime`"}},
		{"an end before the start", fixed("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), []string{"endTime: must be after `startTime`"}},
		{"a fixed window with a duration", changed(year, func(w *v1alpha1.Window) { w.DurationSeconds = hour }),
			[]string{"durationSeconds: must not be set in a window with a `startTime`; set `endTime`"}},
		{"a fixed window with a zone", changed(year, func(w *v1alpha1.Window) { w.TimeZone = "UTC" }),
			[]string{"timeZone: must not be set in a window with a `startTime`: `startTime` and `endTime` carry their own"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			policy, problems := window.Parse(both(allow(office), freeze(year, office, row.window)))
			if policy != nil {
				t.Error("there is a policy that could be used")
			}
			var found []string
			for _, problem := range problems {
				field := strings.TrimPrefix(strings.TrimPrefix(problem.Field, "spec.windows.freeze[2]"), ".")
				found = append(found, field+": "+problem.Message)
			}
			if !slices.Equal(found, row.want) {
				t.Errorf("the problems are\n%q\nwanted\n%q", found, row.want)
			}
		})
	}
}

func TestMoreWindowsThanTheAPIAllowsAreAProblem(t *testing.T) {
	office := recurring("0 9 * * *", hour, "")
	_, problems := window.Parse(both(allow(slices.Repeat([]v1alpha1.Window{office}, 17)...), freeze(slices.Repeat([]v1alpha1.Window{office}, 65)...)))
	want := []window.Problem{
		{Field: "spec.windows.allow", Message: "must have at most 16 windows, not 17; join some of them"},
		{Field: "spec.windows.freeze", Message: "must have at most 64 windows, not 65; join some of them"},
	}
	if !slices.Equal(problems, want) {
		t.Errorf("the problems are %q", problems)
	}
}

// What it accepts must be judged without panic and in no time, and hold together.
func FuzzParse(f *testing.F) {
	for _, schedule := range []string{"0 9 * * 1-4", "*/5 0-23/2 1,15 jan-dec ?", "0 0 29 2 *", "@every 1s", "TZ=UTC 0 0 * * *", "0 0 30 2 *", "* * * * *", "5/70 ,,- 1-"} {
		f.Add(schedule, int32(hour), "Europe/Zurich", schedule, int32(day+1), "Pacific/Apia", int64(1_772_000_000), int64(hour))
	}
	f.Fuzz(func(t *testing.T, allowed string, open int32, zone, frozen string, closed int32, frozenZone string, begin, length int64) {
		policy := v1alpha1.WindowPolicy{
			Allow:  []v1alpha1.Window{recurring(allowed, open, zone)},
			Freeze: []v1alpha1.Window{recurring(frozen, closed, frozenZone)},
		}
		begin %= 8_000_000_000 // until the year 2223
		policy.Freeze = append(policy.Freeze, v1alpha1.Window{StartTime: metav1.Unix(begin, 0), EndTime: metav1.Unix(begin+length%day, 0)})
		began := time.Now()
		for _, some := range []v1alpha1.WindowPolicy{policy, allow(policy.Allow...), freeze(policy.Freeze[:1]...), freeze(policy.Freeze[1:]...)} {
			parsed, problems := window.Parse(some)
			if (parsed == nil) == (len(problems) == 0) {
				t.Fatalf("a policy %v with problems %v", parsed, problems)
			}
			if parsed != nil {
				expectConsistency(t, parsed, time.Unix(begin, 0))
			}
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("it took %s", took)
		}
	})
}

func expectConsistency(t *testing.T, policy *window.Policy, at time.Time) {
	t.Helper()
	for range 4 {
		verdict := policy.At(at)
		if verdict.Open && !verdict.Opens.IsZero() || !verdict.Open && !verdict.Closes.IsZero() {
			t.Fatalf("at %s: %+v", at, verdict)
		}
		next := verdict.Opens
		if verdict.Open {
			next = verdict.Closes
		}
		if verdict.Message() == "" {
			t.Fatalf("at %s: no message", at)
		}
		if next.IsZero() {
			return
		}
		if !next.After(at) || policy.At(next).Open == verdict.Open {
			t.Fatalf("at %s: nothing changes at %s", at, next)
		}
		before := policy.At(next.Add(-time.Second))
		if before.Open != verdict.Open || !before.Opens.Equal(verdict.Opens) || !before.Closes.Equal(verdict.Closes) {
			t.Fatalf("at %s it is %+v, but right before the change %+v", at, verdict, before)
		}
		at = next
	}
}
