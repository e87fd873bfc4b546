// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package live_test lets people look at live state through the Hub of the dashboard, against a real API server. They are service accounts with tokens, and may what
// RBAC says; what the operator would write is written as its own service account.
package live_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/live"
	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// patience is how long anything may take on a busy machine.
	patience = time.Minute
	interval = 10 * time.Millisecond
	viewing  = "assent-viewer"
)

// suite is a cluster with Assent in it, and a project of its own for each test.
type suite struct {
	*testing.T
	cluster  *cluster.Cluster
	admin    client.Client
	operator client.Client
	// config is the administrator's: a Hub must use none of its credentials.
	config *rest.Config
}

func begin(t *testing.T) (context.Context, *suite) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	s := &suite{T: t}
	var err error
	s.cluster, err = cluster.Connect()
	s.must(err)
	s.must(s.cluster.Install(ctx))
	s.admin, err = s.cluster.Client(cluster.Admin)
	s.must(err)
	s.config, err = s.cluster.Config(cluster.Admin)
	s.must(err)
	controller, err := s.cluster.ControllerConfig(ctx)
	s.must(err)
	s.operator, err = s.cluster.ClientFor(controller)
	s.must(err)
	return ctx, s
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) project(ctx context.Context) *cluster.Project {
	s.Helper()
	project, err := s.cluster.Project(ctx)
	s.must(err)
	return project
}

func (s *suite) hub(options live.Options) *live.Hub {
	hub := live.NewHub(s.config, options)
	s.Cleanup(hub.Close)
	return hub
}

// account of a project, with a token; it may do nothing yet.
func (s *suite) account(ctx context.Context, project *cluster.Project, name string) live.Person {
	s.Helper()
	s.must(s.admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: project.Name, Name: name}}))
	config, err := s.cluster.ServiceAccountConfig(ctx, project.Name, name)
	s.must(err)
	return live.Person{
		Token: config.BearerToken, Expires: time.Now().Add(time.Hour), Projects: []string{project.Name},
		Name: v1alpha1.Person{Username: "system:serviceaccount:" + project.Name + ":" + name},
	}
}

// viewer of a project, with a token.
func (s *suite) viewer(ctx context.Context, project *cluster.Project, name string) live.Person {
	s.Helper()
	who := s.account(ctx, project, name)
	s.must(project.BindAccount(ctx, viewing, name))
	s.inForce(ctx, who, authorizationv1.ResourceAttributes{Namespace: project.Name, Verb: "watch", Resource: "promotions"})
	return who
}

// inForce waits until the API server knows of a right that was given. Those that were given by bindings before are then known too.
func (s *suite) inForce(ctx context.Context, who live.Person, what authorizationv1.ResourceAttributes) {
	s.Helper()
	what.Group = v1alpha1.GroupName
	s.eventually(ctx, "the right is in force", func() bool {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: who.Name.Username, ResourceAttributes: &what}}
		s.must(s.admin.Create(ctx, review))
		return review.Status.Allowed
	})
}

// everywhere is an account that may see all projects.
func (s *suite) everywhere(ctx context.Context, project *cluster.Project, name string) live.Person {
	s.Helper()
	who := s.account(ctx, project, name)
	s.bindEverywhere(ctx, who)
	return who
}

func (s *suite) bindEverywhere(ctx context.Context, who live.Person) {
	s.Helper()
	s.must(s.admin.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "everywhere-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: viewing},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: who.Name.Username}},
	}))
	s.inForce(ctx, who, authorizationv1.ResourceAttributes{Verb: "watch", Resource: "promotions"})
}

// withdraw all that is bound in a project to an account.
func (s *suite) withdraw(ctx context.Context, project *cluster.Project, name string) {
	s.Helper()
	var bindings rbacv1.RoleBindingList
	s.must(s.admin.List(ctx, &bindings, client.InNamespace(project.Name)))
	for i := range bindings.Items {
		if subject := bindings.Items[i].Subjects[0].Name; subject == name || strings.HasSuffix(subject, ":"+name) {
			s.must(s.admin.Delete(ctx, &bindings.Items[i]))
		}
	}
}

// bindIn lets an account see another project than its own.
func (s *suite) bindIn(ctx context.Context, in *cluster.Project, who live.Person) {
	s.Helper()
	s.must(in.Bind(ctx, viewing, who.Name.Username))
	s.inForce(ctx, who, authorizationv1.ResourceAttributes{Namespace: in.Name, Verb: "watch", Resource: "promotions"})
}

func (s *suite) join(ctx context.Context, hub *live.Hub, who live.Person) *live.Viewer {
	s.Helper()
	viewer, err := hub.Join(ctx, who)
	s.must(err)
	return viewer
}

func (s *suite) environment(ctx context.Context, project *cluster.Project, name string) *v1alpha1.Environment {
	s.Helper()
	environment := cluster.NewEnvironment(project.Name, name, v1alpha1.Target{Namespace: "nowhere", ServiceAccountName: cluster.Deployer})
	s.must(s.admin.Create(ctx, environment))
	return environment
}

// promotion that has ended at a time; one that has not where that is zero.
func (s *suite) promotion(ctx context.Context, project *cluster.Project, name, environment string, ended time.Time) *v1alpha1.Promotion {
	s.Helper()
	promotion := cluster.NewPromotion(project.Name, name, "shop-1", environment)
	s.must(s.admin.Create(ctx, promotion))
	if ended.IsZero() {
		return promotion
	}
	promotion.Status.CompletionTime = metav1.NewTime(ended)
	promotion.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded, LastTransitionTime: metav1.NewTime(ended),
	}}
	s.must(s.operator.Status().Update(ctx, promotion))
	return promotion
}

// eventually something holds.
func (s *suite) eventually(ctx context.Context, what string, holds func() bool) {
	s.Helper()
	err := wait.PollUntilContextTimeout(ctx, interval, patience, true, func(context.Context) (bool, error) { return holds(), nil })
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// has an Environment of that name.
func has(world *page.World, project, name string) bool {
	return slices.ContainsFunc(world.Environments, func(e *v1alpha1.Environment) bool { return e.Namespace == project && e.Name == name })
}

func promotionsOf(world *page.World) []string {
	names := []string{}
	for _, promotion := range world.Promotions {
		names = append(names, promotion.Name)
	}
	return names
}

// onlyOf says whether nothing of any other project is in a World.
func (s *suite) onlyOf(world *page.World, projects ...string) {
	s.Helper()
	found := map[string]bool{}
	for _, e := range world.Environments {
		found[e.Namespace] = true
	}
	for _, r := range world.Releases {
		found[r.Namespace] = true
	}
	for _, p := range world.Promotions {
		found[p.Namespace] = true
	}
	for _, project := range world.Projects {
		found[project] = true
	}
	for _, project := range projects {
		delete(found, project)
	}
	if len(found) > 0 {
		s.Errorf("the projects %q are seen too", slices.Collect(maps.Keys(found)))
	}
}

// goes says that a viewer has to go, and why.
func (s *suite) goes(ctx context.Context, viewer *live.Viewer, why error) {
	s.Helper()
	select {
	case <-viewer.Done():
	case <-ctx.Done():
		s.Fatal("the viewer stays")
	}
	if err := viewer.Failed(); !errors.Is(err, why) {
		s.Errorf("it goes because %v, not %v", err, why)
	}
	if world := viewer.World(); len(world.Environments)+len(world.Projects) > 0 {
		s.Error("it still sees something")
	}
}

// reads are the requests about a project's objects: "list environments" and so on, with how often.
func (s *suite) reads(log *cluster.RequestLog, project string) map[string]int {
	s.Helper()
	answered, err := log.Answered(func(r cluster.Request) bool {
		return r.ObjectRef.APIGroup == v1alpha1.GroupName && r.ObjectRef.Namespace == project && strings.HasPrefix(r.User.Username, "system:serviceaccount:project-")
	})
	s.must(err)
	counts := map[string]int{}
	for _, r := range answered {
		counts[fmt.Sprintf("%s %s", r.Verb, r.ObjectRef.Resource)]++
	}
	return counts
}

func (s *suite) log() *cluster.RequestLog {
	s.Helper()
	log, err := s.cluster.Requests()
	s.must(err)
	return log
}
