// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"syscall"
)

// Pause keeps the running operator from doing anything, and from noticing that time passes, until Resume. It stays connected.
func (o *Operator) Pause() error {
	return o.send(syscall.SIGSTOP)
}

// Resume lets a paused operator go on where it was.
func (o *Operator) Resume() error {
	return o.send(syscall.SIGCONT)
}

func (o *Operator) send(signal syscall.Signal) error {
	if !o.Running() {
		return errors.New("the operator does not run")
	}
	if err := o.process.Process.Signal(signal); err != nil {
		return fmt.Errorf("signalling the operator: %w", err)
	}
	return nil
}
