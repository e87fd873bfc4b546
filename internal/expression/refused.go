// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"slices"
	"strconv"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// A single call is counted after it was made. So whatever one call alone can make too large or too slow is refused before: functions whose
// result is much larger than their arguments, or whose time is their product; patterns that are not written out; lists that grow by
// concatenation; and comparisons of lists with lists, which take for ever where each list holds the one before twice.
var tooLarge = refused{
	"replace":       "its result can become too large",
	"join":          "its result can become too large",
	"format":        "its result can become too large",
	"flatten":       "its result can become too large",
	"strings.quote": "its result can become too large",
	"lists.range":   "its result can become too large",
	"distinct":      "it can take too long",
	"indexOf":       "it can take too long: use `contains`",
	"lastIndexOf":   "it can take too long: use `contains`",
}

// refused reports each call of a function of these names, and why.
type refused map[string]string

var _ cel.ASTValidator = refused{}

// Name of the validator; two with the same name would be one.
func (r refused) Name() string {
	return "assent.expression.refused." + strconv.Itoa(len(r))
}

// Validate looks at every call.
func (r refused) Validate(_ *cel.Env, _ cel.ValidatorConfig, checked *ast.AST, issues *cel.Issues) {
	for _, node := range ast.MatchDescendants(ast.NavigateAST(checked), ast.KindMatcher(ast.CallKind)) {
		name := node.AsCall().FunctionName()
		if reason, found := r[name]; found {
			issues.ReportErrorAtID(node.ID(), "function '%s' must not be used: %s", name, reason)
		}
	}
}

// bounded reports each call that a limit on the counted cost comes too late for.
type bounded struct{}

var _ cel.ASTValidator = bounded{}

// Name of the validator.
func (bounded) Name() string {
	return "assent.expression.bounded"
}

// Validate looks at every call.
func (bounded) Validate(_ *cel.Env, _ cel.ValidatorConfig, checked *ast.AST, issues *cel.Issues) {
	for _, node := range ast.MatchDescendants(ast.NavigateAST(checked), ast.KindMatcher(ast.CallKind)) {
		if reason := unbounded(checked, node.AsCall()); reason != "" {
			issues.ReportErrorAtID(node.ID(), "%s", reason)
		}
	}
}

// unbounded says why a call must not be made; "" when it may.
func unbounded(checked *ast.AST, call ast.CallExpr) string {
	operands := call.Args()
	if call.IsMemberFunction() {
		operands = append([]ast.Expr{call.Target()}, operands...)
	}
	name := call.FunctionName()
	if len(operands) < 2 {
		return ""
	}
	first, second := checked.GetType(operands[0].ID()), checked.GetType(operands[1].ID())
	switch name {
	case "matches":
		if operands[1].Kind() != ast.LiteralKind {
			return "the pattern of 'matches' must be written out"
		}
	case operators.Add:
		if !scalar(first) && !scalar(second) && !accumulates(operands[0]) {
			return "lists must not be joined by '+', and of two values of unknown type one must be converted, such as by string()"
		}
	case operators.Equals, operators.NotEquals:
		if !flat(operands[0], first) && !flat(operands[1], second) {
			return "lists, maps and objects must not be compared as a whole, and of two values of unknown type one must be converted, such as by string()"
		}
	case operators.In:
		if !scalar(first) && !scalar(element(second)) {
			return "what is looked for by 'in' must not be of unknown type: convert it, such as by string()"
		}
	case "sets.contains", "sets.intersects", "sets.equivalent":
		if !scalar(element(first)) && !scalar(element(second)) {
			return "function '" + name + "' must be used with lists of texts or numbers"
		}
	}
	return ""
}

// accumulates tells the list that CEL's own macros collect into; nobody can write its name.
func accumulates(operand ast.Expr) bool {
	return operand.AsIdent() == hiddenAccumulator
}

const hiddenAccumulator = "@result"

// flat tells whether a comparison with the operand takes at most as many steps as the operand is long.
func flat(operand ast.Expr, t *types.Type) bool {
	switch {
	case operand.Kind() == ast.ListKind && operand.AsList().Size() == 0, operand.Kind() == ast.MapKind && operand.AsMap().Size() == 0:
		return true
	case t.Kind() == types.ListKind:
		return scalar(element(t))
	default:
		return scalar(t)
	}
}

// element is the type of a list's elements, or of a map's keys.
func element(container *types.Type) *types.Type {
	if parameters := container.Parameters(); len(parameters) > 0 {
		return parameters[0]
	}
	return types.DynType
}

// scalars are the kinds of one value, which is compared in one step. All others hold values, or nobody knows what they hold.
var scalars = []types.Kind{
	types.BoolKind, types.BytesKind, types.DoubleKind, types.DurationKind, types.IntKind, types.NullTypeKind, types.StringKind, types.TimestampKind,
	types.TypeKind, types.UintKind,
}

// scalar tells whether a value of that type is one value.
func scalar(t *types.Type) bool {
	return slices.Contains(scalars, t.Kind())
}
