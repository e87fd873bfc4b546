// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"
)

func TestRemovingTheDataLeavesLogsAndTheFilesOfOthers(t *testing.T) {
	d := directory(t.TempDir())
	if err := d.create(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{d.kubeconfig(), d.ready(), d.processes(), d.auditLog(), d.log("etcd"), d.path("mine.txt")} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.removeData(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{d.kubeconfig(), d.ready(), d.processes(), d.path("pki"), d.path("users")} {
		if exists(path) {
			t.Errorf("%s is still there", path)
		}
	}
	for _, path := range []string{d.auditLog(), d.log("etcd"), d.path("mine.txt")} {
		if !exists(path) {
			t.Errorf("%s was removed", path)
		}
	}
}
