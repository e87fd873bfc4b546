// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package action_test sends the forms of the dashboard as different people, against a real API server with the real operator. Each test has a project of its own,
// with the application shop, its Releases shop-1.0.0 and shop-1.1.0, and two Environments: dev, which needs no approval, and staging, which needs that of anybody who
// may. What a page would have shown is read from the API; who has signed in is said by the test, and acts by a client of their own.
package action_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// patience is how long anything may take on a busy machine.
	patience = time.Minute
	interval = 50 * time.Millisecond
)

func TestActions(t *testing.T) {
	connected := operating(t)
	for name, test := range map[string]func(*testing.T, *desk){
		"bob promotes, alice approves, and it counts":                   testApproves,
		"a rejection ends it, and says why":                             testRejects,
		"a decision is taken back by whoever gave it":                   testWithdraws,
		"who may not is told so by the API server, in its own words":    testRefused,
		"another plan than the one on the page is not decided on":       testStalePlan,
		"a plan that changes at the last moment is not decided on":      testPlanChangesAtLast(approve, "(G7)"),
		"and nothing is overridden for it":                              testPlanChangesAtLast(one+"/override", "(G9)", "gates", "Approval", "reason", "at once"),
		"another promotion of the same name is not decided on":          testRecreated,
		"a promotion that is replaced at the last moment is left alone": testReplacedAtLast,
		"asking twice is asking once":                                   testAsksOnce,
		"a cancelled promotion has ended":                               testCancels,
		"a rollback goes back to what has succeeded":                    testRollsBack,
		"an override is on record until somebody else has seen it":      testOverrides,
		"what is held starts when it is resumed":                        testHolds,
		"a blocked release is promoted again when it is unblocked":      testBlocks,
	} {
		t.Run(name, func(t *testing.T) { test(t, newDesk(t, connected)) })
	}
}

// operating is a cluster with Assent in it, and the operator at work until the test ends.
func operating(t *testing.T) *cluster.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	connected, err := cluster.Connect()
	must(t, err)
	must(t, connected.Install(ctx))
	operator, err := connected.BuildOperator(ctx, t.TempDir())
	must(t, err)
	must(t, operator.Start(ctx))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(operator.Log(0))
		}
		if err := operator.Stop(); err != nil {
			t.Error(err)
		}
	})
	return connected
}

// desk is where people send forms to, about one project.
type desk struct {
	t       *testing.T
	cluster *cluster.Cluster
	project *cluster.Project
	admin   client.Client
	forms   *http.ServeMux
	told    dashboard.Problem
	// meanwhile is done between what an action reads and what it writes.
	meanwhile func()
}

// user is the key of whoever has signed in.
type user struct{}

func newDesk(t *testing.T, connected *cluster.Cluster) *desk {
	t.Helper()
	project, err := connected.Project(t.Context())
	must(t, err)
	admin, err := connected.Client(cluster.Admin)
	must(t, err)
	d := &desk{t: t, cluster: connected, project: project, admin: admin, forms: http.NewServeMux(), meanwhile: func() {}}
	actions := &dashboard.Actions{SignedIn: d, Now: time.Now, Tell: func(w http.ResponseWriter, _ *http.Request, problem dashboard.Problem) {
		d.told = problem
		w.WriteHeader(problem.Status)
	}}
	actions.Routes(d.forms)
	dev := cluster.NewEnvironment(project.Name, "dev", v1alpha1.Target{})
	dev.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "nobody", Required: ptr.To[int32](0)}}
	for _, environment := range []*v1alpha1.Environment{dev, cluster.NewEnvironment(project.Name, "staging", v1alpha1.Target{})} {
		environment.Spec.Target, err = connected.Target(t.Context())
		must(t, err)
		must(t, admin.Create(t.Context(), environment))
	}
	for version, greeting := range map[string]string{"1.0.0": "hello", "1.1.0": "good day"} {
		manifests := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {greeting: " + greeting + "}\n"
		must(t, admin.Create(t.Context(), cluster.NewRelease(project.Name, "shop-"+version, version, manifests)))
	}
	return d
}

// Actor is whoever has signed in, some time ago: they are in other groups by now.
func (d *desk) Actor(ctx context.Context) (person.Actor, error) {
	who := ctx.Value(user{}).(string)
	as, err := d.cluster.Client(who)
	return person.Actor{Client: &slow{as, d}, Me: v1alpha1.Person{Username: who, Groups: []string{"of-old"}}}, err
}

// slow is a client before whose writes something happens.
type slow struct {
	client.Client
	desk *desk
}

func (s *slow) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	s.desk.meanwhile()
	s.desk.meanwhile = func() {}
	return s.Client.Patch(ctx, object, patch, options...)
}

// posts a form as somebody, and gets where it leads; empty where it was refused with that status.
func (d *desk) posts(who, path string, status int, pairs ...string) string {
	d.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	request := httptest.NewRequestWithContext(context.WithValue(d.t.Context(), user{}, who), http.MethodPost, "/projects/"+d.project.Name+"/"+path, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	d.told = dashboard.Problem{}
	d.forms.ServeHTTP(answer, request)
	if answer.Code != status {
		d.t.Fatalf("%s posts %s, and the answer is %d, and not %d: %+v", who, path, answer.Code, status, d.told)
	}
	return strings.TrimPrefix(answer.Header().Get("Location"), "/projects/"+d.project.Name+"/")
}

// says checks what was told last.
func (d *desk) says(want string) {
	d.t.Helper()
	if !strings.Contains(d.told.Message, want) {
		d.t.Errorf("%q is not in what was told: %+v", want, d.told)
	}
}

// promotion as it is now.
func (d *desk) promotion(name string) *v1alpha1.Promotion {
	d.t.Helper()
	found := &v1alpha1.Promotion{}
	must(d.t, d.admin.Get(d.t.Context(), d.key(name), found))
	return found
}

func (d *desk) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: d.project.Name, Name: name}
}

// waits until a Promotion is as wanted.
func (d *desk) waits(name string, wanted func(*v1alpha1.Promotion) bool) *v1alpha1.Promotion {
	d.t.Helper()
	last := &v1alpha1.Promotion{}
	err := wait.PollUntilContextTimeout(d.t.Context(), interval, patience, true, func(ctx context.Context) (bool, error) {
		last = &v1alpha1.Promotion{}
		err := d.admin.Get(ctx, d.key(name), last)
		return err == nil && wanted(last), err
	})
	if err != nil {
		state, message := report.State(last)
		d.t.Fatalf("promotion %q is %s: %s; %+v: %v", name, state, message, last.Status.Blockers, err)
	}
	return last
}

// ends waits until a Promotion is in a state.
func (d *desk) ends(name, state string) *v1alpha1.Promotion {
	d.t.Helper()
	return d.waits(name, func(p *v1alpha1.Promotion) bool {
		is, _ := report.State(p)
		return is == state
	})
}

// asked is a Promotion of shop-1.0.0 to staging with its plan, which bob has asked for.
func (d *desk) asked() *v1alpha1.Promotion {
	d.t.Helper()
	d.posts(cluster.Bob, "promotions", http.StatusSeeOther, "release", "shop-1.0.0", "environment", "staging", "type", "Promote", "reason", "the first")
	return d.ends("shop-1.0.0-staging", v1alpha1.ReasonAwaitingApproval)
}

// on is what the page of a Promotion has in its forms.
func on(promotion *v1alpha1.Promotion, pairs ...string) []string {
	return append(pairs, "uid", string(promotion.UID), "digest", string(promotion.Status.Plan.Digest))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
