// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// ErrorKind says who has to do what about an Error.
type ErrorKind string

const (
	// DeployerError says that the deployer is missing, may not do what the plan needs, or may not be impersonated.
	DeployerError ErrorKind = "Deployer"
	// RefusedError says that the API server refuses an object as invalid, or an admission policy or quota does.
	RefusedError ErrorKind = "Refused"
	// ImmutableError says that the object is there, a field that differs cannot be changed, and it must not be deleted and created again.
	ImmutableError ErrorKind = "Immutable"
	// ForeignError says that the object is there, and belongs to another Environment.
	ForeignError ErrorKind = "Foreign"
	// TransientError passes by itself: a conflict, a timeout, an overloaded API server, an object that is just being deleted.
	TransientError ErrorKind = "Transient"
)

// Error says what went wrong with the objects of one call. Several objects may have had trouble: the kind is Transient only when all of it passes.
type Error struct {
	// Kind of the trouble that has to be dealt with first.
	Kind ErrorKind
	// Problems are sentences that name the object and the remedy, one for each object.
	Problems []string
	causes   []error
}

// Error lists the first ten problems and says how many more there are.
func (e *Error) Error() string {
	return plan.ListProblems(e.Problems)
}

// Unwrap returns the API server's own errors.
func (e *Error) Unwrap() []error {
	return e.causes
}

// KindOf tells the kind of an error of this package; TransientError for any other error, which is a fault and is tried again.
func KindOf(err error) ErrorKind {
	if known := (*Error)(nil); errors.As(err, &known) {
		return known.Kind
	}
	return TransientError
}

// problem is the trouble with one object.
type problem struct {
	kind    ErrorKind
	message string
	cause   error
}

func newError(p problem) error {
	return joinProblems([]*problem{&p})
}

// joinProblems makes one error of what happened to many objects. What passes by itself is not worth telling while something else does not.
func joinProblems(problems []*problem) error {
	var lasting, passing []problem
	for _, p := range problems {
		switch {
		case p == nil:
		case p.kind == TransientError:
			passing = append(passing, *p)
		default:
			lasting = append(lasting, *p)
		}
	}
	if len(lasting) == 0 {
		lasting = passing
	}
	if len(lasting) == 0 {
		return nil
	}
	joined := &Error{Kind: lasting[0].kind}
	told := map[string]bool{}
	for _, p := range lasting {
		if p.cause != nil {
			joined.causes = append(joined.causes, p.cause)
		}
		// A deployer that cannot be impersonated is one problem and not one for each object.
		if !told[p.message] {
			joined.Problems = append(joined.Problems, p.message)
		}
		told[p.message] = true
	}
	return joined
}

// explain tells people what an error of the API server means for an object, and what to do.
func (d *Deployer) explain(ref v1alpha1.ObjectReference, attempt string, err error) *problem {
	object := plan.Describe(ref)
	text := err.Error()
	as := func(kind ErrorKind, format string, args ...any) *problem {
		return &problem{kind: kind, cause: err, message: fmt.Sprintf(format, args...)}
	}
	switch {
	case transient(err):
		return as(TransientError, "%s %s: %s", attempt, object, text)
	case meta.IsNoMatchError(err):
		return as(RefusedError, "kind %q is not known to this cluster (%s): install its CustomResourceDefinition first", ref.Kind, object)
	case apierrors.IsUnauthorized(err):
		return as(DeployerError, "the operator's own credentials were refused when it wanted to %s %s: %s", attempt, object, text)
	case apierrors.IsForbidden(err) && strings.Contains(text, `cannot impersonate resource "serviceaccounts"`):
		return as(DeployerError, "the operator may not act as the deployer %q: name it \"assent-deployer\", or in namespace %q create a Role that allows `impersonate` on "+
			"serviceaccounts with resourceNames [%q], and bind it to service account assent-system/assent-controller: %s",
			Username(d.target), d.target.Namespace, d.target.ServiceAccountName, text)
	case apierrors.IsForbidden(err) && strings.Contains(text, "cannot impersonate resource"):
		return as(DeployerError, "the operator may not act as the deployer %q: install the ClusterRole \"assent-controller\" and its binding as Assent ships them: %s", Username(d.target), text)
	case apierrors.IsForbidden(err) && missingRight(text):
		return as(DeployerError, "the deployer %q may not %s %s: create the service account if it is missing, and allow it with a Role and RoleBinding in namespace %q: %s",
			Username(d.target), attempt, object, d.target.Namespace, text)
	case apierrors.IsNotFound(err) && namesNamespace(err):
		return as(DeployerError, "the target namespace %q does not exist: create it with the deployer %q, or correct `spec.target` of the Environment", d.target.Namespace, d.target.ServiceAccountName)
	case tooLarge(err):
		return as(RefusedError, "%s is too large for the cluster to keep: split it into several objects: %s", object, text)
	case strings.Contains(text, "attempting to grant RBAC permissions not currently held"):
		return as(RefusedError, "%s grants more than the deployer %q holds: remove those rules from the Release, or give the deployer the same rights: %s", object, Username(d.target), text)
	}
	return as(RefusedError, "%s is refused by the API server: %s", object, text)
}

// missingRight tells a denial by RBAC from one by admission, such as a quota's: both are Forbidden.
func missingRight(text string) bool {
	return strings.Contains(text, "is forbidden: User ") && strings.Contains(text, " cannot ")
}

func namesNamespace(err error) bool {
	status := apierrors.APIStatus(nil)
	return errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// malformed tells an object that does not fit its schema from a fault: the API server answers both with the code 500.
func malformed(err error) bool {
	text := err.Error()
	return strings.Contains(text, "failed to create typed patch object") || strings.Contains(text, "unable to convert unstructured object")
}

// tooLarge tells an object that etcd does not take from a fault: the API server answers both with the code 500, and a dry run does not see it.
func tooLarge(err error) bool {
	text := err.Error()
	return apierrors.IsRequestEntityTooLargeError(err) || strings.Contains(text, "etcdserver: request is too large") || strings.Contains(text, "trying to send message larger than max")
}

func transient(err error) bool {
	var network net.Error
	switch {
	case malformed(err), tooLarge(err):
		return false
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &network),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	case apierrors.HasStatusCause(err, corev1NamespaceTerminating):
		return true
	case apierrors.ReasonForError(err) == metav1.StatusReasonUnknown && !isStatus(err):
		// Neither the API server nor the mapper said it: the request did not get through.
		return !meta.IsNoMatchError(err)
	}
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsTooManyRequests(err) || serverFault(err)
}

// corev1NamespaceTerminating is the cause that the API server names for a create in a namespace that goes away.
const corev1NamespaceTerminating metav1.CauseType = "NamespaceTerminating"

func isStatus(err error) bool {
	status := apierrors.APIStatus(nil)
	return errors.As(err, &status)
}

func serverFault(err error) bool {
	status := apierrors.APIStatus(nil)
	return errors.As(err, &status) && status.Status().Code >= http.StatusInternalServerError
}
