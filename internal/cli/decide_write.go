// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
)

func parseSelector(selector string) (labels.Selector, error) {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return nil, fmt.Errorf("--selector: %w", err)
	}
	return parsed, nil
}

// confirm shows what is decided on, and asks, unless --yes or --plan has agreed already.
func (d *decideCommand) confirm(seen *v1alpha1.Promotion) (bool, error) {
	question := fmt.Sprintf("Withdraw your decision on %s?", seen.Name)
	if d.decision != "" {
		d.lookAt(seen)
		question = fmt.Sprintf("%s %s for %s?", verbs[d.decision].ask, seen.Spec.Release, seen.Spec.Environment)
	}
	return d.given(d.session, question)
}

// verbs are the words for decisions.
var verbs = map[v1alpha1.Decision]struct{ ask, done string }{
	"":                        {"Withdraw", "withdrawn"},
	v1alpha1.DecisionApproved: {"Approve", "approved"},
	v1alpha1.DecisionRejected: {"Reject", "rejected"},
}

// write the caller's own entry, and nothing else.
func (d *decideCommand) write(ctx context.Context, actor person.Actor, seen *v1alpha1.Promotion) (*v1alpha1.Promotion, error) {
	written, err := actor.Decide(ctx, seen, person.Decision{Decision: d.decision, Comment: d.comment})
	return written, stale(seen, err)
}

// stale adds to an error what to do next where what was shown is not there any more.
func stale(seen *v1alpha1.Promotion, err error) error {
	var changed *person.PlanChanged
	var replaced *person.Replaced
	switch {
	case errors.As(err, &changed):
		return fmt.Errorf("%w: look at the new one by `kubectl assent diff %s`, and decide again. The API server says: %s", err, seen.Name, changed.Refusal.Error())
	case errors.As(err, &replaced):
		return fmt.Errorf("%w: look at it anew", err)
	default:
		return err
	}
}

// tell what came of it. The operator counts decisions; whether it has done so in a moment is worth to wait for.
func (d *decideCommand) tell(ctx context.Context, c *connection, me v1alpha1.Person, decided *v1alpha1.Promotion) error {
	d.say("promotion.assent.dev/%s %s", decided.Name, verbs[d.decision].done)
	return d.finish(ctx, c, decided, d.output, d.waiting, judged(decided), func(counted *v1alpha1.Promotion) {
		for _, ignored := range counted.Status.Approvals.Ignored {
			if ignored.User == me.Username && d.decision != "" {
				d.say("warning: your decision does not count: %s %s", ignored.User, ignored.Reason)
			}
		}
		d.progress(counted)
	})
}
