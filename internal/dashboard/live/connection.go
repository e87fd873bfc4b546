// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/person"
)

// connector makes connections that have nothing in common but where they go.
type connector struct {
	config *rest.Config
	scheme *runtime.Scheme
	mapper meta.RESTMapper
}

// newConnector to where a configuration goes. Nobody's credentials are in it, neither those of the configuration nor those of the machine.
func newConnector(config *rest.Config) (*connector, error) {
	scheme, err := person.NewScheme()
	if err != nil {
		return nil, err
	}
	bare := rest.AnonymousClientConfig(config)
	// The API server limits requests by itself, and fairly; a watch must not end with a time-out of requests; and nobody reads warnings here.
	bare.QPS, bare.RateLimiter, bare.Timeout, bare.WarningHandler = -1, nil, 0, rest.NoWarnings{}
	return &connector{bare, scheme, person.NewMapper()}, nil
}

// connect as whoever has the token.
func (c *connector) connect(token string) (client.WithWatch, error) {
	if token == "" {
		return nil, ErrUnauthorized
	}
	config := rest.CopyConfig(c.config)
	config.BearerToken = token
	connection, err := client.NewWithWatch(config, client.Options{Scheme: c.scheme, Mapper: c.mapper})
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	return connection, nil
}
