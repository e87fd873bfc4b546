// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Second starts another local cluster, for what is rolled out to a remote one, and returns how to stop it. Its directory is in the first one's, so
// that a cluster which a killed test has left running is found again, and stopped by the next. It has its own certificate authority; Assent is not installed there.
// Options are those of the launcher's `up`.
func (c *Cluster) Second(ctx context.Context, options ...string) (second *Cluster, stop func(context.Context) error, err error) {
	root, err := repository()
	if err != nil {
		return nil, nil, err
	}
	second = &Cluster{dir: filepath.Join(c.dir, "second"), scheme: c.scheme}
	launcher := filepath.Join(second.dir, "devcluster")
	if err := run(ctx, "go", "-C", filepath.Join(root, "hack", "devcluster"), "build", "-o", launcher, "."); err != nil {
		return nil, nil, fmt.Errorf("building the launcher of the local cluster: %w", err)
	}
	if len(options) > 0 { // one that is left would be as another test wanted it
		if err := run(ctx, launcher, "down", "--dir", second.dir); err != nil {
			return nil, nil, fmt.Errorf("stopping an earlier second cluster: %w", err)
		}
	}
	if err := run(ctx, launcher, append([]string{"up", "--dir", second.dir}, options...)...); err != nil {
		return nil, nil, fmt.Errorf("starting a second cluster: %w", err)
	}
	return second, func(ctx context.Context) error {
		if err := run(ctx, launcher, "down", "--dir", second.dir); err != nil {
			return fmt.Errorf("stopping the second cluster: %w", err)
		}
		return os.RemoveAll(second.dir)
	}, nil
}

// run returns what a program said if it failed.
func run(ctx context.Context, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}
