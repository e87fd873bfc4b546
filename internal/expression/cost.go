// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/ast"
)

// sizes tell how large a value can be: characters of a text, entries of a list or a map. A key is the value's path, with "@items", "@keys" and
// "@values" for what a list or a map holds; a key that ends with "*" is for everything that begins like it.
type sizes map[string]uint64

var _ checker.CostEstimator = sizes{}

// EstimateSize knows the variables and what they hold. What an expression makes of them CEL follows itself; nil, where it
// cannot, means without bound, which no limit allows.
func (s sizes) EstimateSize(element checker.AstNode) *checker.SizeEstimate {
	path := strings.Join(element.Path(), ".")
	if path == "" {
		return nil
	}
	if size, known := s[path]; known {
		return &checker.SizeEstimate{Max: size}
	}
	root, _, _ := strings.Cut(path, ".")
	if size, known := s[root+".*"]; known {
		return &checker.SizeEstimate{Max: size}
	}
	return nil
}

// EstimateCallCost leaves the cost of functions to CEL.
func (s sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

func (l language) checkCost(parsed *cel.Ast) error {
	estimate, err := l.environment.EstimateCost(parsed, l.sizes)
	if err != nil {
		return whole("must be simplified: its cost cannot be estimated: %s", oneLine(err.Error(), maxMessage))
	}
	if estimate.Max <= l.costLimit {
		return nil
	}
	return whole("must be simplified: it can cost %s of %d allowed: go through a list once and not inside of another, compare with `==`, `in` or `startsWith` instead of `matches`",
		amount(estimate.Max), l.costLimit)
}

// refusedFunctions finds functions whose result can be so much larger than their arguments that it does not fit into memory.
type refusedFunctions struct{}

var _ cel.ASTValidator = refusedFunctions{}

// Name of the validator.
func (refusedFunctions) Name() string {
	return "assent.expression.refused_functions"
}

// Validate reports each call of such a function.
func (refusedFunctions) Validate(_ *cel.Env, _ cel.ValidatorConfig, checked *ast.AST, issues *cel.Issues) {
	refused := []string{"replace", "join", "format", "flatten", "strings.quote", "lists.range"}
	calls := ast.MatchDescendants(ast.NavigateAST(checked), func(node ast.NavigableExpr) bool {
		return node.Kind() == ast.CallKind && slices.Contains(refused, node.AsCall().FunctionName())
	})
	for _, call := range calls {
		issues.ReportErrorAtID(call.ID(), "function '%s' must not be used: its result can become too large", call.AsCall().FunctionName())
	}
}

// amount of a cost; what has no bound is no number that helps anybody.
func amount(cost uint64) string {
	if cost == math.MaxUint64 {
		return "without bound"
	}
	return strconv.FormatUint(cost, 10)
}
