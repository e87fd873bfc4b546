// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
)

func TestWhoAsksDuringAReadIsAnsweredByTheNextOne(t *testing.T) {
	g := NewWithT(t)
	var reads atomic.Int32
	begun, goOn := make(chan struct{}), make(chan struct{})
	shared := newSharedRead(func(context.Context) (int32, error) {
		number := reads.Add(1)
		begun <- struct{}{}
		<-goOn
		return number, nil
	})
	first := shared.join(t.Context())
	<-begun
	during := []*answer[int32]{shared.join(t.Context()), shared.join(t.Context()), shared.join(t.Context())}
	goOn <- struct{}{}
	<-begun
	later := shared.join(t.Context())
	goOn <- struct{}{}
	<-begun
	goOn <- struct{}{}
	for _, expected := range []struct {
		asked  *answer[int32]
		number int32
	}{{first, 1}, {during[0], 2}, {during[1], 2}, {during[2], 2}, {later, 3}} {
		<-expected.asked.ready
		g.Expect(expected.asked.value).To(Equal(expected.number))
	}
	g.Expect(reads.Load()).To(BeEquivalentTo(3))
}

func TestWhoGivesUpDoesNotEndTheReadOfOthers(t *testing.T) {
	g := NewWithT(t)
	begun, goOn := make(chan struct{}, 9), make(chan struct{})
	shared := newSharedRead(func(ctx context.Context) (string, error) {
		begun <- struct{}{}
		<-goOn
		return "read", ctx.Err()
	})
	impatient, giveUp := context.WithCancel(t.Context())
	patient := make(chan error, 1)
	var answered string
	first := shared.join(impatient)
	<-begun
	go func() {
		var err error
		answered, err = shared.get(t.Context())
		patient <- err
	}()
	giveUp()
	_, err := shared.get(impatient)
	g.Expect(err).To(MatchError(context.Canceled))
	close(goOn)
	<-first.ready
	g.Expect(first.err).NotTo(HaveOccurred())
	g.Expect(<-patient).To(Succeed())
	g.Expect(answered).To(Equal("read"))
}

func TestAFaultIsToldToAllWhoWaitForIt(t *testing.T) {
	fault := errors.New("the API server is away")
	shared := newSharedRead(func(context.Context) (int, error) { return 0, fault })
	for range 3 {
		if _, err := shared.get(t.Context()); !errors.Is(err, fault) {
			t.Errorf("expected the fault, got %v", err)
		}
	}
}
