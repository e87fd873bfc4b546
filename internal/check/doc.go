// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package check carries out one attempt of a check of an Environment: it asks a server (HTTP) or runs a Job (Jobs), and tells what came of it.
// When to try, how often, and how long a result counts is decided elsewhere.
//
// A check is written by whoever may change the Environment, and asked by the operator, who reaches more than they do. So what it may reach is
// bounded: private addresses only where the administrator says so, judged on the address that is really connected to; no other server by a
// redirect; a Secret only to the hosts that the Secret itself names; a Job only with the rights of the project's own service account.
//
// Whatever goes wrong is CheckFailed with a message for people. It never holds the value of a secret.
package check

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// maxMessage is how long a message may be, in characters; the API says the same.
const maxMessage = 2048

// defaultTimeout of an attempt, where the API server has not set it.
const defaultTimeout = 60 * time.Second

// Subject is what a check is asked about. Everything in it must be there.
type Subject struct {
	Promotion   *v1alpha1.Promotion
	Release     *v1alpha1.Release
	Environment *v1alpha1.Environment
	// PlanDigest is the plan that the check is run for.
	PlanDigest v1alpha1.Digest
}

// Finding is what one attempt has found.
type Finding struct {
	// Result is CheckPassed or CheckFailed.
	Result v1alpha1.CheckResult
	// Message says what was found, for people, and what to do about it.
	Message string
	// Retry says whether another attempt may come out differently. It is false where somebody has to change something first.
	Retry bool
}

func passed(format string, args ...any) Finding {
	return Finding{Result: v1alpha1.CheckPassed, Message: sentence(format, args...)}
}

// failed may come out differently when it is tried again.
func failed(format string, args ...any) Finding {
	return Finding{Result: v1alpha1.CheckFailed, Message: sentence(format, args...), Retry: true}
}

// misconfigured has to be changed by somebody first.
func misconfigured(format string, args ...any) Finding {
	return Finding{Result: v1alpha1.CheckFailed, Message: sentence(format, args...)}
}

// sentence is one line that fits into a status.
func sentence(format string, args ...any) string {
	return printable(fmt.Sprintf(format, args...), maxMessage)
}

// printable makes one line of a text: no control characters, at most so many characters.
func printable(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	characters := []rune(strings.Join(strings.Fields(text), " "))
	if len(characters) > limit {
		return string(characters[:limit-1]) + "…"
	}
	return string(characters)
}

// timeout of one attempt.
func timeout(check v1alpha1.Check) time.Duration {
	if check.TimeoutSeconds <= 0 {
		return defaultTimeout
	}
	return time.Duration(check.TimeoutSeconds) * time.Second
}
