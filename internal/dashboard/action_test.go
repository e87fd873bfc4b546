// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/assent-dev/assent/internal/person"
)

var promotions = schema.GroupResource{Group: "assent.dev", Resource: "promotions"}

func TestWhatWasNotDoneIsExplained(t *testing.T) {
	const page = "/projects/shop/promotions/one"
	refused := apierrors.NewForbidden(promotions, "one", errors.New("(G5)"))
	gone := &url.Error{Op: "Patch", URL: "https://api", Err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}}
	for name, test := range map[string]struct {
		err    error
		status int
		says   string
	}{
		"nobody has signed in":            {&notSignedIn{"/sign-in", errors.New("no cookie")}, 401, "no cookie"},
		"a token that is over":            {fmt.Errorf("asking who you are: %w", apierrors.NewUnauthorized("Unauthorized")), 401, "Unauthorized"},
		"a field is missing":              {invalid{"`uid` is missing"}, 422, "`uid` is missing"},
		"no form":                         {&unreadable{415, "the request must be a form"}, 415, "must be a form"},
		"a name of nothing":               {&impossible{target{"shop", "a..b"}}, 404, "a..b"},
		"the plan has changed":            {&person.PlanChanged{Promotion: "one"}, 409, "the plan has changed since this page was opened"},
		"the plan has changed, at last":   {&person.PlanChanged{Promotion: "one", Refusal: refused}, 409, refused.Error()},
		"another one of its name":         {&person.Replaced{Kind: "promotion", Name: "one"}, 409, "was deleted and created again"},
		"it has ended":                    {&person.Ended{Promotion: "one", State: "Cancelled", Message: "not now"}, 409, "has ended as Cancelled: not now"},
		"it rolls out":                    {&person.Started{Promotion: "one"}, 409, "has started"},
		"there is no plan":                {&person.Unplanned{Promotion: "one"}, 409, "has no plan yet"},
		"there is nothing to withdraw":    {&person.Undecided{Promotion: "one", User: "alice"}, 409, "no decision of yours"},
		"there is nothing to lift":        {&person.Free{Kind: "environment", Name: "dev", From: "on hold"}, 409, "not on hold"},
		"it is not scheduled as late":     {&sooner{"one", page}, 409, "not scheduled as late as you ask"},
		"there is no way back":            {&person.NoWayBack{}, 422, "`release`"},
		"refused":                         {fmt.Errorf("wrapped: %w", refused), 403, refused.Error()},
		"not found":                       {apierrors.NewNotFound(promotions, "one"), 404, `promotions.assent.dev "one" not found`},
		"a kind that is not there":        {apierrors.NewGenericServerResponse(404, "get", promotions, "", "", 0, true), 503, ""},
		"changed meanwhile":               {apierrors.NewConflict(promotions, "one", errors.New("it was changed")), 409, "it was changed"},
		"the API server does not take it": {apierrors.NewInvalid(schema.GroupKind{Kind: "Promotion"}, "one", nil), 422, "is invalid"},
		"the API server is busy":          {apierrors.NewTooManyRequests("wait", 1), 503, "wait"},
		"the API server is away":          {apierrors.NewServiceUnavailable("not ready"), 503, "not ready"},
		"the API server fails":            {apierrors.NewInternalError(errors.New("etcd")), 502, "etcd"},
		"the API server is not reached":   {gone, 502, "connection refused"},
		"no answer":                       {fmt.Errorf("reading: %w", context.DeadlineExceeded), 503, "has not answered in time"},
		"something else":                  {errors.New("writing a patch"), 500, "writing a patch"},
	} {
		t.Run(name, func(t *testing.T) {
			got := explain(test.err, page)
			if got.Status != test.status || !strings.Contains(got.Message, test.says) || got.Title == "" {
				t.Errorf("it is explained by %+v", got)
			}
			if got.Next == "" && test.status != http.StatusForbidden {
				t.Error("it does not say what to do next")
			}
		})
	}
}

// What the API server says is shown as it came, without words around it.
func TestTheAPIServersRefusalIsShownAsItCame(t *testing.T) {
	const words = `approving or rejecting needs the verb "approve" (G5)`
	refused := apierrors.NewForbidden(promotions, "one", errors.New(words))
	if got := explain(fmt.Errorf("deciding: %w", refused), "/"); got.Message != refused.Status().Message || !strings.HasSuffix(got.Message, words) {
		t.Errorf("it says %q", got.Message)
	}
}

// desk is where forms are sent to: somebody has signed in, and what reaches the API server is counted.
type desk struct {
	*http.ServeMux
	signedIn error
	requests int
	told     Problem
	answer   error
}

func (d *desk) Actor(context.Context) (person.Actor, error) {
	reached := func() error {
		d.requests++
		return d.answer
	}
	counted := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return reached()
		},
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return reached() },
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return reached()
		},
	}).Build()
	return person.Actor{Client: counted}, d.signedIn
}

func newDesk() *desk {
	d := &desk{ServeMux: http.NewServeMux()}
	actions := &Actions{Base: "/delivery", SignedIn: d, Now: time.Now, Tell: func(w http.ResponseWriter, _ *http.Request, problem Problem) {
		d.told = problem
		w.WriteHeader(problem.Status)
	}}
	actions.Routes(d.ServeMux)
	return d
}

func (d *desk) answers(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// complete forms by their paths.
var complete = map[string]string{
	"promotions":                     filled("release", "shop-1.0.0", "environment", "production", "type", "Promote"),
	"promotions/one/approve":         filled("uid", aUID, "digest", aDigest),
	"promotions/one/reject":          filled("uid", aUID, "digest", aDigest, "reason", "no"),
	"promotions/one/withdraw":        filled("uid", aUID),
	"promotions/one/cancel":          filled("uid", aUID, "reason", "not now"),
	"promotions/one/override":        filled("uid", aUID, "digest", aDigest, "gates", "Hold", "reason", "incident"),
	"promotions/one/acknowledge":     filled("uid", aUID),
	"environments/production/hold":   filled("reason", "incident"),
	"environments/production/resume": "",
	"releases/shop-1.0.0/block":      filled("reason", "loses orders"),
	"releases/shop-1.0.0/unblock":    "",
}

func TestWhoHasNotSignedInReachesNothing(t *testing.T) {
	for path, form := range complete {
		t.Run(path, func(t *testing.T) {
			d := newDesk()
			d.signedIn = errors.New("no cookie")
			if w := d.answers(sent("/projects/shop/"+path, form)); w.Code != http.StatusUnauthorized || d.requests != 0 || d.told.Link != "/delivery/sign-in" {
				t.Errorf("the answer is %d after %d requests: %+v", w.Code, d.requests, d.told)
			}
		})
	}
}

func TestWhatIsNoFormReachesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*http.Request) *http.Request
		status int
	}{
		"of another type": {func(r *http.Request) *http.Request {
			r.Header.Set("Content-Type", "text/plain")
			return r
		}, http.StatusUnsupportedMediaType},
		"in parts": {func(r *http.Request) *http.Request {
			r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
			return r
		}, http.StatusUnsupportedMediaType},
		"of no type": {func(r *http.Request) *http.Request {
			r.Header.Del("Content-Type")
			return r
		}, http.StatusUnsupportedMediaType},
		"by another method": {func(r *http.Request) *http.Request {
			r.Method = http.MethodGet
			return r
		}, http.StatusMethodNotAllowed},
		"too long": {func(r *http.Request) *http.Request { return sent(r.URL.Path, strings.Repeat("a", formBytes)+"=b") }, http.StatusRequestEntityTooLarge},
		"broken":   {func(r *http.Request) *http.Request { return sent(r.URL.Path, "reason=%zz") }, http.StatusBadRequest},
		"with a field that is not known": {func(r *http.Request) *http.Request { return sent(r.URL.Path, "project=other") },
			http.StatusUnprocessableEntity},
	} {
		for path, form := range complete {
			t.Run(name+"/"+path, func(t *testing.T) {
				d := newDesk()
				if w := d.answers(test.change(sent("/projects/shop/"+path, form))); w.Code != test.status || d.requests != 0 {
					t.Errorf("the answer is %d after %d requests: %+v", w.Code, d.requests, d.told)
				}
			})
		}
	}
}

// A name becomes a part of the path of a request to the API server.
func TestANameOfNoObjectReachesNothing(t *testing.T) {
	for _, path := range []string{"/projects/sh%2Fop/promotions/one/approve", "/projects/shop/promotions/..%2F..%2Fone/approve", "/projects/Shop/environments/dev/resume"} {
		d := newDesk()
		if w := d.answers(sent(path, filled("uid", aUID, "digest", aDigest))); w.Code != http.StatusNotFound || d.requests != 0 {
			t.Errorf("%s: the answer is %d after %d requests", path, w.Code, d.requests)
		}
	}
}

// What fails is told once: what is sent again by itself could be done twice.
func TestWhatTheAPIServerDoesNotAnswerIsNotSentAgain(t *testing.T) {
	for path, form := range complete {
		t.Run(path, func(t *testing.T) {
			d := newDesk()
			d.answer = apierrors.NewServiceUnavailable("not ready")
			if w := d.answers(sent("/projects/shop/"+path, form)); w.Code != http.StatusServiceUnavailable || d.requests != 1 {
				t.Errorf("the answer is %d after %d requests", w.Code, d.requests)
			}
			if !strings.HasPrefix(d.told.Link, "/delivery/") {
				t.Errorf("it leads to %q", d.told.Link)
			}
		})
	}
}

func TestScriptsAreToldInJSON(t *testing.T) {
	for accept, want := range map[string]bool{"application/json": true, "text/html,application/xhtml+xml": false, "text/html,application/json": false, "": false} {
		d := newDesk()
		r := sent("/projects/shop/promotions/one/approve", "")
		r.Header.Set("Accept", accept)
		w := d.answers(r)
		var told struct{ Error, Next, Link string }
		err := json.Unmarshal(w.Body.Bytes(), &told)
		if got := err == nil && strings.Contains(told.Error, "`uid` is missing") && told.Next != "" && told.Link == "/delivery/projects/shop/promotions/one"; got != want {
			t.Errorf("%q is answered by %q", accept, w.Body)
		}
		if want != (w.Header().Get("Content-Type") == "application/json") || w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%q is answered by %d, %q", accept, w.Code, w.Header())
		}
	}
}

func TestEveryFormIsTested(t *testing.T) {
	known := slices.Sorted(maps.Keys((&Actions{}).forms()))
	var tested []string
	for path := range complete {
		parts := strings.Split(path, "/")
		if len(parts) > 1 {
			parts[1] = "{name}"
		}
		tested = append(tested, strings.Join(parts, "/"))
	}
	slices.Sort(tested)
	if !slices.Equal(known, tested) {
		t.Errorf("there are %q, and tested are %q", known, tested)
	}
}
