// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	// MaxClusters that are kept at once; of more, those that were not asked for the longest are dropped.
	MaxClusters = 256
	// IdleAge is how long a cluster that nobody asks for is kept.
	IdleAge = 10 * time.Minute
)

// Local is the cluster that the operator serves, as its manager has it.
type Local struct {
	Config     *rest.Config
	HTTPClient *http.Client
	Mapper     meta.RESTMapper
}

// Clusters are the clusters in use. It is safe for concurrent use.
type Clusters struct {
	local   *Cluster
	secrets client.Reader
	clock   clock.PassiveClock

	mutex sync.Mutex
	// remote has one for each connection with its credentials, whoever uses it.
	remote map[[sha256.Size]byte]*entry
}

type entry struct {
	cluster *Cluster
	used    time.Time
}

// New knows the local cluster, and finds others by Secrets. The reader must be a live one, not a cache.
func New(local Local, secrets client.Reader, passing clock.PassiveClock) (*Clusters, error) {
	here, err := newLocal(local, passing)
	if err != nil {
		return nil, fmt.Errorf("set up the connection to the local cluster: %w", err)
	}
	return &Clusters{local: here, secrets: secrets, clock: passing, remote: map[[sha256.Size]byte]*entry{}}, nil
}

// Local is the cluster that the operator serves.
func (c *Clusters) Local() *Cluster {
	return c.local
}

// For is the cluster of a target of the project. For the local one nothing is asked. For another, its Secret is read, and the cluster has answered within the
// last [RetryAfter]; everybody with the same kubeconfig gets the same one. An error is an [*Error], or that of the context.
func (c *Clusters) For(ctx context.Context, project string, target v1alpha1.Target) (*Cluster, error) {
	if target.Cluster == (v1alpha1.TargetCluster{}) {
		return c.local, nil
	}
	content, err := c.kubeconfig(ctx, project, target.Cluster.Kubeconfig)
	if err != nil {
		return nil, err
	}
	connection, err := Parse(content, target.Cluster)
	if err != nil {
		return nil, err
	}
	found, err := c.shared(connection)
	if err != nil {
		return nil, &Error{Reason: InvalidKubeconfig, Err: err, Message: fmt.Sprintf("no connection can be made of the kubeconfig in secret %q: %s",
			target.Cluster.Kubeconfig.Name, remedy)}
	}
	if err := found.Check(ctx); err != nil {
		return nil, err
	}
	return found, nil
}

// kubeconfig reads the Secret. It may be read only where the project's owner has said so.
func (c *Clusters) kubeconfig(ctx context.Context, project string, ref v1alpha1.SecretKeyReference) ([]byte, error) {
	var secret corev1.Secret
	err := c.secrets.Get(ctx, types.NamespacedName{Namespace: project, Name: ref.Name}, &secret)
	no := func(reason Reason, format string, args ...any) ([]byte, error) {
		return nil, &Error{Reason: reason, Err: err, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case apierrors.IsNotFound(err):
		return no(SecretMissing, "secret %q does not exist in project %q: create it with a kubeconfig in the key %q", ref.Name, project, ref.Key)
	case apierrors.IsForbidden(err):
		return no(SecretForbidden, "the operator must not read secret %q: in project %q create a Role that allows `get` on secrets with resourceNames [%q], "+
			"and bind it to service account assent-system/assent-controller", ref.Name, project, ref.Name)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return no(SecretUnreadable, "secret %q could not be read: %v", ref.Name, err)
	case len(secret.Data[ref.Key]) == 0:
		return no(SecretMissing, "secret %q of project %q has no key %q, or nothing in it: put the kubeconfig there", ref.Name, project, ref.Key)
	}
	return secret.Data[ref.Key], nil
}

// shared is the cluster of a connection, which is made if nobody has it yet.
func (c *Clusters) shared(connection *Connection) (*Cluster, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	now := c.clock.Now()
	if known := c.remote[connection.identity]; known != nil {
		known.used = now
		c.dropIdle(now)
		return known.cluster, nil
	}
	made, err := newRemote(connection, c.clock)
	if err != nil {
		return nil, err
	}
	c.dropIdle(now)
	if len(c.remote) >= MaxClusters {
		c.dropOldest()
	}
	c.remote[connection.identity] = &entry{cluster: made, used: now}
	return made, nil
}

func (c *Clusters) dropIdle(now time.Time) {
	for identity, known := range c.remote {
		if now.Sub(known.used) >= IdleAge {
			c.drop(identity)
		}
	}
}

func (c *Clusters) dropOldest() {
	var oldest [sha256.Size]byte
	for identity, known := range c.remote {
		if first := c.remote[oldest]; first == nil || known.used.Before(first.used) {
			oldest = identity
		}
	}
	c.drop(oldest)
}

func (c *Clusters) drop(identity [sha256.Size]byte) {
	c.remote[identity].cluster.close()
	delete(c.remote, identity)
}
