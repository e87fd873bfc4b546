// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestWhatPassesByItselfIsTriedAgain(t *testing.T) {
	deployments := schema.GroupResource{Group: "apps", Resource: "deployments"}
	for name, test := range map[string]struct {
		err  error
		kind ErrorKind
	}{
		"conflict":              {apierrors.NewConflict(deployments, "web", errors.New("changed")), TransientError},
		"created meanwhile":     {apierrors.NewAlreadyExists(deployments, "web"), TransientError},
		"throttled":             {apierrors.NewTooManyRequests("slow down", 1), TransientError},
		"server timeout":        {apierrors.NewServerTimeout(deployments, "patch", 1), TransientError},
		"internal error":        {apierrors.NewInternalError(errors.New("webhook is down")), TransientError},
		"unavailable":           {apierrors.NewServiceUnavailable("starting"), TransientError},
		"plain 500":             {apierrors.NewGenericServerResponse(500, "patch", deployments, "web", "etcdserver: leader changed", 0, true), TransientError},
		"namespace terminating": {terminating(deployments), TransientError},
		"deadline":              {fmt.Errorf("patch: %w", context.DeadlineExceeded), TransientError},
		"connection refused":    {&net.OpError{Op: "dial", Err: errors.New("refused")}, TransientError},
		"lost answer":           {fmt.Errorf("patch: %w", io.ErrUnexpectedEOF), TransientError},
		"invalid":               {apierrors.NewInvalid(schema.GroupKind{Kind: "Deployment"}, "web", nil), RefusedError},
		"bad request":           {apierrors.NewBadRequest("cannot read it"), RefusedError},
		"unknown kind":          {&meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "Widget"}}, RefusedError},
		"unauthorized":          {apierrors.NewUnauthorized("token expired"), DeployerError},
		"too large for etcd":    {apierrors.NewGenericServerResponse(500, "patch", deployments, "web", "etcdserver: request is too large", 0, true), RefusedError},
		"too large to be sent":  {apierrors.NewGenericServerResponse(500, "patch", deployments, "web", "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2500581 vs. 2097152)", 0, true), RefusedError},
		"too large":             {apierrors.NewRequestEntityTooLargeError("3 MiB"), RefusedError},
	} {
		t.Run(name, func(t *testing.T) {
			deployer := &Deployer{target: v1alpha1.Target{Namespace: "shop", ServiceAccountName: "deployer"}}
			explained := deployer.explain(v1alpha1.ObjectReference{Kind: "Deployment", Name: "web"}, "patch", test.err)
			NewWithT(t).Expect(explained.kind).To(Equal(test.kind), explained.message)
		})
	}
}

func terminating(resource schema.GroupResource) error {
	err := apierrors.NewForbidden(resource, "web", errors.New("unable to create new content because it is being terminated"))
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1NamespaceTerminating}}
	return err
}

func TestErrorsTellFirstWhatDoesNotPass(t *testing.T) {
	g := NewWithT(t)
	cause := errors.New("the API server's words")
	err := joinProblems([]*problem{
		nil,
		{kind: TransientError, message: "conflict"},
		{kind: ImmutableError, message: "cannot be changed", cause: cause},
		{kind: ImmutableError, message: "cannot be changed"},
	})
	g.Expect(err).To(MatchError("cannot be changed"))
	g.Expect(err).To(MatchError(cause))
	g.Expect(KindOf(fmt.Errorf("rollout: %w", err))).To(Equal(ImmutableError))
	g.Expect(KindOf(joinProblems([]*problem{{kind: TransientError, message: "conflict"}}))).To(Equal(TransientError))
	g.Expect(KindOf(errors.New("something else"))).To(Equal(TransientError))
	g.Expect(joinProblems([]*problem{nil, nil})).To(Succeed())
}
