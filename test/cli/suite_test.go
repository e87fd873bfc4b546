// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli_test tells sessions of people with the kubectl plugin, against a real API server with the real operator: each file of testdata is one, in a
// project of its own. Everybody acts with their own kubeconfig.
//
// A project has the application shop, its Releases shop-1.0.0 and shop-1.1.0, and three Environments: dev, which needs no approval, staging, which needs that of
// anybody who may, and production, which needs that of alice or carol after staging has succeeded. Beside the commands of testscript there are
//
//	as USER               who runs the commands that follow
//	exits CODE COMMAND…   runs a command that must end with that exit code
//	await NAME STATE      waits until a Promotion is in a state
//	until REGEXP COMMAND… runs a command until its output matches
//	plain                 writes SHA256, TIME, AGE, PROJECT and TARGET for what differs each time in the output, for cmp
//
// With UPDATE_SESSIONS=1 what `cmp` compares with is written anew.
package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cli"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// patience is how long anything may take on a busy machine.
	patience = time.Minute
	interval = 50 * time.Millisecond
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-assent": func() {
		os.Exit(cli.Run(context.Background(), genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}, os.Args[1:]))
	}})
}

func TestSessions(t *testing.T) {
	connected := operating(t)
	t.Run("an approval of a plan that has changed since it was shown is refused", func(t *testing.T) { testPlanChangesWhileAsked(t, connected) })
	t.Run("where no terminal is, watching prints what has changed", func(t *testing.T) { testWatchesWithoutATerminal(t, connected) })
	t.Run("watching goes on when the API server was away", func(t *testing.T) { testWatchesOnWhenTheServerWasAway(t, connected) })
	t.Run("on a terminal, watching redraws in place", func(t *testing.T) { testWatchesOnATerminal(t, connected) })
	t.Run("the matrix has the form that the terminal has room for", func(t *testing.T) { testMatrixByWidth(t, connected) })
	t.Run("on a full screen, plans are looked at and decided on", func(t *testing.T) { testFullScreen(t, connected) })
	t.Run("shells complete names of what is there", func(t *testing.T) { testCompletion(t, connected) })
	t.Run("the examples of the page work one after the other", func(t *testing.T) { testPage(t, connected) })
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			project, err := newProject(ctx, connected)
			if err != nil {
				return err
			}
			env.Setenv("PROJECT", project)
			env.Setenv("PATH", env.Getenv("PATH")+string(os.PathListSeparator)+filepath.Join(connected.Dir(), "bin"))
			env.Values[project] = connected
			return writeKubeconfigs(connected, env.WorkDir, project)
		},
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"as": as, "exits": exits, "await": await, "until": until, "plain": plain},
		UpdateScripts: os.Getenv("UPDATE_SESSIONS") != "",
	})
}

// operating is a cluster with Assent in it, and the operator at work until the test ends.
func operating(t *testing.T) *cluster.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	connected, err := cluster.Connect()
	if err != nil {
		t.Fatal(err)
	}
	if err := connected.Install(ctx); err != nil {
		t.Fatal(err)
	}
	operator, err := connected.BuildOperator(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := operator.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(operator.Log(0))
		}
		if err := operator.Stop(); err != nil {
			t.Error(err)
		}
	})
	return connected
}

// newProject is what every session begins with.
func newProject(ctx context.Context, connected *cluster.Cluster) (string, error) {
	project, err := connected.Project(ctx)
	if err != nil {
		return "", err
	}
	admin, err := connected.Client(cluster.Admin)
	if err != nil {
		return "", err
	}
	for _, environment := range environments(project.Name) {
		target, err := connected.Target(ctx)
		if err != nil {
			return "", err
		}
		environment.Spec.Target = target
		if err := admin.Create(ctx, environment); err != nil {
			return "", err
		}
	}
	bob, err := connected.Client(cluster.Bob)
	if err != nil {
		return "", err
	}
	return project.Name, createReleases(ctx, bob, project.Name)
}

func environments(project string) []*v1alpha1.Environment {
	dev := cluster.NewEnvironment(project, "dev", v1alpha1.Target{})
	dev.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "nobody", Required: ptr.To[int32](0)}}
	staging := cluster.NewEnvironment(project, "staging", v1alpha1.Target{})
	production := cluster.NewEnvironment(project, "production", v1alpha1.Target{})
	production.Spec.After = []string{"staging"}
	production.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "owners", Required: ptr.To[int32](1), Users: []string{cluster.Alice, cluster.Carol}}}
	return []*v1alpha1.Environment{dev, staging, production}
}

func createReleases(ctx context.Context, bob client.Client, project string) error {
	for version, manifests := range map[string]string{
		"1.0.0": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {greeting: hello}\n",
		"1.1.0": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {greeting: good day}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: vouchers}\n",
	} {
		if err := bob.Create(ctx, cluster.NewRelease(project, "shop-"+version, version, manifests)); err != nil {
			return err
		}
	}
	return poll(ctx, func(ctx context.Context) (bool, error) {
		var releases v1alpha1.ReleaseList
		err := bob.List(ctx, &releases, client.InNamespace(project))
		return !slices.ContainsFunc(releases.Items, func(r v1alpha1.Release) bool { return r.Status.Digest == "" }), err
	})
}

// writeKubeconfigs for everybody, whose contexts are in the project.
func writeKubeconfigs(connected *cluster.Cluster, dir, project string) error {
	for _, user := range []string{cluster.Admin, cluster.Alice, cluster.Bob, cluster.Carol, cluster.Dave, cluster.Mallory} {
		config, err := clientcmd.LoadFromFile(connected.Kubeconfig(user))
		if err != nil {
			return err
		}
		for _, each := range config.Contexts {
			each.Namespace = project
		}
		if err := clientcmd.WriteToFile(*config, filepath.Join(dir, user+".kubeconfig")); err != nil {
			return err
		}
	}
	return nil
}
