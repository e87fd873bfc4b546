// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/expression"
)

const (
	// shownSeries is how many series a message shows.
	shownSeries = 3
	// maxShownSeries is how long a message shows one series, in characters.
	maxShownSeries = 160
	// maxShownError is how much of an error of the server a message shows, in characters.
	maxShownError = 500
	// fewer says how to get an answer with less in it.
	fewer = "let `prometheus.query` return fewer series, such as by sum() or topk()"
)

// askPrometheus is the question of a check with `prometheus`: the value that its query has now (an instant query of Prometheus' HTTP API).
func askPrometheus(check v1alpha1.Check, _ Subject) (question, *Finding) {
	no := func(finding Finding) (question, *Finding) { return question{}, &finding }
	if problems := prometheusProblems(check); len(problems) > 0 {
		return no(misconfigured("`%s` %s", problems[0].Field, problems[0].Message))
	}
	server, err := url.Parse(check.Prometheus.URL)
	if err != nil {
		return no(misconfigured("`prometheus.url` is no URL"))
	}
	when, err := expression.CompileMeasurement(check.Prometheus.When)
	if err != nil {
		return no(misconfigured("`prometheus.when` %v", err))
	}
	// The server gives up when nobody waits any more. A query may be longer than a URL may.
	form := url.Values{"query": {check.Prometheus.Query}, "timeout": {fmt.Sprintf("%ds", timeout(check)/time.Second)}}
	return question{
		field: "prometheus", method: http.MethodPost, to: server.JoinPath("api/v1/query"), content: "application/x-www-form-urlencoded",
		body: []byte(form.Encode()), headers: check.Prometheus.Headers, timeout: timeout(check), smaller: fewer, repeats: true,
		judge: func(a answer) Finding { return judgePrometheus(a, when) },
	}, nil
}

// judgePrometheus evaluates `when` over what was measured.
func judgePrometheus(a answer, when *expression.Measurement) Finding {
	found, problem := parseMeasurement(a)
	if problem != nil {
		return *problem
	}
	shown := found.shows(a)
	switch passes, err := when.Passes(found.series); {
	case errors.Is(err, expression.ErrNoSeries):
		return failed("the query returned no series%s: mend `prometheus.query`, or let `when` say what that means, such as by \"size(result) == 0 || result[0].value < 1\"", found.warned(a))
	case err != nil:
		return failed("`when` could not be evaluated (%v): %s", err, shown)
	case !passes:
		return failed("`when` is not met: %s", shown)
	default:
		return passed("%s", shown)
	}
}

// measurement is what a query has returned.
type measurement struct {
	series   []expression.Series
	warnings []string
}

// shows the first series with their values, and what the server warns of: a result with warnings may be incomplete.
func (m measurement) shows(a answer) string {
	var shown []string
	for _, series := range m.series[:min(len(m.series), shownSeries)] {
		shown = append(shown, printable(a.over.hide(notation(series)), maxShownSeries))
	}
	switch more := len(m.series) - shownSeries; {
	case len(m.series) == 0:
		shown = []string{"no series"}
	case more > 0:
		shown = append(shown, fmt.Sprintf("and %d more series", more))
	}
	return fmt.Sprintf("%s returned %s%s", a.server, strings.Join(shown, ", "), m.warned(a))
}

// warned is the first warning, to be read at the end of a sentence.
func (m measurement) warned(a answer) string {
	if len(m.warnings) == 0 {
		return ""
	}
	warning := printable(a.over.hide(m.warnings[0]), maxExcerpt)
	if len(m.warnings) > 1 {
		warning += fmt.Sprintf("; and %d more warnings", len(m.warnings)-1)
	}
	return fmt.Sprintf(" (the server warns: %s)", warning)
}
