// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster is what every suite that meets a real API server stands on: connections as the people of the local cluster, the
// installation of the objects, roles and guard, and small builders for projects, targets and our objects.
//
// The cluster is the one that `make cluster-up` starts (hack/devcluster); the environment variable ASSENT_DEVCLUSTER names its directory.
// Nothing is cleaned up: the cluster is thrown away as a whole, and every suite works in namespaces of its own.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// DirectoryVariable is the environment variable that names the local cluster's directory.
const DirectoryVariable = "ASSENT_DEVCLUSTER"

// The people of the local cluster. Apart from Admin they may do nothing until a project says so.
const (
	// Admin is in system:masters.
	Admin = "admin"
	// Alice is in the group shop-owners.
	Alice = "alice"
	// Carol is in the group shop-owners.
	Carol = "carol"
	// Bob is in the group developers.
	Bob = "bob"
	// Dave is in the group security.
	Dave = "dave"
	// Mallory is in no group.
	Mallory = "mallory"
)

// Cluster is a running local cluster.
type Cluster struct {
	dir    string
	scheme *runtime.Scheme
}

// Connect finds the local cluster. It fails when DirectoryVariable is not set, and says what to run.
func Connect() (*Cluster, error) {
	dir := os.Getenv(DirectoryVariable)
	if dir == "" {
		return nil, fmt.Errorf("%s is not set: this suite needs a real API server: run `make cluster-up`, then `export %s=$PWD/.devcluster`", DirectoryVariable, DirectoryVariable)
	}
	if _, err := os.Stat(filepath.Join(dir, "kubeconfig")); err != nil {
		return nil, fmt.Errorf("%s names %q, where no cluster runs: run `make cluster-up`: %w", DirectoryVariable, dir, err)
	}
	scheme, err := NewScheme()
	if err != nil {
		return nil, err
	}
	log.SetLogger(logr.Discard()) // what goes wrong is an error here, and controller-runtime complains of having no logger
	return &Cluster{dir: dir, scheme: scheme}, nil
}

// NewScheme knows Kubernetes' own kinds, ours, and CustomResourceDefinitions.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))
	if err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	return scheme, nil
}

// Dir is the cluster's directory: the API server's audit log is in it as audit.log.
func (c *Cluster) Dir() string {
	return c.dir
}

// Scheme is the one that the clients use.
func (c *Cluster) Scheme() *runtime.Scheme {
	return c.scheme
}

// Kubeconfig is the path of a user's kubeconfig.
func (c *Cluster) Kubeconfig(user string) string {
	return filepath.Join(c.dir, "users", user+".kubeconfig")
}

// Config connects as a user, without a rate limit on the client's side.
func (c *Cluster) Config(user string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig(user))
	if err != nil {
		return nil, fmt.Errorf("connecting as %q: %w", user, err)
	}
	config.QPS = -1
	return config, nil
}

// ConfigAs connects as somebody whom the cluster has no certificate for; the administrator impersonates them.
func (c *Cluster) ConfigAs(identity rest.ImpersonationConfig) (*rest.Config, error) {
	config, err := c.Config(Admin)
	if err != nil {
		return nil, err
	}
	config.Impersonate = identity
	return config, nil
}

// Client is a live client, without a cache, as a user. The objects of Assent must be installed.
func (c *Cluster) Client(user string) (client.Client, error) {
	config, err := c.Config(user)
	if err != nil {
		return nil, err
	}
	return c.ClientFor(config)
}

// ClientFor is a live client, without a cache, for a connection.
func (c *Cluster) ClientFor(config *rest.Config) (client.Client, error) {
	live, err := client.New(config, client.Options{Scheme: c.scheme})
	if err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	return live, nil
}

// Kubectl runs kubectl as a user and returns what it printed, its errors included. The error is kubectl's own words.
func (c *Cluster) Kubectl(ctx context.Context, user, stdin string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, filepath.Join(c.dir, "bin", "kubectl"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(user))
	command.Stdin = strings.NewReader(stdin)
	output, err := command.CombinedOutput()
	if err != nil {
		return string(output), fmt.Errorf("kubectl %s as %q: %w: %s", strings.Join(args, " "), user, err, output)
	}
	return string(output), nil
}
