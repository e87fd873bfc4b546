// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"
)

const (
	// maxSource is how long an expression may be, in bytes; the API says the same in characters.
	maxSource = 2048
	// maxDepth is how deep an expression may nest.
	maxDepth = 50
	// costLimit is what an expression may cost, in CEL's units. Counting them takes a time that grows with the length of the list that is
	// gone through, so that a million takes some seconds at worst for the longest lists that there can be here.
	costLimit = 1_200_000
)

// language is one kind of expression: what it may speak of and what it may cost.
type language struct {
	environment *cel.Env
	// result types that an expression may have.
	results []*cel.Type
	sizes   sizes
}

// newEnvironment makes CEL's standard functions and macros, the extension for strings, optional values, and what else is
// given. Nothing in it depends on the time.
func newEnvironment(more ...cel.EnvOption) (*cel.Env, error) {
	return cel.NewEnv(append([]cel.EnvOption{
		cel.EagerlyValidateDeclarations(true),
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxSource),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserErrorRecoveryLimit(1),
		cel.EnableHiddenAccumulatorName(true),
		cel.OptionalTypes(),
		ext.Strings(ext.StringsVersion(5)),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateRegexLiterals(),
			tooLarge, bounded{},
		),
	}, more...)...)
}

// compile makes a program of a source, or says why it cannot. An error is of type *Error.
func (l language) compile(source string) (program cel.Program, err error) {
	// What people write must not end the operator, whatever a library makes of it.
	defer func() {
		if recovered := recover(); recovered != nil {
			program, err = nil, whole("must be simplified: it cannot be compiled")
		}
	}()
	if err := checkSource(source); err != nil {
		return nil, err
	}
	parsed, issues := l.environment.Compile(source)
	if issues.Err() != nil {
		return nil, firstIssue(source, issues)
	}
	if err := l.checkResult(parsed.OutputType()); err != nil {
		return nil, err
	}
	if err := l.checkCost(parsed); err != nil {
		return nil, err
	}
	program, err = l.environment.Program(parsed, cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost), cel.CostLimit(costLimit))
	if err != nil {
		return nil, whole("%s", oneLine(err.Error(), maxMessage))
	}
	return program, nil
}

func checkSource(source string) error {
	switch {
	case strings.TrimSpace(source) == "":
		return whole("must not be empty")
	case len(source) > maxSource:
		return whole("must not be longer than %d bytes: it has %d", maxSource, len(source))
	case !utf8.ValidString(source):
		return whole("must be valid UTF-8")
	}
	return nil
}

func (l language) checkResult(result *cel.Type) error {
	for _, wanted := range l.results {
		if result.IsExactType(wanted) {
			return nil
		}
	}
	return whole("must be true or false: its type is %s and must be bool", result)
}

// evaluate runs a program. Its error says what went wrong as one line.
func evaluate(program cel.Program, variables map[string]any) (bool, error) {
	value, _, err := program.Eval(variables)
	if err != nil && strings.Contains(err.Error(), "cost limit exceeded") {
		return false, fmt.Errorf("evaluate: it costs more than it may with these values: compare fewer or shorter things")
	}
	if err != nil {
		return false, fmt.Errorf("evaluate: %s", oneLine(err.Error(), maxMessage))
	}
	result, isBool := value.(types.Bool)
	if !isBool {
		return false, fmt.Errorf("evaluate: it must be true or false: its type is %s and must be bool", value.Type().TypeName())
	}
	return bool(result), nil
}
