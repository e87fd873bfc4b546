// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"
)

func TestComponentsAreRestartedWithTheirData(t *testing.T) {
	mustBuild(t)
	c := testCluster(t)
	launcher(t, c, "up")
	before := mustProcesses(t, c)
	kubectl(t, c, administrator, "create", "namespace", "kept")
	for _, component := range [][]string{{"kube-apiserver"}, {"--kill", "kube-apiserver"}, {"--kill", "etcd"}} {
		if output := launcher(t, c, "restart", component...); !strings.Contains(output, "was restarted") {
			t.Errorf("restart %v said %q", component, output)
		}
		if namespaces := kubectl(t, c, administrator, "get", "namespaces"); !strings.Contains(namespaces, "kept") {
			t.Errorf("after restart %v, the namespaces are %q", component, namespaces)
		}
	}
	after := mustProcesses(t, c)
	for _, p := range before {
		restarted := p.Name == "kube-apiserver" || p.Name == "etcd"
		if p.alive() == restarted {
			t.Errorf("the first %s still runs: %t", p.Name, p.alive())
		}
		if !slices.ContainsFunc(after, func(q process) bool { return q.Name == p.Name && q.alive() }) {
			t.Errorf("no %s runs", p.Name)
		}
	}
	launcher(t, c, "down")
	checkNothingRuns(t, c, after)
}

func TestARestartNamesTheComponentsThatThereAre(t *testing.T) {
	c := testCluster(t)
	if err := c.restart(t.Context(), "kubelet", false); err == nil || !strings.Contains(err.Error(), `no component "kubelet" runs`) {
		t.Errorf("the error is %v", err)
	}
}
