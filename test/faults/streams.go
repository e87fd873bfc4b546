// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"sync"
)

// streams are the events of watches on their way to the operator, and what becomes of them. All kinds that it touches come as JSON.
type streams struct {
	mu sync.Mutex
	// frozen are the resources whose events stand still, each until its channel is closed.
	frozen map[string]chan struct{}
	// repeated are the resources each of whose events comes twice.
	repeated []string
	// lossy are the resources whose events are lost, until their watch is broken.
	lossy map[string]chan struct{}
	// twice counts the events that were repeated.
	twice int
}

func newStreams() *streams {
	return &streams{frozen: map[string]chan struct{}{}, lossy: map[string]chan struct{}{}}
}

// freeze the watches of a resource: their events come when thaw is called, and not before.
func (s *streams) freeze(resource string) (thaw func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until := make(chan struct{})
	s.frozen[resource] = until
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.frozen, resource)
		close(until)
	})
}

// lose the events of a resource, until found is called: then the watch ends as one does whose events the API server does not have any more, and the
// operator has to list anew. What happened meanwhile it learns as one change, or not at all.
func (s *streams) lose(resource string) (found func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until := make(chan struct{})
	s.lossy[resource] = until
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.lossy, resource)
		close(until)
	})
}

// repeat every event of a resource.
func (s *streams) repeat(resources ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repeated = append(s.repeated, resources...)
}

// cameTwice is how many events were repeated.
func (s *streams) cameTwice() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.twice
}

// through takes the events of a watch through what becomes of them.
func (s *streams) through(resource string, from io.ReadCloser) io.ReadCloser {
	if !slices.Contains([]string{"releases", "environments", "promotions"}, resource) {
		return from
	}
	reader, writer := io.Pipe()
	go func() {
		_ = writer.CloseWithError(s.pass(resource, from, writer)) // returns nil always
	}()
	return &stream{PipeReader: reader, from: from}
}

type stream struct {
	*io.PipeReader
	from io.Closer
}

// Close implements io.Closer.
func (s *stream) Close() error {
	_ = s.PipeReader.Close() // returns nil always
	return s.from.Close()
}

var (
	// expired is how a watch ends whose events are not there any more.
	expired  = []byte(`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"the sweep of faults says so"}}` + "\n")
	bookmark = []byte(`"BOOKMARK"`)
)

// pass events on until the watch ends.
func (s *streams) pass(resource string, from io.Reader, to io.Writer) error {
	events := json.NewDecoder(from)
	for {
		var event json.RawMessage
		if err := events.Decode(&event); err != nil {
			return err
		}
		times, broken := s.become(resource, event)
		if broken {
			if _, err := to.Write(expired); err != nil {
				return err
			}
			return io.EOF
		}
		for range times {
			if _, err := to.Write(append(bytes.Clone(event), '\n')); err != nil {
				return err
			}
		}
	}
}

// become says how often an event comes, and whether the watch breaks instead. It returns when it may come.
func (s *streams) become(resource string, event []byte) (times int, broken bool) {
	s.mu.Lock()
	frozen, lossy := s.frozen[resource], s.lossy[resource]
	var kind struct {
		Type json.RawMessage `json:"type"`
	}
	_ = json.Unmarshal(event, &kind) // an event without a type is passed on as it is
	marks := bytes.Equal(kind.Type, bookmark)
	switch {
	case marks:
		s.mu.Unlock()
		return 1, false
	case lossy != nil:
		s.mu.Unlock()
		<-lossy
		return 0, true
	case frozen != nil:
		s.mu.Unlock()
		<-frozen
		return 1, false
	case slices.Contains(s.repeated, resource):
		s.twice++
		s.mu.Unlock()
		return 2, false
	}
	s.mu.Unlock()
	return 1, false
}
