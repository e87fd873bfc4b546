// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/live"
	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/test/cluster"
)

// allow an account of a project some verbs on kinds of Assent's own; on some objects only, if they are named after a slash.
func (s *suite) allow(ctx context.Context, project *cluster.Project, who live.Person, verbs []string, resources ...string) {
	s.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: project.Name, GenerateName: "allowed-"}}
	for _, resource := range resources {
		rule := rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Verbs: verbs}
		resource, object, named := strings.Cut(resource, "/")
		if rule.Resources = []string{resource}; named {
			rule.ResourceNames = []string{object}
		}
		role.Rules = append(role.Rules, rule)
	}
	s.must(s.admin.Create(ctx, role))
	s.must(s.admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: project.Name, GenerateName: "allowed-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: who.Name.Username}},
	}))
	for _, resource := range resources {
		resource, object, _ := strings.Cut(resource, "/")
		s.inForce(ctx, who, authorizationv1.ResourceAttributes{Namespace: project.Name, Verb: verbs[0], Resource: resource, Name: object})
	}
}

func TestRightsAreForWholeActions(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	hub := s.hub(live.Options{})
	for _, test := range []struct {
		name          string
		roles         []string
		verbs         []string
		on            []string
		want, release page.Rights
	}{
		{name: "viewer", want: page.Rights{}, release: page.Rights{}},
		{name: "promoter", roles: []string{"assent-promoter"}, want: page.Rights{page.RightPromote: true, page.RightRollback: true, page.RightChange: true}},
		{name: "approver", roles: []string{"assent-approver"}, want: page.Rights{page.RightApprove: true, page.RightChange: true}},
		{name: "breaker", roles: []string{"assent-override"}, want: page.Rights{page.RightOverride: true, page.RightChange: true}},
		{
			name: "owner", roles: []string{"assent-admin"},
			want:    page.Rights{page.RightPromote: true, page.RightRollback: true, page.RightChange: true, page.RightHold: true, page.RightResume: true},
			release: page.Rights{page.RightBlock: true, page.RightUnblock: true},
		},
		{name: "verb-alone", verbs: []string{"approve", "resume"}, on: []string{"environments"}, want: page.Rights{}},
		{name: "elsewhere", verbs: []string{"approve", "patch"}, on: []string{"environments/staging", "promotions"}, want: page.Rights{page.RightChange: true}},
		{name: "here", verbs: []string{"approve", "patch"}, on: []string{"environments/production", "promotions"}, want: page.Rights{page.RightApprove: true, page.RightChange: true, page.RightHold: true}},
	} {
		for _, role := range test.roles {
			s.must(project.BindAccount(ctx, role, test.name))
		}
		who := s.viewer(ctx, project, test.name)
		if test.verbs != nil {
			s.allow(ctx, project, who, test.verbs, test.on...)
		}
		viewer := s.join(ctx, hub, who)
		rights, err := viewer.Rights(ctx, project.Name, "production")
		s.must(err)
		ofRelease, err := viewer.RightsOnRelease(ctx, project.Name, "shop-1")
		s.must(err)
		if got, released := given(rights), given(ofRelease); !maps.Equal(got, test.want) || len(released) != len(test.release) {
			t.Errorf("%s may %v, and of the release %v", test.name, got, released)
		}
	}
}

// given are the rights that are.
func given(rights page.Rights) page.Rights {
	found := page.Rights{}
	for name, held := range rights {
		if held {
			found[name] = true
		}
	}
	return found
}

func TestNobodyHasARightOnWhatIsNotNamed(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	s.must(project.BindAccount(ctx, "assent-admin", "owner"))
	who := s.viewer(ctx, project, "owner")
	viewer := s.join(ctx, s.hub(live.Options{}), who)
	for _, at := range []page.Place{{}, {Project: project.Name}, {Environment: "production"}} {
		if rights, err := viewer.Rights(ctx, at.Project, at.Environment); err != nil || len(rights) > 0 {
			t.Errorf("at %+v: %v, %v", at, rights, err)
		}
	}
}

func TestRightsAreNotAskedAgainForAWhile(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	s.must(project.BindAccount(ctx, "assent-approver", "approver"))
	who := s.viewer(ctx, project, "approver")
	hub := s.hub(live.Options{})
	viewer := s.join(ctx, hub, who)
	log := s.log()
	var first page.Rights
	for range 3 {
		rights, err := viewer.Rights(ctx, project.Name, "production")
		s.must(err)
		if first == nil {
			first = rights
		}
		if !maps.Equal(first, rights) || !rights[page.RightApprove] {
			t.Errorf("they are %v, then %v", first, rights)
		}
	}
	another := s.join(ctx, hub, who)
	_, err := another.Rights(ctx, project.Name, "production")
	s.must(err)
	if questions := s.questions(log, who); questions != 8 {
		t.Errorf("%d questions were asked", questions)
	}
	another.Close()
	if _, err := another.Rights(ctx, project.Name, "production"); err == nil {
		t.Error("one who has left is answered")
	}
}

// questions that somebody was answered.
func (s *suite) questions(log *cluster.RequestLog, who live.Person) int {
	s.Helper()
	answered, err := log.Answered(func(r cluster.Request) bool {
		return r.ObjectRef.APIGroup == "authorization.k8s.io" && r.User.Username == who.Name.Username
	})
	s.must(err)
	return len(answered)
}

func TestOnWhichEnvironmentsOneMayApproveIsOneQuestionForEachProject(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	who := s.viewer(ctx, project, "approver")
	s.allow(ctx, project, who, []string{"approve"}, "environments/production", "environments/staging-3")
	viewer := s.join(ctx, s.hub(live.Options{}), who)
	places := []page.Place{{Project: project.Name, Environment: "production"}}
	for i := range 10 {
		places = append(places, page.Place{Project: project.Name, Environment: fmt.Sprintf("staging-%d", i)})
	}
	log := s.log()
	for range 2 {
		may, err := viewer.May(ctx, v1alpha1.VerbApprove, places)
		s.must(err)
		for _, at := range places {
			if want := at.Environment == "production" || at.Environment == "staging-3"; may[at] != want {
				t.Errorf("on %s: %v", at.Environment, may[at])
			}
		}
	}
	if questions := s.questions(log, who); questions != 1 {
		t.Errorf("%d questions were asked", questions)
	}
}
