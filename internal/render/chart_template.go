// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
)

// Functions that a metered template calls beside those of its author. Charts cannot define functions, so the names are free.
const (
	// functionsOfMeter is what their names begin with.
	functionsOfMeter = "assent_"
	functionEnter    = "assent_enter"
	functionLeave    = "assent_leave"
	functionStep     = "assent_step"
	functionPrint    = "assent_print"
	functionArgument = "assent_argument"
	functionResult   = "assent_result"
	// functionRefused stands where a chart calls one of them itself: it could make the meter forget what it has counted.
	functionRefused = "assent_refused"
)

// meteredTemplate writes a template anew, so that it reports to a meter what it does:
//
//	{{ range .list }}text{{ toYaml .x }}{{ end }}
//
// becomes
//
//	{{assent_enter "shop/templates/a.yaml" 0}}{{range .list}}{{assent_step 4}}text{{toYaml (.x | assent_argument "toYaml") | assent_result | assent_print}}{{end}}{{assent_leave}}
//
// A template that runs cannot be stopped from outside. One that says where it is can be: each loop, each template and each value that is
// printed passes the meter, which ends it with an error. What the template means stays as it was, and its lines keep their numbers.
func meteredTemplate(name, text string) (string, error) {
	trees := map[string]*parse.Tree{}
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck // Helm checks them, with a message that people know
	if _, err := tree.Parse(text, "", "", trees); err != nil {
		return "", err
	}
	writer := templateWriter{source: text, line: 1}
	writer.file(name, tree, trees)
	return writer.text.String(), nil
}

// templateWriter writes syntax trees as text.
type templateWriter struct {
	source string
	text   strings.Builder
	line   int
	// brace says that the text so far ends with "{", which must not become one with what follows.
	brace bool
}

func (w *templateWriter) write(text string) {
	if text == "" {
		return
	}
	w.text.WriteString(text)
	w.line += strings.Count(text, "\n")
	w.brace = strings.HasSuffix(text, "{")
}

// action writes what stands between braces, in its line of the source if that is still to come. Line breaks inside of braces print nothing.
func (w *templateWriter) action(line int, parts ...string) {
	if w.brace {
		w.write(" {{- ") // the marker takes the space away again
	} else {
		w.write("{{")
	}
	if line > w.line {
		w.write(strings.Repeat("\n", line-w.line))
	}
	for _, part := range parts {
		w.write(part)
	}
	w.write("}}")
}

// file writes a file with the templates that it defines, in their order.
func (w *templateWriter) file(name string, root *parse.Tree, trees map[string]*parse.Tree) {
	type piece struct {
		at    parse.Pos
		write func()
	}
	var pieces []piece
	for defined, tree := range trees {
		if tree != root {
			pieces = append(pieces, piece{at: tree.Root.Pos, write: func() { w.definition(defined, tree) }})
		}
	}
	for _, node := range root.Root.Nodes {
		pieces = append(pieces, piece{at: node.Position(), write: func() { w.node(node) }})
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.at, b.at) })
	// A template of nothing but space must stay one: it does not take the place of another of its name.
	empty := parse.IsEmptyTree(root.Root)
	if !empty {
		w.action(0, functionEnter, " ", strconv.Quote(name), " ", textBytes(root.Root))
	}
	for _, one := range pieces {
		one.write()
	}
	if !empty {
		w.action(0, functionLeave)
	}
}

func (w *templateWriter) definition(name string, tree *parse.Tree) {
	w.action(0, "define ", strconv.Quote(name))
	if parse.IsEmptyTree(tree.Root) {
		w.nodes(tree.Root)
	} else {
		w.action(0, functionEnter, ` "" `, textBytes(tree.Root))
		w.nodes(tree.Root)
		w.action(0, functionLeave)
	}
	w.action(0, "end")
}

// textBytes counts the bytes that a list prints by itself.
func textBytes(list *parse.ListNode) string {
	count := 0
	for _, node := range list.Nodes {
		if text, is := node.(*parse.TextNode); is {
			count += len(text.Text)
		}
	}
	return strconv.Itoa(count)
}

func (w *templateWriter) nodes(list *parse.ListNode) {
	for _, node := range list.Nodes {
		w.node(node)
	}
}

// body writes what a branch or a loop holds, after a step.
func (w *templateWriter) body(list *parse.ListNode) {
	w.action(0, functionStep, " ", textBytes(list))
	w.nodes(list)
}

func (w *templateWriter) node(node parse.Node) {
	switch node := node.(type) {
	case *parse.TextNode:
		w.write(string(node.Text))
	case *parse.ActionNode:
		written := pipeline(node.Pipe)
		if len(node.Pipe.Decl) == 0 {
			written += " | " + functionPrint
		}
		w.action(node.Line, written)
	case *parse.IfNode:
		w.branch("if ", &node.BranchNode)
	case *parse.RangeNode:
		w.branch("range ", &node.BranchNode)
	case *parse.WithNode:
		w.branch("with ", &node.BranchNode)
	case *parse.TemplateNode:
		if node.Pipe == nil {
			w.action(node.Line, "template ", strconv.Quote(node.Name))
		} else {
			w.action(node.Line, "template ", strconv.Quote(node.Name), " ", pipeline(node.Pipe))
		}
	case *parse.BreakNode:
		w.action(node.Line, "break")
	case *parse.ContinueNode:
		w.action(node.Line, "continue")
	case *parse.CommentNode:
	default:
		w.action(0, fmt.Sprintf("fail \"a %T is not known here\"", node))
	}
}

func (w *templateWriter) branch(keyword string, node *parse.BranchNode) {
	w.action(node.Line, keyword, pipeline(node.Pipe))
	w.body(node.List)
	if node.ElseList != nil {
		w.action(0, "else")
		w.body(node.ElseList)
	}
	w.action(0, "end")
}

func pipeline(pipe *parse.PipeNode) string {
	var text strings.Builder
	for i, variable := range pipe.Decl {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(variable.String())
	}
	if len(pipe.Decl) > 0 {
		if pipe.IsAssign {
			text.WriteString(" = ")
		} else {
			text.WriteString(" := ")
		}
	}
	for i, command := range pipe.Cmds {
		if i > 0 {
			text.WriteString(" | ")
		}
		writeCommand(&text, command, i > 0)
	}
	return text.String()
}

// functionsOfHelm are those whose values only Helm has, so that they are metered where they are called. All others are wrapped.
var functionsOfHelm = []string{
	"include", "tpl", "toYaml", "mustToYaml", "toYamlPretty", "toToml", "mustToToml", "fromToml", "fromYaml", "fromYamlArray",
	"toJson", "mustToJson", "fromJson", "fromJsonArray",
}

// writeCommand writes one call, or one value. Piped says that it gets the value of the command before it as its last argument.
func writeCommand(text *strings.Builder, command *parse.CommandNode, piped bool) {
	function := ""
	if identifier, is := command.Args[0].(*parse.IdentifierNode); is && slices.Contains(functionsOfHelm, identifier.Ident) {
		function = identifier.Ident
	}
	metered := func(argument int) bool {
		switch function {
		case "", "include":
			return false
		case "tpl":
			return argument == 1 // the text; what follows is handed on as it is
		}
		return true
	}
	if piped && metered(len(command.Args)) {
		fmt.Fprintf(text, "%s %q | ", functionArgument, function)
	}
	for i, argument := range command.Args {
		if i > 0 {
			text.WriteByte(' ')
		}
		if i > 0 && metered(i) && argument.Type() != parse.NodeNil {
			fmt.Fprintf(text, "(%s | %s %q)", operand(argument), functionArgument, function)
		} else {
			text.WriteString(operand(argument))
		}
	}
	if function != "" {
		text.WriteString(" | " + functionResult)
	}
}

func operand(node parse.Node) string {
	switch node := node.(type) {
	case *parse.IdentifierNode:
		if strings.HasPrefix(node.Ident, functionsOfMeter) {
			return functionRefused
		}
	case *parse.PipeNode:
		return "(" + pipeline(node) + ")"
	case *parse.ChainNode:
		return operand(node.Node) + "." + strings.Join(node.Field, ".")
	}
	return node.String()
}
