// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"math"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
)

// sizes tell how large a value can be: characters of a text, entries of a list or a map. A key is the value's path, with "@items", "@keys" and
// "@values" for what a list or a map holds; a key that ends with "*" is for everything that begins like it.
type sizes map[string]uint64

var _ checker.CostEstimator = sizes{}

// EstimateSize knows the variables and what they hold. What an expression makes of them CEL follows itself; nil, where it
// cannot, means without bound, which no limit allows.
func (s sizes) EstimateSize(element checker.AstNode) *checker.SizeEstimate {
	path := strings.Join(element.Path(), ".")
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
	if estimate.Max <= costLimit {
		return nil
	}
	return whole("must be simplified: it can cost %s what is allowed: go through a list once and not inside of another, and compare with `==`, `in` or `startsWith` instead of `matches`",
		times(estimate.Max))
}

// times says how far a cost is from its limit; what has no bound is no number that helps anybody.
func times(cost uint64) string {
	switch factor := float64(cost) / costLimit; {
	case factor > 1e6:
		return "more than a million times"
	case factor < 10:
		return fmt.Sprintf("%.1f times", math.Ceil(factor*10)/10)
	default:
		return fmt.Sprintf("%.0f times", math.Ceil(factor))
	}
}
