// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/internal/person"
)

// right is something that may be done with objects of a kind.
type right struct{ verb, resource string }

const (
	onEnvironments = "environments"
	onReleases     = "releases"
	onPromotions   = "promotions"
)

// wholes are what is needed for each action: the deciding verb, and the write that carries it.
var (
	wholes = map[string][]right{
		page.RightPromote:  {{v1alpha1.VerbPromote, onEnvironments}, {"create", onPromotions}},
		page.RightRollback: {{v1alpha1.VerbRollback, onEnvironments}, {"create", onPromotions}},
		page.RightApprove:  {{v1alpha1.VerbApprove, onEnvironments}, {"patch", onPromotions}},
		page.RightOverride: {{v1alpha1.VerbOverride, onEnvironments}, {"patch", onPromotions}},
		page.RightResume:   {{v1alpha1.VerbResume, onEnvironments}, {"patch", onEnvironments}},
		page.RightHold:     {{"patch", onEnvironments}},
		page.RightChange:   {{"patch", onPromotions}},
	}
	wholesOfRelease = map[string][]right{
		page.RightBlock:   {{"patch", onReleases}},
		page.RightUnblock: {{v1alpha1.VerbUnblock, onReleases}, {"patch", onReleases}},
	}
)

// Rights of the viewer on an Environment and its Promotions, as the API server says to them; it is not asked again for as long as an answer counts.
func (v *Viewer) Rights(ctx context.Context, project, environment string) (page.Rights, error) {
	return v.rights(ctx, project, wholes, map[string]string{onEnvironments: environment})
}

// RightsOnRelease are those to block a Release and to unblock it.
func (v *Viewer) RightsOnRelease(ctx context.Context, project, release string) (page.Rights, error) {
	return v.rights(ctx, project, wholesOfRelease, map[string]string{onReleases: release})
}

// rights to do some actions, with the objects that are named.
func (v *Viewer) rights(ctx context.Context, project string, actions map[string][]right, names map[string]string) (page.Rights, error) {
	if project == "" || slices.Contains(slices.Collect(maps.Values(names)), "") {
		return page.Rights{}, nil // for the API server no name stands for all of them
	}
	var mu sync.Mutex
	held := map[right]bool{}
	for _, needed := range actions {
		for _, one := range needed {
			held[one] = false
		}
	}
	questions, asked := errgroup.WithContext(ctx)
	questions.SetLimit(questionsAtOnce)
	for _, one := range slices.Collect(maps.Keys(held)) {
		questions.Go(func() error {
			allowed, err := person.Allowed(asked, v.asker(), authorizationv1.ResourceAttributes{
				Namespace: project, Verb: one.verb, Resource: one.resource, Name: names[one.resource],
			})
			mu.Lock()
			defer mu.Unlock()
			held[one] = allowed
			return err
		})
	}
	if err := questions.Wait(); err != nil {
		return nil, err
	}
	rights := page.Rights{}
	for action, needed := range actions {
		rights[action] = !slices.ContainsFunc(needed, func(one right) bool { return !held[one] })
	}
	return rights, nil
}

// question that was put: about one right, or about all rules of a project.
type question struct {
	rules string
	right authorizationv1.ResourceAttributes
}

// reviewed is an answer, to a question that was put at a time.
type reviewed struct {
	at     time.Time
	answer client.Object
}

// mostReviewed is how many answers are kept for one identity.
const mostReviewed = 10_000

// asker asks as the viewer, and does not ask again what was answered recently.
type asker struct{ *Viewer }

func (v *Viewer) asker() person.Asker { return asker{v} }

// Create a review, or fill it with the answer that is known.
func (a asker) Create(ctx context.Context, review client.Object, options ...client.CreateOption) error {
	h, id, about := a.hub, a.id, questionOf(review)
	put := h.clock.Now()
	h.mu.Lock()
	failed, known := a.failed, id.rights[about]
	h.mu.Unlock()
	switch {
	case failed != nil:
		return failed
	case known.answer != nil && put.Sub(known.at) < h.options.Keep:
		known.fill(review)
		return nil
	}
	if err := id.connection.Create(ctx, review, options...); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(id.rights) >= mostReviewed {
		clear(id.rights)
	}
	if answer, is := review.DeepCopyObject().(client.Object); is {
		id.rights[about] = reviewed{put, answer}
	}
	return nil
}

func questionOf(review client.Object) question {
	switch review := review.(type) {
	case *authorizationv1.SelfSubjectAccessReview:
		return question{right: *review.Spec.ResourceAttributes}
	case *authorizationv1.SelfSubjectRulesReview:
		return question{rules: review.Spec.Namespace}
	}
	return question{}
}

// fill a review of the same question with the answer.
func (r reviewed) fill(review client.Object) {
	switch review := review.(type) {
	case *authorizationv1.SelfSubjectAccessReview:
		if answer, is := r.answer.(*authorizationv1.SelfSubjectAccessReview); is {
			review.Status = answer.Status
		}
	case *authorizationv1.SelfSubjectRulesReview:
		if answer, is := r.answer.(*authorizationv1.SelfSubjectRulesReview); is {
			review.Status = answer.Status
		}
	}
}
