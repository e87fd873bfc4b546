// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// Kind is what a mutant does to the code.
type Kind string

const (
	// ForcedTrue takes a condition for true, whatever it says.
	ForcedTrue Kind = "true"
	// ForcedFalse takes a condition for false, whatever it says.
	ForcedFalse Kind = "false"
	// Inverted takes a condition for the opposite of what it says.
	Inverted Kind = "inverted"
	// Dropped leaves a statement out.
	Dropped Kind = "dropped"
)

// number of a kind, as the switch in the mutated package knows it.
func (k Kind) number() int {
	switch k {
	case ForcedTrue, Dropped:
		return 1
	case ForcedFalse:
		return 2
	case Inverted:
		return 3
	}
	return 0
}

var anyKind = []Kind{ForcedTrue, ForcedFalse, Inverted}

// site is a place in the code that mutants change.
type site struct {
	// number of the site in its package, from 1.
	number int
	file   *sourceFile
	// function that it is in, such as judgement.add; a variable's name where it is in no function.
	function string
	// source is the text of the condition or statement, on one line.
	source string
	line   int
	kinds  []Kind
	// start and end of the text, as offsets into the file.
	start, end int
	// compared is what a case of a switch is compared with; empty for others.
	compared string
}

// tagged is a switch over a value, which becomes one over conditions.
type tagged struct {
	start, end int
	// name of a variable that takes the value; empty where the value is a name itself.
	name string
}

// finder looks for the sites of one file.
type finder struct {
	source   *source
	file     *sourceFile
	function string
	claimed  map[ast.Expr]bool
	// after a switch comes this statement, where that is the last one of its list.
	after map[*ast.SwitchStmt]string
	sites []*site
	tags  []tagged
	// leftOut are places that cannot be changed, with why.
	leftOut []string
}

// find all sites of a file in the functions that are wanted.
func find(p *source, file *sourceFile, wanted func(function string) bool) *finder {
	f := &finder{source: p, file: file, claimed: map[ast.Expr]bool{}, after: map[*ast.SwitchStmt]string{}}
	for _, declaration := range file.tree.Decls {
		switch declaration := declaration.(type) {
		case *ast.FuncDecl:
			f.in(functionName(declaration), declaration.Body, wanted)
		case *ast.GenDecl:
			for _, spec := range declaration.Specs {
				if values, ok := spec.(*ast.ValueSpec); ok && declaration.Tok == token.VAR {
					f.in(values.Names[0].Name, values, wanted)
				}
			}
		}
	}
	return f
}

func (f *finder) in(function string, node ast.Node, wanted func(string) bool) {
	if !wanted(function) || node == ast.Node((*ast.BlockStmt)(nil)) {
		return
	}
	f.function = function
	ast.Inspect(node, func(node ast.Node) bool {
		f.visit(node)
		return true
	})
}

// functionName is the name of a function; a method's follows its type's.
func functionName(declaration *ast.FuncDecl) string {
	if declaration.Recv == nil {
		return declaration.Name.Name
	}
	receiver := declaration.Recv.List[0].Type
	for {
		switch inner := receiver.(type) {
		case *ast.StarExpr:
			receiver = inner.X
			continue
		case *ast.IndexExpr:
			receiver = inner.X
			continue
		case *ast.Ident:
			return inner.Name + "." + declaration.Name.Name
		}
		return declaration.Name.Name
	}
}

func (f *finder) visit(node ast.Node) {
	switch node := node.(type) {
	case *ast.IfStmt:
		f.condition(node.Cond, anyKind)
	case *ast.ReturnStmt:
		for _, result := range node.Results {
			f.condition(result, anyKind)
		}
	case *ast.SwitchStmt:
		f.choice(node)
	case *ast.BinaryExpr:
		f.condition(node, anyKind)
	case *ast.UnaryExpr:
		if node.Op == token.NOT {
			f.condition(node, anyKind)
		}
	case *ast.BlockStmt:
		f.statements(node.List)
	case *ast.CaseClause:
		f.statements(node.Body)
	}
}

// condition that may be turned in the given ways, and its operands. What an operand cannot change beyond what the whole condition does already is
// not tried twice: `a && b` is false as soon as a is.
func (f *finder) condition(expression ast.Expr, kinds []Kind) {
	expression = ast.Unparen(expression)
	if f.claimed[expression] || !f.isBool(expression) {
		return
	}
	f.claimed[expression] = true
	f.add(expression, kinds, "")
	f.operands(expression)
}

func (f *finder) operands(expression ast.Expr) {
	switch expression := expression.(type) {
	case *ast.BinaryExpr:
		switch expression.Op { //nolint:exhaustive // other operators have no conditions as operands
		case token.LAND:
			f.condition(expression.X, []Kind{ForcedTrue, Inverted})
			f.condition(expression.Y, []Kind{ForcedTrue, Inverted})
		case token.LOR:
			f.condition(expression.X, []Kind{ForcedFalse, Inverted})
			f.condition(expression.Y, []Kind{ForcedFalse, Inverted})
		}
	case *ast.UnaryExpr:
		negated := ast.Unparen(expression.X)
		f.claimed[negated] = true // turning it turns the negation, which is turned already
		f.operands(negated)
	}
}

func (f *finder) isBool(expression ast.Expr) bool {
	found, known := f.source.info.Types[expression]
	if !known || found.Value != nil || found.Type == nil {
		return false // a constant says the same always
	}
	if _, plain := types.Unalias(found.Type).(*types.Basic); !plain {
		if basic, ok := found.Type.Underlying().(*types.Basic); ok && basic.Info()&types.IsBoolean != 0 {
			f.leaveOut(expression, "its type is a named one")
		}
		return false
	}
	return found.Type.(*types.Basic).Info()&types.IsBoolean != 0 //nolint:forcetypeassert // it is a basic type by now
}

// choice is a switch. Over conditions, each of them is one; over a value, each case is made a condition.
func (f *finder) choice(node *ast.SwitchStmt) {
	var cases []ast.Expr
	for _, clause := range node.Body.List {
		cases = append(cases, clause.(*ast.CaseClause).List...) //nolint:forcetypeassert // a switch holds nothing else
	}
	idle := f.idleCases(node)
	if node.Tag == nil {
		for _, expression := range cases {
			f.condition(expression, anyKind)
		}
		return
	}
	if len(cases) == 0 {
		return
	}
	compared, variable := f.text(node.Tag), ""
	if !named(node.Tag) {
		if node.Init != nil {
			f.leaveOut(node.Tag, "it is a switch with a statement of its own and a value that is no name")
			return
		}
		variable = fmt.Sprintf("mutantValue%d", f.offset(node.Tag.Pos()))
		compared = variable
	}
	f.tags = append(f.tags, tagged{start: f.offset(node.Tag.Pos()), end: f.offset(node.Tag.End()), name: variable})
	for _, expression := range cases {
		f.claimed[ast.Unparen(expression)] = true
		f.add(expression, without([]Kind{ForcedTrue, ForcedFalse}, idle[expression]), compared)
	}
}

// idleCases are the kinds that change nothing, for cases of a value that do what is done without them: they have no statements, or the one that follows
// the switch, and there is no default. The last of them can be taken for all that is left, too.
func (f *finder) idleCases(node *ast.SwitchStmt) map[ast.Expr][]Kind {
	idle := map[ast.Expr][]Kind{}
	for i, clause := range node.Body.List {
		clause := clause.(*ast.CaseClause) //nolint:forcetypeassert // a switch holds nothing else
		if clause.List == nil {
			return nil
		}
		same := len(clause.Body) == 0 || len(clause.Body) == 1 && f.text(clause.Body[0]) == f.after[node]
		for _, expression := range clause.List {
			if !same {
				continue
			}
			idle[expression] = []Kind{ForcedFalse}
			if i == len(node.Body.List)-1 {
				idle[expression] = []Kind{ForcedFalse, ForcedTrue}
			}
		}
	}
	return idle
}

func without(kinds, idle []Kind) []Kind {
	return slices.DeleteFunc(kinds, func(kind Kind) bool { return slices.Contains(idle, kind) })
}

// named says whether reading a value twice reads the same.
func named(expression ast.Expr) bool {
	switch expression := expression.(type) {
	case *ast.Ident:
		return true
	case *ast.SelectorExpr:
		return named(expression.X)
	}
	return false
}

// statements that can be left out: what appends to a list, and calls of the module's own functions for what they do.
func (f *finder) statements(list []ast.Stmt) {
	for i, statement := range list {
		switch statement := statement.(type) {
		case *ast.SwitchStmt:
			if i == len(list)-2 {
				f.after[statement] = f.text(list[i+1])
			}
		case *ast.AssignStmt:
			if statement.Tok == token.ASSIGN && len(statement.Rhs) == 1 && isAppend(statement.Rhs[0]) {
				f.add(statement, []Kind{Dropped}, "")
			}
		case *ast.ExprStmt:
			if call, ok := statement.X.(*ast.CallExpr); ok && f.isOwn(call) {
				f.add(statement, []Kind{Dropped}, "")
			}
		}
	}
}

func isAppend(expression ast.Expr) bool {
	call, ok := expression.(*ast.CallExpr)
	if !ok {
		return false
	}
	name, ok := call.Fun.(*ast.Ident)
	return ok && name.Name == "append"
}

// isOwn says whether a function of this module is called, or one that was made on the spot.
func (f *finder) isOwn(call *ast.CallExpr) bool {
	var name *ast.Ident
	switch called := call.Fun.(type) {
	case *ast.Ident:
		name = called
	case *ast.SelectorExpr:
		name = called.Sel
	default:
		return false
	}
	object := f.source.info.Uses[name]
	if object == nil || object.Pkg() == nil {
		return false
	}
	module := f.source.module()
	return object.Pkg().Path() == module || strings.HasPrefix(object.Pkg().Path(), module+"/")
}

func (f *finder) add(node ast.Node, kinds []Kind, compared string) {
	source := oneLine(f.text(node))
	if compared != "" {
		source = "case " + source
	}
	f.sites = append(f.sites, &site{
		file: f.file, function: f.function, source: source, line: f.source.fset.Position(node.Pos()).Line, kinds: kinds,
		start: f.offset(node.Pos()), end: f.offset(node.End()), compared: compared,
	})
}

func (f *finder) leaveOut(node ast.Node, why string) {
	f.leftOut = append(f.leftOut, fmt.Sprintf("%s/%s:%d %s: `%s`: %s", f.source.short, f.file.name, f.source.fset.Position(node.Pos()).Line,
		f.function, oneLine(f.text(node)), why))
}

func (f *finder) offset(at token.Pos) int {
	return f.source.fset.Position(at).Offset
}

func (f *finder) text(node ast.Node) string {
	return string(f.file.text[f.offset(node.Pos()):f.offset(node.End())])
}

func oneLine(text string) string {
	return strings.Join(strings.Fields(text), " ")
}
