// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/assent-dev/assent/internal/source"
)

// Reason is the kind of an [Error].
type Reason string

const (
	// Unsigned means that nobody's signature is attached.
	Unsigned Reason = "Unsigned"
	// WrongSigner means that there are signatures, and none is by one of the signers.
	WrongSigner Reason = "WrongSigner"
	// OtherDigest means that one of the signers has signed something else than what the signature is attached to.
	OtherDigest Reason = "OtherDigest"
	// NotPinned means that an image is named by tag, so that no signature can speak of it.
	NotPinned Reason = "NotPinned"
	// NotSignable means that the artifact is nothing that a signature can be attached to.
	NotSignable Reason = "NotSignable"
	// InvalidPolicy means that the Environment's rules about signatures cannot be carried out; see [Problems].
	InvalidPolicy Reason = "InvalidPolicy"
	// Unreachable means that the registry could not be asked. It says nothing about the signature.
	Unreachable Reason = "Unreachable"
)

// Error says why something does not count as signed, and what to do next.
type Error struct {
	// Reason is the kind of the error.
	Reason Reason
	// Message for the people who made the Release, with the remedy; at most 2,048 bytes but where a name is of many-byte characters.
	Message string
	// Err is what lies below, if anything.
	Err error
}

// Error returns the message. It leaves out the cause, which may carry signed URLs; the message has what people need of it.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Retryable says whether it is a fault that passes, and no refusal: trying again later can help without anybody changing anything.
func (e *Error) Retryable() bool { return e.Reason == Unreachable }

func refusal(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// unreachable turns what went wrong between here and the registry into what to do about it.
func unreachable(err error, host, what string) *Error {
	var message string
	switch {
	case source.IsDenied(err):
		message = fmt.Sprintf("registry %q refused to let %s be read (%s): give the Secret with its credentials the right to pull; it is tried again",
			host, what, cause(err))
	case errors.Is(err, context.DeadlineExceeded):
		message = fmt.Sprintf("registry %q did not answer in time for %s; it is tried again", host, what)
	case errors.Is(err, context.Canceled):
		message = fmt.Sprintf("reading %s was interrupted; it is tried again", what)
	default:
		message = fmt.Sprintf("registry %q could not deliver %s (%s): check that it is up and reachable; it is tried again", host, what, cause(err))
	}
	return &Error{Reason: Unreachable, Message: message, Err: err}
}

// cause is why a registry could not be read, without the request: after a redirect its URL may be signed.
func cause(err error) string {
	text := source.Cause(err)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if before, rest, found := strings.Cut(text, method+" \""); found {
			_, after, _ := strings.Cut(rest, "\"")
			text = before + strings.TrimPrefix(after, ": ")
		}
	}
	return text
}

const (
	maxForeignText = 200
	maxIdentity    = 120
)

// foreign makes text that came from outside fit for a status message: one line, printable and short.
func foreign(text string) string { return cut(text, maxForeignText) }

func cut(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}
