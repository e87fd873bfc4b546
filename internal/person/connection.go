// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrNobody is for a request without a token. It must never become one with another identity.
var ErrNobody = errors.New("nobody is signed in")

// By is how the API server of a configuration is reached with a token, and with nothing else: neither the credentials of the configuration nor those of the
// machine are in it. An empty token is ErrNobody.
func By(config *rest.Config, token string) (*rest.Config, error) {
	if token == "" {
		return nil, ErrNobody
	}
	own := rest.AnonymousClientConfig(config)
	own.BearerToken = token
	// The API server limits requests by itself, and fairly; a watch must not end with a time-out of requests; and nobody reads warnings here.
	own.QPS, own.RateLimiter, own.Timeout, own.WarningHandler = -1, nil, 0, rest.NoWarnings{}
	return own, nil
}

// Connector makes connections that have nothing in common but where they go.
type Connector struct {
	config *rest.Config
	scheme *runtime.Scheme
	mapper meta.RESTMapper
}

// Connection acts as whoever has its token.
type Connection struct {
	client.WithWatch
	// Config is the connection's own, for what is no object, such as logs.
	Config *rest.Config
}

// NewConnector to where a configuration goes.
func NewConnector(config *rest.Config) (*Connector, error) {
	scheme, err := NewScheme()
	if err != nil {
		return nil, err
	}
	return &Connector{config, scheme, NewMapper()}, nil
}

// As is a connection as whoever has the token; ErrNobody where it is empty.
func (c *Connector) As(token string) (Connection, error) {
	own, err := By(c.config, token)
	if err != nil {
		return Connection{}, err
	}
	made, err := client.NewWithWatch(own, client.Options{Scheme: c.scheme, Mapper: c.mapper})
	if err != nil {
		return Connection{}, fmt.Errorf("connecting to the API server: %w", err)
	}
	return Connection{made, own}, nil
}
