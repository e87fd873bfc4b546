// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// ForgetPeak begins anew with what Peak tells.
func (o *Operator) ForgetPeak() error {
	if !o.Running() {
		return errors.New("the operator does not run")
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", o.process.Process.Pid), []byte("5"), 0o600); err != nil {
		return fmt.Errorf("forgetting the operator's peak memory: %w", err)
	}
	return nil
}

// Peak is the most memory that the operator has held since ForgetPeak, in bytes: of its resident set.
func (o *Operator) Peak() (int64, error) {
	if !o.Running() {
		return 0, errors.New("the operator does not run")
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.process.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the operator's peak memory: %w", err)
	}
	for line := range bytes.Lines(status) {
		var kilobytes int64
		if _, err := fmt.Sscanf(string(line), "VmHWM: %d kB", &kilobytes); err == nil {
			return kilobytes << 10, nil
		}
	}
	return 0, errors.New("the system does not tell how much memory the operator has held")
}
