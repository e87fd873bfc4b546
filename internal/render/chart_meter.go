// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Bounds of rendering one chart. They are far above what large charts need: one of 100 objects takes some thousand steps, and makes some megabytes.
const (
	// maxSteps of loops, branches and calls.
	maxSteps = 500_000
	// templateSteps is what one more template counts, since it takes as long.
	templateSteps = 5
	// maxMeteredBytes of everything that is printed and that functions return, together.
	maxMeteredBytes = 128 << 20
	// maxValueBytes of one text that a function returns.
	maxValueBytes = 8 << 20
	// maxCallBytes that one call may need, as far as that can be told from its arguments.
	maxCallBytes = 32 << 20
	// maxParsedBytes of text that one call may read as YAML, JSON or TOML.
	maxParsedBytes = 2 << 20
	// maxTemplatesDeep is how many templates may be inside of each other. The stack that they take is bounded by it.
	maxTemplatesDeep = 500
	// maxValuesDeep is how many maps and lists may be inside of each other in what a function is given to write or to copy.
	maxValuesDeep = 128
	// chartTime is for charts that are slow within their steps.
	chartTime = 30 * time.Second
)

// meter counts what the templates of a chart do, and ends them when it is too much.
type meter struct {
	deadline time.Time
	// run is 0 or 1. What differs from run to run is not the same in both of them.
	run      int
	steps    int
	bytes    int
	depth    int
	draws    int
	template string
	// varying functions that were called, by template.
	varying map[string]map[string]bool
	// stopped is why the templates were ended, in words for people.
	stopped *Error
}

func newMeter(run int, deadline time.Time) *meter {
	return &meter{deadline: deadline, run: run, varying: map[string]map[string]bool{}}
}

// stop ends the templates: a function that fails ends all of them.
func (m *meter) stop(format string, args ...any) error {
	m.stopped = &Error{File: m.template, Message: fmt.Sprintf(format, args...)}
	return m.stopped
}

func (m *meter) spendSteps(count int) error {
	if m.steps += count; m.steps > maxSteps {
		return m.stop("the chart takes more than %d steps to render: it loops, or makes too much; correct it, or its values", maxSteps)
	}
	if time.Now().After(m.deadline) {
		return m.stop("the chart takes longer than %s to render: make it smaller, or correct what it loops over", chartTime)
	}
	return nil
}

func (m *meter) spendBytes(count int) error {
	if m.bytes += count; m.bytes > maxMeteredBytes {
		return m.stop("the chart makes more than %d bytes of text while it is rendered: make it smaller, or correct what it repeats", maxMeteredBytes)
	}
	return nil
}

// enter a template. The outermost one is a file.
func (m *meter) enter(name string, bytes int) (string, error) {
	if m.depth == 0 {
		m.template = name
	}
	if m.depth++; m.depth > maxTemplatesDeep {
		return "", m.stop("more than %d templates are inside of each other: a template includes itself; correct the chart", maxTemplatesDeep)
	}
	if err := m.spendSteps(templateSteps); err != nil {
		return "", err
	}
	return "", m.spendBytes(bytes)
}

func (m *meter) leave() string {
	m.depth--
	return ""
}

// step of a loop or a branch that prints some bytes by itself.
func (m *meter) step(bytes int) (string, error) {
	if err := m.spendSteps(1); err != nil {
		return "", err
	}
	return "", m.spendBytes(bytes)
}

// print looks at a value that is about to be printed.
func (m *meter) print(value any) (any, error) {
	size, err := m.measure(value)
	if err != nil {
		return nil, err
	}
	return printable(value), m.spendBytes(size)
}

// printable gives a value back the method String that it has only where it can be pointed to, such as that of the Kubernetes version. All others are
// printed as they are.
func printable(value any) any {
	if value == nil {
		return nil
	}
	pointer := reflect.New(reflect.TypeOf(value))
	pointer.Elem().Set(reflect.ValueOf(value))
	return pointer.Interface()
}

// result looks at what a function has returned.
func (m *meter) result(value any) (any, error) {
	size := 0
	switch value := value.(type) {
	case string:
		size = len(value)
	case []byte:
		size = len(value)
	case []any:
		size = 16 * len(value)
	case []string:
		size = 16 * len(value)
	case []int:
		size = 8 * len(value)
	}
	if size > maxValueBytes {
		return nil, m.stop("the chart makes a value of %d bytes, at most %d are allowed: make it smaller", size, maxValueBytes)
	}
	return value, m.spendBytes(size)
}

// argument of one of Helm's own functions.
func (m *meter) argument(function string, value any) (any, error) {
	text, isText := value.(string)
	switch function {
	case "tpl":
		if !isText {
			return value, nil
		}
		if len(text) > maxTemplateBytes {
			return nil, m.stop("`tpl` is given a template of %d bytes, at most %d are allowed: split it", len(text), maxTemplateBytes)
		}
		metered, err := meteredTemplate("tpl", text)
		if err != nil {
			return nil, m.stop("the text that `tpl` is given is not a template (%s): correct the chart, or `spec.overlay.values`", short(err.Error()))
		}
		return metered, m.spendBytes(len(text))
	case "fromYaml", "fromYamlArray", "fromJson", "fromJsonArray", "fromToml":
		if len(text) > maxParsedBytes {
			return nil, m.stop("`%s` is given %d bytes to read, at most %d are allowed: make it smaller", function, len(text), maxParsedBytes)
		}
		return value, m.spendBytes(8 * len(text))
	}
	size, err := m.measure(value)
	if err != nil {
		return nil, err
	}
	if size > maxCallBytes {
		return nil, m.tooLarge(function)
	}
	return value, nil
}

func (m *meter) tooLarge(function string) error {
	return m.stop("a call of `%s` would make more than %d bytes: make what it is given smaller", function, maxCallBytes)
}

// measure a value as it would be written, at least. Maps and lists that hold themselves would be written without end, and are refused.
func (m *meter) measure(value any) (int, error) {
	switch value := value.(type) {
	case nil, bool, int, int64, float64, time.Time, time.Duration:
		return 24, nil
	case string:
		return len(value), nil
	case []byte:
		return len(value), nil
	}
	walk := valueWalk{meter: m}
	if err := walk.visit(reflect.ValueOf(value), 0); err != nil {
		return 0, err
	}
	return walk.bytes, m.spendSteps(walk.values / 16)
}

// valueWalk adds up the sizes in a value. What is there twice counts twice.
type valueWalk struct {
	meter  *meter
	values int
	bytes  int
}

func (w *valueWalk) visit(value reflect.Value, depth int) error {
	w.values++
	w.bytes += 8 + 2*depth
	if depth > maxValuesDeep {
		return w.meter.stop("a value is nested deeper than %d, or holds itself: correct the chart", maxValuesDeep)
	}
	if w.values > MaxNodes {
		return w.meter.stop("a function is given a value with more than %d parts: make it smaller", MaxNodes)
	}
	switch value.Kind() {
	case reflect.String:
		w.bytes += value.Len()
	case reflect.Interface, reflect.Pointer:
		if !value.IsNil() {
			return w.visit(value.Elem(), depth+1)
		}
	case reflect.Map:
		for entries := value.MapRange(); entries.Next(); {
			if err := errors.Join(w.visit(entries.Key(), depth+1), w.visit(entries.Value(), depth+1)); err != nil {
				return err
			}
		}
	case reflect.Slice: // nothing gives arrays
		if value.Type().Elem().Kind() == reflect.Uint8 {
			w.bytes += value.Len()
			return nil
		}
		for i := range value.Len() {
			if err := w.visit(value.Index(i), depth+1); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range value.NumField() {
			if err := w.visit(value.Field(i), depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
