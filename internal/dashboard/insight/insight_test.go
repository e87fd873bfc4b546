// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package insight_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/insight"
)

// today is when all figures are asked for.
var today = time.Date(2031, 3, 31, 12, 0, 0, 0, time.UTC)

// day is a time of March: day(20, 14, 30) is the 20th at 14:30.
func day(date, hour, minute int) time.Time {
	return time.Date(2031, 3, date, hour, minute, 0, 0, time.UTC)
}

// past of the project shop: dev, staging after it, production after that, all of them as old as the year.
func past() insight.Past {
	found := insight.Past{Requests: map[string]time.Time{}}
	for _, each := range []struct {
		name  string
		after []string
	}{{"dev", nil}, {"staging", []string{"dev"}}, {"production", []string{"staging"}}} {
		environment := &v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Application: "shop", After: each.after}}
		environment.Namespace, environment.Name = "shop", each.name
		environment.CreationTimestamp = metav1.NewTime(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC))
		found.Environments = append(found.Environments, environment)
	}
	return found
}

// attempt is one rollout.
type attempt struct {
	release    string // of that version; created at that time, if it is still there
	created    time.Time
	back       bool
	began      time.Time
	outcome    v1alpha1.AuditType
	ended      time.Time
	requested  time.Time
	approved   []time.Time
	overridden []v1alpha1.OverridableGate
}

// put rollouts into the history of an Environment.
func put(into *insight.Past, environment string, attempts ...attempt) {
	next := int64(1)
	for _, record := range into.Records {
		if record.Spec.Environment == environment {
			next++
		}
	}
	for i, each := range attempts {
		uid := fmt.Sprintf("%s-%d-%d", environment, next, i)
		if !each.requested.IsZero() {
			into.Requests[uid] = each.requested
		}
		if !each.created.IsZero() && !slices.ContainsFunc(into.Releases, func(r *v1alpha1.Release) bool { return string(r.UID) == each.release }) {
			release := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Application: "shop", Version: each.release}}
			release.Namespace, release.Name, release.UID, release.CreationTimestamp = "shop", "shop-"+each.release, types.UID(each.release), metav1.NewTime(each.created)
			into.Releases = append(into.Releases, release)
		}
		write := func(kind v1alpha1.AuditType, at time.Time) *v1alpha1.AuditRecordSpec {
			record := v1alpha1.AuditRecord{Spec: v1alpha1.AuditRecordSpec{
				Environment: environment, Sequence: next, Type: kind, Time: metav1.NewTime(at), Promotion: v1alpha1.ObjectIdentity{Name: "to-" + environment + "-" + each.release, UID: uid},
				Release: v1alpha1.AuditedRelease{ObjectIdentity: v1alpha1.ObjectIdentity{Name: "shop-" + each.release, UID: each.release}, Version: each.release},
			}}
			record.Namespace = "shop"
			if each.back {
				record.Spec.PromotionType = v1alpha1.PromotionTypeRollback
			}
			into.Records = append(into.Records, record)
			next++
			return &into.Records[len(into.Records)-1].Spec
		}
		if len(each.overridden) > 0 {
			write(v1alpha1.AuditOverridden, each.began).Gates = each.overridden
		}
		if !each.began.IsZero() {
			intent := write(v1alpha1.AuditIntent, each.began)
			for n, at := range each.approved {
				intent.Decisions = append(intent.Decisions, v1alpha1.AuditedDecision{User: fmt.Sprint(n), Decision: v1alpha1.DecisionApproved, Time: metav1.NewTime(at)})
			}
		}
		if each.outcome != "" {
			write(each.outcome, each.ended)
		}
	}
}

// good is a success that took ten minutes.
func good(release string, created, began time.Time) attempt {
	return attempt{release: release, created: created, began: began, outcome: v1alpha1.AuditSucceeded, ended: began.Add(10 * time.Minute)}
}

func of(t *testing.T, found insight.Found, kind insight.Kind) insight.Figure {
	t.Helper()
	return found.Figures[slices.Index(insight.Kinds, kind)]
}

// same says whether a measure is what was computed by hand.
func same(t *testing.T, name string, got, want insight.Measure) {
	t.Helper()
	if got.Events != want.Events || got.Marked != want.Marked || got.Enough != want.Enough || got.Median != want.Median || got.Most != want.Most ||
		got.Rate < want.Rate-1e-9 || got.Rate > want.Rate+1e-9 {
		t.Errorf("%s is %+v, and %+v is expected", name, got, want)
	}
}

func TestWithoutAHistoryThereIsNothingToSay(t *testing.T) {
	for name, seen := range map[string]insight.Past{"nothing at all": {}, "records of an Environment and a Release that are gone": func() insight.Past {
		gone := past()
		put(&gone, "production", good("1.0.0", time.Time{}, day(20, 9, 0)))
		gone.Environments = nil
		return gone
	}()} {
		t.Run(name, func(t *testing.T) {
			found := insight.Of(seen, insight.Scope{Days: 30}, today)
			for _, figure := range found.Figures {
				same(t, string(figure.Kind), figure.Now, insight.Measure{})
				same(t, string(figure.Kind)+" before", figure.Before, insight.Measure{})
				if len(figure.Buckets) != 30 {
					t.Errorf("%s has %d buckets", figure.Kind, len(figure.Buckets))
				}
			}
			if len(found.Rows) != 0 || found.Unplaced != len(seen.Records)/2 {
				t.Errorf("there are the rows %v, and %d are unplaced", found.Rows, found.Unplaced)
			}
		})
	}
}

func TestOneSuccessIsAFrequencyAndNothingElse(t *testing.T) {
	seen := past()
	put(&seen, "production", good("1.0.0", day(20, 8, 0), day(20, 9, 0)))
	found := insight.Of(seen, insight.Scope{Days: 30}, today)
	same(t, "frequency", of(t, found, insight.Frequency).Now, insight.Measure{Events: 1, Enough: true, Rate: 7.0 / 29.5})
	same(t, "lead time", of(t, found, insight.LeadTime).Now, insight.Measure{Events: 1})
	same(t, "failure rate", of(t, found, insight.FailureRate).Now, insight.Measure{Events: 1})
	same(t, "restore", of(t, found, insight.Restore).Now, insight.Measure{})
	same(t, "approve", of(t, found, insight.Approve).Now, insight.Measure{})
	same(t, "override", of(t, found, insight.Override).Now, insight.Measure{Events: 1})
	if took := of(t, found, insight.LeadTime).Events[0].Took; took != 70*time.Minute {
		t.Errorf("from the Release at 8:00 to the success at 9:10 it took %s", took)
	}
	// The period has 30 days up to the 31st, so that it begins with the 2nd: the 20th is bucket 18.
	for i, bucket := range of(t, found, insight.Frequency).Buckets {
		if (bucket.Total == 1) != (i == 18) {
			t.Errorf("bucket %d from %s has %d", i, bucket.From, bucket.Total)
		}
	}
}

func TestAFrequencyIsOfTheDaysThatAreKnown(t *testing.T) {
	for name, test := range map[string]struct {
		days           int
		created, since time.Time
		want, before   insight.Measure
	}{
		"a whole month":                               {30, day(-60, 0, 0), time.Time{}, insight.Measure{Events: 4, Enough: true, Rate: 4.0 * 7 / 29.5}, insight.Measure{Enough: true}},
		"environments of a fortnight":                 {30, day(17, 12, 0), time.Time{}, insight.Measure{Events: 4, Enough: true, Rate: 2}, insight.Measure{}},
		"environments of three days":                  {30, day(28, 12, 0), time.Time{}, insight.Measure{Events: 4}, insight.Measure{}},
		"records that were read in part":              {30, day(-60, 0, 0), day(10, 12, 0), insight.Measure{Events: 4, Enough: true, Rate: 4.0 / 3}, insight.Measure{}},
		"the week before is known in part":            {7, day(-60, 0, 0), day(20, 12, 0), insight.Measure{Events: 4, Enough: true, Rate: 4 * 7 / 6.5}, insight.Measure{}},
		"the week before is known but for half a day": {7, day(-60, 0, 0), day(18, 12, 0), insight.Measure{Events: 4, Enough: true, Rate: 4 * 7 / 6.5}, insight.Measure{}},
		"both weeks are known":                        {7, day(-60, 0, 0), day(17, 12, 0), insight.Measure{Events: 4, Enough: true, Rate: 4 * 7 / 6.5}, insight.Measure{Enough: true}},
	} {
		t.Run(name, func(t *testing.T) {
			seen := past()
			seen.Since = test.since
			for _, environment := range seen.Environments {
				environment.CreationTimestamp = metav1.NewTime(test.created)
			}
			for i := range 4 {
				put(&seen, "production", good(fmt.Sprint(i), day(29, 8, 0), day(29, 9+i, 0)))
			}
			figure := of(t, insight.Of(seen, insight.Scope{Days: test.days}, today), insight.Frequency)
			same(t, "it", figure.Now, test.want)
			same(t, "the one before", figure.Before, test.before)
		})
	}
}

func TestALeadTimeIsFromTheReleaseToItsFirstSuccessThere(t *testing.T) {
	seen := past()
	put(&seen, "production",
		good("1", day(10, 0, 0), day(10, 0, 50)),                                                            // 1 h
		good("2", day(11, 0, 0), day(11, 1, 50)),                                                            // 2 h
		good("1", day(10, 0, 0), day(12, 0, 0)),                                                             // once more: does not count
		attempt{release: "3", began: day(13, 0, 0), outcome: v1alpha1.AuditSucceeded, ended: day(13, 1, 0)}, // a Release that is gone
		good("4", day(14, 5, 0), day(14, 4, 0)),                                                             // the API server's clock is ahead: 0
		good("5", day(15, 0, 0), day(15, 3, 50)),                                                            // 4 h
		attempt{release: "6", created: day(16, 0, 0), began: day(16, 1, 0), outcome: v1alpha1.AuditFailed, ended: day(16, 2, 0)},
		good("6", day(16, 0, 0), day(16, 7, 50)), // 8 h, at the second attempt
		attempt{release: "7", created: day(17, 0, 0), back: true, began: day(17, 1, 0), outcome: v1alpha1.AuditSucceeded, ended: day(17, 2, 0)},
	)
	put(&seen, "staging", good("6", day(16, 0, 0), day(16, 0, 20))) // 30 min
	// 0, 1, 2, 4, 8 hours: the third of five is the median, the fifth what nine of ten did not exceed.
	figure := of(t, insight.Of(seen, insight.Scope{Days: 30}, today), insight.LeadTime)
	same(t, "of the last stage it", figure.Now, insight.Measure{Events: 5, Enough: true, Median: 2 * time.Hour, Most: 8 * time.Hour})
	if figure.Missing != 1 {
		t.Errorf("%d are missing", figure.Missing)
	}
	same(t, "of staging it", of(t, insight.Of(seen, insight.Scope{Stage: "staging", Days: 30}, today), insight.LeadTime).Now, insight.Measure{Events: 1})
}

func TestAChangeHasFailedIfItFailedOrWentBackOrWasTakenBackSoon(t *testing.T) {
	back := func(release string, began time.Time) attempt {
		return attempt{release: release, back: true, began: began, outcome: v1alpha1.AuditSucceeded, ended: began.Add(10 * time.Minute)}
	}
	for name, test := range map[string]struct {
		attempts       []attempt
		events, marked int
	}{
		"a success":                        {[]attempt{good("1", day(9, 0, 0), day(10, 0, 0))}, 1, 0},
		"a failure":                        {[]attempt{{release: "1", began: day(10, 0, 0), outcome: v1alpha1.AuditFailed, ended: day(10, 1, 0)}}, 1, 1},
		"one that went back by itself":     {[]attempt{{release: "1", began: day(10, 0, 0), outcome: v1alpha1.AuditRolledBack, ended: day(10, 1, 0)}}, 1, 1},
		"one that was cancelled":           {[]attempt{{release: "1", began: day(10, 0, 0), outcome: v1alpha1.AuditCancelled, ended: day(10, 1, 0)}}, 0, 0},
		"one that runs":                    {[]attempt{{release: "1", began: day(10, 0, 0)}}, 0, 0},
		"one that never began":             {[]attempt{{release: "1", outcome: v1alpha1.AuditFailed, ended: day(10, 1, 0)}}, 0, 0},
		"a rollback within a day":          {[]attempt{good("1", day(9, 0, 0), day(10, 0, 0)), back("0", day(11, 0, 10))}, 1, 1},
		"a rollback later":                 {[]attempt{good("1", day(9, 0, 0), day(10, 0, 0)), back("0", day(11, 0, 11))}, 1, 0},
		"a rollback after another success": {[]attempt{good("1", day(9, 0, 0), day(10, 0, 0)), good("2", day(9, 0, 0), day(10, 1, 0)), back("0", day(10, 2, 0))}, 2, 1},
		"a rollback of a rollback":         {[]attempt{good("1", day(9, 0, 0), day(10, 0, 0)), back("0", day(10, 1, 0)), back("1", day(10, 2, 0))}, 1, 1},
		"a rollback that fails":            {[]attempt{good("1", day(9, 0, 0), day(10, 0, 0)), {release: "0", back: true, began: day(10, 1, 0), outcome: v1alpha1.AuditFailed, ended: day(10, 2, 0)}}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			seen := past()
			put(&seen, "production", test.attempts...)
			same(t, "it", of(t, insight.Of(seen, insight.Scope{Days: 30}, today), insight.FailureRate).Now, insight.Measure{Events: test.events, Marked: test.marked})
		})
	}
	seen := past()
	for i := range 8 {
		put(&seen, "production", good(fmt.Sprint(i), day(1, 0, 0), day(10+i, 0, 0)))
	}
	put(&seen, "production", back("0", day(17, 3, 0)), attempt{release: "9", began: day(18, 0, 0), outcome: v1alpha1.AuditFailed, ended: day(18, 1, 0)})
	same(t, "two of nine", of(t, insight.Of(seen, insight.Scope{Days: 30}, today), insight.FailureRate).Now, insight.Measure{Events: 9, Marked: 2, Enough: true, Rate: 2.0 / 9})
}

func TestFailuresBeforeTheFirstIsRestoredAreOneIncident(t *testing.T) {
	fail := func(ended time.Time) attempt {
		return attempt{release: "bad", began: ended.Add(-time.Hour), outcome: v1alpha1.AuditFailed, ended: ended}
	}
	back := func(requested, began, ended time.Time) attempt {
		return attempt{release: "0", back: true, requested: requested, began: began, outcome: v1alpha1.AuditSucceeded, ended: ended}
	}
	for name, test := range map[string]struct {
		attempts []attempt
		took     []time.Duration
		open     int
	}{
		"a failure that nothing has ended": {[]attempt{fail(day(10, 1, 0))}, nil, 1},
		"a failure and a success":          {[]attempt{fail(day(10, 1, 0)), good("2", day(9, 0, 0), day(10, 3, 50))}, []time.Duration{3 * time.Hour}, 0},
		"two failures and a success":       {[]attempt{fail(day(10, 1, 0)), fail(day(10, 5, 0)), good("2", day(9, 0, 0), day(10, 5, 50))}, []time.Duration{5 * time.Hour}, 0},
		"one that was cancelled in between": {[]attempt{fail(day(10, 1, 0)), {release: "1", began: day(10, 2, 0), outcome: v1alpha1.AuditCancelled, ended: day(10, 3, 0)},
			good("2", day(9, 0, 0), day(10, 5, 50))}, []time.Duration{5 * time.Hour}, 0},
		"one that went back by itself": {[]attempt{{release: "1", began: day(10, 1, 0), outcome: v1alpha1.AuditRolledBack, ended: day(10, 1, 30)}}, []time.Duration{30 * time.Minute}, 0},
		"one that went back by itself after a failure": {[]attempt{fail(day(10, 1, 0)), {release: "2", began: day(10, 2, 0), outcome: v1alpha1.AuditRolledBack, ended: day(10, 2, 30)}},
			[]time.Duration{90 * time.Minute}, 0},
		"a rollback from its request on": {[]attempt{good("1", day(9, 0, 0), day(10, 0, 0)), back(day(10, 1, 0), day(10, 2, 0), day(10, 2, 5))}, []time.Duration{65 * time.Minute}, 0},
		"a rollback whose request is not known": {[]attempt{good("1", day(9, 0, 0), day(10, 0, 0)), back(time.Time{}, day(10, 2, 0), day(10, 2, 5))},
			[]time.Duration{5 * time.Minute}, 0},
		"a rollback that was requested before the success, by another clock": {[]attempt{good("1", day(9, 0, 0), day(10, 0, 0)), back(day(9, 23, 0), day(10, 2, 0), day(10, 2, 5))},
			[]time.Duration{115 * time.Minute}, 0},
		"a rollback after a failure": {[]attempt{fail(day(10, 1, 0)), back(day(10, 1, 30), day(10, 2, 0), day(10, 2, 5))}, []time.Duration{65 * time.Minute}, 0},
		"a clock that went back":     {[]attempt{fail(day(10, 5, 0)), good("2", day(9, 0, 0), day(10, 3, 0))}, []time.Duration{0}, 0},
		"one after the other": {[]attempt{fail(day(10, 1, 0)), good("2", day(9, 0, 0), day(10, 1, 50)), fail(day(11, 1, 0)), good("3", day(9, 0, 0), day(11, 2, 50)), fail(day(12, 0, 0))},
			[]time.Duration{time.Hour, 2 * time.Hour}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			seen := past()
			put(&seen, "production", test.attempts...)
			figure := of(t, insight.Of(seen, insight.Scope{Days: 30}, today), insight.Restore)
			var took []time.Duration
			for _, event := range figure.Events {
				took = append(took, event.Took)
			}
			if !slices.Equal(took, test.took) || figure.Open != test.open {
				t.Errorf("it took %v, and %d are open", took, figure.Open)
			}
		})
	}
}

func TestATimeToApproveIsFromTheRequestToTheLastApprovalThatCounted(t *testing.T) {
	seen := past()
	ask := func(requested time.Time, approved ...time.Time) attempt {
		return attempt{release: "1", requested: requested, approved: approved, began: day(21, 0, 0), outcome: v1alpha1.AuditSucceeded, ended: day(21, 1, 0)}
	}
	overridden := ask(day(20, 9, 0), day(20, 9, 1))
	overridden.overridden = []v1alpha1.OverridableGate{"Approval"}
	window := ask(day(20, 9, 0), day(20, 9, 50))
	window.overridden, window.back = []v1alpha1.OverridableGate{"Window"}, true
	put(&seen, "production",
		ask(day(20, 9, 0), day(20, 9, 30), day(20, 9, 10)), // 30 min: the later of two
		ask(day(20, 9, 0), day(20, 9, 20)),
		ask(time.Time{}, day(20, 9, 20)), // the Promotion is gone
		ask(day(20, 9, 0)),               // nobody had to
		overridden,                       // without all that was needed
		window,                           // 50 min, and a rollback
		ask(day(20, 9, 0), day(20, 8, 59)),
		ask(day(20, 9, 0), day(20, 9, 40)),
	)
	// 0, 20, 30, 40, 50
	found := insight.Of(seen, insight.Scope{Days: 30}, today)
	figure := of(t, found, insight.Approve)
	same(t, "it", figure.Now, insight.Measure{Events: 5, Enough: true, Median: 30 * time.Minute, Most: 50 * time.Minute})
	if figure.Missing != 1 {
		t.Errorf("%d are missing", figure.Missing)
	}
	same(t, "the override rate", of(t, found, insight.Override).Now, insight.Measure{Events: 8, Marked: 2, Enough: true, Rate: 0.25})
}

func TestAPeriodIsComparedWithTheOneBeforeIt(t *testing.T) {
	seen := past()
	for i := range 10 { // from the 19th at 12:10 to the 28th at 12:10
		put(&seen, "production", good(fmt.Sprint(i), day(1, 0, 0), day(19+i, 12, 0)))
	}
	put(&seen, "production", good("ahead", day(1, 0, 0), today.Add(time.Hour)))
	// The week begins with the 25th, and half of the 31st is over: four are in it, and the one that is to come by the operator's clock. The week before begins with
	// the 18th: six are in it.
	figure := of(t, insight.Of(seen, insight.Scope{Days: 7}, today), insight.Frequency)
	same(t, "it", figure.Now, insight.Measure{Events: 5, Enough: true, Rate: 5 * 7 / 6.5})
	same(t, "the one before", figure.Before, insight.Measure{Events: 6, Enough: true, Rate: 6})
	if last := figure.Buckets[6]; last.Total != 1 || len(figure.Buckets) != 7 {
		t.Errorf("the last of %d buckets is %+v", len(figure.Buckets), last)
	}
}

func TestFiguresAreOfWhatIsAskedFor(t *testing.T) {
	seen := past()
	other := &v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Application: "pay", Stage: "production"}}
	other.Namespace, other.Name, other.CreationTimestamp = "shop", "pay-production", metav1.NewTime(day(1, 0, 0))
	seen.Environments = append(seen.Environments, other)
	put(&seen, "dev", good("1", day(9, 0, 0), day(10, 0, 0)), good("2", day(9, 0, 0), day(11, 0, 0)), good("3", day(9, 0, 0), day(12, 0, 0)))
	put(&seen, "staging", good("1", day(9, 0, 0), day(10, 1, 0)), good("2", day(9, 0, 0), day(11, 1, 0)))
	put(&seen, "production", good("1", day(9, 0, 0), day(10, 2, 0)))
	put(&seen, "pay-production", good("p1", day(9, 0, 0), day(10, 2, 0)))
	put(&seen, "gone", good("1", day(9, 0, 0), day(10, 3, 0)))
	seen.Records = append(seen.Records, seen.Records[0], seen.Records[1]) // read twice
	for name, test := range map[string]struct {
		scope  insight.Scope
		events int
		rows   int
	}{
		"the last stages of all applications": {insight.Scope{}, 2, 5},
		"the last stage of one application":   {insight.Scope{Application: "shop"}, 1, 4},
		"a stage of one application":          {insight.Scope{Application: "shop", Stage: "dev"}, 3, 4},
		"a stage of all applications":         {insight.Scope{Project: "shop", Stage: "production"}, 2, 5},
		"an Environment that is gone":         {insight.Scope{Stage: "gone"}, 1, 5},
		"another project":                     {insight.Scope{Project: "other"}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test.scope.Days = 30
			found := insight.Of(seen, test.scope, today)
			if got := of(t, found, insight.Frequency).Now.Events; got != test.events || len(found.Rows) != test.rows {
				t.Errorf("it rests on %d events, and has the rows %+v", got, found.Rows)
			}
		})
	}
	for _, row := range insight.Of(seen, insight.Scope{Days: 30}, today).Rows {
		want := map[string]int{"dev": 3, "staging": 2, "production": 1, "gone": 1}[row.Stage]
		if row.Figures[0].Kind != insight.Frequency || row.Figures[0].Now.Events != want {
			t.Errorf("%s of %s has %+v", row.Stage, row.Application, row.Figures[0].Now)
		}
	}
}
