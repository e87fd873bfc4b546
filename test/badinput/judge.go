// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mostText is how long a refusal may be. Kubernetes repeats what it refuses.
const mostText = 16 << 10

// inside of programs nobody wants to look, and an expression of a rule or of the guard that fails is a mistake of ours.
var inside = regexp.MustCompile(`(?i)panic|runtime error|nil pointer|internal error|goroutine|no such key|no such overload|no matching overload|resulted in error|exceeded budget|%![a-z]?\(`)

// Refusal says what is wrong with how an input was refused; "" if nothing is.
func (i *Input) Refusal(code int, status metav1.Status) string {
	message := status.Message
	switch {
	case code == http.StatusInternalServerError && strings.HasPrefix(message, "resourceVersion should not be set"):
		return "" // Kubernetes' own answer, for every kind
	case code >= http.StatusInternalServerError || code < http.StatusBadRequest || code == http.StatusTooManyRequests:
		return fmt.Sprintf("it is answered with %d", code)
	case strings.TrimSpace(message) == "":
		return "it is refused without a word"
	case inside.MatchString(message):
		return "the message shows the inside of a program"
	case len(message) > mostText:
		return fmt.Sprintf("the message has %d bytes", len(message))
	case !i.named(code, status):
		return "the message does not name `" + i.Field + "`"
	}
	return Unreadable(message)
}

// named tells whether a refusal says which field it is about: the bad one, or one that holds it. The guard names its rule.
func (i *Input) named(code int, status metav1.Status) bool {
	if i.Field == "" || i.Field == "spec" || code == http.StatusRequestEntityTooLarge {
		return true
	}
	if code == http.StatusBadRequest && strings.Contains(status.Message, "converting YAML to JSON") {
		return true // what is no YAML has no fields
	}
	if strings.Contains(status.Message, "spec must not change") {
		return true // whichever field it is
	}
	if code == http.StatusForbidden && strings.Contains(status.Message, "(G") {
		return true
	}
	for path := i.Field; path != "spec"; path = parent(path) {
		if strings.Contains(status.Message, path) || strings.Contains(status.Message, withoutElements(path)) {
			return true
		}
	}
	return false
}

func parent(path string) string {
	if at := strings.LastIndexAny(path, ".["); at > 0 {
		return path[:at]
	}
	return "spec"
}

func withoutElements(path string) string {
	return strings.ReplaceAll(path, "[0]", "")
}

// Unreadable says what keeps people from reading a text; "" if nothing does. What a text quotes has to be quoted so that it shows.
func Unreadable(text string) string {
	switch {
	case strings.TrimSpace(text) == "":
		return "it is empty"
	case !utf8.ValidString(text):
		return "it is not UTF-8"
	case inside.MatchString(text):
		return "it shows the inside of a program"
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			return fmt.Sprintf("it holds the character %U, which hides or reorders text", r)
		}
	}
	return ""
}
