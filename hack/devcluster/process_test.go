// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestStopEndsAProcess(t *testing.T) {
	p := spawn(t, "echo; exec sleep 600")
	if !p.alive() {
		t.Fatal("a process that was just started is said not to run")
	}
	if err := stop(t.Context(), []process{p}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if p.alive() {
		t.Error("the process still runs")
	}
}

func TestStopKillsAProcessThatDoesNotEndByItself(t *testing.T) {
	p := spawn(t, `trap "" TERM; echo; exec sleep 600`)
	if err := stop(t.Context(), []process{p}, 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if p.alive() {
		t.Error("the process still runs")
	}
}

func TestStopLeavesAProcessAloneThatHasTheRecordedPIDByChance(t *testing.T) {
	p := spawn(t, "echo; exec sleep 600")
	recorded := p
	recorded.Birth = "an earlier one"
	if recorded.alive() {
		t.Error("another process with the same PID is taken for the recorded one")
	}
	if err := stop(t.Context(), []process{recorded}, time.Second); err != nil {
		t.Fatal(err)
	}
	if !p.alive() {
		t.Error("a process that was not started by this program was ended")
	}
}

func TestAnEndedProcessThatNobodyHasReapedIsNotAlive(t *testing.T) {
	p := spawn(t, "echo; read line")
	if err := stop(t.Context(), []process{p}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if p.alive() {
		t.Error("the process is a zombie, and said to run")
	}
}

func TestAProcessHasEndedWhenItsLastThreadHas(t *testing.T) {
	for stat, ended := range map[string]bool{
		"7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 12 0 4711 0": false,
		"7 (a) b) Z 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 12 0 4711 0": false,
		"7 (a) b) Z 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0":  true,
		"7 (a) b) X 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 0 0 4711 0":  true,
	} {
		started, err := startOf(stat)
		if (err != nil) != ended || (!ended && started != "4711") {
			t.Errorf("%s: %q, %v; want that it has ended: %v", stat, started, err, ended)
		}
	}
}

func TestRecordedProcessesAreReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "processes.json")
	if none, err := readProcesses(path); err != nil || len(none) > 0 {
		t.Fatalf("without a record: %v, %v", none, err)
	}
	want := []process{{Name: "etcd", PID: 12, Birth: "a", Arguments: []string{"--b"}}, {Name: "kwok", PID: 34, Birth: "b"}}
	if err := writeProcesses(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := readProcesses(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, %v; want %v", got, err, want)
	}
}

// spawn starts a shell and waits until its script prints something. The shell is not reaped before the test has ended, as
// if its parent did not care.
func spawn(t *testing.T, script string) process {
	t.Helper()
	command := exec.Command("sh", "-c", script)
	if _, err := command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended before
		_ = command.Wait()
	})
	if _, err := output.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	birth, err := birthOf(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return process{Name: "sh", PID: command.Process.Pid, Birth: birth}
}
