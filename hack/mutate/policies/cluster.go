// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// clusterJudge tries mutants on one cluster, with the guard's tests.
type clusterJudge struct {
	suite  *suite
	guard  *guard
	memory memory
}

// appoint makes a judge of the cluster with that directory, who works in a copy of the repository.
func appoint(cluster, binary, root string, shipped []manifest, remembered memory) (*clusterJudge, error) {
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
		guard: &guard{admin: admin, root: root, shipped: shipped}, memory: remembered,
	}, nil
}

func (j *clusterJudge) prepare(ctx context.Context, in mood, filter string) error {
	return errors.Join(j.guard.putBack(ctx), j.suite.prepare(ctx, in, filter))
}

func (j *clusterJudge) confirm(ctx context.Context, in mood, filter string, tests []string) error {
	if err := j.guard.putBack(ctx); err != nil {
		return err
	}
	if err := j.guard.waitUntilInForce(ctx, in == whole); err != nil {
		return err
	}
	killedBy, err := j.suite.notices(ctx, in, filter, tests...)
	if err == nil && killedBy != "" {
		err = fmt.Errorf("%q fails on the guard as it is shipped as well, so that it has noticed nothing: mend it, or try again on a quieter machine", killedBy)
	}
	return err
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
		o.killedBy, err = j.hear(ctx, s, m)
	}
	o.in = s.mood
	o.took = time.Since(started)
	return o, err
}

// hear runs the test first that has noticed the mutant the last time, and then all of the stage.
func (j *clusterJudge) hear(ctx context.Context, s stage, m mutant) (string, error) {
	filters := s.filters(m)
	if before, known := j.memory[m.name]; known && before.In == s.mood && len(filters) > 0 {
		killedBy, err := j.suite.notices(ctx, s.mood, "("+strings.Join(filters, ") || (")+")", before.Test)
		if err != nil || killedBy != "" {
			return killedBy, err
		}
	}
	if m.excepted {
		filters = filters[:min(len(filters), 1)] // the likeliest alone, or a score would take hours
	}
	for _, filter := range filters {
		killedBy, err := j.suite.notices(ctx, s.mood, filter)
		if err != nil || killedBy != "" {
			return killedBy, err
		}
	}
	return "", nil
}

func (j *clusterJudge) putBack(ctx context.Context) error {
	return errors.Join(j.guard.putBack(ctx), j.guard.removeSentinels(ctx), j.suite.putBack(ctx))
}
