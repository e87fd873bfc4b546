// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// checkUsers looks who the API server takes the holder of each kubeconfig for, and the holder of each token.
func checkUsers(t *testing.T, c *cluster) {
	t.Helper()
	server := kubectl(t, c, administrator, "config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
	for _, u := range people() {
		checkUser(t, u, kubectl(t, c, u, "auth", "whoami", "-o", "json"))
		token, err := os.ReadFile(c.dir.usersToken(u))
		if err != nil {
			t.Fatal(err)
		}
		arguments := []string{"--kubeconfig=" + os.DevNull, "--server=" + server, "--certificate-authority=" + c.dir.pki("ca.crt"), "--token=" + strings.TrimSpace(string(token))}
		answer, err := exec.CommandContext(t.Context(), c.dir.binary("kubectl"), append(arguments, "auth", "whoami", "-o", "json")...).Output()
		if err != nil {
			t.Fatalf("the token of %s: %v", u.name, err)
		}
		checkUser(t, u, string(answer))
	}
	mallory := user{name: "mallory"}
	if output, err := kubectlCommand(t, c, mallory, "get", "pods").CombinedOutput(); err == nil || !strings.Contains(string(output), "Forbidden") {
		t.Errorf("mallory, to whom nothing was granted, may list pods: %v, %s", err, output)
	}
}

func checkUser(t *testing.T, u user, answer string) {
	t.Helper()
	var review struct {
		Status struct {
			UserInfo struct {
				Username, UID string
				Groups        []string
			}
		}
	}
	if err := json.Unmarshal([]byte(answer), &review); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	got := review.Status.UserInfo
	want := append(slices.Clone(u.groups), "system:authenticated")
	if got.Username != u.name || got.UID != "" || !slices.Equal(slices.Sorted(slices.Values(got.Groups)), slices.Sorted(slices.Values(want))) {
		t.Errorf("%s is %q with the UID %q and the groups %q, want %q", u.name, got.Username, got.UID, got.Groups, want)
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
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	lease(t, c, "assent-system", "of-the-operator")
	lease(t, c, "kube-system", "of-the-control-plane")
	sample(t, c, "written-to-our-group")
	kubectl(t, c, administrator, "create", "configmap", "settings", "--from-literal=key=not-for-the-log")
	log, err := os.ReadFile(c.dir.auditLog())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"impersonatedUser":{"username":"alice"`, `"extra":{"example.com/reason":["because"]}`, "of-the-operator", `"requestObject":{"apiVersion":"assent.dev/v1"`,
	} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the audit log has no %s", want)
		}
	}
	for _, unwanted := range []string{`"stage":"RequestReceived"`, "of-the-control-plane", "not-for-the-log"} {
		if strings.Contains(string(log), unwanted) {
			t.Errorf("the audit log has %s", unwanted)
		}
	}
}

// lease writes a Lease, in a namespace that is created unless it is there.
func lease(t *testing.T, c *cluster, namespace, name string) {
	t.Helper()
	apply(t, c, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "`+namespace+`"}}`)
	apply(t, c, `{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"namespace": "`+namespace+`", "name": "`+name+`"}}`)
}

// sample writes an object of a kind in Assent's group.
func sample(t *testing.T, c *cluster, name string) {
	t.Helper()
	apply(t, c, `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "samples.assent.dev"}, "spec": {
		"group": "assent.dev", "scope": "Cluster", "names": {"kind": "Sample", "plural": "samples"},
		"versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}}`)
	kubectl(t, c, administrator, "wait", "--for=condition=Established", "customresourcedefinition/samples.assent.dev", "--timeout=60s")
	apply(t, c, `{"apiVersion": "assent.dev/v1", "kind": "Sample", "metadata": {"name": "`+name+`"}}`)
}

func apply(t *testing.T, c *cluster, manifest string) {
	t.Helper()
	command := kubectlCommand(t, c, administrator, "apply", "--server-side", "-f", "-")
	command.Stdin = strings.NewReader(manifest)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, output)
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
