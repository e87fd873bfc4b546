// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// field of an Environment that every Error is about.
const field = "spec.target.cluster.kubeconfig"

// Reason of an Error.
type Reason string

const (
	// SecretMissing means that the Secret does not exist, or has not that key.
	SecretMissing Reason = "SecretMissing"
	// SecretForbidden means that the operator has no right to read the Secret.
	SecretForbidden Reason = "SecretForbidden"
	// SecretUnreadable means that reading the Secret failed for another reason.
	SecretUnreadable Reason = "SecretUnreadable"
	// InvalidKubeconfig means that the kubeconfig cannot be used as it is.
	InvalidKubeconfig Reason = "InvalidKubeconfig"
	// Unreachable means that nobody answers at the server's address, or too late.
	Unreachable Reason = "Unreachable"
	// Untrusted means that whoever answers does not prove to be the cluster.
	Untrusted Reason = "Untrusted"
	// Unauthorised means that the cluster does not accept the kubeconfig's credentials.
	Unauthorised Reason = "Unauthorised"
	// InvalidAnswer means that whoever answers does not do so as a Kubernetes API server does.
	InvalidAnswer Reason = "InvalidAnswer"
)

// Error says why a target cluster cannot be used now, and what to do next.
type Error struct {
	// Reason tells the cases apart.
	Reason Reason
	// Message for people, with the remedy. It shows nothing that the Secret holds, and stays the same for as long as the reason does.
	Message string
	// Err is what lies below, if anything. It may show the server's address.
	Err error
}

// Error returns the field and the message, without the cause.
func (e *Error) Error() string {
	return fmt.Sprintf("`%s`: %s", field, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Retryable says whether the problem may pass without anybody changing the Environment, the Secret or the rights.
func (e *Error) Retryable() bool {
	switch e.Reason {
	case SecretUnreadable, Unreachable, InvalidAnswer:
		return true
	case SecretMissing, SecretForbidden, InvalidKubeconfig, Untrusted, Unauthorised:
	}
	return false
}

// Problem finds in an error what keeps the target cluster from being used; nil if it is about something else. It understands the errors of this
// package and those of every client and mapper of a remote [Cluster].
func Problem(err error) *Error {
	var problem *Error
	if errors.As(err, &problem) {
		return problem
	}
	if apierrors.IsUnauthorized(err) {
		return unauthorised(err)
	}
	return nil
}

func unauthorised(cause error) *Error {
	return &Error{Reason: Unauthorised, Err: cause, Message: "the target cluster does not accept the credentials of the kubeconfig: " +
		"put a new token or client certificate into the Secret"}
}
