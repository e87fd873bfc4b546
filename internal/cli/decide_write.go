// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
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

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// write the caller's own entry, and nothing else. It names everything that the guard would stamp, so that it is the same without stamping, and the plan that
// was shown: where that has changed, the guard refuses (G7). The resource version keeps the entry's place in the list from changing in between.
func (d *decideCommand) write(ctx context.Context, c *connection, me v1alpha1.Person, seen *v1alpha1.Promotion) (*v1alpha1.Promotion, error) {
	current := seen.DeepCopy()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		operations, err := d.operations(current, me, seen.Status.Plan.Digest)
		if err != nil {
			return err
		}
		written := current.DeepCopy()
		err = c.patch(ctx, written, operations)
		if !apierrors.IsConflict(err) {
			current = written
			return err
		}
		if readErr := c.read(ctx, seen.Name, current); readErr != nil {
			return readErr
		}
		if current.UID != seen.UID {
			return fmt.Errorf("promotion %q was deleted and created again meanwhile: look at it anew", seen.Name)
		}
		return err
	})
	if apierrors.IsForbidden(err) && d.decision != "" {
		return nil, c.moved(ctx, seen, err)
	}
	return current, err
}

func (d *decideCommand) operations(current *v1alpha1.Promotion, me v1alpha1.Person, shown v1alpha1.Digest) ([]operation, error) {
	at := indexOf(current.Spec.Approvals, me.Username)
	place := fmt.Sprintf("/spec/approvals/%d", at)
	entry := v1alpha1.Approval{User: me.Username, UID: me.UID, Groups: me.Groups, Decision: d.decision, Comment: d.comment, PlanDigest: shown}
	operations := []operation{{Op: "replace", Path: "/metadata/resourceVersion", Value: current.ResourceVersion}}
	switch {
	case d.decision == "" && at < 0:
		return nil, fmt.Errorf("promotion %q has no decision of yours (%q) to withdraw any more", current.Name, me.Username)
	case d.decision == "":
		return append(operations, operation{Op: "remove", Path: place}), nil
	}
	if at >= 0 {
		return append(operations, operation{Op: "replace", Path: place, Value: entry}), nil
	}
	return append(operations, operation{Op: "add", Path: "/spec/approvals/-", Value: entry}), nil
}

// moved tells a refusal because the plan has changed from one because of who decides.
func (c *connection) moved(ctx context.Context, seen *v1alpha1.Promotion, refusal error) error {
	current := &v1alpha1.Promotion{}
	if err := c.read(ctx, seen.Name, current); err != nil || current.Status.Plan.Digest == seen.Status.Plan.Digest {
		return refusal
	}
	return fmt.Errorf("the plan of promotion %q has changed since it was shown, and nothing was decided: look at the new one by `kubectl assent diff %s`, and decide again. The API server says: %s",
		seen.Name, seen.Name, refusal.Error())
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

// patch by the operations of a JSON patch, and get what came of it.
func (c *connection) patch(ctx context.Context, object client.Object, operations []operation) error {
	text, err := json.Marshal(operations)
	if err != nil {
		return fmt.Errorf("writing a patch: %w", err)
	}
	return c.Patch(ctx, object, client.RawPatch(types.JSONPatchType, text), client.FieldOwner(v1alpha1.FieldManager))
}
