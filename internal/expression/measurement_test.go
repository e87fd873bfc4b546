// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	measured = []Series{
		{Labels: map[string]string{"job": "shop", "code": "500"}, Value: 0.005},
		{Labels: map[string]string{"job": "shop", "code": "503"}, Value: 0.02},
	}
	unknown  = []Series{{Value: math.NaN()}}
	infinite = []Series{{Value: math.Inf(1)}}
)

func TestAMeasurementIsJudgedByItsSeries(t *testing.T) {
	for source, test := range map[string]struct {
		result []Series
		want   bool
	}{
		"result[0].value < 0.01":            {measured, true},
		"result[1].value < 0.01":            {measured, false},
		"result.all(r, r.value < 0.01)":     {measured, false},
		"result.all(r, r.value < 1)":        {measured, true},
		"result.exists(r, r.value > 0.01)":  {measured, true},
		"size(result) == 2":                 {measured, true},
		"result[0].labels.code == '500'":    {measured, true},
		"result[0].labels['code'] == '500'": {measured, true},
		"has(result[0].labels.pod)":         {measured, false},
		"'pod' in result[0].labels":         {unknown, false},
		"result.filter(r, r.labels.code.startsWith('5')).all(r, r.value < 0.1)": {measured, true},
		"math.isNaN(result[0].value)":                                           {unknown, true},
		"result.all(r, math.isNaN(r.value) || r.value < 0.01)":                  {unknown, true},
		"result[0].value == result[0].value":                                    {unknown, false},
		"result[0].value < 1000000":                                             {infinite, false},
		"math.isInf(result[0].value)":                                           {infinite, true},
		"math.isFinite(result[0].value)":                                        {infinite, false},
		"math.abs(result[0].value) < 0.1":                                       {measured, true},
		"result[0].value == 1.0":                                                {[]Series{{Value: 1}}, true},
		"result[0].value + result[1].value < 0.03":                              {measured, true},
		"result[0].value * 2.0 < result[1].value":                               {measured, true},
		"result[0].value == result[1].value":                                    {measured, false},
		"result.exists_one(r, r.value > 0.01)":                                  {measured, true},
		"size(result) == 0":                                                     {nil, true},
		"result.size() == 0 || result[0].value < 1":                             {nil, true},
		"size(result) > 0 && result[0].value < 1":                               {nil, false},
	} {
		measurement, err := CompileMeasurement(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := measurement.Passes(test.result); err != nil || got != test.want {
			t.Errorf("%s: %v, %v; want %v", source, got, err, test.want)
		}
	}
}

func TestNoSeriesPassNothingButAnExpressionThatAsksForTheirNumber(t *testing.T) {
	for _, source := range []string{
		"true", "result.all(r, r.value < 0.01)", "!result.exists(r, r.value > 0.01)", "result[0].value < 1", "result == []",
		"result.all(r, size(r.labels) == 0)", "size('result') == 6", "[1].all(i, size([result]) == 1)",
	} {
		measurement, err := CompileMeasurement(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if passes, err := measurement.Passes(nil); passes || !errors.Is(err, ErrNoSeries) {
			t.Errorf("%s: %v, %v", source, passes, err)
		}
	}
}

func TestAnErrorPointsIntoTheExpressionOfAMeasurement(t *testing.T) {
	for source, want := range map[string]string{
		"result[0].valeu < 1":       "undefined field 'valeu' (line 1, column 10): .valeu < 1",
		"result[0] < 1":             "found no matching overload for '_<_' applied to '(Series, int)' (line 1, column 11): < 1",
		"result.value < 1":          "type 'list(Series)' does not support field selection (line 1, column 7): .value < 1",
		"body == null":              "undeclared reference to 'body' (line 1, column 1): body == null",
		"result[0].value":           "must be true or false: its type is double and must be bool",
		"result[0].value == 1":      "found no matching overload for '_==_' applied to '(double, int)': write the whole number with its point, such as 1.0 (line 1, column 17): == 1",
		"100 * result[0].value < 1": "found no matching overload for '_*_' applied to '(int, double)': write the whole number with its point, such as 1.0 (line 1, column 5): * result[0].value < 1",
		"result[0] == result[1]":    "lists, maps and objects must not be compared as a whole, and of two values of unknown type one must be converted, such as by string() (line 1, column 11): == result[1]",
		"math.greatest(1, 2) == 2":  "function 'math.@max' must not be used: it can take too long: use `exists` (line 1, column 14): (1, 2) == 2",
		"":                          "must not be empty",
		"result.exists(a, result.exists(b, a.value > b.value && a.labels.exists(l, l == 'job')))": "must be simplified: it can cost 511 times what is allowed: " +
			"go through a list once and not inside of another, and compare with `==`, `in` or `startsWith` instead of `matches`",
	} {
		if _, err := CompileMeasurement(source); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", source, err, want)
		}
	}
}

func TestWhatGoesWrongWithAMeasurementIsAnErrorAndNeverFalse(t *testing.T) {
	for source, test := range map[string]struct {
		result []Series
		want   string
	}{
		"result[0].value < 0.01":        {unknown, "evaluate: NaN values cannot be ordered"},
		"!(result[0].value > 0.01)":     {unknown, "evaluate: NaN values cannot be ordered"},
		"result.all(r, r.value < 0.01)": {unknown, "evaluate: NaN values cannot be ordered"},
		"result[2].value < 0.01":        {measured, "evaluate: index out of bounds: 2"},
		"result[0].labels.pod == ''":    {measured, "evaluate: no such key: pod"},
		"true":                          {make([]Series, MaxSeries+1), "evaluate: there must not be more than 1000 series: there are 1001"},
		"true ":                         {[]Series{{Labels: many(maxSeriesLabels + 1)}}, "evaluate: a series must not have more than 100 labels: one has 101"},
	} {
		measurement, err := CompileMeasurement(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if passes, err := measurement.Passes(test.result); err == nil || passes || err.Error() != test.want {
			t.Errorf("%s:\n got %v, %v\nwant %s", source, passes, err, test.want)
		}
	}
}

// What is measured is not what the estimate assumes: the limit of the evaluation holds.
func TestAMeasurementThatIsLargerThanAssumedEndsTheEvaluationInTime(t *testing.T) {
	result := slices.Repeat([]Series{{Labels: map[string]string{"a": strings.Repeat("a", 1<<18)}}}, MaxSeries)
	measurement, err := CompileMeasurement("result.all(r, r.labels.a.matches('^(a|aa)+b?$'))")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	const want = "evaluate: it costs more than it may with these values: compare fewer or shorter things"
	if passes, err := measurement.Passes(result); err == nil || passes || err.Error() != want {
		t.Errorf("%v, %v", passes, err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}
