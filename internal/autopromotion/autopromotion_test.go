// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package autopromotion_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/autopromotion"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func release(version string, changes ...func(*v1alpha1.Release)) *v1alpha1.Release {
	made := &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-" + strings.ToLower(version), UID: types.UID("uid-" + version)},
		Spec:       v1alpha1.ReleaseSpec{Application: "shop", Version: version},
		Status: v1alpha1.ReleaseStatus{
			Digest:     "sha256:1",
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolved}},
		},
	}
	for _, change := range changes {
		change(made)
	}
	return made
}

func environment(changes ...func(*v1alpha1.Environment)) *v1alpha1.Environment {
	made := &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: "production", UID: "e1"},
		Spec:       v1alpha1.EnvironmentSpec{Application: "shop", AutoPromotion: v1alpha1.AutoPromotion{Versions: ">=1.0.0"}},
	}
	for _, change := range changes {
		change(made)
	}
	return made
}

func runs(version string) func(*v1alpha1.Environment) {
	return func(e *v1alpha1.Environment) {
		e.Status.Current = v1alpha1.Deployment{Release: "shop-" + version, Version: version}
		e.Status.Releases = append(e.Status.Releases, v1alpha1.SucceededRelease{Name: "shop-" + version, UID: "uid-" + version, Version: version})
	}
}

func asked(version string) func(*v1alpha1.Environment) {
	return func(e *v1alpha1.Environment) {
		e.Status.AutoPromoted = v1alpha1.AutoPromoted{Release: "shop-" + version, Version: version}
	}
}

func versions(constraint string) func(*v1alpha1.Environment) {
	return func(e *v1alpha1.Environment) { e.Spec.AutoPromotion.Versions = constraint }
}

func TestTheNewestEligibleReleaseIsChosen(t *testing.T) {
	soaking := []v1alpha1.Blocker{{Gate: v1alpha1.GateSoak, UntilTime: metav1.NewTime(noon.Add(time.Hour))}}
	soaksLonger := []v1alpha1.Blocker{{Gate: v1alpha1.GateSoak, UntilTime: metav1.NewTime(noon.Add(2 * time.Hour))}}
	never := []v1alpha1.Blocker{{Gate: v1alpha1.GateUpstream}}
	for name, c := range map[string]struct {
		environment *v1alpha1.Environment
		releases    []*v1alpha1.Release
		upstream    map[string][]v1alpha1.Blocker
		promotions  []string
		want        string
		again       time.Time
	}{
		"nothing is released": {},
		"the newest by semantic version, whatever was created last": {
			releases: []*v1alpha1.Release{release("1.9.0"), release("1.10.0"), release("1.2.0")}, want: "1.10.0",
		},
		"a leading v is read over": {releases: []*v1alpha1.Release{release("v1.2.0"), release("1.1.0")}, want: "v1.2.0"},
		"what is no semantic version is never promoted by itself": {
			releases: []*v1alpha1.Release{release("main-4711"), release("20261122"), release("1.2")},
		},
		"a version outside of the constraint is not": {
			environment: environment(versions(">=1.0.0 <2.0.0")), releases: []*v1alpha1.Release{release("2.0.0"), release("1.3.0"), release("0.9.0")}, want: "1.3.0",
		},
		"a pre-release is not, unless the constraint speaks of pre-releases": {releases: []*v1alpha1.Release{release("1.2.0-rc.1"), release("1.1.0")}, want: "1.1.0"},
		"a pre-release is, where the constraint speaks of pre-releases": {
			environment: environment(versions(">=1.0.0-0")), releases: []*v1alpha1.Release{release("1.2.0-rc.1"), release("1.1.0")}, want: "1.2.0-rc.1",
		},
		"a constraint that cannot be understood chooses nothing": {environment: environment(versions("newest")), releases: []*v1alpha1.Release{release("1.1.0")}},
		"without a constraint nothing is chosen":                 {environment: environment(versions("")), releases: []*v1alpha1.Release{release("1.1.0")}},
		"a release of another application is not": {
			releases: []*v1alpha1.Release{release("1.1.0", func(r *v1alpha1.Release) { r.Spec.Application = "billing" })},
		},
		"a blocked release is not": {
			releases: []*v1alpha1.Release{release("1.2.0", func(r *v1alpha1.Release) { r.Spec.Blocked.Reason = "loses orders" }), release("1.1.0")}, want: "1.1.0",
		},
		"a release whose content is not there yet is not": {
			releases: []*v1alpha1.Release{release("1.2.0", func(r *v1alpha1.Release) { r.Status.Conditions[0].Status = metav1.ConditionFalse }), release("1.1.0")}, want: "1.1.0",
		},
		"a release that is being deleted is not": {
			releases: []*v1alpha1.Release{release("1.2.0", func(r *v1alpha1.Release) { r.DeletionTimestamp = &metav1.Time{Time: noon} }), release("1.1.0")}, want: "1.1.0",
		},
		"what runs is not, nor what is older": {environment: environment(runs("1.2.0")), releases: []*v1alpha1.Release{release("1.2.0"), release("1.1.0")}},
		"what is newer than what runs is":     {environment: environment(runs("1.2.0")), releases: []*v1alpha1.Release{release("1.2.0"), release("1.2.1")}, want: "1.2.1"},
		"a version that differs in its build alone is not newer": {
			environment: environment(runs("1.2.0+a")), releases: []*v1alpha1.Release{release("1.2.0+b")},
		},
		"what was asked for by itself is not asked for again, though its promotion was deleted": {
			environment: environment(runs("1.1.0"), asked("1.2.0")), releases: []*v1alpha1.Release{release("1.1.0"), release("1.2.0")},
		},
		"what ran before a rollback is not asked for again": {
			environment: environment(runs("1.2.0"), runs("1.1.0")), releases: []*v1alpha1.Release{release("1.1.0"), release("1.2.0")},
		},
		"what runs here without a semantic version keeps nothing away": {environment: environment(runs("hotfix")), releases: []*v1alpha1.Release{release("1.0.0")}, want: "1.0.0"},
		"an older one is chosen while a newer one soaks, and the choice is made again": {
			releases: []*v1alpha1.Release{release("1.2.0"), release("1.1.0")}, upstream: map[string][]v1alpha1.Blocker{"1.2.0": soaking},
			want: "1.1.0", again: noon.Add(time.Hour),
		},
		"the first that has soaked brings the choice back": {
			releases: []*v1alpha1.Release{release("1.3.0"), release("1.2.0"), release("1.1.0")},
			upstream: map[string][]v1alpha1.Blocker{"1.3.0": soaksLonger, "1.2.0": soaking, "1.1.0": never}, again: noon.Add(time.Hour),
		},
		"what needs more than time does not": {
			releases: []*v1alpha1.Release{release("1.2.0")}, upstream: map[string][]v1alpha1.Blocker{"1.2.0": append(never, soaking...)},
		},
		"what somebody has asked for is not asked for again, and nothing older instead": {
			releases: []*v1alpha1.Release{release("1.2.0"), release("1.1.0")}, promotions: []string{"1.2.0"},
		},
		"what somebody has asked for too early keeps nothing older away": {
			releases: []*v1alpha1.Release{release("1.2.0"), release("1.1.0")}, promotions: []string{"1.2.0"},
			upstream: map[string][]v1alpha1.Blocker{"1.2.0": never}, want: "1.1.0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			if c.environment == nil {
				c.environment = environment()
			}
			for range 2 { // whatever the order in which the releases are listed
				choice := autopromotion.Choose(autopromotion.Question{
					Environment: c.environment, Releases: c.releases,
					Upstream: func(r *v1alpha1.Release) []v1alpha1.Blocker { return c.upstream[r.Spec.Version] },
					Asked: func(r *v1alpha1.Release) bool {
						for _, version := range c.promotions {
							if version == r.Spec.Version {
								return true
							}
						}
						return false
					},
				})
				if c.want == "" {
					g.Expect(choice.Release).To(BeNil())
				} else {
					g.Expect(choice.Release).To(HaveField("Spec.Version", c.want))
				}
				g.Expect(choice.Again).To(Equal(c.again))
				reverse(c.releases)
			}
		})
	}
}

func reverse(releases []*v1alpha1.Release) {
	for i, j := 0, len(releases)-1; i < j; i, j = i+1, j-1 {
		releases[i], releases[j] = releases[j], releases[i]
	}
}

func TestTheNameOfAnAutomaticPromotionIsStableAndFits(t *testing.T) {
	g := NewWithT(t)
	one := autopromotion.Name(release("1.2.0"), environment())
	g.Expect(one).To(MatchRegexp(`^shop-1\.2\.0-production-[0-9a-f]{10}$`))
	g.Expect(autopromotion.Name(release("1.2.0"), environment())).To(Equal(one))
	again := release("1.2.0", func(r *v1alpha1.Release) { r.UID = "another" })
	g.Expect(autopromotion.Name(again, environment())).NotTo(Equal(one), "another release of the same name")
	g.Expect(autopromotion.Name(release("1.2.0"), environment(func(e *v1alpha1.Environment) { e.UID = "another" }))).NotTo(Equal(one))

	long := release("1.2.0", func(r *v1alpha1.Release) { r.Name = strings.Repeat("a", 230) + "." + strings.Repeat("b", 22) })
	for length := range 63 {
		name := autopromotion.Name(long, environment(func(e *v1alpha1.Environment) { e.Name = strings.Repeat("e", length+1) }))
		g.Expect(len(name)).To(BeNumerically("<=", 253))
		g.Expect(name).To(MatchRegexp(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`))
	}
}
