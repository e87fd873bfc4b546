// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/internal/person"
)

// actionPatience is for how long the API server is waited for.
const actionPatience = 20 * time.Second

// SignedIn finds who has signed in.
type SignedIn interface {
	// Actor is the person whose session the request belongs to, with a client that acts by their own token; an error where nobody has signed in. Who it is, the API
	// server is asked again where it is written.
	Actor(ctx context.Context) (person.Actor, error)
}

// Actions are the forms by which people act. Each is read strictly, becomes one write of package person as whoever has signed in, and leads to the page of what was
// written. Whether somebody may is answered by the API server alone.
//
//	form -> fields, each bounded; what is unknown or missing is refused -> person -> 303, or a Problem
//
// That a request comes from a page of the dashboard, and not of another site, is for whoever serves these to see to.
type Actions struct {
	// Base is the path that the dashboard stands under, as in page.Context.
	Base string
	// SignedIn finds who acts.
	SignedIn SignedIn
	// Tell shows a problem as a page.
	Tell func(http.ResponseWriter, *http.Request, Problem)
	// Now is the time.
	Now func() time.Time
}

// target is what a form is about, as its path says: an object, or the project where a new one is to be created.
type target struct{ project, name string }

// form is one kind of them.
type form struct {
	fields []field
	// named says that what is written names the person.
	named bool
	// do what it asks for, and say which page to go to.
	do func(context.Context, person.Actor, target, values) (string, error)
	// page of what it is about.
	page func(target) string
}

// Routes adds the forms to a mux that stands at Base, with Base taken off the paths.
func (a *Actions) Routes(mux *http.ServeMux) {
	for path, form := range a.forms() {
		mux.Handle("POST /projects/{project}/"+path, a.handler(form))
	}
}

// forms by their paths in a project.
func (a *Actions) forms() map[string]form {
	return map[string]form{
		"promotions":                    {askFields, true, a.ask, a.projectPage},
		"promotions/{name}/approve":     {approveFields, true, a.approve, a.promotionPage},
		"promotions/{name}/reject":      {rejectFields, true, a.reject, a.promotionPage},
		"promotions/{name}/withdraw":    {withdrawFields, true, a.withdraw, a.promotionPage},
		"promotions/{name}/cancel":      {cancelFields, false, a.cancel, a.promotionPage},
		"promotions/{name}/override":    {overrideFields, true, a.override, a.promotionPage},
		"promotions/{name}/acknowledge": {acknowledgeFields, true, a.acknowledge, a.promotionPage},
		"environments/{name}/hold":      {stopFields, false, a.hold, a.environmentPage},
		"environments/{name}/resume":    {goOnFields, false, a.resume, a.environmentPage},
		"releases/{name}/block":         {stopFields, false, a.block, a.releasePage},
		"releases/{name}/unblock":       {goOnFields, false, a.unblock, a.releasePage},
	}
}

func (a *Actions) handler(f form) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		about := target{r.PathValue("project"), r.PathValue("name")}
		to, err := a.perform(w, r, f, about)
		if err != nil {
			a.tell(w, r, explain(err, f.page(about)))
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // a path below Base, of segments that are escaped
	})
}

func (a *Actions) perform(w http.ResponseWriter, r *http.Request, f form, about target) (string, error) {
	ctx, cancel := context.WithTimeout(r.Context(), actionPatience)
	defer cancel()
	actor, err := a.SignedIn.Actor(ctx)
	if err != nil {
		return "", &notSignedIn{a.links().Path("sign-in"), err}
	}
	if !about.possible() {
		return "", &impossible{about}
	}
	given, err := read(w, r, f.fields)
	if err != nil {
		return "", err
	}
	if f.named { // as the API server names them now: the groups of a session may be old, and the guard would refuse them
		if actor.Me, err = person.Whoami(ctx, actor.Client); err != nil {
			return "", err
		}
	}
	return f.do(ctx, actor, about, given)
}

// possible says whether there can be an object of that name. Another would be a request to another path of the API.
func (t target) possible() bool {
	return len(validation.IsDNS1123Label(t.project)) == 0 && (t.name == "" || len(validation.IsDNS1123Subdomain(t.name)) == 0)
}

func (a *Actions) links() page.Context { return page.Context{Base: a.Base} }

func (a *Actions) projectPage(target) string { return a.links().Path("matrix") }

func (a *Actions) promotionPage(t target) string { return a.links().Promotion(t.project, t.name) }

func (a *Actions) environmentPage(t target) string { return a.links().Environment(t.project, t.name) }

func (a *Actions) releasePage(t target) string { return a.links().Release(t.project, t.name) }
