// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/window"
)

// production runs 1.0.0, after staging, which runs 1.2.0.
func production(changes ...environmentChange) *v1alpha1.Environment {
	return environmentOf("shop", "production", "web", append([]environmentChange{after("staging"), running("1.0.0", 24*time.Hour)}, changes...)...)
}

// cellOf an Environment in a world with the Releases 1.0.0 to 1.2.0.
func cellOf(environment *v1alpha1.Environment, promotions ...*v1alpha1.Promotion) cell {
	world := &World{
		Projects:     []string{"shop"},
		Environments: []*v1alpha1.Environment{environment, environmentOf("shop", "staging", "web", running("1.2.0", time.Hour))},
		Promotions:   promotions,
	}
	for i, version := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		world.Releases = append(world.Releases, releaseOf("shop", "web", version, time.Duration(5-i)*time.Hour))
	}
	for _, column := range arrange(viewer(), world, MatrixFilter{}).Rows[0].row.Columns {
		for _, one := range column.Cells {
			if one.Environment == environment.Name {
				return one
			}
		}
	}
	return cell{}
}

func TestEachStateOfAPromotionReadsAndLooksDifferent(t *testing.T) {
	to := production()
	looks := map[string]string{}
	for name, row := range map[string]struct {
		of   *v1alpha1.Promotion
		text string
		kind Kind
	}{
		"new":          {promotionTo(to, "1.2.0", "", time.Hour), "not looked at yet", KindBlocked},
		"planning":     {promotionTo(to, "1.2.0", v1alpha1.ReasonPlanning, time.Hour), "planning", KindBlocked},
		"one approval": {promotionTo(to, "1.2.0", v1alpha1.ReasonAwaitingApproval, time.Hour, approvedBy(2, "security", "carol")), "1 of 2 approvals, needs security", KindWaiting},
		"window":       {promotionTo(to, "1.2.0", v1alpha1.ReasonBlocked, time.Hour, blockedBy(v1alpha1.GateWindow, "outside the allow windows", monday)), "outside its window", KindBlocked},
		"soak":         {promotionTo(to, "1.2.0", v1alpha1.ReasonBlocked, time.Hour, blockedBy(v1alpha1.GateSoak, "soaks", monday)), "soaking in staging", KindBlocked},
		"upstream":     {promotionTo(to, "1.2.0", v1alpha1.ReasonBlocked, time.Hour, blockedBy(v1alpha1.GateUpstream, "not there", 0)), "not proven in staging", KindBlocked},
		"held":         {promotionTo(to, "1.2.0", v1alpha1.ReasonBlocked, time.Hour, blockedBy(v1alpha1.GateHold, "held", 0)), "held", KindBlocked},
		"check":        {promotionTo(to, "1.2.0", v1alpha1.ReasonBlocked, time.Hour, blockedBy(v1alpha1.GateCheck, "red", 0)), "a check has not passed", KindBlocked},
		"release":      {promotionTo(to, "1.2.0", v1alpha1.ReasonBlocked, time.Hour, blockedBy(v1alpha1.GateRelease, "blocked", 0)), "the release is not ready", KindBlocked},
		"target":       {promotionTo(to, "1.2.0", v1alpha1.ReasonBlocked, time.Hour, blockedBy(v1alpha1.GateTarget, "no deployer", 0)), "the target is not ready", KindBlocked},
		"guard":        {promotionTo(to, "1.2.0", v1alpha1.ReasonBlocked, time.Hour, blockedBy(v1alpha1.GateGuard, "no guard", 0)), "the guard is not in place", KindBlocked},
		"queued":       {promotionTo(to, "1.2.0", v1alpha1.ReasonQueued, time.Hour), "queued", KindBlocked},
		"rolling out":  {promotionTo(to, "1.2.0", v1alpha1.ReasonRollingOut, time.Hour, progressing(2, 4)), "rolling out, 2 of 4 healthy", KindMoving},
		"failing":      {promotionTo(to, "1.2.0", v1alpha1.ReasonRollingOut, time.Hour, progressing(3, 4, "db")), "rolling out, 3 of 4 healthy, db fails", KindMoving},
		"verifying":    {promotionTo(to, "1.2.0", v1alpha1.ReasonVerifying, time.Hour, progressing(4, 4)), "verifying", KindMoving},
		"rolling back": {promotionTo(to, "1.2.0", v1alpha1.ReasonRollingBack, time.Hour, progressing(0, 4)), "rolling back, 0 of 4 healthy", KindMoving},
		"rejected":     {promotionTo(to, "1.2.0", v1alpha1.ReasonRejected, time.Hour), "rejected", KindEnded},
		"expired":      {promotionTo(to, "1.2.0", v1alpha1.ReasonExpired, time.Hour), "expired", KindEnded},
		"superseded":   {promotionTo(to, "1.2.0", v1alpha1.ReasonSuperseded, time.Hour), "superseded", KindEnded},
		"cancelled":    {promotionTo(to, "1.2.0", v1alpha1.ReasonCancelled, time.Hour), "cancelled", KindEnded},
		"invalid":      {promotionTo(to, "1.2.0", v1alpha1.ReasonInvalid, time.Hour), "invalid", KindTrouble},
		"failed":       {promotionTo(to, "1.2.0", v1alpha1.ReasonFailed, time.Hour), "failed", KindTrouble},
		"rolled back":  {promotionTo(to, "1.2.0", v1alpha1.ReasonRolledBack, time.Hour), "failed, rolled back", KindTrouble},
		"a newer reason": {promotionTo(to, "1.2.0", "Pondering", time.Hour, func(p *v1alpha1.Promotion) {
			p.Status.Conditions[0].Status, p.Status.CompletionTime = metav1.ConditionUnknown, metav1.Time{}
		}), "Pondering", KindBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			got := cellOf(to, row.of)
			if got.Way == nil || got.Way.Text != row.text || got.Way.kind != row.kind || !slices.Contains(got.kinds, row.kind) || got.Way.Version != "1.2.0" || got.Way.By != "bob" {
				t.Fatalf("%+v", got.Way)
			}
			if got.Way.Icon == "" || got.Way.Tone == "" {
				t.Errorf("it has no look: %+v", got.Way)
			}
			if other, taken := looks[row.text]; taken {
				t.Errorf("it reads like %q", other)
			}
			looks[row.text] = name
		})
	}
}

func TestEndsThatAreNoFailureDoNotLookLikeOne(t *testing.T) {
	seen := map[string]string{}
	for reason, is := range states {
		if is.order > 0 || reason == v1alpha1.ReasonSucceeded {
			continue
		}
		if bad := is.tone == "bad"; bad != (is.kind == KindTrouble) {
			t.Errorf("%s is of the kind %s and looks %s", reason, is.kind, is.tone)
		}
		if other, taken := seen[is.icon]; taken {
			t.Errorf("%s has the icon of %s", reason, other)
		}
		seen[is.icon] = reason
	}
}

func TestAFreezeIsToldApartFromAClosedWindow(t *testing.T) {
	policy, problems := window.Parse(v1alpha1.WindowPolicy{Freeze: []v1alpha1.Window{{StartTime: before(time.Hour), EndTime: before(monday), Reason: "year end"}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	message := policy.At(friday).Message()
	told := blocked(nil, v1alpha1.Blocker{Gate: v1alpha1.GateWindow, Message: message, UntilTime: before(monday)})
	if told.Text != "freeze" || told.Until != `<time datetime="2031-03-10T09:00:00Z" data-moment>2031-03-10 09:00 UTC</time>` {
		t.Errorf("%q is told as %+v", message, told)
	}
}

func TestWhatElseIsWaitedForStandsBelowTheApprovals(t *testing.T) {
	to := production()
	got := cellOf(to, promotionTo(to, "1.1.0", v1alpha1.ReasonAwaitingApproval, time.Hour, approvedBy(1, "owners"), blockedBy(v1alpha1.GateWindow, "outside", monday)))
	if got.Way.Text != "0 of 1 approval, needs owners" || got.Way.Then == nil || got.Way.Then.Text != "outside its window" {
		t.Errorf("%+v", got.Way)
	}
}

func TestTheDefaultRuleIsNotNamed(t *testing.T) {
	to := production()
	if got := cellOf(to, promotionTo(to, "1.1.0", v1alpha1.ReasonAwaitingApproval, time.Hour, approvedBy(1, approval.DefaultRule))); got.Way.Text != "0 of 1 approval" {
		t.Errorf("%+v", got.Way)
	}
}

func TestOfSeveralPromotionsTheOneNearestToItsStartIsShown(t *testing.T) {
	to := production()
	for name, row := range map[string]struct {
		open []*v1alpha1.Promotion
		want string
	}{
		"a rollout before those that wait": {[]*v1alpha1.Promotion{
			promotionTo(to, "1.2.0", v1alpha1.ReasonAwaitingApproval, time.Minute), promotionTo(to, "1.1.0", v1alpha1.ReasonRollingOut, time.Hour),
		}, "1.1.0"},
		"the newest of those that wait": {[]*v1alpha1.Promotion{
			promotionTo(to, "1.1.0", v1alpha1.ReasonAwaitingApproval, time.Hour), promotionTo(to, "1.2.0", v1alpha1.ReasonAwaitingApproval, time.Minute),
		}, "1.2.0"},
		"one that waits before one that has ended": {[]*v1alpha1.Promotion{
			promotionTo(to, "1.1.0", v1alpha1.ReasonPlanning, time.Hour), promotionTo(to, "1.2.0", v1alpha1.ReasonFailed, time.Minute),
		}, "1.1.0"},
	} {
		if got := cellOf(to, row.open...); got.Way.Version != row.want {
			t.Errorf("%s: %+v", name, got.Way)
		}
	}
	if got := cellOf(to, promotionTo(to, "1.1.0", "", time.Hour), promotionTo(to, "1.2.0", "", time.Hour)); got.Way.More != 1 {
		t.Errorf("it does not say that another waits: %+v", got.Way)
	}
}

func TestAnEndIsForgottenOnceSomethingHasSucceededSince(t *testing.T) {
	to := production()
	if got := cellOf(to, promotionTo(to, "1.1.0", v1alpha1.ReasonFailed, 48*time.Hour)); got.Way != nil {
		t.Errorf("a failure of the day before is shown: %+v", got.Way)
	}
	if got := cellOf(to, promotionTo(to, "1.0.0", v1alpha1.ReasonSucceeded, time.Hour)); got.Way != nil || got.By != "bob" {
		t.Errorf("what runs is on its way, or nobody asked for it: %+v", got)
	}
}

func TestACellMarksWhatIsOutOfTheOrdinary(t *testing.T) {
	for name, row := range map[string]struct {
		of     *v1alpha1.Environment
		health string
		marks  string
		kinds  []Kind
	}{
		"all is well":  {environmentOf("shop", "production", "web", running("1.2.0", time.Hour)), "healthy", "", []Kind{KindHealthy}},
		"nothing runs": {environmentOf("shop", "production", "web"), "never deployed", "", []Kind{KindEmpty}},
		"nothing runs, and its condition says so": {environmentOf("shop", "production", "web", withCondition(v1alpha1.ConditionHealthy, metav1.ConditionUnknown, v1alpha1.ReasonNotDeployed),
			withCondition(v1alpha1.ConditionInSync, metav1.ConditionFalse, v1alpha1.ReasonRolloutFailed)), "never deployed", "", []Kind{KindEmpty}},
		"unhealthy":          {production(withCondition(v1alpha1.ConditionHealthy, metav1.ConditionFalse, v1alpha1.ReasonUnhealthy)), "not healthy", "2 behind staging", []Kind{KindTrouble, KindBehind}},
		"nobody knows":       {production(withCondition(v1alpha1.ConditionHealthy, metav1.ConditionUnknown, "")), "health unknown", "2 behind staging", []Kind{KindBehind}},
		"drifted":            {production(withCondition(v1alpha1.ConditionInSync, metav1.ConditionFalse, v1alpha1.ReasonDrifted)), "healthy", "drifted, 2 behind staging", []Kind{KindHealthy, KindTrouble, KindBehind}},
		"half rolled out":    {production(withCondition(v1alpha1.ConditionInSync, metav1.ConditionFalse, v1alpha1.ReasonRolloutStopped)), "healthy", "not as approved, 2 behind staging", []Kind{KindHealthy, KindTrouble, KindBehind}},
		"drift not known":    {production(withCondition(v1alpha1.ConditionInSync, metav1.ConditionUnknown, v1alpha1.ReasonDriftUnknown)), "healthy", "drift unknown, 2 behind staging", []Kind{KindHealthy, KindBehind}},
		"on hold":            {production(onHold("incident")), "healthy", "on hold, 2 behind staging", []Kind{KindHealthy, KindHold, KindBehind}},
		"held by annotation": {production(func(e *v1alpha1.Environment) { e.Annotations = map[string]string{v1alpha1.AnnotationHold: "incident"} }), "healthy", "on hold, 2 behind staging", []Kind{KindHealthy, KindHold, KindBehind}},
		"break-glass":        {production(overridden("dave")), "healthy", "break-glass used, 2 behind staging", []Kind{KindHealthy, KindOverride, KindBehind}},
		"no deployer":        {production(withCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeployerMissing)), "healthy", "cannot deploy here, 2 behind staging", []Kind{KindHealthy, KindTrouble, KindBehind}},
		"a deleted release":  {environmentOf("shop", "production", "web", after("staging"), running("0.1.0", time.Hour)), "healthy", "", []Kind{KindHealthy}},
		"ahead":              {environmentOf("shop", "production", "web", after("staging"), running("1.2.0", time.Hour)), "healthy", "", []Kind{KindHealthy}},
	} {
		t.Run(name, func(t *testing.T) {
			got := cellOf(row.of)
			var marks []string
			for _, mark := range got.Marks {
				marks = append(marks, mark.Text)
			}
			if got.Health.Text != row.health || strings.Join(marks, ", ") != row.marks || !slices.Equal(got.kinds, row.kinds) {
				t.Errorf("%q, %q, %v", got.Health.Text, marks, got.kinds)
			}
		})
	}
}

func TestAReleaseThatIsKnownToBeBadIsMarkedWhereItRuns(t *testing.T) {
	release := releaseOf("shop", "web", "1.0.0", time.Hour)
	release.Spec.Blocked.Reason = "loses orders"
	world := &World{Environments: []*v1alpha1.Environment{production()}, Releases: []*v1alpha1.Release{release}}
	if got := arrange(viewer(), world, MatrixFilter{}).Rows[0].row.Columns[0].Cells[0]; len(got.Marks) != 1 || got.Marks[0].Text != "blocked release" {
		t.Errorf("%+v", got.Marks)
	}
}
