// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package floor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// Command is the argument with which this binary is a floor.
const Command = "floor"

// Process is a floor at work.
type Process struct {
	command *exec.Cmd
	lines   *json.Decoder
	stderr  bytes.Buffer
}

// Start a floor, as this very binary with Command as its argument, and return when it watches. It ends with the context.
func Start(ctx context.Context, order Order) (*Process, error) {
	content, err := json.Marshal(order)
	if err != nil {
		return nil, fmt.Errorf("starting a floor: %w", err)
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("starting a floor: %w", err)
	}
	p := &Process{command: exec.CommandContext(ctx, binary, Command)}
	p.command.Stdin, p.command.Stderr = bytes.NewReader(content), &p.stderr
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting a floor: %w", err)
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting a floor: %w", err)
	}
	p.lines = json.NewDecoder(out)
	var watches struct{}
	if err := p.lines.Decode(&watches); err != nil {
		return nil, p.failed(err)
	}
	return p, nil
}

// Next waits for the end of a job; in any order.
func (p *Process) Next() (Done, error) {
	var done Done
	if err := p.lines.Decode(&done); err != nil {
		return done, p.failed(err)
	}
	if done.Error != "" {
		return done, fmt.Errorf("the floor of promotion %q: %s", done.Name, done.Error)
	}
	return done, nil
}

// Wait for its end.
func (p *Process) Wait() error {
	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("the floor: %w: %s", err, p.stderr.String())
	}
	return nil
}

func (p *Process) failed(err error) error {
	_ = p.command.Process.Kill()
	return fmt.Errorf("the floor: %w: %s", errors.Join(err, p.command.Wait()), p.stderr.String())
}
