// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process identifies a process that this program has started. A PID alone does not: after the process has ended, the
// system gives the number to another one, which must never be signalled.
type process struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// Birth tells the process from every other one that has or will have this PID.
	Birth string `json:"birth"`
	// Arguments that it was started with.
	Arguments []string `json:"arguments,omitempty"`
}

// alive reports whether the process still runs. One that has ended and was not yet reaped by its parent does not.
func (p process) alive() bool {
	birth, err := birthOf(p.PID)
	return err == nil && birth == p.Birth
}

// signal sends sig unless the process has ended.
func (p process) signal(sig syscall.Signal) error {
	if !p.alive() {
		return nil
	}
	if err := syscall.Kill(p.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("sending %v to %s (PID %d): %w", sig, p.Name, p.PID, err)
	}
	return nil
}

// birthOf returns what differs between two processes that are given the same PID one after the other: when it was started.
func birthOf(pid int) (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return birthByPS(pid)
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	started, err := startOf(string(stat))
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	return strings.TrimSpace(string(boot)) + "/" + started, nil
}

// startOf a process that has not ended, in clock ticks since the system was started, from what /proc/PID/stat says.
func startOf(stat string) (string, error) {
	// The second field is the command in parentheses, and may itself hold spaces and parentheses.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return "", fmt.Errorf("reading its state: only %d fields", len(fields))
	}
	// Of a process that was killed the first thread may have ended before others, which still hold its port.
	if state, threads := fields[0], fields[17]; state == "X" || (state == "Z" && (threads == "0" || threads == "1")) {
		return "", errors.New("it has ended")
	}
	return fields[19], nil
}

// birthByPS is for systems without /proc.
func birthByPS(pid int) (string, error) {
	output, err := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "", err
	}
	state, started, _ := strings.Cut(strings.TrimSpace(string(output)), " ")
	if started == "" || strings.HasPrefix(state, "Z") {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return strings.TrimSpace(started), nil
}

// readProcesses returns the processes recorded at path; none if there is no such file.
func readProcesses(path string) ([]process, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the recorded processes: %w", err)
	}
	var processes []process
	if err := json.Unmarshal(content, &processes); err != nil {
		return nil, fmt.Errorf("reading the recorded processes in %s: %w", path, err)
	}
	return processes, nil
}

// writeProcesses records the processes at path, at once or not at all.
func writeProcesses(path string, processes []process) error {
	content, err := json.MarshalIndent(processes, "", "  ")
	if err != nil {
		return fmt.Errorf("recording the processes: %w", err)
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return fmt.Errorf("recording the processes: %w", err)
	}
	return os.Rename(path+".new", path)
}

// stop ends the processes, the last started first, and returns when none is left. Each is asked to end, and killed if it
// has not ended after grace. Cancelling ctx does
// not interrupt it: what is half stopped would be left running.
func stop(ctx context.Context, processes []process, grace time.Duration) error {
	ctx = context.WithoutCancel(ctx)
	var failed []error
	for i := len(processes) - 1; i >= 0; i-- {
		p := processes[i]
		failed = append(failed, p.signal(syscall.SIGTERM))
		if ended(ctx, p, grace) {
			continue
		}
		failed = append(failed, p.signal(syscall.SIGKILL))
		if !ended(ctx, p, 10*time.Second) {
			failed = append(failed, fmt.Errorf("%s (PID %d) did not end after SIGKILL", p.Name, p.PID))
		}
	}
	return errors.Join(failed...)
}

// ended waits until the process has ended, and reports whether it has.
func ended(ctx context.Context, p process, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return poll(ctx, 10*time.Millisecond, func() bool { return !p.alive() })
}

// poll asks until the answer is yes, and returns false if ctx ends before.
func poll(ctx context.Context, interval time.Duration, holds func() bool) bool {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}
