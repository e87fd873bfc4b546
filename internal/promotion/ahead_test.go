// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestWhatIsAheadOfAReleaseIsSaidBeforeThereIsAPromotion(t *testing.T) {
	now := time.Date(2031, 3, 8, 12, 0, 0, 0, time.UTC) // a Saturday
	fetched := func() *v1alpha1.Release {
		release := newRelease("1.4.0")
		release.Status.Digest = simulatedDigest
		meta.SetStatusCondition(&release.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolved})
		return release
	}
	for name, test := range map[string]struct {
		kind    v1alpha1.PromotionType
		change  func(release *v1alpha1.Release, environment, staging *v1alpha1.Environment)
		bundled []*v1alpha1.Release
		want    []v1alpha1.Gate
	}{
		"nothing": {},
		"a block before anything else of the Release": {change: func(r *v1alpha1.Release, _, _ *v1alpha1.Environment) {
			r.Spec.Blocked.Reason, r.Status = "loses vouchers", v1alpha1.ReleaseStatus{}
		}, want: []v1alpha1.Gate{v1alpha1.GateRelease}},
		"a block of one that it bundles": {bundled: []*v1alpha1.Release{{Spec: v1alpha1.ReleaseSpec{Blocked: v1alpha1.ReleaseBlock{Reason: "bad"}}}}, want: []v1alpha1.Gate{v1alpha1.GateRelease}},
		"content that is not there":      {change: func(r *v1alpha1.Release, _, _ *v1alpha1.Environment) { r.Status.Digest = "" }, want: []v1alpha1.Gate{v1alpha1.GateRelease}},
		"all of them, the most important first": {change: func(_ *v1alpha1.Release, e, s *v1alpha1.Environment) {
			e.Spec.Hold.Reason, e.Spec.After = "incident", []string{"staging", "dev"}
			e.Spec.SoakSeconds = 7 * 86400
			runsIn(s, newRelease("1.4.0"), now.Add(-time.Hour))
			e.Spec.Windows.Freeze = []v1alpha1.Window{{StartTime: metav1.NewTime(now.Add(-time.Hour)), EndTime: metav1.NewTime(now.Add(time.Hour))}}
		}, want: []v1alpha1.Gate{v1alpha1.GateHold, v1alpha1.GateUpstream, v1alpha1.GateSoak, v1alpha1.GateWindow}},
		"of a rollback the hold alone": {kind: v1alpha1.PromotionTypeRollback, change: func(_ *v1alpha1.Release, e, _ *v1alpha1.Environment) {
			e.Spec.Hold.Reason, e.Spec.After = "incident", []string{"staging"}
			e.Spec.Windows.Freeze = []v1alpha1.Window{{StartTime: metav1.NewTime(now.Add(-time.Hour)), EndTime: metav1.NewTime(now.Add(time.Hour))}}
		}, want: []v1alpha1.Gate{v1alpha1.GateHold}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{environment: &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "production"}}, upstream: map[string]*v1alpha1.Environment{}}
			w.environment.Spec.Application = "shop"
			w.comesAfter(0, "staging", "dev")
			w.environment.Spec.After = nil
			release := fetched()
			if test.change != nil {
				test.change(release, w.environment, w.upstream["staging"])
			}
			var gates []v1alpha1.Gate
			for _, blocker := range Ahead(test.kind, release, test.bundled, w.environment, w.upstream, now) {
				gates = append(gates, blocker.Gate)
				if blocker.Message == "" || blocker.Clears == "" {
					t.Errorf("%s says %q and %q", blocker.Gate, blocker.Message, blocker.Clears)
				}
			}
			if !slices.Equal(gates, test.want) {
				t.Errorf("ahead are %v, and %v is expected", gates, test.want)
			}
		})
	}
}
