// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/window"
)

// trial is a random policy and the time that it is judged in.
type trial struct {
	*rand.Rand
	zones            []string
	begin, end, step int64
}

// Each of these has, or had, habits of its own.
var zones = []string{
	"", "UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo",
	"Antarctica/Troll", "Africa/Cairo", "America/St_Johns", "Asia/Pyongyang", "Pacific/Kiritimati", "Pacific/Chatham", "America/Caracas", "Asia/Gaza",
}

// changes of clocks that are easy to get wrong: the day that Apia skipped, midnights that were, half hours, Ramadan, the usual ones.
var changes = []string{
	"2011-12-30T10:00:00Z", "2018-11-04T03:00:00Z", "2018-02-18T02:00:00Z", "2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z", "2023-03-19T02:00:00Z", "2023-04-23T02:00:00Z",
	"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z", "2018-05-04T15:00:00Z", "2016-05-01T07:00:00Z", "2024-02-29T12:00:00Z",
	"2023-04-27T22:00:00Z", "2024-12-31T23:00:00Z", "2040-12-31T12:00:00Z", "2044-03-27T01:00:00Z",
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func (r *trial) policy() v1alpha1.WindowPolicy {
	var policy v1alpha1.WindowPolicy
	for range r.IntN(3) {
		policy.Allow = append(policy.Allow, r.window())
	}
	for i := range r.IntN(4) {
		w := r.window()
		w.Reason = strconv.Itoa(i)
		policy.Freeze = append(policy.Freeze, w)
	}
	return policy
}

func (r *trial) window() v1alpha1.Window {
	if r.IntN(6) == 0 {
		begin := r.begin + r.Int64N((r.end-r.begin)/r.step)*r.step
		return v1alpha1.Window{
			StartTime: metav1.Unix(begin, 0),
			EndTime:   metav1.Unix(begin+(1+r.Int64N(5*day/r.step))*r.step, 0),
		}
	}
	seconds := pick(r.Rand, 1, 10, 30, 60, 90, 8*60, 12*60, 24*60, 25*60, 2*day/minute, r.IntN(3*day/minute)+1) * minute
	if r.step == 1 {
		seconds += r.IntN(minute)
	} else if r.IntN(8) == 0 {
		seconds = pick(r.Rand, 7*day, 20*day)
	}
	return recurring(r.schedule(), int32(seconds), pick(r.Rand, r.zones...))
}

func (r *trial) schedule() string {
	days, months, weekdays := "*", "*", "*"
	if r.IntN(4) == 0 {
		days = pick(r.Rand, "1", "29", "28-31", "30,31", "1-7", "*/2", "10-20/3", strconv.Itoa(1+r.IntN(28)))
	}
	if r.IntN(8) == 0 {
		months = pick(r.Rand, "1,2", "1-11/2", "3,4,10,11", "dec", "jan,12")
	}
	if r.IntN(3) == 0 {
		weekdays = pick(r.Rand, "1-5", "mon-fri", "0", "7", "5-7", "6,sun", "*/2", "3")
	}
	return fmt.Sprintf("%s %s %s %s %s",
		pick(r.Rand, "0", "0", "30", "*", "*/15", "1-59/2", "0,45", "59", strconv.Itoa(r.IntN(60))),
		pick(r.Rand, "0", "2", "1-3", "*", "*", "*/6", "23", "9-17", "0,2,3", strconv.Itoa(r.IntN(24))),
		days, months, weekdays)
}

func newTrial(seed uint64, days, step int64) *trial {
	r := &trial{Rand: rand.New(rand.NewPCG(seed, 0)), step: step}
	r.zones = []string{pick(r.Rand, zones...), pick(r.Rand, zones...)}
	middle := instant(pick(r.Rand, changes...)).Unix()
	if r.IntN(4) == 0 {
		middle = time.Date(2010+r.IntN(20), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC).Unix()
	}
	r.begin = middle - days*day/3
	r.end = r.begin + days*day
	return r
}

// judge compares at some random times, and right before, at and after some changes.
func (r *trial) judge(t *testing.T, samples int) {
	t.Helper()
	policy := r.policy()
	parsed := parse(t, policy)
	m := newModel(t, policy, r.begin, r.end, r.step)
	for range samples {
		i := r.IntN(len(m.open))
		if next := max(m.nextOpen[i], m.nextClosed[i]); r.IntN(2) == 0 && next >= 0 {
			i = min(max(next-1+r.IntN(3), 0), len(m.open)-1)
		}
		if problem := m.differs(parsed, i); problem != "" {
			t.Fatalf("at %s of %+v:\n%s", m.at(i), policy, problem)
		}
	}
}

func (m *model) differs(parsed *window.Policy, i int) string {
	verdict := parsed.At(m.at(i))
	opens, closes := m.nextOpen[i], m.nextClosed[i]
	switch {
	case verdict.Open != m.open[i]:
		return fmt.Sprintf("open is %v", verdict.Open)
	case verdict.Open && !verdict.Opens.IsZero():
		return "it is open and opens"
	case !verdict.Open && !verdict.Closes.IsZero():
		return "it is closed and closes"
	case !verdict.Open && !m.same(verdict.Opens, opens):
		return fmt.Sprintf("opens is %s, wanted step %d at %s", verdict.Opens, opens, m.at(opens))
	case verdict.Open && !m.same(verdict.Closes, closes):
		return fmt.Sprintf("closes is %s, wanted step %d at %s", verdict.Closes, closes, m.at(closes))
	case verdict.Message() == "":
		return "there is no message"
	}
	freeze, sure := m.lastFreeze(i)
	if (verdict.Freeze != nil && freeze < 0 || verdict.Freeze == nil && freeze >= 0) && sure {
		return fmt.Sprintf("the freeze is %v, wanted %d", verdict.Freeze, freeze)
	}
	if sure && freeze >= 0 && verdict.Freeze.Reason != strconv.Itoa(freeze) {
		return fmt.Sprintf("the freeze is %v, wanted %d", verdict.Freeze, freeze)
	}
	return ""
}

// same tells whether a time is that of a step, or behind all of them if there is no such step.
func (m *model) same(is time.Time, step int) bool {
	if step < 0 {
		return is.IsZero() || !is.Before(m.at(len(m.open)))
	}
	return is.Equal(m.at(step))
}

func TestEveryVerdictIsWhatAWalkThroughEveryMinuteFinds(t *testing.T) {
	for _, row := range []struct {
		name          string
		trials        uint64
		days, samples int64
	}{
		{"weeks around a change of clocks", 100, 20, 150},
		{"years", 3, 1200, 300},
	} {
		t.Run(row.name, func(t *testing.T) {
			for seed := range row.trials {
				t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
					newTrial(seed, row.days, minute).judge(t, int(row.samples))
				})
			}
		})
	}
}

func TestEveryVerdictIsWhatAWalkThroughEverySecondFinds(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			newTrial(seed, 2, 1).judge(t, 200)
		})
	}
}

// FuzzVerdict is for long runs: each seed is another policy. Each is judged for some days only: what takes longer is taken for a hang on a busy machine.
func FuzzVerdict(f *testing.F) {
	f.Add(uint64(1), false)
	f.Add(uint64(2), true)
	f.Fuzz(func(t *testing.T, seed uint64, seconds bool) {
		if seconds {
			newTrial(seed, 1, 1).judge(t, 10)
			return
		}
		newTrial(seed, 3, minute).judge(t, 30)
	})
}
