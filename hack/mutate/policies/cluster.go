// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// clusterJudge tries mutants on one cluster, with the guard's tests.
type clusterJudge struct {
	suite *suite
	guard *guard
}

// appoint makes a judge of the cluster with that directory, who works in a copy of the repository.
func appoint(cluster, binary, root string, shipped []manifest) (*clusterJudge, error) {
	cluster, err := filepath.Abs(cluster)
	if err != nil {
		return nil, fmt.Errorf("finding the cluster: %w", err)
	}
	if err := copyOf(".", root); err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(cluster, "kubeconfig"))
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster in %q: %w", cluster, err)
	}
	config.QPS = -1
	admin, err := client.New(config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster in %q: %w", cluster, err)
	}
	return &clusterJudge{
		suite: &suite{binary: binary, root: root, cluster: cluster},
		guard: &guard{admin: admin, root: root, shipped: shipped},
	}, nil
}

func (j *clusterJudge) prepare(ctx context.Context, s stage, mutants []mutant) error {
	return errors.Join(j.guard.putBack(ctx), j.suite.prepare(ctx, s.mood, s.covering(mutants)))
}

// try puts a mutant in force and runs the stage's tests until one fails.
func (j *clusterJudge) try(ctx context.Context, s stage, m mutant) (outcome, error) {
	started := time.Now()
	o := outcome{mutant: m}
	err := j.guard.enforce(ctx, m)
	if errors.Is(err, errInvalid) {
		o.refused = err.Error()
		err = nil
	} else if err == nil {
		for _, filter := range s.filters(m) {
			o.killedBy, err = j.suite.notices(ctx, s.mood, filter)
			if err != nil || o.killedBy != "" {
				break
			}
		}
	}
	o.took = time.Since(started)
	return o, err
}

func (j *clusterJudge) putBack(ctx context.Context) error {
	return errors.Join(j.guard.putBack(ctx), j.guard.removeSentinels(ctx), j.suite.putBack(ctx))
}
