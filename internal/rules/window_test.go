// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/rules"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func fixed(from, to time.Duration) v1alpha1.Window {
	return v1alpha1.Window{StartTime: metav1.NewTime(noon.Add(from)), EndTime: metav1.NewTime(noon.Add(to))}
}

func TestWindowsThatLetNothingStartAnyMoreAreAProblem(t *testing.T) {
	daily := v1alpha1.Window{Schedule: "0 9 * * *", DurationSeconds: 3600}
	always := v1alpha1.Window{Schedule: "0 0 * * *", DurationSeconds: 86400}
	for name, c := range map[string]struct {
		windows v1alpha1.WindowPolicy
		problem bool
		changes time.Duration
	}{
		"no windows":                                 {},
		"a window that recurs":                       {windows: v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{daily}}},
		"a window that is over":                      {windows: v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{fixed(-2*time.Hour, -time.Hour)}}, problem: true},
		"a window that is to come":                   {windows: v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{fixed(time.Hour, 2*time.Hour)}}, changes: 2 * time.Hour},
		"a window that is open":                      {windows: v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{fixed(-time.Hour, time.Hour), fixed(-time.Hour, time.Minute)}}, changes: time.Hour},
		"one that is over and one daily":             {windows: v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{fixed(-2*time.Hour, -time.Hour), daily}}},
		"a freeze that never ends":                   {windows: v1alpha1.WindowPolicy{Freeze: []v1alpha1.Window{always}}, problem: true},
		"a freeze over every window":                 {windows: v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{daily}, Freeze: []v1alpha1.Window{always}}, problem: true},
		"a freeze that ends":                         {windows: v1alpha1.WindowPolicy{Freeze: []v1alpha1.Window{fixed(-time.Hour, time.Hour)}}},
		"one that cannot be read beside one to come": {windows: v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{fixed(2*time.Hour, time.Hour), fixed(time.Hour, 3*time.Hour)}}},
		"windows that cannot be read":                {windows: v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{{Schedule: "never", DurationSeconds: 60}}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			e := environment("production")
			e.Spec.Windows = c.windows
			problems, changes := rules.NeverOpens(e, noon)
			if c.problem {
				g.Expect(problems).To(ConsistOf(And(HaveField("Field", "spec.windows"), HaveField("Message", ContainSubstring("add an `allow` window")))))
			} else {
				g.Expect(problems).To(BeEmpty())
			}
			if c.changes == 0 {
				g.Expect(changes).To(BeZero())
			} else {
				g.Expect(changes).To(Equal(noon.Add(c.changes)))
			}
		})
	}
}
