// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"
	"encoding/json"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// mostGroups is how many groups the API takes of one person.
const mostGroups = 512

// Actor is a person who acts.
type Actor struct {
	// Client acts as the person, and reads what the API server has now: no cache.
	Client client.Client
	// Me is the person, as Whoami finds them. It is written where the guard would stamp it.
	Me v1alpha1.Person
}

// Whoami is whoever the client acts as, as the API server finds them.
func Whoami(ctx context.Context, as client.Client) (v1alpha1.Person, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := as.Create(ctx, review); err != nil {
		return v1alpha1.Person{}, fmt.Errorf("asking who you are: %w", err)
	}
	me := review.Status.UserInfo
	return v1alpha1.Person{Username: me.Username, UID: me.UID, Groups: me.Groups[:min(len(me.Groups), mostGroups)]}, nil
}

// Seen is what somebody has looked at on a page: the Promotion of that UID, with the plan of that digest.
type Seen struct {
	Project, Name string
	UID           types.UID
	// Digest is empty where it is not the plan that matters.
	Digest v1alpha1.Digest
}

// Look reads a Promotion that was looked at before: it must still be the same, with the same plan. Otherwise the error is a *Replaced or a *PlanChanged.
func (a Actor) Look(ctx context.Context, seen Seen) (*v1alpha1.Promotion, error) {
	promotion := &v1alpha1.Promotion{}
	if err := a.Client.Get(ctx, client.ObjectKey{Namespace: seen.Project, Name: seen.Name}, promotion); err != nil {
		return nil, err
	}
	switch {
	case promotion.UID != seen.UID:
		return nil, &Replaced{Kind: "promotion", Name: seen.Name}
	case seen.Digest != "" && promotion.Status.Plan.Digest != seen.Digest:
		return nil, &PlanChanged{Promotion: seen.Name}
	}
	return promotion, nil
}

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// still is the operation that refuses the patch where another object has the name by now.
func still(object client.Object) operation {
	return operation{Op: "test", Path: "/metadata/uid", Value: object.GetUID()}
}

// patch by the operations of a JSON patch, and get what came of it. Only the object that was read is patched.
func (a Actor) patch(ctx context.Context, object client.Object, operations ...operation) error {
	text, err := json.Marshal(append([]operation{still(object)}, operations...))
	if err != nil {
		return fmt.Errorf("writing a patch: %w", err)
	}
	return a.Client.Patch(ctx, object, client.RawPatch(types.JSONPatchType, text), client.FieldOwner(v1alpha1.FieldManager))
}

// merge a JSON merge patch (RFC 7396) into an object that was read, and get what came of it. The UID cannot be changed: where another object has the name by now, the
// API server refuses.
func (a Actor) merge(ctx context.Context, object client.Object, change map[string]any) error {
	metadata, _ := change["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		change["metadata"] = metadata
	}
	if uid := object.GetUID(); uid != "" {
		metadata["uid"] = uid
	}
	text, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("writing a patch: %w", err)
	}
	before := copied(object)
	err = a.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, text), client.FieldOwner(v1alpha1.FieldManager))
	return a.refused(ctx, before, err)
}

func copied[O client.Object](object O) O { return object.DeepCopyObject().(O) }

// refused tells a refusal because another object has the name by now from others. A failed test of a JSON patch and a UID that would change are both 422.
func (a Actor) refused(ctx context.Context, before client.Object, refusal error) error {
	if !apierrors.IsInvalid(refusal) || before.GetUID() == "" {
		return refusal
	}
	current := copied(before)
	if err := a.Client.Get(ctx, client.ObjectKeyFromObject(before), current); err != nil || current.GetUID() == before.GetUID() {
		return refusal
	}
	return &Replaced{Kind: kindOf(before), Name: before.GetName()}
}

func kindOf(object client.Object) string {
	switch object.(type) {
	case *v1alpha1.Promotion:
		return "promotion"
	case *v1alpha1.Environment:
		return "environment"
	default:
		return "release"
	}
}
