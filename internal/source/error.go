// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Error says why a source could not be resolved or fetched, and what to do next.
type Error struct {
	// Reason for a Release's Ready condition: FetchFailed, DigestMismatch or InvalidSource.
	Reason string
	// Field of the Release that it is about, such as spec.source.oci.tag.
	Field string
	// Message for the people who made the Release, with the remedy; at most a kilobyte or so.
	Message string
	// Err is what lies below, if anything.
	Err error
}

// Error returns the field and the message. It leaves out the cause, which may carry signed URLs; the message has what people need of it.
func (e *Error) Error() string {
	return fmt.Sprintf("`%s`: %s", e.Field, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Retryable says whether trying again later can help without anybody changing the Release.
func (e *Error) Retryable() bool { return e.Reason == v1alpha1.ReasonFetchFailed }

func invalid(field, format string, args ...any) *Error {
	return &Error{Reason: v1alpha1.ReasonInvalidSource, Field: field, Message: fmt.Sprintf(format, args...)}
}

func mismatch(field, format string, args ...any) *Error {
	return &Error{Reason: v1alpha1.ReasonDigestMismatch, Field: field, Message: fmt.Sprintf(format, args...)}
}

const maxForeignText = 300

// foreign makes text that came from outside fit for a status message: one line, printable and short.
func foreign(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= maxForeignText {
		return text
	}
	return string([]rune(text)[:maxForeignText]) + "…"
}
