// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Cluster is a cluster that Environments have as their target. It is safe for concurrent use.
type Cluster struct {
	// Config connects as the operator to this cluster, and as the kubeconfig's user to another. Clients that are made of it share the connections and
	// the limits. It may be copied, to impersonate the deployer, but a remote one's Host, Transport and WrapTransport must stay as they are.
	Config *rest.Config
	// HTTPClient is one for Config.
	HTTPClient *http.Client
	// Mapper knows the cluster's kinds. It looks again when it does not know one, and can be reset (meta.ResettableRESTMapper), which drops the
	// Capabilities too.
	Mapper meta.RESTMapper
	// Dynamic is a client for Config.
	Dynamic dynamic.Interface
	// Digest of where and how another cluster is reached; empty for this one.
	Digest v1alpha1.Digest

	clock        clock.PassiveClock
	discovery    *discovery.DiscoveryClient
	capabilities *capabilities
	// boundary is nil for the local cluster.
	boundary *boundary
	checked  *check
}

// Remote says whether it is another cluster than the one that the operator serves.
func (c *Cluster) Remote() bool {
	return c.boundary != nil
}

// newLocal is the cluster that the operator serves.
func newLocal(local Local, passing clock.PassiveClock) (*Cluster, error) {
	return assemble(&Cluster{Config: local.Config, HTTPClient: local.HTTPClient, Mapper: local.Mapper, clock: passing})
}

// newRemote is a cluster behind a boundary. Nothing is asked of it yet.
func newRemote(connection *Connection, passing clock.PassiveClock) (*Cluster, error) {
	edge, err := newBoundary(connection.Config, passing)
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(connection.Config)
	// The boundary has seen to TLS: with both, client-go would refuse.
	config.TLSClientConfig = rest.TLSClientConfig{}
	config.Transport = edge
	// What a server of others warns of has no place in the operator's log.
	config.WarningHandler = rest.NoWarnings{}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	mapper, err := newMapper(config, client)
	if err != nil {
		return nil, err
	}
	return assemble(&Cluster{
		Config: config, HTTPClient: client, Mapper: mapper, Digest: connection.Digest, clock: passing, boundary: edge, checked: newCheck(passing),
	})
}

// assemble makes the clients.
func assemble(c *Cluster) (*Cluster, error) {
	var err error
	if c.discovery, err = discovery.NewDiscoveryClientForConfigAndClient(c.Config, c.HTTPClient); err != nil {
		return nil, fmt.Errorf("make a discovery client: %w", err)
	}
	if c.Dynamic, err = dynamic.NewForConfigAndClient(c.Config, c.HTTPClient); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	c.capabilities = newCapabilities(c.discovery, c.clock)
	c.Mapper = &resettingMapper{RESTMapper: c.Mapper, forget: c.capabilities}
	return c, nil
}

// Check tells whether the cluster answers and accepts the credentials, or did within the last [RetryAfter]. The local cluster is not asked. An error is
// an [*Error], or that of the context.
func (c *Cluster) Check(ctx context.Context) error {
	if !c.Remote() {
		return nil
	}
	if problem := c.boundary.memory.recall(); problem != nil {
		return problem
	}
	return c.checked.once(ctx, func(ctx context.Context) error {
		version, err := c.discovery.ServerVersionWithContext(ctx)
		switch {
		case err == nil && version.GitVersion == "":
			return notKubernetes(nil)
		case err == nil || apierrors.IsForbidden(err):
			return nil // who may not see the version may be allowed all the rest
		}
		return asError(err)
	})
}

// asError makes an Error of what went wrong with a request for discovery.
func asError(err error) error {
	if problem := Problem(err); problem != nil {
		return problem
	}
	return notKubernetes(err)
}

func notKubernetes(cause error) *Error {
	return &Error{Reason: InvalidAnswer, Err: cause, Message: "the server answers, but not as a Kubernetes API server that works: " +
		"check the cluster, and `clusters[0].cluster.server` of the kubeconfig"}
}

// close gives back what an unused cluster holds. Who still has it can go on, over new connections.
func (c *Cluster) close() {
	c.boundary.next.CloseIdleConnections()
}

// check remembers how the cluster answered, and lets one caller at a time ask.
type check struct {
	clock clock.PassiveClock
	turn  chan struct{}
	asked time.Time
	found error
}

func newCheck(passing clock.PassiveClock) *check {
	return &check{clock: passing, turn: make(chan struct{}, 1)}
}

// once asks, unless that was done a moment ago. What the end of the caller's own context cut short is not remembered.
func (c *check) once(ctx context.Context, ask func(context.Context) error) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !c.asked.IsZero() && c.clock.Since(c.asked) < RetryAfter {
		return c.found
	}
	found := ask(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.asked, c.found = c.clock.Now(), found
	return found
}
