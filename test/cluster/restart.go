// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"path/filepath"
)

// Restart kills a component of the cluster, such as kube-apiserver or etcd, and starts it again with its data. It returns when the API server is ready
// again. Everybody who uses the cluster feels it.
func (c *Cluster) Restart(ctx context.Context, component string) error {
	root, err := repository()
	if err != nil {
		return err
	}
	launcher := filepath.Join(c.dir, "devcluster")
	if err := run(ctx, "go", "-C", filepath.Join(root, "hack", "devcluster"), "build", "-o", launcher, "."); err != nil {
		return fmt.Errorf("building the launcher of the local cluster: %w", err)
	}
	if err := run(ctx, launcher, "restart", "--dir", c.dir, "--kill", component); err != nil {
		return fmt.Errorf("restarting %s: %w", component, err)
	}
	return nil
}
