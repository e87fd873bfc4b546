// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
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

func TestClusterInTheForegroundEndsWithCtrlC(t *testing.T) {
	mustBuild(t)
	c := testCluster(t)
	command := launcherCommand(t, c, "run")
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(output); lines.Scan() && !strings.Contains(lines.Text(), "Press Ctrl-C"); {
		t.Log(lines.Text())
	}
	processes := mustProcesses(t, c)
	if !allAlive(processes) {
		t.Error("not every component runs")
	}
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
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
			defer listener.Close()
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

// checkUsers looks who the API server takes the holder of each kubeconfig for.
func checkUsers(t *testing.T, c *cluster) {
	t.Helper()
	for _, u := range people() {
		var review struct {
			Status struct {
				UserInfo struct {
					Username string
					Groups   []string
				}
			}
		}
		answer := kubectl(t, c, u, "auth", "whoami", "-o", "json")
		if err := json.Unmarshal([]byte(answer), &review); err != nil {
			t.Fatalf("%v in %s", err, answer)
		}
		got := review.Status.UserInfo
		want := append(slices.Clone(u.groups), "system:authenticated")
		if got.Username != u.name || !slices.Equal(slices.Sorted(slices.Values(got.Groups)), slices.Sorted(slices.Values(want))) {
			t.Errorf("%s is %q with the groups %q, want %q", u.name, got.Username, got.Groups, want)
		}
	}
	mallory := user{name: "mallory"}
	if output, err := kubectlCommand(t, c, mallory, "get", "pods").CombinedOutput(); err == nil || !strings.Contains(string(output), "Forbidden") {
		t.Errorf("mallory, to whom nothing was granted, may list pods: %v, %s", err, output)
	}
}

// checkWorkloads shows that pods are scheduled, become ready and complete, and that policies can be mutating ones.
func checkWorkloads(t *testing.T, c *cluster) {
	t.Helper()
	kubectl(t, c, administrator, "create", "deployment", "web", "--image=example.com/web", "--replicas=4")
	kubectl(t, c, administrator, "create", "job", "once", "--image=example.com/once")
	kubectl(t, c, administrator, "rollout", "status", "deployment/web", "--timeout=60s")
	kubectl(t, c, administrator, "wait", "--for=condition=Complete", "job/once", "--timeout=60s")
	resources := kubectl(t, c, administrator, "api-resources", "--api-group=admissionregistration.k8s.io")
	if !strings.Contains(resources, "MutatingAdmissionPolicy") {
		t.Errorf("no mutating admission policies among:\n%s", resources)
	}
}

// checkAuditLog shows that a request is in the log as soon as it is answered, with whom it was made for.
func checkAuditLog(t *testing.T, c *cluster) {
	t.Helper()
	config := kubectl(t, c, administrator, "config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
	api, err := newClient(c.dir, config)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config+"/api/v1/namespaces/default/pods", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Impersonate-User", "alice")
	request.Header.Set("Impersonate-Extra-example.com%2Freason", "because")
	response, err := api.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	log, err := os.ReadFile(c.dir.auditLog())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"impersonatedUser":{"username":"alice"`, `"extra":{"example.com/reason":["because"]}`} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the audit log has no %s", want)
		}
	}
	if strings.Contains(string(log), `"stage":"RequestReceived"`) {
		t.Error("the audit log has requests twice")
	}
}

// checkNothingRuns is for a cluster that was stopped, and had these processes.
func checkNothingRuns(t *testing.T, c *cluster, processes []process) {
	t.Helper()
	if len(processes) != 5 {
		t.Errorf("the cluster had %d processes, want 5", len(processes))
	}
	for _, p := range processes {
		if p.alive() {
			t.Errorf("%s (PID %d) still runs", p.Name, p.PID)
		}
	}
	for _, path := range []string{c.dir.kubeconfig(), c.dir.processes(), c.dir.etcdData()} {
		if exists(path) {
			t.Errorf("%s is still there", path)
		}
	}
	checkNothingMentions(t, string(c.dir))
}

// checkNothingMentions finds also the processes that were never recorded: each has the cluster's directory among its arguments.
func checkNothingMentions(t *testing.T, dir string) {
	t.Helper()
	output, err := exec.Command("ps", "-axww", "-o", "pid=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(output)) {
		if strings.Contains(line, dir) {
			t.Errorf("still running: %s", line)
		}
	}
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
func launcher(t *testing.T, c *cluster, command string) string {
	t.Helper()
	output, err := launcherCommand(t, c, command).CombinedOutput()
	if err != nil {
		t.Errorf("devcluster %s: %v\n%s", command, err, output)
	}
	return string(output)
}

func launcherCommand(t *testing.T, c *cluster, command string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), self, command, "--dir", string(c.dir))
	process.Env = append(os.Environ(), asLauncher+"=yes")
	return process
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
