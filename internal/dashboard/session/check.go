// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
)

const (
	// patience is how long the API server or a provider may take for one answer.
	patience = 10 * time.Second
	// mostGroups is how many groups the API takes of one person.
	mostGroups = 512
)

// ErrNobody says that a token is nobody's: it is empty, or the API server does not accept it.
var ErrNobody = errors.New("the token is nobody's")

// bearer is what a bearer token may consist of (RFC 6750, section 2.1).
var bearer = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// Check asks the API server at config whose a token is. It asks with that token alone: nothing of the identity in config is used, and an empty token is not sent,
// since that would be asking as nobody in particular. An error that is ErrNobody says that the token is no good; any other, that it is not known whether it is.
func Check(ctx context.Context, config *rest.Config, token string) (v1alpha1.Person, error) {
	if !bearer.MatchString(token) {
		return v1alpha1.Person{}, ErrNobody
	}
	own, err := person.By(config, token)
	if err != nil {
		return v1alpha1.Person{}, ErrNobody
	}
	own.Timeout = patience
	reviews, err := authentication.NewForConfig(own)
	if err != nil {
		return v1alpha1.Person{}, fmt.Errorf("connecting to the API server: %w", err)
	}
	review, err := reviews.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	switch {
	case apierrors.IsUnauthorized(err):
		return v1alpha1.Person{}, ErrNobody
	case err != nil:
		return v1alpha1.Person{}, fmt.Errorf("asking the API server who signs in: %w", err)
	}
	found := review.Status.UserInfo
	if found.Username == "" || found.Username == "system:anonymous" || slices.Contains(found.Groups, "system:unauthenticated") {
		return v1alpha1.Person{}, ErrNobody
	}
	return v1alpha1.Person{Username: found.Username, UID: found.UID, Groups: found.Groups[:min(len(found.Groups), mostGroups)]}, nil
}
