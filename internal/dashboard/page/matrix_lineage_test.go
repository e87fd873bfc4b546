// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"strings"
	"testing"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestReleasesStandInTheOrderOfTheirVersionsWhereAllAreSemantic(t *testing.T) {
	for name, row := range map[string]struct{ created, want string }{
		"by version":                         {"1.10.0 1.9.0 1.9.1", "1.9.0 1.9.1 1.10.0"},
		"with a v":                           {"v2.0.0 1.9.0", "1.9.0 v2.0.0"},
		"a candidate before the version":     {"1.0.0 1.0.0-rc.1", "1.0.0-rc.1 1.0.0"},
		"one that is not: by their creation": {"1.10.0 build-7 1.9.0", "1.10.0 build-7 1.9.0"},
	} {
		var releases []*v1alpha1.Release
		for i, version := range strings.Fields(row.created) {
			releases = append(releases, releaseOf("shop", "web", version, -time.Duration(i)*time.Hour))
		}
		var got []string
		for _, release := range newLineage(releases).releases {
			got = append(got, release.Spec.Version)
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestHowFarBehindIsCountedToTheStageThatIsFarthestAhead(t *testing.T) {
	var releases []*v1alpha1.Release
	for i, version := range []string{"1.0.0", "1.1.0", "1.2.0", "1.3.0"} {
		releases = append(releases, releaseOf("shop", "web", version, -time.Duration(i)*time.Hour))
	}
	here := environmentOf("shop", "production", "web", running("1.0.0", time.Hour))
	east := environmentOf("shop", "east", "web", running("1.1.0", time.Hour), inStage("staging"))
	west := environmentOf("shop", "west", "web", running("1.3.0", time.Hour), inStage("acceptance"))
	if number, of := newLineage(releases).behind(here, []*v1alpha1.Environment{east, west}); number != 3 || of != "acceptance" {
		t.Errorf("%d behind %q", number, of)
	}
}

func TestANewReleaseIsOfferedUntilItRunsOrIsOnItsWay(t *testing.T) {
	row := func(state string, block bool) *row {
		e := environmentOf("shop", "dev", "web", running("1.0.0", time.Hour))
		world := &World{Environments: []*v1alpha1.Environment{e}, Releases: []*v1alpha1.Release{releaseOf("shop", "web", "1.0.0", time.Hour), releaseOf("shop", "web", "1.1.0", 0)}}
		if state != "" {
			world.Promotions = []*v1alpha1.Promotion{promotionTo(e, "1.1.0", state, time.Minute)}
		}
		if block {
			world.Releases[1].Spec.Blocked.Reason = "bad"
		}
		return arrange(viewer(), world, MatrixFilter{}).Rows[0].row
	}
	if got := row("", false); got.NewestVersion != "1.1.0" || got.NewestURL != "/projects/shop/releases/web-1.1.0" {
		t.Errorf("it is not offered: %+v", got)
	}
	if got := row(v1alpha1.ReasonPlanning, false); got.Newest != "" {
		t.Errorf("it is offered, and on its way: %+v", got)
	}
	if got := row("", true); got.Newest != "" {
		t.Errorf("it is offered, and blocked: %+v", got)
	}
}
