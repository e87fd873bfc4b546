// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/assent-dev/assent/internal/expression"
)

// reply is what Prometheus' HTTP API answers, as far as an instant query needs it.
type reply struct {
	Status    string   `json:"status"`
	ErrorType string   `json:"errorType"`
	Error     string   `json:"error"`
	Warnings  []string `json:"warnings"`
	Data      struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
}

// vectorEntry is one series of an instant vector. It has either a value or, since Prometheus 2.40, a histogram.
type vectorEntry struct {
	Metric    map[string]string `json:"metric"`
	Value     *sample           `json:"value"`
	Histogram json.RawMessage   `json:"histogram"`
}

// sample is a pair of a time and a value as text, such as "NaN" or "+Inf".
type sample float64

// UnmarshalJSON reads the pair and keeps the value.
func (s *sample) UnmarshalJSON(content []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(content, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a sample has %d parts, and must have a time and a value", len(pair))
	}
	var text string
	if err := json.Unmarshal(pair[1], &text); err != nil {
		return err
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // beyond the largest float64 it is infinite
		return fmt.Errorf("the value %q is no number", printable(text, maxExcerpt))
	}
	*s = sample(value)
	return nil
}

// parseMeasurement reads an answer of Prometheus' HTTP API. A Finding says why there is no measurement in it.
func parseMeasurement(a answer) (measurement, *Finding) {
	no := func(finding Finding) (measurement, *Finding) { return measurement{}, &finding }
	var got reply
	if err := json.Unmarshal([]byte(a.text), &got); err != nil || got.Status != "success" && got.Status != "error" {
		return no(failed("%s, which is no answer of Prometheus' HTTP API: set `prometheus.url` to where /api/v1 begins%s", a.shows(), credentials(a.status)))
	}
	switch {
	case got.Status == "error" && got.ErrorType == "bad_data":
		return no(misconfigured("%s refuses the query, correct `prometheus.query`: %s", a.server, printable(a.over.hide(got.Error), maxShownError)))
	case got.Status == "error":
		return no(failed("%s could not answer the query (%s): %s", a.server, printable(a.over.hide(got.ErrorType), maxExcerpt), printable(a.over.hide(got.Error), maxShownError)))
	}
	series, err := parseResult(got.Data.ResultType, got.Data.Result)
	if unusable := (*unusableResult)(nil); errors.As(err, &unusable) {
		return no(misconfigured("%s returned %v", a.server, unusable))
	}
	if err != nil {
		return no(failed("%s, which could not be read: %s", a.shows(), printable(a.over.hide(err.Error()), maxExcerpt)))
	}
	if len(series) > expression.MaxSeries {
		return no(failed("%s returned %d series, and a check may have %d: %s", a.server, len(series), expression.MaxSeries, fewer))
	}
	return measurement{series: series, warnings: got.Warnings}, nil
}

// credentials says what else may be wrong where a server does not let us in.
func credentials(status int) string {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return ", and `prometheus.headers` to what it asks for"
	}
	return ""
}

// unusableResult is one that no expression can judge, because of how the query is written.
type unusableResult struct{ what, remedy string }

// Error says how to write it.
func (e *unusableResult) Error() string {
	return fmt.Sprintf("%s, which cannot be judged: let `prometheus.query` %s", e.what, e.remedy)
}

// parseResult reads the result of a type. An error is of type *unusableResult where the query must be changed.
func parseResult(kind string, content json.RawMessage) ([]expression.Series, error) {
	switch kind {
	case "vector":
		return parseVector(content)
	case "scalar":
		var value sample
		if err := json.Unmarshal(content, &value); err != nil {
			return nil, err
		}
		return []expression.Series{{Value: float64(value)}}, nil
	case "matrix":
		return nil, &unusableResult{what: "values over a time (a matrix)", remedy: "make one value of each series, such as by rate(…) or max_over_time(…)"}
	case "string":
		return nil, &unusableResult{what: "a text", remedy: "return numbers"}
	default:
		return nil, fmt.Errorf("its resultType %q is none of vector and scalar", kind)
	}
}

func parseVector(content json.RawMessage) ([]expression.Series, error) {
	var entries []vectorEntry
	if err := json.Unmarshal(content, &entries); err != nil {
		return nil, err
	}
	series := make([]expression.Series, 0, len(entries))
	for _, entry := range entries {
		switch {
		case entry.Value != nil:
			series = append(series, expression.Series{Labels: entry.Metric, Value: float64(*entry.Value)})
		case len(entry.Histogram) > 0:
			return nil, &unusableResult{what: "a histogram", remedy: "make one value of it, such as by histogram_quantile(0.99, …)"}
		default:
			return nil, errors.New("a series has no value")
		}
	}
	return series, nil
}

// notation is a series as Prometheus writes it: name{label="value"} 0.5.
func notation(series expression.Series) string {
	const name = "__name__"
	var labels []string
	for _, label := range slices.Sorted(maps.Keys(series.Labels)) {
		if label != name {
			labels = append(labels, label+"="+strconv.Quote(series.Labels[label]))
		}
	}
	text := series.Labels[name]
	if len(labels) > 0 {
		text += "{" + strings.Join(labels, ", ") + "}"
	}
	return strings.TrimSpace(text + " " + strconv.FormatFloat(series.Value, 'g', -1, 64))
}
