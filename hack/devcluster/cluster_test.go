// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asLauncher makes the test's binary be the launcher, so that its processes can be looked at from outside.
const asLauncher = "DEVCLUSTER_TEST_AS_LAUNCHER"

func TestMain(m *testing.M) {
	if os.Getenv(asLauncher) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestClustersRunSideBySideAndLeaveNothingBehind(t *testing.T) {
	mustBuild(t)
	clusters := []*cluster{testCluster(t), testCluster(t)}
	var starts sync.WaitGroup
	for _, c := range clusters {
		starts.Go(func() { launcher(t, c, "up") })
	}
	starts.Wait()
	for i, c := range clusters {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			if output := launcher(t, c, "up"); !strings.Contains(output, "runs already") {
				t.Errorf("a second `up` said %q, want that the cluster runs already", output)
			}
			checkUsers(t, c)
			checkWorkloads(t, c)
			checkAuditLog(t, c)
		})
	}
	for _, c := range clusters {
		processes := mustProcesses(t, c)
		launcher(t, c, "down")
		checkNothingRuns(t, c, processes)
	}
}

func TestClusterThatHasLostAComponentIsStartedAnew(t *testing.T) {
	mustBuild(t)
	c := testCluster(t)
	launcher(t, c, "up")
	before := mustProcesses(t, c)
	kubectl(t, c, administrator, "create", "namespace", "of-the-lost-cluster")
	if err := before[0].signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !ended(t.Context(), before[0], time.Minute) {
		t.Fatal("etcd does not end")
	}
	launcher(t, c, "up")
	if slices.ContainsFunc(before, process.alive) {
		t.Error("a process of the lost cluster still runs")
	}
	if namespaces := kubectl(t, c, administrator, "get", "namespaces"); strings.Contains(namespaces, "of-the-lost-cluster") {
		t.Error("the new cluster has the data of the lost one")
	}
	after := mustProcesses(t, c)
	launcher(t, c, "down")
	checkNothingRuns(t, c, after)
}

func TestClusterInTheForegroundEndsCleanly(t *testing.T) {
	mustBuild(t)
	for name, end := range map[string]func(*testing.T, *cluster, *os.Process) error{
		"with Ctrl-C":  func(_ *testing.T, _ *cluster, run *os.Process) error { return run.Signal(os.Interrupt) },
		"with SIGTERM": func(_ *testing.T, _ *cluster, run *os.Process) error { return run.Signal(syscall.SIGTERM) },
		"with `down`":  func(t *testing.T, c *cluster, _ *os.Process) error { launcher(t, c, "down"); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			c := testCluster(t)
			run, _ := runInForeground(t, c)
			processes := mustProcesses(t, c)
			if !allAlive(processes) {
				t.Error("not every component runs")
			}
			if err := end(t, c, run.Process); err != nil {
				t.Fatal(err)
			}
			if err := run.Wait(); err != nil {
				t.Errorf("`run` says %v", err)
			}
			checkNothingRuns(t, c, processes)
		})
	}
}

func TestClusterInTheForegroundEndsWithAnErrorWhenAComponentDoes(t *testing.T) {
	mustBuild(t)
	c := testCluster(t)
	run, _ := runInForeground(t, c)
	processes := mustProcesses(t, c)
	if err := processes[len(processes)-1].signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err == nil {
		t.Error("`run` ended without an error, although a component was killed")
	}
	checkNothingRuns(t, c, processes)
}

// As in `make demo | tee log`, where Ctrl-C ends tee as well.
func TestClusterInTheForegroundEndsCleanlyWhenNobodyReadsItsOutput(t *testing.T) {
	mustBuild(t)
	c := testCluster(t)
	run, output := runInForeground(t, c)
	processes := mustProcesses(t, c)
	if err := output.Close(); err != nil {
		t.Fatal(err)
	}
	if err := run.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		t.Errorf("`run` says %v", err)
	}
	checkNothingRuns(t, c, processes)
}

func TestClusterStartsWithOtherPortsWhenOneIsTaken(t *testing.T) {
	programs := mustBuild(t)
	for name, take := range map[string]func(*addresses, int){
		"etcd":           func(a *addresses, port int) { a.etcdPort = port },
		"kube-apiserver": func(a *addresses, port int) { a.apiServerPort = port },
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp4", net.JoinHostPort(loopback, "0"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = listener.Close() }()
			taken, free := mustAddresses(t), mustAddresses(t)
			take(&taken, listener.Addr().(*net.TCPAddr).Port)
			c := testCluster(t)
			if _, err := c.start(t.Context(), programs, taken); !errors.Is(err, errPortTaken) {
				t.Errorf("with the taken port alone: %v, want errPortTaken", err)
			}
			if processes := mustProcesses(t, c); len(processes) > 0 {
				t.Errorf("after the failure %v are recorded", processes)
			}
			if _, err := c.start(t.Context(), programs, taken, free); err != nil {
				t.Fatalf("with free ports to fall back to: %v", err)
			}
			processes := mustProcesses(t, c)
			launcher(t, c, "down")
			checkNothingRuns(t, c, processes)
		})
	}
}

func TestClusterThatCannotStartShowsWhyAndLeavesNothingRunning(t *testing.T) {
	programs := withoutStages(t, mustBuild(t))
	c := testCluster(t)
	_, err := c.start(t.Context(), programs, mustAddresses(t))
	if err == nil {
		t.Fatal("a cluster without kwok's stages has started")
	}
	for _, want := range []string{"kwok ended", c.dir.log("kwok"), "no stages found"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %q: %v", want, err)
		}
	}
	checkNothingMentions(t, string(c.dir))
}

func TestClusterStartThatIsInterruptedLeavesNothingRunning(t *testing.T) {
	programs := mustBuild(t)
	c := testCluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.start(ctx, programs, mustAddresses(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the context ended", err)
	}
	checkNothingMentions(t, string(c.dir))
}

// testCluster returns a cluster of the test's own, which is stopped with the test whatever happens.
func testCluster(t *testing.T) *cluster {
	t.Helper()
	c, err := newCluster(filepath.Join(t.TempDir(), "cluster"), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func mustBuild(t *testing.T) binaries {
	t.Helper()
	programs, err := build(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return programs
}

// withoutStages returns the programs with a kwok that has nothing to do.
func withoutStages(t *testing.T, programs binaries) binaries {
	t.Helper()
	broken := binaries(t.TempDir())
	err := errors.Join(
		os.Symlink(programs.controlplane(), broken.controlplane()),
		os.Symlink(programs.kwok(), broken.kwok()),
		os.Mkdir(broken.stages(), 0o755),
	)
	for _, file := range stageFiles() {
		err = errors.Join(err, os.WriteFile(filepath.Join(broken.stages(), filepath.Base(file)), nil, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return broken
}

func mustAddresses(t *testing.T) addresses {
	t.Helper()
	a, err := chooseAddresses()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustProcesses(t *testing.T, c *cluster) []process {
	t.Helper()
	processes, err := readProcesses(c.dir.processes())
	if err != nil {
		t.Fatal(err)
	}
	return processes
}

// launcher runs the launcher as a program of its own, and returns what it says.
func launcher(t *testing.T, c *cluster, command string, arguments ...string) string {
	t.Helper()
	output, err := launcherCommand(t, c, command, arguments...).CombinedOutput()
	if err != nil {
		t.Errorf("devcluster %s: %v\n%s", command, err, output)
	}
	return string(output)
}

func launcherCommand(t *testing.T, c *cluster, command string, arguments ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), self, append([]string{command, "--dir", string(c.dir)}, arguments...)...)
	process.Env = append(os.Environ(), asLauncher+"=yes")
	return process
}

// runInForeground returns the launcher's `run` when its cluster is ready, and the reader of its output.
func runInForeground(t *testing.T, c *cluster) (*exec.Cmd, io.Closer) {
	t.Helper()
	command := launcherCommand(t, c, "run")
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		t.Log(lines.Text())
		if strings.Contains(lines.Text(), "Press Ctrl-C") {
			return command, output
		}
	}
	t.Fatalf("`run` ended before its cluster was ready: %v", command.Wait())
	return nil, nil
}

func kubectl(t *testing.T, c *cluster, u user, arguments ...string) string {
	t.Helper()
	output, err := kubectlCommand(t, c, u, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
	return string(output)
}

func kubectlCommand(t *testing.T, c *cluster, u user, arguments ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), c.dir.binary("kubectl"), append([]string{"--kubeconfig", c.dir.usersKubeconfig(u)}, arguments...)...)
}
