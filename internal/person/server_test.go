// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
)

const (
	shown   v1alpha1.Digest = "sha256:shown"
	changed v1alpha1.Digest = "sha256:changed"
)

var alice = v1alpha1.Person{Username: "alice", UID: "uid-of-alice", Groups: []string{"shop-owners"}}

// server is one that has objects, and answers writes by what a test says.
type server struct {
	client.Client
	// patches are those that were sent.
	patches []string
	// before a patch is carried out; an error is the answer to it.
	before func(number int) error
}

func newServer(t *testing.T, objects ...client.Object) *server {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme), authenticationv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	s := &server{before: func(int) error { return nil }}
	s.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{Patch: s.patch}).Build()
	return s
}

// patch answers one that cannot be applied as an API server does.
func (s *server) patch(ctx context.Context, to client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	text, err := patch.Data(object)
	if err != nil {
		return err
	}
	s.patches = append(s.patches, string(text))
	if err := s.before(len(s.patches)); err != nil {
		return err
	}
	err = to.Patch(ctx, object, patch, options...)
	var answered apierrors.APIStatus
	if err != nil && !errors.As(err, &answered) {
		return apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
	}
	return err
}

func (s *server) alice() person.Actor { return person.Actor{Client: s, Me: alice} }

func newPromotion(changes ...func(*v1alpha1.Promotion)) *v1alpha1.Promotion {
	promotion := &v1alpha1.Promotion{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1.0.0-production", UID: "first"},
		Spec:       v1alpha1.PromotionSpec{Release: "shop-1.0.0", Environment: "production", Type: v1alpha1.PromotionTypePromote, Approvals: []v1alpha1.Approval{}},
	}
	promotion.Status.Plan.Digest = shown
	for _, change := range changes {
		change(promotion)
	}
	return promotion
}

func decidedBy(users ...string) func(*v1alpha1.Promotion) {
	return func(p *v1alpha1.Promotion) {
		for _, user := range users {
			p.Spec.Approvals = append(p.Spec.Approvals, v1alpha1.Approval{User: user, Decision: v1alpha1.DecisionApproved, PlanDigest: shown})
		}
	}
}

func endedAs(reason string) func(*v1alpha1.Promotion) {
	return func(p *v1alpha1.Promotion) {
		p.Status.CompletionTime = metav1.Now()
		p.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionFalse, Reason: reason, Message: "not now"}}
	}
}

func started(p *v1alpha1.Promotion) { p.Status.StartTime = metav1.Now() }

func unplanned(p *v1alpha1.Promotion) { p.Status.Plan.Digest = "" }

// again is the same name, and another object.
func again(p *v1alpha1.Promotion) { p.UID = "second" }

// read what the server has.
func (s *server) read(t *testing.T, name string) *v1alpha1.Promotion {
	t.Helper()
	found := &v1alpha1.Promotion{}
	if err := s.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, found); err != nil {
		t.Fatal(err)
	}
	return found
}

// replace an object by another one of its name.
func (s *server) replace(t *testing.T, object client.Object) {
	t.Helper()
	object.SetResourceVersion("")
	if err := errors.Join(s.Delete(t.Context(), object), s.Create(t.Context(), object)); err != nil {
		t.Fatal(err)
	}
}

func users(promotion *v1alpha1.Promotion) string {
	var names []string
	for _, approval := range promotion.Spec.Approvals {
		names = append(names, approval.User)
	}
	return strings.Join(names, " ")
}

// is says whether an error is of a type.
func is[E error](err error) bool {
	var wanted E
	return errors.As(err, &wanted)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
