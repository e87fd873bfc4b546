// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/expression"
)

// Problem is one reason why a check cannot be carried out as it is written.
type Problem struct {
	// Field of the Environment, such as spec.checks[0].http.url.
	Field string
	// Message says what is wrong with it, to be read after the field.
	Message string
}

// Problems finds what is wrong with the checks of an Environment. It touches nothing: whether a server, a Secret or a service account is there
// is seen when the check runs.
func Problems(checks []v1alpha1.Check) []Problem {
	var all []Problem
	for i, check := range checks {
		problems := httpProblems(check)
		if check.Job.Template != "" {
			problems = jobProblems(check)
		}
		for _, problem := range problems {
			all = append(all, Problem{Field: fmt.Sprintf("spec.checks[%d].%s", i, problem.Field), Message: problem.Message})
		}
	}
	return all
}

func httpProblems(check v1alpha1.Check) []Problem {
	var all []Problem
	if message := urlProblem(check.HTTP.URL); message != "" {
		all = append(all, Problem{Field: "http.url", Message: message})
	}
	for i, header := range check.HTTP.Headers {
		if message := headerProblem(header, check.HTTP.Headers[:i]); message != "" {
			all = append(all, Problem{Field: fmt.Sprintf("http.headers[%d]", i), Message: message})
		}
	}
	if _, err := expression.CompileAnswer(condition(check)); err != nil {
		all = append(all, Problem{Field: "http.when", Message: err.Error()})
	}
	return all
}

// urlProblem says what is wrong with a URL, without repeating it: it may hold what it should not.
func urlProblem(text string) string {
	to, err := url.Parse(text)
	switch {
	case err != nil:
		return "must be a URL such as https://tickets.example.com/state"
	case to.Scheme != "http" && to.Scheme != "https":
		return "must begin with https:// or http://"
	case to.User != nil:
		return "must not hold a user name or password: use a header with `secretRef`"
	case to.Hostname() == "":
		return "must name a host"
	case to.Fragment != "":
		return "must not have a fragment: it is never sent"
	case to.Port() != "" && !portNumber(to.Port()), strings.HasSuffix(to.Host, ":"):
		return "must have a port from 1 to 65535, or none"
	}
	return ""
}

func portNumber(text string) bool {
	number, err := strconv.ParseUint(text, 10, 16)
	return err == nil && number > 0
}

// reserved are the headers that belong to the connection and not to the request's meaning (RFC 9110, section 7.6.1), and those by which
// the size of an answer could not be bounded.
var reserved = []string{
	"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade",
}

func headerProblem(header v1alpha1.HTTPHeader, before []v1alpha1.HTTPHeader) string {
	if slices.Contains(reserved, strings.ToLower(header.Name)) {
		return fmt.Sprintf("must not set %q: the connection decides it", header.Name)
	}
	if slices.ContainsFunc(before, func(other v1alpha1.HTTPHeader) bool { return strings.EqualFold(other.Name, header.Name) }) {
		return fmt.Sprintf("sets %q a second time: names are the same in upper and lower case", header.Name)
	}
	if strings.ContainsFunc(header.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Sprintf("%q must be one line", header.Name)
	}
	return ""
}
