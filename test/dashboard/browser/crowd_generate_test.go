// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// hands is how many requests of the generator are under way at once.
	hands = 16
	// listed is how many kinds the dashboard keeps, and listedAtOnce how many objects of them one answer holds.
	listed       = 3
	listedAtOnce = 500
	// perProject is how many applications share a project.
	perProject = 10
)

// crowd are the Environments of many applications, and those who look at them.
type crowd struct {
	operator     client.Client
	home         *cluster.Project
	environments []*v1alpha1.Environment
}

// newCrowd of which nobody has come yet. Alice, and every service account of the crowd's home, may see everything.
func newCrowd(ctx context.Context, t *testing.T) *crowd {
	t.Helper()
	config, err := connected.ControllerConfig(ctx)
	check(t, err)
	c := &crowd{}
	c.operator, err = connected.ClientFor(config)
	check(t, err)
	c.home, err = connected.Project(ctx)
	check(t, err)
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "crowd-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "assent-viewer"},
		Subjects: []rbacv1.Subject{
			{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: cluster.Alice},
			{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:serviceaccounts:" + c.home.Name},
		},
	}
	check(t, admin.Create(ctx, binding))
	t.Cleanup(func() { check(t, admin.Delete(context.WithoutCancel(ctx), binding)) })
	return c
}

// come writes Environments: each application goes through ten stages, the later ones with older versions, and in one of them a Promotion waits.
func (c *crowd) come(ctx context.Context, t *testing.T, size int) {
	t.Helper()
	var projects []string
	for range (size + perProject - 1) / perProject {
		project, err := connected.Project(ctx)
		check(t, err)
		projects = append(projects, project.Name)
	}
	c.environments = make([]*v1alpha1.Environment, size*stages)
	check(t, each(ctx, len(c.environments), func(ctx context.Context, i int) error {
		made, err := c.environment(ctx, projects[i/stages/perProject], i/stages, i%stages)
		c.environments[i] = made
		return err
	}))
	check(t, each(ctx, size, func(ctx context.Context, i int) error { return c.ask(ctx, c.environments[i*stages+i%stages]) }))
	t.Cleanup(func() {
		for _, project := range projects {
			for _, kind := range []client.Object{&v1alpha1.Promotion{}, &v1alpha1.Environment{}} {
				check(t, admin.DeleteAllOf(context.WithoutCancel(ctx), kind, client.InNamespace(project)))
			}
		}
	})
}

func (c *crowd) environment(ctx context.Context, project string, application, stage int) (*v1alpha1.Environment, error) {
	name := func(stage int) string { return fmt.Sprintf("app-%03d-stage-%d", application, stage) }
	environment := cluster.NewEnvironment(project, name(stage), v1alpha1.Target{Namespace: name(stage), ServiceAccountName: "assent-deployer"})
	environment.Spec.Application, environment.Spec.Stage = fmt.Sprintf("app-%03d", application), fmt.Sprintf("stage-%d", stage)
	if stage > 0 {
		environment.Spec.After = []string{name(stage - 1)}
	}
	if err := admin.Create(ctx, environment); err != nil {
		return nil, err
	}
	now := metav1.Now()
	environment.Status.Stage = environment.Spec.Stage
	environment.Status.Current = currentOf(fmt.Sprintf("1.%d.0", stages-stage), name(stage)+"-1")
	environment.Status.Current.StartedTime, environment.Status.Current.SinceTime = now, now
	environment.Status.Current.Digest = v1alpha1.Digest("sha256:" + strings.Repeat("1", 64))
	for _, condition := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionHealthy, v1alpha1.ConditionInSync} {
		environment.Status.Conditions = append(environment.Status.Conditions, metav1.Condition{
			Type: condition, Status: metav1.ConditionTrue, Reason: "Fine", LastTransitionTime: now, Message: "all of it is as it should be",
		})
	}
	return environment, c.operator.Status().Update(ctx, environment)
}

// ask for a Promotion, which waits for an approval.
func (c *crowd) ask(ctx context.Context, environment *v1alpha1.Environment) error {
	promotion := cluster.NewPromotion(environment.Namespace, environment.Name+"-2", "shop-2.0.0", environment.Name)
	if err := admin.Create(ctx, promotion); err != nil {
		return err
	}
	digest := v1alpha1.Digest("sha256:" + strings.Repeat("2", 64))
	promotion.Status.Plan = v1alpha1.Plan{Digest: digest, RenderedDigest: digest, Objects: ptr.To[int32](4), PlannedTime: metav1.Now()}
	promotion.Status.Plan.Inputs = v1alpha1.PlanInputs{
		Release: v1alpha1.ObjectIdentity{Name: "shop-2.0.0", UID: "uid"}, ReleaseDigest: digest,
		Environment: v1alpha1.ObjectIdentity{Name: environment.Name, UID: string(environment.UID)}, EnvironmentDigest: digest, GuardDigest: digest,
	}
	promotion.Status.Plan.Diff = strings.Repeat("-  line: before\n+  line: after\n", 60)
	promotion.Status.Approvals = v1alpha1.ApprovalStatus{
		Summary: "0/1", Required: ptr.To[int32](1), Granted: ptr.To[int32](0), Rules: []v1alpha1.RuleStatus{{Name: "owners", Required: ptr.To[int32](1)}},
	}
	promotion.Status.Blockers = []v1alpha1.Blocker{{Gate: v1alpha1.GateApproval, Message: "needs 1 more approval", Clears: "user \"alice\" or \"carol\""}}
	promotion.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonAwaitingApproval, Message: "needs 1 more approval", LastTransitionTime: metav1.Now(),
	}}
	return c.operator.Status().Update(ctx, promotion)
}

func each(ctx context.Context, count int, work func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(hands)
	for i := range count {
		group.Go(func() error { return work(ctx, i) })
	}
	return group.Wait()
}

// watch opens the matrix for many people, each with a session and a token of their own, and returns how many. They stay until the test ends.
func (c *crowd) watch(ctx context.Context, t *testing.T) int {
	t.Helper()
	check(t, each(ctx, watchers, func(ctx context.Context, i int) error {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("viewer-%d", i), Namespace: c.home.Name}}
		if err := admin.Create(ctx, account); err != nil {
			return err
		}
		token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](3600)}}
		if err := admin.SubResource("token").Create(ctx, account, token); err != nil {
			return err
		}
		return follow(t, token.Status.Token)
	}))
	return watchers
}

// follow the matrix as a browser does: sign in, and read the stream. It returns when the stream has begun.
func follow(t *testing.T, token string) error {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	signed, err := browser.PostForm(home+"/sign-in/token", url.Values{"token": {token}})
	if err != nil {
		return err
	}
	_ = signed.Body.Close()
	stream, err := browser.Get(home + "/live?page=" + url.QueryEscape("/matrix"))
	if err != nil {
		return err
	}
	if stream.StatusCode != http.StatusOK {
		return fmt.Errorf("a viewer's stream is answered %s", stream.Status)
	}
	lines := bufio.NewReader(stream.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		return err
	}
	go func() {
		for {
			if _, err := lines.ReadString('\n'); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { _ = stream.Body.Close() })
	return nil
}

// reads of the dashboard, as the API server has seen them.
type reads struct{ lists, watches, reviews, others int }

func (r reads) String() string {
	return fmt.Sprintf("%d lists, %d watches, %d reviews, %d other reads", r.lists, r.watches, r.reviews, r.others)
}

// readsOf those who look, since the log was opened.
func (c *crowd) readsOf(t *testing.T, log *cluster.RequestLog) reads {
	t.Helper()
	var found reads
	_, err := log.Answered(func(r cluster.Request) bool {
		if r.User.Username != cluster.Alice && !strings.HasPrefix(r.User.Username, "system:serviceaccount:"+c.home.Name+":") {
			return false
		}
		switch {
		case strings.HasSuffix(r.ObjectRef.Resource, "reviews"):
			found.reviews++
		case r.Verb == "list":
			found.lists++
		case r.Verb == "watch":
			found.watches++
		default:
			found.others++
		}
		return false
	})
	check(t, err)
	return found
}

// pagesOf a list.
func pagesOf(count int) int { return count/listedAtOnce + 1 }

// visits is somebody in front of the browser who has signed in.
func visits(t *testing.T, user string) *visitor {
	t.Helper()
	v := opens(t.Cleanup)
	v.pastes(tokenOf(user))
	Eventually(func() string { return v.text("header") }).Should(ContainSubstring(user))
	return v
}
