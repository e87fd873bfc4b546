// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// pause is between two attempts to reach an API server that does not answer.
const pause = time.Second

// errGone: the Promotion was deleted meanwhile.
var errGone = errors.New("was deleted")

// follow a Promotion from its newest state on until it is as wanted. It is watched; where the watch ends, or the API server is away for a time, it is looked at
// again. The context says for how long.
func (c *connection) follow(ctx context.Context, of *v1alpha1.Promotion, wanted func(*v1alpha1.Promotion) bool) (*v1alpha1.Promotion, error) {
	var refused failing
	known := false
	looked := func(promotion *v1alpha1.Promotion) bool {
		known = true
		return wanted(promotion)
	}
	for {
		found, err := c.followOnce(ctx, of, looked)
		switch {
		case found != nil, errors.Is(err, errGone):
			return found, err
		case refused.finally(err), refused.refuses(err) && !known:
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil:
			continue // the watch has ended, as watches do
		}
		linger(ctx, pause)
	}
}

// followOnce lists and watches. Without an error and without a Promotion the watch has ended.
func (c *connection) followOnce(ctx context.Context, of *v1alpha1.Promotion, wanted func(*v1alpha1.Promotion) bool) (*v1alpha1.Promotion, error) {
	only := []client.ListOption{client.InNamespace(of.Namespace), client.MatchingFields{"metadata.name": of.Name}}
	var list v1alpha1.PromotionList
	if err := c.List(ctx, &list, only...); err != nil {
		return nil, err
	}
	if len(list.Items) == 0 || !same(of.UID, list.Items[0].UID) {
		return nil, errGone
	}
	if wanted(&list.Items[0]) {
		return &list.Items[0], nil
	}
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}}
	watched, err := c.Watch(ctx, &v1alpha1.PromotionList{}, append(only, from)...)
	if err != nil {
		return nil, err
	}
	defer watched.Stop()
	for event := range watched.ResultChan() {
		promotion, ok := event.Object.(*v1alpha1.Promotion)
		switch {
		case !ok: // an error of the watch, such as one that is too old
			return nil, nil
		case event.Type == watch.Deleted || !same(of.UID, promotion.UID):
			return nil, errGone
		case wanted(promotion):
			return promotion, nil
		}
	}
	return nil, nil
}

func same(of, found types.UID) bool { return of == "" || of == found }

// awaitEnd waits for the end of a Promotion, says meanwhile where it stands, and ends with the exit code of the outcome.
func (s *session) awaitEnd(ctx context.Context, c *connection, of *v1alpha1.Promotion, timeout time.Duration) (*v1alpha1.Promotion, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	told := ""
	var last *v1alpha1.Promotion
	ended, err := c.follow(limited, of, func(promotion *v1alpha1.Promotion) bool {
		last = promotion
		if line := report.Progress(promotion); line != told {
			told = line
			s.say("%s", line)
		}
		return report.Ended(promotion)
	})
	switch {
	case errors.Is(err, errGone):
		return last, &ending{exitEnded, fmt.Errorf("promotion %q was deleted before it ended", of.Name)}
	case err != nil && limited.Err() != nil && ctx.Err() == nil:
		return last, &ending{exitTimedOut, fmt.Errorf("promotion %q has not ended within %s, and goes on: see `kubectl assent why %s --namespace %s`", of.Name, timeout, of.Name, of.Namespace)}
	case err != nil:
		return last, fmt.Errorf("waiting for promotion %q: %w", of.Name, err)
	}
	return ended, outcome(ended)
}

// outcome is the error of a Promotion that has not succeeded.
func outcome(ended *v1alpha1.Promotion) error {
	if report.Succeeded(ended) {
		return nil
	}
	state, message := report.State(ended)
	return &ending{exitEnded, fmt.Errorf("promotion %q has ended as %s: %s", ended.Name, state, message)}
}

// awaitSoon waits for what comes in a moment, such as a plan, and returns what is there by then. That it has not come is no error.
func (c *connection) awaitSoon(
	ctx context.Context, of *v1alpha1.Promotion, most time.Duration, wanted func(*v1alpha1.Promotion) bool,
) (*v1alpha1.Promotion, error) {
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	last := of
	_, err := c.follow(limited, of, func(promotion *v1alpha1.Promotion) bool {
		last = promotion
		return wanted(promotion)
	})
	if errors.Is(err, errGone) {
		return last, &ending{exitEnded, fmt.Errorf("promotion %q was deleted meanwhile", of.Name)}
	}
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return last, nil
	}
	return last, err
}

// finish a command that has written a Promotion: with --wait when it has ended, with a format for programs at once, and for people when the operator has looked at
// what was written.
func (s *session) finish(
	ctx context.Context, c *connection, written *v1alpha1.Promotion, output *output, waits waiting,
	soon func(*v1alpha1.Promotion) bool, tell func(*v1alpha1.Promotion),
) error {
	if waits.wait {
		last, failed := s.awaitEnd(ctx, c, written, waits.timeout)
		if last == nil || output.forPeople() {
			return failed
		}
		return errors.Join(output.print(s.Out, c.scheme, last), failed)
	}
	if !output.forPeople() {
		return output.print(s.Out, c.scheme, written)
	}
	const patient = 10 * time.Second
	seen, err := c.awaitSoon(ctx, written, patient, soon)
	if err == nil && waitsForRelease(seen) {
		seen, err = c.awaitSoon(ctx, seen, aMoment, hasEndedOrPlan)
	}
	if err != nil {
		return err
	}
	tell(seen)
	return nil
}

// aMoment is how long what is in the making is waited for.
const aMoment = 3 * time.Second

// waitsForRelease says whether there is no plan only because the content of the Release is not there. A Release that was created just now is fetched in a moment; one
// that does not exist is not worth a long wait.
func waitsForRelease(promotion *v1alpha1.Promotion) bool {
	blockers := promotion.Status.Blockers
	return !hasEndedOrPlan(promotion) && len(blockers) == 1 && blockers[0].Gate == v1alpha1.GateRelease
}

func hasEndedOrPlan(promotion *v1alpha1.Promotion) bool {
	return report.Ended(promotion) || promotion.Status.Plan.Digest != ""
}

// readPlanned gets a Promotion of the project with its plan. One that is in the making is waited for, for a moment.
func (c *connection) readPlanned(ctx context.Context, name string) (*v1alpha1.Promotion, error) {
	promotion := &v1alpha1.Promotion{}
	if err := c.read(ctx, name, promotion); err != nil || hasEndedOrPlan(promotion) {
		return promotion, err
	}
	return c.awaitSoon(ctx, promotion, aMoment, hasEndedOrPlan)
}

// judged says of a newer state whether the operator has looked at what was written.
func judged(written *v1alpha1.Promotion) func(*v1alpha1.Promotion) bool {
	return func(promotion *v1alpha1.Promotion) bool {
		return promotion.Status.ObservedGeneration >= written.Generation || report.Ended(promotion)
	}
}

// progress is one line about where a Promotion stands now.
func (s *session) progress(promotion *v1alpha1.Promotion) {
	fmt.Fprintf(s.Out, "%s  %s\n", promotion.Name, report.Progress(promotion))
}
