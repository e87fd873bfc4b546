// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// functions that templates are run with, over those of Helm. All but Helm's own are the same, wrapped in a meter; some answer otherwise:
//
//   - those that read the cluster, the network or the environment are refused,
//   - those that answer differently each time answer in a way that shows it (see varyingFunctions),
//   - those that answer in no order, or in the machine's time zone, answer in order and in UTC.
func (m *meter) functions() template.FuncMap {
	all := sprig.TxtFuncMap()
	// They are built into templates, and can be replaced like any other.
	maps.Copy(all, template.FuncMap{
		"print": fmt.Sprint, "printf": fmt.Sprintf, "println": fmt.Sprintln,
		"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper,
	})
	maps.Copy(all, m.varyingFunctions())
	maps.Copy(all, m.orderedFunctions())
	for _, name := range append([]string{"required", "fail"}, functionsOfHelm...) {
		delete(all, name)
	}
	for name, function := range all {
		all[name] = m.wrap(name, function)
	}
	maps.Copy(all, m.refusedFunctions())
	maps.Copy(all, template.FuncMap{
		functionEnter: m.enter, functionLeave: m.leave, functionStep: m.step,
		functionPrint: m.print, functionArgument: m.argument, functionResult: m.result,
	})
	return all
}

// refusedFunctions fail when they are called, not where they are written: many charts have them in a branch that their values do not take.
func (m *meter) refusedFunctions() template.FuncMap {
	refused := func(name, why string) func(...any) (any, error) {
		return func(...any) (any, error) { return nil, m.stop("the chart calls `%s`, which %s", name, why) }
	}
	return template.FuncMap{
		functionRefused: refused(functionsOfMeter+"…", "is for what Assent writes into templates: leave it out"),
		"lookup": refused("lookup", "reads the cluster. What is approved must not depend on what the cluster has at some moment, so charts are rendered without it: "+
			"set the chart's values in `spec.overlay.values` so that it need not look, such as the name of a Secret that exists"),
		"getHostByName": refused("getHostByName", "asks the network, and nothing is asked while rendering: set the address in `spec.overlay.values`"),
		"env":           refused("env", "reads the environment of the machine: set the value in `spec.overlay.values`"),
		"expandenv":     refused("expandenv", "reads the environment of the machine: set the value in `spec.overlay.values`"),
	}
}

// orderedFunctions answer the same each time, where those of the same name do not.
func (m *meter) orderedFunctions() template.FuncMap {
	return template.FuncMap{
		"keys": func(dicts ...map[string]any) []string {
			all := []string{}
			for _, dict := range dicts {
				all = append(all, slices.Sorted(maps.Keys(dict))...)
			}
			return all
		},
		"values": func(dict map[string]any) []any {
			all := []any{}
			for _, key := range slices.Sorted(maps.Keys(dict)) {
				all = append(all, dict[key])
			}
			return all
		},
	}
}

// shallow functions look at no more than the first level of what they are given, so that it need not be measured.
var shallow = []string{
	"list", "tuple", "set", "get", "unset", "hasKey", "default", "coalesce", "ternary", "empty", "all", "any", "compact", "mustCompact",
	"first", "mustFirst", "last", "mustLast", "rest", "mustRest", "initial", "mustInitial", "append", "mustAppend", "push", "mustPush",
	"prepend", "mustPrepend", "concat", "reverse", "mustReverse", "slice", "mustSlice", "chunk", "mustChunk", "kindOf", "kindIs", "typeOf",
	"typeIs", "typeIsLike", "keys", "values", "pick", "omit", "pluck", "dig",
}

// wrap a function in the meter, with the same parameters.
func (m *meter) wrap(name string, function any) any {
	call := reflect.ValueOf(function)
	kind := call.Type()
	parameters := make([]reflect.Type, kind.NumIn())
	for i := range parameters {
		parameters[i] = kind.In(i)
	}
	failure := reflect.TypeFor[error]()
	results := []reflect.Type{kind.Out(0), failure}
	failed := func(err error) []reflect.Value {
		return []reflect.Value{reflect.Zero(kind.Out(0)), reflect.ValueOf(err)}
	}
	isShallow := slices.Contains(shallow, name)
	return reflect.MakeFunc(reflect.FuncOf(parameters, results, kind.IsVariadic()), func(arguments []reflect.Value) []reflect.Value {
		if err := m.before(name, isShallow, flat(arguments, kind.IsVariadic())); err != nil {
			return failed(err)
		}
		var found []reflect.Value
		if kind.IsVariadic() {
			found = call.CallSlice(arguments)
		} else {
			found = call.Call(arguments)
		}
		if len(found) > 1 && !found[1].IsNil() {
			return found
		}
		if found[0].CanInterface() {
			if _, err := m.result(found[0].Interface()); err != nil {
				return failed(err)
			}
		}
		return []reflect.Value{found[0], reflect.Zero(failure)}
	}).Interface()
}

// flat arguments of a call.
func flat(arguments []reflect.Value, variadic bool) []any {
	all := make([]any, 0, len(arguments))
	for i, argument := range arguments {
		if variadic && i == len(arguments)-1 {
			for j := range argument.Len() {
				all = append(all, argument.Index(j).Interface())
			}
			break
		}
		all = append(all, argument.Interface())
	}
	return all
}

// before a call, what it may need is compared with what is allowed.
func (m *meter) before(name string, isShallow bool, arguments []any) error {
	if err := m.spendSteps(1 + callSteps(name, arguments)); err != nil {
		return err
	}
	size := 0
	for i, argument := range arguments {
		if isShallow || (name == "dict" && i%2 == 1) {
			continue
		}
		one, err := m.measure(argument)
		if err != nil {
			return err
		}
		if size += one; size > maxCallBytes {
			return m.tooLarge(name)
		}
	}
	if needs := callBytes(name, arguments, size); needs < 0 || needs > maxCallBytes {
		return m.tooLarge(name)
	}
	return nil
}

// callSteps of functions that take longer than their arguments are long.
func callSteps(name string, arguments []any) int {
	switch {
	case strings.Contains(strings.ToLower(name), "regex") && len(arguments) > 1:
		// The product of the expression and the text that it is matched with.
		return length(arguments[0]) * length(arguments[1]) / 4096
	case slices.Contains([]string{"uniq", "mustUniq", "without", "mustWithout", "has", "mustHas"}, name):
		longest := 0
		for _, argument := range arguments {
			longest = max(longest, length(argument))
		}
		return min(longest*max(longest, len(arguments))/64, maxSteps+1)
	case name == "derivePassword":
		return maxSteps / 10
	}
	return 0
}

func length(value any) int {
	switch of := reflect.ValueOf(value); of.Kind() {
	case reflect.String, reflect.Slice, reflect.Array, reflect.Map:
		return of.Len()
	default:
		return 0
	}
}

// callBytes of functions that return more than they are given. Size is that of all arguments.
func callBytes(name string, arguments []any, size int) int {
	number := func(i int) int {
		if i >= len(arguments) {
			return 0
		}
		value, _ := arguments[i].(int)
		return value
	}
	text := func(i int) string {
		if i >= len(arguments) {
			return ""
		}
		value, _ := arguments[i].(string)
		return value
	}
	switch name {
	case "repeat":
		return times(number(0), len(text(1)))
	case "indent", "nindent":
		return len(text(1)) + times(number(0), strings.Count(text(1), "\n")+1)
	case "until":
		return times(8, distance(0, number(0)))
	case "untilStep":
		return times(8, distance(number(0), number(1))/max(distance(0, number(2)), 1))
	case "seq":
		return times(24, seqLength(arguments))
	case "replace":
		return len(text(2)) + times(strings.Count(text(2), text(0)), len(text(1)))
	case "join":
		return size + times(len(text(0)), length(arguments[len(arguments)-1]))
	case "wrapWith":
		return len(text(2)) + times(len(text(1))+1, len(text(2))/max(number(0), 1)+1)
	case "regexReplaceAll", "mustRegexReplaceAll", "regexReplaceAllLiteral", "mustRegexReplaceAllLiteral":
		return len(text(1)) + times(len(text(1))+1, len(text(2)))
	case "printf":
		// Widths of up to a million can be asked for.
		wide := strings.ContainsAny(text(0), "*") || strings.ContainsAny(text(0), "123456789")
		if verbs := strings.Count(text(0), "%"); wide && verbs > 0 {
			return times(verbs, size+widest(text(0)))
		}
	}
	return size
}

// widest number that a format could mean as a width.
func widest(format string) int {
	if strings.Contains(format, "*") {
		return 1_000_000
	}
	most, digits := 0, 0
	for _, letter := range format {
		if letter < '0' || letter > '9' {
			digits = 0
			continue
		}
		if digits++; digits > most {
			most = digits
		}
	}
	width := 1
	for range min(most, 6) {
		width *= 10
	}
	return width
}

// times multiplies without running over. Negative numbers are left to the function that gets them.
func times(a, b int) int {
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > maxCallBytes || b > maxCallBytes {
		return maxCallBytes + 1
	}
	return a * b
}

// distance between two numbers, as far as it matters.
func distance(a, b int) int {
	far := b - a
	if (b > a) != (far > 0) && a != b {
		return maxCallBytes + 1
	}
	if far < 0 {
		far = -far
	}
	return min(max(far, 0), maxCallBytes+1)
}

// seqLength of `seq`, which is given its end, or both ends, or both ends and the step between them.
func seqLength(arguments []any) int {
	numbers := make([]int, 0, 3)
	for _, argument := range arguments {
		number, _ := argument.(int)
		numbers = append(numbers, number)
	}
	switch len(numbers) {
	case 1:
		return distance(1, numbers[0])
	case 2:
		return distance(numbers[0], numbers[1])
	case 3:
		return distance(numbers[0], numbers[2]) / max(distance(0, numbers[1]), 1)
	}
	return 0
}
