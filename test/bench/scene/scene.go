// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package scene is where benchmarks are measured: a real API server, Assent installed there, the operator as a process of its own, the people who
// ask and decide, and the API server's audit log, by which everything is timed that an API server can see.
package scene

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/cluster"
)

// Benchmark measures one thing, on a scene of its own or on one that it shares.
type Benchmark struct {
	// ID is its short name, such as B1.
	ID string
	// Title says what it measures.
	Title string
	// Shared is the name of a scene that several benchmarks use one after the other; empty: it has its own.
	Shared string
	// Run measures it, as many times as said after one that does not count.
	Run func(ctx context.Context, s *Scene, runs int) ([]measure.Result, error)
}

const (
	// Patience is how long anything may take that is not measured.
	Patience = 3 * time.Minute
	interval = 50 * time.Millisecond
)

// Scene is one cluster with Assent on it.
type Scene struct {
	// Cluster that runs.
	Cluster *cluster.Cluster
	// Operator runs, and rests when nobody wants anything.
	Operator *cluster.Operator
	// Say tells people what is being done, in one line.
	Say func(format string, arguments ...any)
	// Dir is for files; it is removed in the end.
	Dir string
	// Root of the repository.
	Root    string
	clients map[string]client.WithWatch
	close   []func() error
}

// Open starts a cluster, or connects to the one that ASSENT_DEVCLUSTER names, installs Assent there and starts the operator.
// The scene has to be closed, also after an error.
func Open(ctx context.Context, say func(format string, arguments ...any)) (*Scene, error) {
	s := &Scene{Say: say, clients: map[string]client.WithWatch{}}
	var err error
	if s.Root, err = repository(ctx); err != nil {
		return s, err
	}
	if s.Dir, err = os.MkdirTemp("", "assent-bench-"); err != nil {
		return s, err
	}
	s.close = append(s.close, func() error { return os.RemoveAll(s.Dir) })
	if err := s.connect(ctx); err != nil {
		return s, err
	}
	say("installing Assent and waiting for its guard")
	if err := s.Cluster.Install(ctx); err != nil {
		return s, err
	}
	for _, user := range []string{cluster.Admin, cluster.Alice, cluster.Bob} {
		config, err := s.Cluster.Config(user)
		if err != nil {
			return s, err
		}
		if s.clients[user], err = client.NewWithWatch(config, client.Options{Scheme: s.Cluster.Scheme()}); err != nil {
			return s, fmt.Errorf("connecting as %q: %w", user, err)
		}
	}
	say("building and starting the operator")
	if s.Operator, err = s.Cluster.BuildOperator(ctx, s.Dir); err != nil {
		return s, err
	}
	if err := s.Operator.Start(ctx); err != nil {
		return s, err
	}
	s.close = append(s.close, s.Operator.Stop)
	return s, nil
}

// Close ends what Open has started.
func (s *Scene) Close() error {
	var problems []error
	for i := len(s.close) - 1; i >= 0; i-- {
		problems = append(problems, s.close[i]())
	}
	s.close = nil
	return errors.Join(problems...)
}

// connect to the cluster that is named, or to one that is started for this scene alone.
func (s *Scene) connect(ctx context.Context) error {
	if os.Getenv(cluster.DirectoryVariable) == "" {
		stop, err := s.startCluster(ctx)
		if stop != nil {
			s.close = append(s.close, stop)
		}
		if err != nil {
			return err
		}
	}
	var err error
	s.Cluster, err = cluster.Connect()
	return err
}

func (s *Scene) startCluster(ctx context.Context) (stop func() error, err error) {
	launcher, dir := filepath.Join(s.Dir, "devcluster"), filepath.Join(s.Dir, "cluster")
	s.Say("building the local cluster; the first time on a machine this takes about 12 minutes")
	if err := s.execute(ctx, "go", "-C", filepath.Join(s.Root, "hack", "devcluster"), "build", "-o", launcher, "."); err != nil {
		return nil, err
	}
	if err := s.execute(ctx, launcher, "build"); err != nil {
		return nil, err
	}
	s.Say("starting a cluster")
	stop = func() error { //nolint:contextcheck // it has to be stopped after an interrupt, too
		down, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return errors.Join(os.Unsetenv(cluster.DirectoryVariable), s.execute(down, launcher, "down", "--dir", dir))
	}
	if err := s.execute(ctx, launcher, "up", "--dir", dir); err != nil {
		return stop, err
	}
	return stop, os.Setenv(cluster.DirectoryVariable, dir)
}

// execute a program, and return what it said if it fails.
func (s *Scene) execute(ctx context.Context, name string, arguments ...string) error {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(arguments, " "), err, output)
	}
	return nil
}

// repository is the directory of the main module's go.mod.
func repository(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	file := strings.TrimSpace(string(output))
	if filepath.Base(file) != "go.mod" {
		return "", errors.New("finding the repository: run this inside of it")
	}
	return filepath.Dir(file), nil
}

// As is a live client of one of the people: cluster.Admin, cluster.Alice or cluster.Bob.
func (s *Scene) As(user string) client.WithWatch {
	return s.clients[user]
}

// Await looks until the condition holds, and fails with what it was told last when that takes too long.
func Await(ctx context.Context, what string, holds func(context.Context) (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, interval, Patience, true, holds)
	if err != nil {
		return fmt.Errorf("waiting until %s: %w", what, err)
	}
	return nil
}
