// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Mode is what a request meets.
type Mode string

const (
	// Refused is not sent: the connection is refused.
	Refused Mode = "refused"
	// Lost is carried out, and its answer is lost with the connection.
	Lost Mode = "answer-lost"
	// Conflict is not carried out: the API server answers that somebody else was faster.
	Conflict Mode = "conflict"
	// Throttled is not carried out: the API server answers 429 with Retry-After.
	Throttled Mode = "429"
	// Unavailable is not carried out: the API server answers 503 with Retry-After.
	Unavailable Mode = "503"
	// TimedOut is not carried out: no answer in time.
	TimedOut Mode = "time-out"
	// TimedOutLate is carried out, and the API server answers that it does not know (504).
	TimedOutLate Mode = "time-out-late"
	// Died is not sent: the operator dies before.
	Died Mode = "death-before"
	// DiedLate is carried out, and the operator dies before it has the answer.
	DiedLate Mode = "death-after"
)

// Modes are all that a write is swept with.
func Modes() []Mode {
	return []Mode{Refused, Lost, Conflict, Throttled, Unavailable, TimedOut, TimedOutLate, Died, DiedLate}
}

// sends says whether the request reaches the API server.
func (m Mode) sends() bool { return m == Lost || m == TimedOutLate || m == DiedLate }

// errDead is what a process gets that has died. Nothing it holds is used again.
var errDead = errors.New("this process has died")

// answer is what the client gets for a request.
func (m Mode) answer(sent *http.Request) (*http.Response, error) {
	switch m {
	case Refused:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	case Lost:
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	case TimedOut:
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	case Conflict:
		reason := metav1.StatusReasonConflict
		if sent.Method == http.MethodPost {
			reason = metav1.StatusReasonAlreadyExists
		}
		return status(sent, http.StatusConflict, reason)
	case Throttled:
		return status(sent, http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests)
	case Unavailable:
		return status(sent, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable)
	case TimedOutLate:
		return status(sent, http.StatusGatewayTimeout, metav1.StatusReasonTimeout)
	case Died, DiedLate:
		return nil, errDead
	}
	return nil, fmt.Errorf("there is no mode %q", m)
}

// status is an answer as the API server gives it. Those that ask for another attempt say when: after the least time that there is.
func status(sent *http.Request, code int, reason metav1.StatusReason) (*http.Response, error) {
	said := metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: int32(code), Reason: reason, Message: "the sweep of faults says so",
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		header.Set("Retry-After", "1")
		said.Details = &metav1.StatusDetails{RetryAfterSeconds: 1}
	}
	body, err := json.Marshal(said)
	if err != nil {
		return nil, fmt.Errorf("encoding an answer: %w", err)
	}
	return &http.Response{
		Status: http.StatusText(code), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: sent,
	}, nil
}
