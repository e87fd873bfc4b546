// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/ext"
)

// MaxSeries is how many series a measurement may have.
const MaxSeries = 1000

// maxSeriesLabels is how many labels one series may have.
const maxSeriesLabels = 100

// Series is one entry of `result`: what was measured for one set of labels.
type Series struct {
	Labels map[string]string `cel:"labels"`
	Value  float64           `cel:"value"`
}

// ErrNoSeries says that nothing was measured. A wrong query and a target that is not watched measure nothing either, and `all` is true for every entry
// of an empty list; so only an expression that asks for the number of series is asked about none.
var ErrNoSeries = errors.New("there is no series")

// measurementSizes are the bounds of Passes, and what the estimate assumes of labels.
var measurementSizes = sizes{
	"result":               MaxSeries,
	"result.@items.labels": maxSeriesLabels,
	"result.*":             1000,
}

// measurementLanguage is made once: it does not change.
var measurementLanguage = sync.OnceValues(func() (language, error) {
	made, err := newEnvironment(
		ext.Math(),
		ext.NativeTypes(ext.ParseStructTags(true), reflect.TypeFor[Series]()),
		cel.ASTValidators(refused{
			"split":     "its result can become too large: use `contains` or `matches`",
			"math.@max": "it can take too long: use `exists`",
			"math.@min": "it can take too long: use `exists`",
		}),
		cel.Variable("result", cel.ListType(cel.ObjectType(reflect.TypeFor[Series]().String()))),
	)
	return language{environment: made, results: []*cel.Type{cel.BoolType}, sizes: measurementSizes}, err
})

// Measurement is the compiled `when` of a check that asks Prometheus.
type Measurement struct {
	program cel.Program
	// counts says that the expression asks for the number of series.
	counts bool
}

// CompileMeasurement compiles an expression over `result`. An error is of type *Error.
func CompileMeasurement(source string) (*Measurement, error) {
	measurements, err := measurementLanguage()
	if err != nil {
		return nil, whole("the language of measurements cannot be set up: %v", err)
	}
	program, err := measurements.compile(source)
	if err != nil {
		return nil, err
	}
	parsed, issues := measurements.environment.Parse(source)
	if issues.Err() != nil {
		return nil, firstIssue(source, issues)
	}
	return &Measurement{program: program, counts: asksForSize(parsed.NativeRep())}, nil
}

// asksForSize finds size(result) or result.size().
func asksForSize(parsed *ast.AST) bool {
	calls := ast.MatchDescendants(ast.NavigateAST(parsed), ast.FunctionMatcher("size"))
	return slices.ContainsFunc(calls, func(node ast.NavigableExpr) bool {
		call := node.AsCall()
		asked := call.Args()
		if call.IsMemberFunction() {
			asked = []ast.Expr{call.Target()}
		}
		return len(asked) == 1 && asked[0].Kind() == ast.IdentKind && asked[0].AsIdent() == "result"
	})
}

// Passes tells whether a measurement passes. NaN can be compared for equality alone: where its order is asked for, it is an error and neither true nor
// false. With an error nobody knows, and the check has failed; ErrNoSeries is one.
func (m *Measurement) Passes(result []Series) (bool, error) {
	if len(result) == 0 && !m.counts {
		return false, ErrNoSeries
	}
	if len(result) > MaxSeries {
		return false, fmt.Errorf("evaluate: there must not be more than %d series: there are %d", MaxSeries, len(result))
	}
	given := make([]Series, 0, len(result))
	for _, series := range result {
		if len(series.Labels) > maxSeriesLabels {
			return false, fmt.Errorf("evaluate: a series must not have more than %d labels: one has %d", maxSeriesLabels, len(series.Labels))
		}
		given = append(given, Series{Labels: present(series.Labels), Value: series.Value})
	}
	return evaluate(m.program, map[string]any{"result": given})
}
