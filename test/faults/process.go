// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/rest"
)

// process is one process of the operator: what it sends goes through here, so that it can die, stand still, and meet faults.
type process struct {
	trial *trial
	names namer
	// streams are what becomes of the events of its watches.
	streams *streams
	// death ends every request that is under way; stop ends the manager in good order.
	death context.Context
	kill  context.CancelFunc
	dead  atomic.Bool

	mu   sync.Mutex
	held *held
	// onWrite is told of every write that is swept, before it is sent.
	onWrite func(by *process, name string)
}

func newProcess(of *trial, names namer, streams *streams, onWrite func(*process, string)) *process {
	p := &process{trial: of, names: names, streams: streams, onWrite: onWrite}
	p.death, p.kill = context.WithCancel(context.Background())
	return p
}

// die at once: no request of the process is sent or answered any more.
func (p *process) die() {
	p.dead.Store(true)
	p.kill()
}

// pause the process in the middle of a write. What it asks for from now on is not sent. The write itself has left the process already: it arrives when
// until is closed, whatever has become of the process by then. The returned channel is closed when it has been answered.
func (p *process) pause(name string, until <-chan struct{}) (arrived <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = &held{name: name, until: until, arrived: make(chan struct{})}
	return p.held.arrived
}

// held is a write that is under way for long.
type held struct {
	name    string
	until   <-chan struct{}
	arrived chan struct{}
}

// standing is the write that the process was paused in; nil while it is not paused.
func (p *process) standing() *held {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// stand still until the process ends: it loses its lease. A request that nobody waits for any more ends, too.
func (p *process) stand(ctx context.Context) error {
	select {
	case <-p.death.Done():
		return errDead
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wrap the connections of a configuration, so that everything goes through the process.
func (p *process) wrap(config *rest.Config) *rest.Config {
	wrapped := rest.CopyConfig(config)
	wrapped.Wrap(func(next http.RoundTripper) http.RoundTripper { return &transport{process: p, next: next} })
	return wrapped
}

// transport is what one client of a process sends with.
type transport struct {
	process *process
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(sent *http.Request) (*http.Response, error) {
	p := t.process
	if p.dead.Load() {
		return nil, errDead
	}
	copied := sent.Clone(sent.Context())
	described, err := p.names.describe(copied)
	if err != nil {
		return nil, err
	}
	name, mode := p.trial.meet(described)
	if name != "" {
		p.onWrite(p, name)
	}
	if held := p.standing(); held != nil {
		if held.name == name {
			go t.arriveLate(copied, held)
		}
		return nil, p.stand(sent.Context())
	}
	if mode == "" {
		return t.send(copied, described)
	}
	if mode == Died {
		p.die()
	}
	if mode.sends() {
		if err := t.sendInVain(copied, described); err != nil {
			return nil, err
		}
	}
	if mode == DiedLate {
		p.die()
	}
	return mode.answer(sent)
}

// arriveLate carries out a write that was under way for long.
func (t *transport) arriveLate(sent *http.Request, held *held) {
	defer close(held.arrived)
	<-held.until
	answered, err := t.next.RoundTrip(sent.WithContext(context.WithoutCancel(sent.Context())))
	if err == nil {
		_ = answered.Body.Close() // nobody is there any more who wants to know
	}
}

// sendInVain carries a request out whose answer nobody gets.
func (t *transport) sendInVain(sent *http.Request, described request) error {
	answered, err := t.send(sent, described)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answered.Body)
	return errors.Join(err, answered.Body.Close())
}

// send a request and return its answer, unless the process dies before the answer has been read.
func (t *transport) send(sent *http.Request, described request) (*http.Response, error) {
	p := t.process
	ctx, cancel := context.WithCancel(sent.Context())
	forget := context.AfterFunc(p.death, cancel) //nolint:contextcheck // the process may die before whoever waits for the answer gives up
	answered, err := t.next.RoundTrip(sent.WithContext(ctx))
	if err == nil && p.dead.Load() {
		err = errors.Join(errDead, answered.Body.Close())
	}
	if err != nil {
		forget()
		cancel()
		if p.dead.Load() {
			return nil, errDead
		}
		return nil, err
	}
	answered.Body = &body{ReadCloser: answered.Body, process: p, done: func() { forget(); cancel() }}
	if described.class == watching && answered.StatusCode == http.StatusOK {
		answered.Body = p.streams.through(described.resource, answered.Body)
	}
	return answered, nil
}

// body of an answer.
type body struct {
	io.ReadCloser
	process *process
	done    func()
}

// Read implements io.Reader.
func (b *body) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if b.process.dead.Load() {
		return 0, errDead
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("reading an answer: %w", err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}
