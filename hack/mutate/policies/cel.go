// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/parser"
)

// expression is one of a policy's, as it is written: macros are calls like others, so that what is in them can be changed and written again.
type expression struct {
	root ast.Expr
}

// parse reads an expression of the guard.
func parse(text string) (*expression, error) {
	p, err := parser.NewParser(parser.Macros(), parser.EnableOptionalSyntax(true))
	if err != nil {
		return nil, fmt.Errorf("making a parser: %w", err)
	}
	parsed, errs := p.Parse(common.NewTextSource(text))
	if len(errs.GetErrors()) > 0 {
		return nil, fmt.Errorf("parsing %q: %s", text, errs.ToDisplayString())
	}
	return &expression{root: parsed.Expr()}, nil
}

// write is the text of an expression, on one line.
func write(e ast.Expr) (string, error) {
	text, err := parser.Unparse(e, ast.NewSourceInfo(nil), parser.WrapOnColumn(1<<20))
	if err != nil {
		return "", fmt.Errorf("writing an expression: %w", err)
	}
	return text, nil
}

// change is one way to make something else of an expression.
type change struct {
	// what is done, in words that name the changed part.
	what string
	// text of the changed expression.
	text string
}

// rewriting says what one node is replaced by.
type rewriting struct {
	what string
	node int64
	by   ast.Expr
}

// changes are the expression without each of its operands, with each condition taken to hold and not to hold, without each entry of its lists,
// and with each question to the authorizer asked about something else. They come in the order of the text.
func (e *expression) changes() ([]change, error) { return e.changesIn(e.root) }

// changesIn are those that change one part of the expression.
func (e *expression) changesIn(part ast.Expr) ([]change, error) {
	var rewritings []rewriting
	var err error
	(&expression{root: part}).walk(func(node, parent ast.Expr) {
		found, failed := rewrite(node, parent)
		if failed != nil && err == nil {
			err = failed
		}
		rewritings = append(rewritings, found...)
	})
	if err != nil {
		return nil, err
	}
	return e.withEach(rewritings)
}

// term is one of those that an expression adds up.
type term struct {
	text string
	// removed is the expression without it.
	removed string
	// changes in it.
	changes []change
}

// terms of an expression that adds up lists.
func (e *expression) terms() ([]term, error) {
	parts := operands(e.root, operators.Add)
	removals, err := withoutOperands(e.root, operators.Add)
	if err != nil {
		return nil, err
	}
	without, err := e.withEach(removals)
	if err != nil {
		return nil, err
	}
	terms := make([]term, 0, len(parts))
	for i, part := range parts {
		text, err := write(part)
		if err != nil {
			return nil, err
		}
		changes, err := e.changesIn(part)
		if err != nil {
			return nil, err
		}
		terms = append(terms, term{text: text, removed: without[i].text, changes: changes})
	}
	return terms, nil
}

func (e *expression) withEach(rewritings []rewriting) ([]change, error) {
	changes := make([]change, 0, len(rewritings))
	for _, r := range rewritings {
		text, err := e.with(r)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change{what: r.what, text: text})
	}
	return changes, nil
}

// with is the text of the expression with one node replaced.
func (e *expression) with(r rewriting) (string, error) {
	changed := &expression{root: ast.NewExprFactory().CopyExpr(e.root)}
	changed.walk(func(node, _ ast.Expr) {
		if node.ID() == r.node {
			node.SetKindCase(ast.NewExprFactory().CopyExpr(r.by))
			r.node = -1 // what replaces it may have the same number
		}
	})
	return write(changed.root)
}

// walk visits each node before those in it.
func (e *expression) walk(visit func(node, parent ast.Expr)) {
	var into func(node, parent ast.Expr)
	into = func(node, parent ast.Expr) {
		visit(node, parent)
		for _, child := range children(node) {
			into(child, node)
		}
	}
	into(e.root, nil)
}

// children of a node. Comprehensions do not occur, since macros are not expanded.
func children(node ast.Expr) []ast.Expr {
	var all []ast.Expr
	switch node.Kind() {
	case ast.CallKind:
		if node.AsCall().IsMemberFunction() {
			all = append(all, node.AsCall().Target())
		}
		all = append(all, node.AsCall().Args()...)
	case ast.SelectKind:
		all = append(all, node.AsSelect().Operand())
	case ast.ListKind:
		all = append(all, node.AsList().Elements()...)
	case ast.MapKind:
		for _, entry := range node.AsMap().Entries() {
			all = append(all, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, field := range node.AsStruct().Fields() {
			all = append(all, field.AsStructField().Value())
		}
	case ast.ComprehensionKind, ast.IdentKind, ast.LiteralKind, ast.UnspecifiedExprKind:
	}
	return all
}

func rewrite(node, parent ast.Expr) ([]rewriting, error) {
	if node.Kind() != ast.CallKind {
		return nil, nil
	}
	call := node.AsCall()
	switch function := call.FunctionName(); {
	case function == operators.LogicalAnd || function == operators.LogicalOr:
		if calls(parent, function) {
			return nil, nil
		}
		return withoutOperands(node, function)
	case function == operators.Conditional:
		return takenToHold(node)
	case function == operators.In && call.Args()[1].Kind() == ast.ListKind:
		return withoutEntries(node)
	case asksAuthorizer(node):
		return askedOtherwise(node)
	default:
		return nil, nil
	}
}

func calls(node ast.Expr, function string) bool {
	return node != nil && node.Kind() == ast.CallKind && node.AsCall().FunctionName() == function
}

// operands of a chain of the same operator.
func operands(node ast.Expr, function string) []ast.Expr {
	if !calls(node, function) {
		return []ast.Expr{node}
	}
	args := node.AsCall().Args()
	return append(operands(args[0], function), operands(args[1], function)...)
}

func withoutOperands(node ast.Expr, function string) ([]rewriting, error) {
	all := operands(node, function)
	rewritings := make([]rewriting, 0, len(all))
	for i, operand := range all {
		text, err := write(operand)
		if err != nil {
			return nil, err
		}
		rest := slices.Delete(slices.Clone(all), i, i+1)
		chain := rest[0]
		for _, next := range rest[1:] {
			chain = ast.NewExprFactory().NewCall(0, function, chain, next)
		}
		rewritings = append(rewritings, rewriting{"without " + text, node.ID(), chain})
	}
	return rewritings, nil
}

func takenToHold(node ast.Expr) ([]rewriting, error) {
	args := node.AsCall().Args()
	condition, err := write(args[0])
	if err != nil {
		return nil, err
	}
	return []rewriting{
		{"as if " + condition, node.ID(), args[1]},
		{"as if not " + condition, node.ID(), args[2]},
	}, nil
}

func withoutEntries(node ast.Expr) ([]rewriting, error) {
	args := node.AsCall().Args()
	entries := args[1].AsList().Elements()
	if len(entries) == 1 {
		return nil, nil
	}
	rewritings := make([]rewriting, 0, len(entries))
	for i, entry := range entries {
		text, err := write(entry)
		if err != nil {
			return nil, err
		}
		rest := ast.NewExprFactory().NewList(0, slices.Delete(slices.Clone(entries), i, i+1), nil)
		rewritings = append(rewritings, rewriting{"without the entry " + text, args[1].ID(), rest})
	}
	return rewritings, nil
}

// asksAuthorizer says that the node is a call in a chain that begins with the authorizer.
func asksAuthorizer(node ast.Expr) bool {
	for node.Kind() == ast.CallKind && node.AsCall().IsMemberFunction() {
		node = node.AsCall().Target()
	}
	return node.Kind() == ast.IdentKind && node.AsIdent() == "authorizer"
}

// askedOtherwise leaves out for which namespace and name is asked, which asks for a right to all of them, and asks for another verb or resource.
func askedOtherwise(node ast.Expr) ([]rewriting, error) {
	call := node.AsCall()
	switch call.FunctionName() {
	case "name", "namespace":
		return []rewriting{{"asking for any " + call.FunctionName(), node.ID(), call.Target()}}, nil
	case "check", "group", "resource":
		var rewritings []rewriting
		(&expression{root: call.Args()[0]}).walk(func(literal, _ ast.Expr) {
			if literal.Kind() != ast.LiteralKind || literal.AsLiteral().Type() != types.StringType {
				return
			}
			before := fmt.Sprint(literal.AsLiteral().Value())
			if strings.ToLower(before) != before {
				return // a value that the verb depends on, and no verb
			}
			after := another(before)
			rewritings = append(rewritings, rewriting{
				fmt.Sprintf("asking for %s %q instead of %q", strings.Replace(call.FunctionName(), "check", "verb", 1), after, before),
				literal.ID(), ast.NewExprFactory().NewLiteral(0, types.String(after)),
			})
		})
		return rewritings, nil
	default:
		return nil, nil
	}
}

// another verb, group or resource.
func another(name string) string {
	switch name {
	case "promote":
		return "rollback"
	case "rollback":
		return "promote"
	default:
		return name + "-x"
	}
}

// isBoolean tells from the expression alone whether it is true or false, given which variables are.
func isBoolean(node ast.Expr, variables map[string]bool) bool {
	switch node.Kind() {
	case ast.LiteralKind:
		return node.AsLiteral().Type() == types.BoolType
	case ast.SelectKind:
		return variables[variable(node)]
	case ast.CallKind:
		call := node.AsCall()
		switch function := call.FunctionName(); function {
		case operators.Conditional:
			return isBoolean(call.Args()[1], variables) && isBoolean(call.Args()[2], variables)
		case "orValue":
			return isBoolean(call.Args()[0], variables)
		default:
			return slices.Contains(predicates, function)
		}
	case ast.ComprehensionKind, ast.IdentKind, ast.ListKind, ast.MapKind, ast.StructKind, ast.UnspecifiedExprKind:
	}
	return false
}

var predicates = []string{
	operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals,
	operators.Greater, operators.GreaterEquals, operators.In, "has", "exists", "exists_one", "all", "allowed", "hasValue", "startsWith", "endsWith",
	"contains", "matches",
}

// variable is the name of the one that a node reads, or empty.
func variable(node ast.Expr) string {
	if node.Kind() != ast.SelectKind {
		return ""
	}
	operand := node.AsSelect().Operand()
	if operand.Kind() != ast.IdentKind || operand.AsIdent() != "variables" {
		return ""
	}
	return node.AsSelect().FieldName()
}

// reads are the variables that the expression reads itself.
func (e *expression) reads() []string {
	var names []string
	e.walk(func(node, _ ast.Expr) {
		if name := variable(node); name != "" {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}
