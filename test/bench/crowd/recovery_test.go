// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestWhatIsLostOrDoneTwiceIsAViolation(t *testing.T) {
	for _, test := range []struct {
		name, state string
		story       story
		want        []string
	}{
		{"one that ended once", v1alpha1.ReasonSucceeded, story{intents: 1, outcomes: 1, states: 1}, nil},
		{"one that never ended", v1alpha1.ReasonRollingOut, story{intents: 1}, []string{
			`promotion "p" has ended as RollingOut`, `promotion "p" has 1 intents and 0 outcomes on record, and its end was written 0 times`}},
		{"one whose end nobody waited to be answered", v1alpha1.ReasonSucceeded, story{intents: 1, outcomes: 1}, nil},
		{"one that failed", v1alpha1.ReasonFailed, story{intents: 1, outcomes: 1, states: 1}, []string{`promotion "p" has ended as Failed`}},
		{"one with two intents", v1alpha1.ReasonSucceeded, story{intents: 2, outcomes: 1, states: 1}, []string{
			`promotion "p" has 2 intents and 1 outcomes on record, and its end was written 1 times`}},
		{"one that ended twice", v1alpha1.ReasonSucceeded, story{intents: 1, outcomes: 2, states: 2}, []string{
			`promotion "p" has 1 intents and 2 outcomes on record, and its end was written 2 times`}},
		{"one of whose objects one was left out", v1alpha1.ReasonSucceeded, story{intents: 1, outcomes: 1, states: 1, missing: []string{"ConfigMap", "Secret"}}, []string{
			`of promotion "p" was not applied: ConfigMap, Secret`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			NewWithT(t).Expect(test.story.violations("p", test.state)).To(Equal(test.want))
		})
	}
}

func TestTheMemoryOfEachEnvironmentAndPromotionIsASlope(t *testing.T) {
	g := NewWithT(t)
	const mib, kib = 1 << 20, 1 << 10
	results := restResults(
		Rest{Resident: 60 * mib, Private: 20 * mib},
		Rest{Size: Size{Environments: 100, Ended: 1}, Private: 20*mib + 100*50*kib},
		Rest{Size: Size{Environments: 100, Ended: 9, Waiting: 1}, Private: 20*mib + 100*50*kib + 900*2*kib, Resident: 90 * mib, Core: time.Second, Lasted: time.Minute, Writes: 3},
	)
	g.Expect(results[3].Series[0].Values).To(Equal([]float64{90}))
	g.Expect(results[3].Notes).To(ContainElement("60.0 MiB with nothing; 50 KiB more for each environment with what runs there, 2.0 KiB for each further promotion"))
	g.Expect(results[0].Series[0].Values).To(Equal([]float64{3}))
}
