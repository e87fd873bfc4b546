// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package action_test

import (
	"net/http"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

func testAsksOnce(t *testing.T, d *desk) {
	request := []string{"release", "shop-1.0.0", "environment", "staging", "type", "Promote"}
	seen := d.asked()
	if to := d.posts(cluster.Bob, "promotions", http.StatusSeeOther, request...); to != one {
		t.Errorf("asked again, it leads to %q", to)
	}
	if again := d.promotion(seen.Name); again.UID != seen.UID {
		t.Error("it is another one")
	}
	later := time.Now().Add(48 * time.Hour).UTC()
	d.posts(cluster.Bob, "promotions", http.StatusConflict, append(request, "at", later.Format(time.RFC3339))...)
	d.says("is not scheduled as late as you ask")
	if d.told.Link != "/projects/"+d.project.Name+"/"+one {
		t.Errorf("it leads to %q", d.told.Link)
	}

	request[1] = "shop-1.1.0"
	d.posts(cluster.Bob, "promotions", http.StatusUnprocessableEntity, append(request, "at", later.Format("2006-01-02T15:04"))...)
	d.says("`at` must be a time such as")
	to := d.posts(cluster.Bob, "promotions", http.StatusSeeOther, append(request, "at", later.Format("2006-01-02T15:04"), "offset", "-02:00")...)
	scheduled := d.promotion(to[len("promotions/"):])
	if want := later.Truncate(time.Minute).Add(2 * time.Hour); !scheduled.Spec.NotBeforeTime.Time.Equal(want) {
		t.Errorf("it starts at %s, and not at %s", scheduled.Spec.NotBeforeTime, want)
	}
}

func testCancels(t *testing.T, d *desk) {
	seen := d.asked()
	d.posts(cluster.Bob, one+"/cancel", http.StatusSeeOther, on(seen, "reason", "not now")...)
	d.ends(seen.Name, v1alpha1.ReasonCancelled)
	d.posts(cluster.Bob, one+"/cancel", http.StatusConflict, on(seen, "reason", "not now")...)
	d.says("has ended as Cancelled")
	if to := d.posts(cluster.Bob, "promotions", http.StatusSeeOther, "release", "shop-1.0.0", "environment", "staging", "type", "Promote"); to != one+"-2" {
		t.Errorf("the next one is %q", to)
	}
}

func testRollsBack(t *testing.T, d *desk) {
	back := []string{"release", "shop-1.0.0", "environment", "dev", "type", "Rollback", "reason", "loses orders"}
	d.posts(cluster.Bob, "promotions", http.StatusUnprocessableEntity, back...)
	d.says("nothing has succeeded in environment")
	for _, release := range []string{"shop-1.0.0", "shop-1.1.0"} {
		d.posts(cluster.Bob, "promotions", http.StatusSeeOther, "release", release, "environment", "dev", "type", "Promote")
		d.ends(release+"-dev", v1alpha1.ReasonSucceeded)
	}
	to := d.posts(cluster.Bob, "promotions", http.StatusSeeOther, back...)
	if to != "promotions/shop-1.0.0-dev-rollback" {
		t.Errorf("it leads to %q", to)
	}
	if done := d.ends("shop-1.0.0-dev-rollback", v1alpha1.ReasonSucceeded); done.Spec.Type != v1alpha1.PromotionTypeRollback {
		t.Errorf("its type is %s", done.Spec.Type)
	}
}

func testOverrides(t *testing.T, d *desk) {
	must(t, d.project.Bind(t.Context(), "assent-override", cluster.Dave, cluster.Carol))
	seen := d.asked()
	d.posts(cluster.Dave, one+"/override", http.StatusSeeOther, on(seen, "gates", "Approval", "gates", "Window", "reason", "mends incident 4711")...)
	done := d.ends(seen.Name, v1alpha1.ReasonSucceeded)
	if used := done.Spec.Override; used.UsedBy.Username != cluster.Dave || used.PlanDigest != seen.Status.Plan.Digest || len(used.Gates) != 2 {
		t.Errorf("the override is %+v", used)
	}
	d.posts(cluster.Dave, one+"/acknowledge", http.StatusForbidden, on(seen)...)
	d.says(`"dave" has used this override, and somebody else must acknowledge it`)
	d.posts(cluster.Carol, one+"/acknowledge", http.StatusSeeOther, on(seen, "comment", "talked it over with dave")...)
	d.waits(seen.Name, func(p *v1alpha1.Promotion) bool {
		return meta.IsStatusConditionFalse(p.Status.Conditions, v1alpha1.ConditionOverridden) && p.Spec.Acknowledgement.Comment == "talked it over with dave"
	})
}

func testHolds(t *testing.T, d *desk) {
	must(t, d.project.Bind(t.Context(), "assent-admin", cluster.Dave))
	must(t, d.project.Allow(t.Context(), cluster.Mallory, changer()))
	if to := d.posts(cluster.Dave, "environments/dev/hold", http.StatusSeeOther, "reason", "incident 4711"); to != "environments/dev" {
		t.Errorf("it leads to %q", to)
	}
	d.posts(cluster.Bob, "promotions", http.StatusSeeOther, "release", "shop-1.0.0", "environment", "dev", "type", "Promote")
	d.ends("shop-1.0.0-dev", v1alpha1.ReasonBlocked)
	d.posts(cluster.Mallory, "environments/dev/resume", http.StatusForbidden)
	d.says("needs the verb `resume` on environments.assent.dev/dev")
	d.posts(cluster.Dave, "environments/dev/resume", http.StatusConflict, "uid", "of-another-one")
	d.says("was deleted and created again")
	d.posts(cluster.Dave, "environments/dev/resume", http.StatusSeeOther, "uid", string(environment(d, "dev").UID))
	d.ends("shop-1.0.0-dev", v1alpha1.ReasonSucceeded)
	d.posts(cluster.Dave, "environments/dev/resume", http.StatusConflict)
	d.says("is not on hold")
}

func testBlocks(t *testing.T, d *desk) {
	must(t, d.project.Bind(t.Context(), "assent-admin", cluster.Dave))
	if to := d.posts(cluster.Bob, "releases/shop-1.0.0/block", http.StatusSeeOther, "reason", "loses orders"); to != "releases/shop-1.0.0" {
		t.Errorf("it leads to %q", to)
	}
	d.posts(cluster.Bob, "promotions", http.StatusSeeOther, "release", "shop-1.0.0", "environment", "dev", "type", "Promote")
	d.ends("shop-1.0.0-dev", v1alpha1.ReasonBlocked)
	d.posts(cluster.Bob, "releases/shop-1.0.0/unblock", http.StatusForbidden)
	d.says("needs the verb `unblock` on releases.assent.dev/shop-1.0.0")
	d.posts(cluster.Dave, "releases/shop-1.0.0/unblock", http.StatusConflict, "uid", "of-another-one")
	d.posts(cluster.Dave, "releases/shop-1.0.0/unblock", http.StatusSeeOther)
	d.ends("shop-1.0.0-dev", v1alpha1.ReasonSucceeded)
	d.posts(cluster.Dave, "releases/shop-1.0.0/unblock", http.StatusConflict)
	d.says("is not blocked")
}
