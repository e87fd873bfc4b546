// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package action_test

import (
	"errors"
	"net/http"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	one     = "promotions/shop-1.0.0-staging"
	approve = one + "/approve"
)

func testApproves(t *testing.T, d *desk) {
	seen := d.asked()
	if seen.Spec.RequestedBy.Username != cluster.Bob || seen.Spec.Reason != "the first" {
		t.Errorf("it is asked for by %+v: %q", seen.Spec.RequestedBy, seen.Spec.Reason)
	}
	if to := d.posts(cluster.Alice, approve, http.StatusSeeOther, on(seen, "comment", "looked at it")...); to != one {
		t.Errorf("it leads to %q", to)
	}
	done := d.ends(seen.Name, v1alpha1.ReasonSucceeded)
	if counted := done.Status.Approvals.Counted; len(counted) != 1 || counted[0].User != cluster.Alice {
		t.Errorf("counted: %+v", counted)
	}
	if entry := done.Spec.Approvals[0]; entry.Comment != "looked at it" || entry.PlanDigest != seen.Status.Plan.Digest {
		t.Errorf("the entry is %+v", entry)
	}
	d.posts(cluster.Carol, approve, http.StatusConflict, on(done)...)
	d.says("has ended as Succeeded")
}

func testRejects(t *testing.T, d *desk) {
	seen := d.asked()
	d.posts(cluster.Alice, one+"/reject", http.StatusUnprocessableEntity, on(seen)...)
	d.says("`reason` is missing")
	d.posts(cluster.Alice, one+"/reject", http.StatusSeeOther, on(seen, "reason", "the migration is not tested")...)
	if done := d.ends(seen.Name, v1alpha1.ReasonRejected); done.Spec.Approvals[0].Comment != "the migration is not tested" {
		t.Errorf("the entry is %+v", done.Spec.Approvals[0])
	}
}

func testWithdraws(t *testing.T, d *desk) {
	must(t, d.admin.Patch(t.Context(), environment(d, "staging"), client.RawPatch("application/merge-patch+json",
		[]byte(`{"spec":{"approval":{"rules":[{"name":"two","required":2}]}}}`))))
	seen := d.asked()
	for _, who := range []string{cluster.Alice, cluster.Carol} {
		if who == cluster.Carol {
			d.posts(who, one+"/withdraw", http.StatusConflict, on(seen)...)
			d.says("no decision of yours")
			return
		}
		d.posts(who, approve, http.StatusSeeOther, on(seen)...)
		d.posts(who, one+"/withdraw", http.StatusSeeOther, on(seen)...)
		if left := d.promotion(seen.Name).Spec.Approvals; len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
	}
}

func environment(d *desk, name string) *v1alpha1.Environment {
	d.t.Helper()
	found := &v1alpha1.Environment{}
	must(d.t, d.admin.Get(d.t.Context(), d.key(name), found))
	return found
}

// testRefused: requests that no page of theirs has a button for, and that are complete.
func testRefused(t *testing.T, d *desk) {
	seen := d.asked()
	d.posts(cluster.Mallory, approve, http.StatusForbidden, on(seen)...)
	d.says(`User "mallory" cannot get resource "promotions"`)
	d.posts(cluster.Mallory, "promotions", http.StatusForbidden, "release", "shop-1.0.0", "environment", "dev", "type", "Promote")
	d.says(`User "mallory" cannot create resource "promotions"`)
	d.posts(cluster.Bob, approve, http.StatusForbidden, on(seen)...)
	d.says("approving or rejecting needs the verb `approve` on environments.assent.dev/staging in namespace \"" + d.project.Name + `", which "bob" does not have`)
	d.says("(G5)")
	d.posts(cluster.Alice, one+"/override", http.StatusForbidden, on(seen, "gates", "Approval", "reason", "at once")...)
	d.says("(G9)")
	d.posts(cluster.Bob, "environments/staging/hold", http.StatusForbidden, "reason", "incident")
	d.says(`User "bob" cannot patch resource "environments"`)
	if left := d.promotion(seen.Name); left.ResourceVersion != seen.ResourceVersion {
		t.Errorf("it was written: %+v", left.Spec)
	}
}

// changePlan of what goes to staging, and wait for it.
func (d *desk) changePlan(of *v1alpha1.Promotion) {
	d.t.Helper()
	must(d.t, d.admin.Patch(d.t.Context(), environment(d, "staging"), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"overlay":{"labels":{"team":"shop"}}}}`))))
	d.waits(of.Name, func(p *v1alpha1.Promotion) bool {
		return p.Status.Plan.Digest != "" && p.Status.Plan.Digest != of.Status.Plan.Digest
	})
}

func testStalePlan(t *testing.T, d *desk) {
	must(t, d.project.Bind(t.Context(), "assent-override", cluster.Alice))
	seen := d.asked()
	d.changePlan(seen)
	for path, pairs := range map[string][]string{
		approve:           nil,
		one + "/reject":   {"reason", "no"},
		one + "/override": {"gates", "Approval", "reason", "at once"},
	} {
		d.posts(cluster.Alice, path, http.StatusConflict, on(seen, pairs...)...)
		d.says("the plan has changed since this page was opened")
		if d.told.Link != "/projects/"+d.project.Name+"/"+one {
			t.Errorf("it leads to %q", d.told.Link)
		}
	}
	d.undecided(seen.Name)
}

// undecided: nothing was written.
func (d *desk) undecided(name string) {
	d.t.Helper()
	left := d.promotion(name)
	if len(left.Spec.Approvals) != 0 || len(left.Spec.Override.Gates) != 0 || left.Spec.Cancel.Reason != "" || left.Spec.Acknowledgement.Username != "" {
		d.t.Errorf("something was written: %+v", left.Spec)
	}
}

// testPlanChangesAtLast: when the action has looked, and before it writes. Here the guard is what refuses.
func testPlanChangesAtLast(path, rule string, pairs ...string) func(*testing.T, *desk) {
	return func(t *testing.T, d *desk) {
		must(t, d.project.Bind(t.Context(), "assent-override", cluster.Alice))
		seen := d.asked()
		d.meanwhile = func() { d.changePlan(seen) }
		d.posts(cluster.Alice, path, http.StatusConflict, on(seen, pairs...)...)
		d.says("the plan has changed since this page was opened")
		d.says(rule)
		d.undecided(seen.Name)
	}
}

// recreate a Promotion, and wait until it has a plan.
func (d *desk) recreate(seen *v1alpha1.Promotion) {
	d.t.Helper()
	another := cluster.NewPromotion(seen.Namespace, seen.Name, seen.Spec.Release, seen.Spec.Environment)
	must(d.t, errors.Join(d.admin.Delete(d.t.Context(), seen), d.admin.Create(d.t.Context(), another)))
	d.waits(seen.Name, func(p *v1alpha1.Promotion) bool { return p.Status.Plan.Digest != "" })
}

// forms about a Promotion that a page could have.
var forms = map[string][]string{
	approve:              nil,
	one + "/reject":      {"reason", "no"},
	one + "/cancel":      {"reason", "not now"},
	one + "/override":    {"gates", "Window", "reason", "at once"},
	one + "/acknowledge": nil,
}

func testRecreated(_ *testing.T, d *desk) {
	d.everything()
	seen := d.asked()
	d.recreate(seen)
	for path, pairs := range forms {
		d.posts(cluster.Alice, path, http.StatusConflict, on(seen, pairs...)...)
		d.says("was deleted and created again meanwhile")
	}
	d.posts(cluster.Alice, one+"/withdraw", http.StatusConflict, on(seen)...)
	d.says("was deleted and created again meanwhile")
	d.undecided(seen.Name)
}

// everything is for alice to do, so that nothing is refused because of who she is.
func (d *desk) everything() {
	d.t.Helper()
	must(d.t, d.project.Bind(d.t.Context(), "assent-override", cluster.Alice))
	must(d.t, d.project.Bind(d.t.Context(), "assent-admin", cluster.Alice))
}

func testReplacedAtLast(t *testing.T, d *desk) {
	d.everything()
	for path, pairs := range forms {
		seen := d.asked()
		d.meanwhile = func() { d.recreate(seen) }
		d.posts(cluster.Alice, path, http.StatusConflict, on(seen, pairs...)...)
		d.says("was deleted and created again meanwhile")
		d.undecided(seen.Name)
	}
	for name, path := range map[string]string{"dev": "environments/dev/hold", "staging": "environments/staging/hold"} {
		d.meanwhile = func() {
			before := environment(d, name)
			another := cluster.NewEnvironment(before.Namespace, name, before.Spec.Target)
			must(t, errors.Join(d.admin.Delete(t.Context(), before), d.admin.Create(t.Context(), another)))
		}
		d.posts(cluster.Alice, path, http.StatusConflict, "reason", "incident")
		d.says("was deleted and created again meanwhile")
		if held := environment(d, name).Spec.Hold.Reason; held != "" {
			t.Errorf("%s is held: %q", name, held)
		}
	}
}

// changer is a role that may change Environments, and no more.
func changer() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"environments"}, Verbs: []string{"get", "update", "patch"}}
}
