// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/oracle"
)

const (
	production = "production"
	// again is how soon people try again what was refused because a right or a plan was not yet there.
	again = 50 * time.Millisecond
)

// violation is something that must never be, whatever happens to the operator.
type violation struct{ Rule, Detail string }

// Error implements error.
func (v *violation) Error() string { return v.Rule + ": " + v.Detail }

// Run is one scenario in a project of its own.
type Run struct {
	world    *World
	project  *cluster.Project
	target   v1alpha1.Target
	keeper   *keeper
	requests *cluster.RequestLog
	// ends are the states that promotions must end in, as the course has said; gone are those that people delete.
	ends map[string]string
	gone map[string]bool
	// lossy says that the API server was ended by force, so that its audit log may not have everything.
	lossy bool
	// exceptions are what the scenario does on purpose.
	exceptions []oracle.Exception
	// clock of the operator.
	clock *steppingClock
	// giveUp ends the course of a run that is disturbed, and says why.
	giveUp context.CancelCauseFunc
	// happened says that what disturbs the run has begun.
	happened atomic.Bool

	mu sync.Mutex
	// last is what is to be done when all is at rest, before the run is judged.
	last []func(context.Context) error
}

// newRun makes the project, its target and its Environment; the operator does not run yet.
func newRun(ctx context.Context, w *World, rules []rule, faults []Fault) (*Run, error) {
	requests, err := w.Cluster.Requests()
	if err != nil {
		return nil, err
	}
	project, err := w.Cluster.Project(ctx)
	if err != nil {
		return nil, err
	}
	target, err := w.Cluster.Target(ctx)
	if err != nil {
		return nil, err
	}
	passing := &steppingClock{}
	r := &Run{
		world: w, project: project, target: target, requests: requests, ends: map[string]string{}, gone: map[string]bool{}, clock: passing,
		keeper: &keeper{world: w, project: project.Name, trial: newTrial(faults), streams: newStreams(), clock: passing},
	}
	environment := cluster.NewEnvironment(project.Name, production, target)
	for _, change := range rules {
		change(&environment.Spec)
	}
	return r, errors.Join(r.allowLease(ctx), w.as(cluster.Admin).Create(ctx, environment))
}

// allowLease lets the operator hold its lease in the project: where it holds the real one, only one could work at a time.
func (r *Run) allowLease(ctx context.Context) error {
	admin := r.world.as(cluster.Admin)
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "assent-leader-election", Namespace: r.project.Name},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}}},
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: role.ObjectMeta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: cluster.ServiceAccount, Namespace: cluster.SystemNamespace}},
	}
	return errors.Join(admin.Create(ctx, role), admin.Create(ctx, binding))
}

// finally does something when all is at rest, before the run is judged; in the order in which it was said.
func (r *Run) finally(do func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = append(r.last, do)
}

// finish what was put off until all is at rest.
func (r *Run) finish(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	for _, do := range last {
		if err := do(limited); err != nil {
			return err
		}
	}
	return nil
}

// remove what would cost the other runs time: each operator watches what Environments have applied in all namespaces. The namespaces stay: to end one
// costs the API server more than a whole run does.
func (r *Run) remove(ctx context.Context) error {
	admin, in := r.world.as(cluster.Admin), client.InNamespace(r.target.Namespace)
	return errors.Join(admin.DeleteAllOf(ctx, &appsv1.Deployment{}, in, client.PropagationPolicy(metav1.DeletePropagationBackground)),
		admin.DeleteAllOf(ctx, &corev1.ConfigMap{}, in, client.HasLabels{v1alpha1.LabelEnvironment}))
}

// persist tries what people do until it is not refused any more: rights take a moment to be in force, plans change, and API servers restart.
func persist(ctx context.Context, what string, try func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(again)
	defer ticker.Stop()
	for {
		err := try(limited)
		if err == nil || apierrors.IsAlreadyExists(err) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-limited.Done():
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// ask for a new release to be promoted, as bob.
func (r *Run) ask(ctx context.Context, name string, objects ...string) error {
	bob := r.world.as(cluster.Bob)
	return errors.Join(
		persist(ctx, "releasing", func(ctx context.Context) error {
			return bob.Create(ctx, cluster.NewRelease(r.project.Name, "shop-"+name, name, strings.Join(objects, "\n---\n")))
		}),
		persist(ctx, "asking", func(ctx context.Context) error {
			return bob.Create(ctx, cluster.NewPromotion(r.project.Name, name, "shop-"+name, production))
		}))
}

// await a state of a promotion; that it ends in another is a violation.
func (r *Run) await(ctx context.Context, name, state string) error {
	var ended error
	err := r.world.until(ctx, r.project.Name, fmt.Sprintf("promotion %q is %s", name, state), func(seen view) string {
		p := seen.promotions[name]
		switch {
		case p == nil:
			return "it is not there"
		case promotion.State(p) == state:
			return ""
		case promotion.Ended(p):
			ended = &violation{Rule: "end", Detail: fmt.Sprintf("promotion %q must become %s: %s", name, state, describe(p))}
			return ""
		}
		return describe(p)
	})
	return errors.Join(err, ended)
}

// end awaits the end of a promotion in a state, which it must keep.
func (r *Run) end(ctx context.Context, name, state string) error {
	r.ends[name] = state
	return r.await(ctx, name, state)
}

// patch a promotion as somebody.
func (r *Run) patch(ctx context.Context, user, name string, spec map[string]any) error {
	content, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return fmt.Errorf("encoding a patch: %w", err)
	}
	p := &v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Namespace: r.project.Name, Name: name}}
	return r.world.as(user).Patch(ctx, p, client.RawPatch(types.MergePatchType, content))
}

// decide on the plan as it is, once there is one.
func (r *Run) decide(ctx context.Context, user, name string, decision v1alpha1.Decision, comment string) error {
	return persist(ctx, fmt.Sprintf("deciding on promotion %q as %q", name, user), func(ctx context.Context) error {
		p := &v1alpha1.Promotion{}
		if err := r.world.as(user).Get(ctx, client.ObjectKey{Namespace: r.project.Name, Name: name}, p); err != nil {
			return err
		}
		entry := v1alpha1.Approval{User: user, Decision: decision, Comment: comment, PlanDigest: p.Status.Plan.Digest}
		return r.patch(ctx, user, name, map[string]any{"approvals": []v1alpha1.Approval{entry}})
	})
}

func (r *Run) approve(ctx context.Context, user, name string) error {
	return r.decide(ctx, user, name, v1alpha1.DecisionApproved, "")
}

// promote a new release from the request to its success.
func (r *Run) promote(ctx context.Context, name string, objects ...string) error {
	return inTurn(
		func() error { return r.ask(ctx, name, objects...) },
		func() error { return r.await(ctx, name, v1alpha1.ReasonAwaitingApproval) },
		func() error { return r.approve(ctx, cluster.Alice, name) },
		func() error { return r.end(ctx, name, v1alpha1.ReasonSucceeded) },
	)
}

// amend the Environment's rules as the administrator.
func (r *Run) amend(ctx context.Context, merge string) error {
	environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: r.project.Name, Name: production}}
	return persist(ctx, "amending the environment", func(ctx context.Context) error {
		return r.world.as(cluster.Admin).Patch(ctx, environment, client.RawPatch(types.MergePatchType, []byte(merge)))
	})
}

// inTurn does one step after the other, as long as none fails.
func inTurn(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func describe(p *v1alpha1.Promotion) string {
	said := fmt.Sprintf("it is %s", promotion.State(p))
	for _, condition := range p.Status.Conditions {
		if condition.Type == v1alpha1.ConditionSucceeded {
			said += ": " + condition.Message
		}
	}
	return said
}
