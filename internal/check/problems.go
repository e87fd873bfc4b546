// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"net/url"
	"regexp"
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
		for _, problem := range slices.Concat(kindProblems(check), timesProblems(check)) {
			all = append(all, Problem{Field: fmt.Sprintf("spec.checks[%d].%s", i, problem.Field), Message: problem.Message})
		}
	}
	return all
}

func kindProblems(check v1alpha1.Check) []Problem {
	switch {
	case check.Job.Template != "":
		return jobProblems(check)
	case check.Prometheus.URL != "":
		return prometheusProblems(check)
	default:
		return httpProblems(check)
	}
}

// timesProblems finds what the API server refuses since there are checks of phase After; what was stored before is looked at as well.
func timesProblems(check v1alpha1.Check) []Problem {
	if check.Times > 1 && check.Phase != v1alpha1.CheckAfter {
		return []Problem{{Field: "times", Message: "must be 1 or absent: a check before the rollout has to pass once; or set `phase: After`"}}
	}
	return nil
}

func httpProblems(check v1alpha1.Check) []Problem {
	all := serverProblems("http", check.HTTP.URL, check.HTTP.Headers)
	if _, err := expression.CompileAnswer(condition(check)); err != nil {
		all = append(all, Problem{Field: "http.when", Message: err.Error()})
	}
	return all
}

func prometheusProblems(check v1alpha1.Check) []Problem {
	asked := check.Prometheus
	all := serverProblems("prometheus", asked.URL, asked.Headers)
	if to, err := url.Parse(asked.URL); err == nil && apiPath.MatchString(to.Path) {
		all = append(all, Problem{Field: "prometheus.url", Message: "must not hold /api/v1: it is added, with /query"})
	}
	if strings.TrimSpace(asked.Query) == "" {
		all = append(all, Problem{Field: "prometheus.query", Message: "must not be empty"})
	}
	if _, err := expression.CompileMeasurement(asked.When); err != nil {
		all = append(all, Problem{Field: "prometheus.when", Message: err.Error()})
	}
	return all
}

// apiPath is where Prometheus' HTTP API begins.
var apiPath = regexp.MustCompile(`/api/v1(/|/query/?)?$`)

// serverProblems are what can be wrong with every question to a server.
func serverProblems(field, to string, headers []v1alpha1.HTTPHeader) []Problem {
	var all []Problem
	if message := urlProblem(to); message != "" {
		all = append(all, Problem{Field: field + ".url", Message: message})
	}
	for i, header := range headers {
		if message := headerProblem(header, headers[:i]); message != "" {
			all = append(all, Problem{Field: fmt.Sprintf("%s.headers[%d]", field, i), Message: message})
		}
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
	if strings.ContainsFunc(header.Value, breaksLine) {
		return fmt.Sprintf("%q must be one line", header.Name)
	}
	return ""
}

// breaksLine tells the control characters that no header may hold (RFC 9110, section 5.5); a tab is none of them.
func breaksLine(r rune) bool {
	return r < ' ' && r != '\t' || r == 0x7f
}
