// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// Memory is how many bytes of memory the operator holds now: its resident set.
func (o *Operator) Memory() (int64, error) {
	resident, _, err := o.Memories()
	return resident, err
}

// Memories are how many bytes of memory the operator holds now, and how many of them are its own: the others are pages of the program's file, which the
// system drops when it needs the room.
func (o *Operator) Memories() (resident, own int64, err error) {
	if !o.Running() {
		return 0, 0, errors.New("the operator does not run")
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.process.Process.Pid))
	if err != nil {
		return 0, 0, fmt.Errorf("reading the operator's memory: %w", err)
	}
	for line := range bytes.Lines(status) {
		var kilobytes int64
		if _, err := fmt.Sscanf(string(line), "VmRSS: %d kB", &kilobytes); err == nil {
			resident = kilobytes << 10
		}
		if _, err := fmt.Sscanf(string(line), "RssAnon: %d kB", &kilobytes); err == nil {
			own = kilobytes << 10
		}
	}
	if resident == 0 || own == 0 {
		return 0, 0, errors.New("the system does not tell how much memory the operator holds")
	}
	return resident, own, nil
}
