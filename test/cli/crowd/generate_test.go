// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/test/cluster"
)

// hands is how many requests of the generator are under way at once.
const hands = 16

// crowd is what was written.
type crowd struct {
	admin client.Client
	// operator writes as the operator's service account; who asked and what was decided the guard lets nobody else say.
	operator client.Client
	projects []string
}

// others are the projects in which something waits without the crowd: who may decide everywhere is asked about in each of them.
func (c *crowd) others(ctx context.Context) (int, error) {
	var all v1alpha1.PromotionList
	err := c.admin.List(ctx, &all)
	projects := map[string]bool{}
	for i := range all.Items {
		if all.Items[i].Status.CompletionTime.IsZero() {
			projects[all.Items[i].Namespace] = true
		}
	}
	return len(projects), err
}

// linesAbout the projects of the crowd.
func (c *crowd) linesAbout(text string) int {
	count := 0
	for line := range strings.Lines(text) {
		if slices.ContainsFunc(c.projects, func(project string) bool { return strings.HasPrefix(line, project+" ") }) {
			count++
		}
	}
	return count
}

// come writes projects with Environments. To each there are ten Promotions, of which one waits for an approval, and a history of those that have ended. Alice
// may approve everything.
func (c *crowd) come(ctx context.Context, connected *cluster.Cluster, size int) error {
	for _, role := range []string{"assent-viewer", "assent-approver"} {
		if err := c.admin.Create(ctx, bindingOf(role)); err != nil {
			return err
		}
	}
	for range (size + neighbours - 1) / neighbours {
		project, err := connected.Project(ctx)
		if err != nil {
			return err
		}
		c.projects = append(c.projects, project.Name)
	}
	environments, heads := make([]*v1alpha1.Environment, size), make([]v1alpha1.AuditHead, size)
	err := each(ctx, size, func(ctx context.Context, i int) (err error) {
		environments[i], err = c.environment(ctx, c.projects[i/neighbours], i)
		return err
	})
	// One round after the other, so that what is newer has been written later.
	for round := 0; round <= ended && err == nil; round++ {
		err = each(ctx, size, func(ctx context.Context, i int) error {
			at := time.Now().Truncate(time.Second)
			promotion, err := c.ask(ctx, environments[i], round, at, round < ended)
			if err == nil && round < ended {
				heads[i], err = c.record(ctx, promotion, heads[i], at)
			}
			return err
		})
	}
	if err != nil {
		return err
	}
	return each(ctx, size, func(ctx context.Context, i int) error { return c.standing(ctx, environments[i], heads[i]) })
}

func each(ctx context.Context, count int, work func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(hands)
	for i := range count {
		group.Go(func() error { return work(ctx, i) })
	}
	return group.Wait()
}

// newCrowd of which nobody has come yet.
func newCrowd(ctx context.Context, connected *cluster.Cluster) (*crowd, error) {
	admin, err := connected.Client(cluster.Admin)
	if err != nil {
		return nil, err
	}
	config, err := connected.ControllerConfig(ctx)
	if err != nil {
		return nil, err
	}
	operator, err := connected.ClientFor(config)
	if err != nil {
		return nil, err
	}
	return &crowd{admin: admin, operator: operator}, nil
}

func bindingOf(role string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "crowd-" + role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: cluster.Alice}},
	}
}

func (c *crowd) environment(ctx context.Context, project string, number int) (*v1alpha1.Environment, error) {
	name := []string{"dev", "staging", "production"}[number%3]
	environment := cluster.NewEnvironment(project, fmt.Sprintf("%s-%04d", name, number), v1alpha1.Target{Namespace: fmt.Sprintf("target-%04d", number), ServiceAccountName: "assent-deployer"})
	environment.Spec.Stage = name
	environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "owners", Required: ptr.To[int32](1), Users: []string{cluster.Alice, cluster.Carol}}}
	environment.Spec.Windows.Freeze = []v1alpha1.Window{{Schedule: "0 0 24 12 *", DurationSeconds: 864000, TimeZone: "Europe/Zurich", Reason: "the end of the year"}}
	return environment, c.admin.Create(ctx, environment)
}

// standing of an Environment, after all that has happened there.
func (c *crowd) standing(ctx context.Context, environment *v1alpha1.Environment, head v1alpha1.AuditHead) error {
	status, since := &environment.Status, metav1.Now()
	status.Stage, status.WaitingCount, status.Audit = environment.Spec.Stage, ptr.To[int32](1), head
	status.Current = v1alpha1.Deployment{
		Release: release(ended - 1), Version: version(ended - 1), Promotion: environment.Name + "-8", Digest: digest("3"), StartedTime: since, SinceTime: since,
	}
	for _, condition := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionHealthy, v1alpha1.ConditionInSync} {
		status.Conditions = append(status.Conditions, metav1.Condition{
			Type: condition, Status: metav1.ConditionTrue, Reason: "Fine", LastTransitionTime: since, Message: "all of it is as it should be",
		})
	}
	status.Inventory = objects(environment)
	return c.operator.Status().Update(ctx, environment)
}

func version(number int) string { return fmt.Sprintf("1.%d.0", number) }

func release(number int) string { return cluster.Application + "-" + version(number) }

func digest(letter string) v1alpha1.Digest {
	return v1alpha1.Digest("sha256:" + strings.Repeat(letter, 64))
}

func objects(environment *v1alpha1.Environment) []v1alpha1.ObjectReference {
	namespace := environment.Spec.Target.Namespace
	return []v1alpha1.ObjectReference{
		{Kind: "ConfigMap", Namespace: namespace, Name: "settings"}, {Kind: "Secret", Namespace: namespace, Name: "login"},
		{Kind: "Service", Namespace: namespace, Name: "web"}, {Group: "apps", Kind: "Deployment", Namespace: namespace, Name: "web"},
	}
}

// ask for a Promotion, and write what the operator would have made of it.
func (c *crowd) ask(ctx context.Context, environment *v1alpha1.Environment, number int, at time.Time, over bool) (*v1alpha1.Promotion, error) {
	p := cluster.NewPromotion(environment.Namespace, fmt.Sprintf("%s-%d", environment.Name, number), release(number), environment.Name)
	p.Spec.Reason = "the weekly release, with everything that was merged since the last one"
	if err := c.admin.Create(ctx, p); err != nil {
		return nil, err
	}
	moment := metav1.NewTime(at)
	p.Status.Plan = v1alpha1.Plan{Digest: digest("1"), RenderedDigest: digest("2"), Objects: ptr.To[int32](4), PlannedTime: moment}
	p.Status.Plan.Inputs = v1alpha1.PlanInputs{
		Release: v1alpha1.ObjectIdentity{Name: release(number), UID: "uid"}, ReleaseDigest: digest("3"),
		Environment: v1alpha1.ObjectIdentity{Name: environment.Name, UID: string(environment.UID)}, EnvironmentDigest: digest("4"), GuardDigest: digest("5"),
	}
	for _, object := range objects(environment) {
		p.Status.Plan.Changes = append(p.Status.Plan.Changes, v1alpha1.Change{ObjectReference: object, Action: v1alpha1.ChangeUpdate})
	}
	succeeded := metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonAwaitingApproval, Message: "needs 1 more approval", LastTransitionTime: moment}
	p.Status.Approvals = v1alpha1.ApprovalStatus{Summary: "0/1", Required: ptr.To[int32](1), Granted: ptr.To[int32](0), Rules: []v1alpha1.RuleStatus{{Name: "owners", Required: ptr.To[int32](1)}}}
	if over {
		succeeded.Status, succeeded.Reason, succeeded.Message = metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "every object is applied and healthy"
		p.Status.Approvals.Summary, p.Status.Approvals.Granted, p.Status.Approvals.Rules[0].ApprovedBy = "1/1", ptr.To[int32](1), []string{cluster.Carol}
		p.Status.Approvals.Counted = []v1alpha1.CountedApproval{{User: cluster.Carol, PlanDigest: digest("1"), Time: moment}}
		p.Status.StartTime, p.Status.CompletionTime = moment, metav1.NewTime(at.Add(time.Minute))
		p.Status.Progress = v1alpha1.RolloutProgress{Applied: ptr.To[int32](4), Healthy: ptr.To[int32](4), Total: ptr.To[int32](4)}
	} else {
		p.Status.Plan.Diff = strings.Repeat("-  line: before\n+  line: after\n", 60)
		p.Status.Blockers = []v1alpha1.Blocker{{Gate: v1alpha1.GateApproval, Message: "needs 1 more approval", Clears: "user \"alice\" or \"carol\""}}
	}
	p.Status.Conditions = []metav1.Condition{succeeded}
	return p, c.operator.Status().Update(ctx, p)
}

// record the intent and the success of a Promotion.
func (c *crowd) record(ctx context.Context, p *v1alpha1.Promotion, head v1alpha1.AuditHead, at time.Time) (v1alpha1.AuditHead, error) {
	entry := v1alpha1.AuditRecordSpec{
		Environment: p.Spec.Environment, Type: v1alpha1.AuditIntent, Time: metav1.NewTime(at), Promotion: v1alpha1.ObjectIdentity{Name: p.Name, UID: string(p.UID)},
		Release:    v1alpha1.AuditedRelease{ObjectIdentity: v1alpha1.ObjectIdentity{Name: p.Spec.Release, UID: "uid"}, Version: strings.TrimPrefix(p.Spec.Release, cluster.Application+"-"), Digest: digest("3")},
		PlanDigest: digest("1"), RenderedDigest: digest("2"), RequestedBy: p.Spec.RequestedBy, Reason: p.Spec.Reason, DecidedBy: cluster.Carol,
		Decisions: []v1alpha1.AuditedDecision{{User: cluster.Carol, Groups: []string{"shop-owners", "system:authenticated"}, Decision: v1alpha1.DecisionApproved, Rules: []string{"owners"}, Time: metav1.NewTime(at)}},
		Target:    v1alpha1.Target{Namespace: "target", ServiceAccountName: "assent-deployer"},
	}
	for _, change := range p.Status.Plan.Changes {
		entry.Objects = append(entry.Objects, change.ObjectReference)
	}
	for _, kind := range []v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditSucceeded} {
		entry.Type = kind
		record, err := audit.Seal(p.Namespace, head, entry)
		if err != nil {
			return head, err
		}
		if err := c.operator.Create(ctx, record); err != nil {
			return head, err
		}
		head = audit.HeadOf(record)
		entry.Time, entry.Objects, entry.Decisions, entry.DecidedBy = metav1.NewTime(at.Add(time.Minute)), nil, nil, ""
	}
	return head, nil
}

// leave nothing behind: others use the cluster, too.
func (c *crowd) leave(ctx context.Context) error {
	for _, role := range []string{"assent-viewer", "assent-approver"} {
		if err := c.admin.Delete(ctx, bindingOf(role)); err != nil {
			return err
		}
	}
	for _, project := range c.projects {
		for _, kind := range []client.Object{&v1alpha1.Promotion{}, &v1alpha1.Environment{}, &v1alpha1.AuditRecord{}} {
			if err := c.clear(ctx, kind, project); err != nil {
				return err
			}
		}
		if err := c.admin.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: project}}); err != nil {
			return err
		}
	}
	return nil
}

// clear a project of a kind. A thousand deletions can take longer than one request may.
func (c *crowd) clear(ctx context.Context, kind client.Object, project string) error {
	for {
		err := c.admin.DeleteAllOf(ctx, kind, client.InNamespace(project))
		if !apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err) {
			return err
		}
	}
}
