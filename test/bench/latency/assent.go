// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package latency

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/bench/scene"
	"github.com/assent-dev/assent/test/cluster"
)

// assent is the operator.
type assent struct {
	scene *scene.Scene
}

func (a *assent) contender() measure.Contender { return measure.Assent }

func (a *assent) place(ctx context.Context) (*scene.Place, error) {
	return a.scene.Place(ctx)
}

func (a *assent) leave(ctx context.Context, _ *scene.Place) error {
	return a.scene.Rest(ctx)
}

func (a *assent) roll(ctx context.Context, place *scene.Place, v version) (finish, error) {
	var measured finish
	asked, log, err := a.promote(ctx, place, v)
	if err != nil {
		return measured, err
	}
	if measured.began, err = approvedAt(log, asked); err != nil {
		return measured, err
	}
	if measured.written, err = lastWrite(log, place, v.objects, cluster.Request.ByOperator); err != nil {
		return measured, err
	}
	measured.ready, err = succeededAt(log, asked)
	return measured, err
}

// promote a version from its request to its end. The log is from the approval on.
func (a *assent) promote(ctx context.Context, place *scene.Place, v version) (*v1alpha1.Promotion, *cluster.RequestLog, error) {
	asked, err := place.Ask(ctx, v.name, v.source)
	if err != nil {
		return nil, nil, err
	}
	if err := a.scene.Rest(ctx); err != nil {
		return nil, nil, err
	}
	log, err := a.scene.Cluster.Requests()
	if err != nil {
		return nil, nil, err
	}
	if err := a.approve(ctx, asked); err != nil {
		return nil, nil, err
	}
	return asked, log, place.AwaitState(ctx, asked, v1alpha1.ReasonSucceeded)
}

// approve, and wait for the end without asking for it again and again, and until nothing moves any more.
func (a *assent) approve(ctx context.Context, asked *v1alpha1.Promotion) error {
	ctx, cancel := context.WithTimeout(ctx, scene.Patience)
	defer cancel()
	events, err := a.scene.As(cluster.Admin).Watch(ctx, &v1alpha1.PromotionList{}, client.InNamespace(asked.Namespace), client.MatchingFields{"metadata.name": asked.Name})
	if err != nil {
		return fmt.Errorf("watching promotion %q: %w", asked.Name, err)
	}
	defer events.Stop()
	if err := a.scene.Approve(ctx, asked); err != nil {
		return err
	}
	for event := range events.ResultChan() {
		if p, ok := event.Object.(*v1alpha1.Promotion); ok && !p.Status.CompletionTime.IsZero() {
			return a.scene.Rest(ctx)
		}
	}
	return fmt.Errorf("promotion %q did not end: %w", asked.Name, cmp.Or(ctx.Err(), errWatchEnded))
}

var errWatchEnded = errors.New("the watch has ended")

// approvedAt is when the API server had answered the approval.
func approvedAt(log *cluster.RequestLog, asked *v1alpha1.Promotion) (time.Time, error) {
	approvals, err := log.Answered(func(r cluster.Request) bool {
		return r.User.Username == cluster.Alice && r.Verb == "patch" && r.ObjectRef.Resource == "promotions" && r.ObjectRef.Name == asked.Name &&
			r.ObjectRef.Namespace == asked.Namespace && r.ResponseStatus.Code < 300
	})
	if err == nil && len(approvals) != 1 {
		err = fmt.Errorf("the audit log has %d approvals of promotion %q", len(approvals), asked.Name)
	}
	if err != nil {
		return time.Time{}, err
	}
	return approvals[0].Done, nil
}

// succeededAt is when the API server had answered the write that says so.
func succeededAt(log *cluster.RequestLog, asked *v1alpha1.Promotion) (time.Time, error) {
	ends, err := log.Answered(func(r cluster.Request) bool {
		if r.ObjectRef.Resource != "promotions" || r.ObjectRef.Subresource != "status" || r.ObjectRef.Name != asked.Name || r.ObjectRef.Namespace != asked.Namespace || r.ResponseStatus.Code >= 300 {
			return false
		}
		var written v1alpha1.Promotion
		return json.Unmarshal(r.RequestObject, &written) == nil && apimeta.IsStatusConditionTrue(written.Status.Conditions, v1alpha1.ConditionSucceeded)
	})
	if err == nil && len(ends) == 0 {
		err = fmt.Errorf("the audit log does not have the success of promotion %q", asked.Name)
	}
	if err != nil {
		return time.Time{}, err
	}
	return ends[0].Done, nil
}
