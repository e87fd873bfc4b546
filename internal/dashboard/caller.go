// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/person"
)

// callers make clients that act as a person, and as nobody else.
type callers struct {
	config *rest.Config
	scheme *runtime.Scheme
	mapper meta.RESTMapper
}

// newCallers takes from a configuration where the API server is and how it is recognised. Its identity is left behind.
func newCallers(config *rest.Config) (*callers, error) {
	scheme, err := person.NewScheme()
	if err != nil {
		return nil, err
	}
	anonymous := rest.AnonymousClientConfig(config)
	anonymous.QPS = -1 // the API server's own fairness limits each person
	anonymous.UserAgent = "assent-dashboard"
	return &callers{anonymous, scheme, person.NewMapper()}, nil
}

// errNobody is for a request without a token. It must never become one with another identity.
var errNobody = errors.New("nobody is signed in")

// caller acts as a person.
type caller struct {
	client.Client
	// config is the client's: for what is no object, such as logs.
	config *rest.Config
}

// as is a client with the token of a person.
func (c *callers) as(token string) (caller, error) {
	if token == "" {
		return caller{}, errNobody
	}
	config := rest.CopyConfig(c.config)
	config.BearerToken = token
	made, err := client.New(config, client.Options{Scheme: c.scheme, Mapper: c.mapper})
	if err != nil {
		return caller{}, fmt.Errorf("connect to the API server: %w", err)
	}
	return caller{made, config}, nil
}
