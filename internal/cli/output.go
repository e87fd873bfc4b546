// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/util/jsonpath"

	"github.com/assent-dev/assent/internal/plan"
)

const (
	formatWide    = "wide"
	formatColumns = "custom-columns"
)

// output is what --output asks for. Nothing and `wide` are for people.
type output struct {
	flags   *genericclioptions.PrintFlags
	printer printers.ResourcePrinter
	wide    bool
	// also are formats that the command itself knows.
	also []string
}

// addOutput adds --output and the flags that go with it. The format is looked at before the command does anything.
func addOutput(cmd *cobra.Command) *output {
	o := &output{flags: genericclioptions.NewPrintFlags("")}
	o.flags.AddFlags(cmd)
	cmd.Flag("output").Usage = "Output format: json, yaml, name, wide, custom-columns=…, jsonpath=…, jsonpath-as-json=…, jsonpath-file=…, go-template=…, go-template-file=…"
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := o.complete(); err != nil {
			return misused(cmd, err)
		}
		return nil
	}
	return o
}

func (o *output) complete() error {
	format := *o.flags.OutputFormat
	template := o.flags.TemplatePrinterFlags.TemplateArgument
	switch {
	case format == formatWide:
		o.wide = true
		return nil
	case format == "" && *template == "", slices.Contains(o.also, format):
		return nil
	case strings.HasPrefix(format, formatColumns):
		columns, err := parseColumns(format)
		o.printer = columns
		return err
	}
	printer, err := o.flags.ToPrinter()
	if err != nil {
		return err
	}
	o.printer = printer
	return nil
}

// forPeople says that no format was asked for that programs read.
func (o *output) forPeople() bool { return o.printer == nil }

// print an object of the API or a report in the format that was asked for.
func (o *output) print(w io.Writer, scheme runtime.ObjectTyper, result any) error {
	if named, ok := result.(interface{ Names() []string }); ok && *o.flags.OutputFormat == "name" {
		for _, name := range named.Names() {
			fmt.Fprintln(w, name)
		}
		return nil
	}
	if list, ok := result.(runtime.Object); ok && *o.flags.OutputFormat == "name" && meta.IsListType(list) {
		return meta.EachListItem(list, func(item runtime.Object) error { return o.print(w, scheme, item) })
	}
	if object, ok := result.(runtime.Object); ok {
		return printers.NewTypeSetter(scheme).ToPrinter(o.printer).PrintObj(object, w)
	}
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("printing the result: %w", err)
	}
	report := &unstructured.Unstructured{}
	if err := json.Unmarshal(text, &report.Object); err != nil {
		return fmt.Errorf("printing the result: %w", err)
	}
	return o.printer.PrintObj(report, w)
}

// columns is `custom-columns=NAME:.path,…`, as in kubectl.
type columns struct {
	headers []string
	paths   []*jsonpath.JSONPath
}

func parseColumns(format string) (*columns, error) {
	_, specification, _ := strings.Cut(format, "=")
	if specification == "" {
		return nil, fmt.Errorf("`-o custom-columns` needs columns, such as -o custom-columns=NAME:.metadata.name")
	}
	parsed := &columns{}
	for part := range strings.SplitSeq(specification, ",") {
		header, path, ok := strings.Cut(part, ":")
		if !ok || header == "" || path == "" {
			return nil, fmt.Errorf("column %q of `-o custom-columns` must be HEADER:PATH, such as NAME:.metadata.name", part)
		}
		parser := jsonpath.New(header).AllowMissingKeys(true)
		if err := parser.Parse("{." + strings.TrimPrefix(strings.Trim(path, "{}"), ".") + "}"); err != nil {
			return nil, fmt.Errorf("column %q of `-o custom-columns`: %w", part, err)
		}
		parsed.headers, parsed.paths = append(parsed.headers, header), append(parsed.paths, parser)
	}
	return parsed, nil
}

// PrintObj prints a line for each object of a list, or for a report's items, or one for the object itself.
func (c *columns) PrintObj(object runtime.Object, w io.Writer) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return fmt.Errorf("printing columns: %w", err)
	}
	rows := []any{content}
	if items, ok := content["items"].([]any); ok || meta.IsListType(object) {
		rows = items
	}
	table := tabwriter.NewWriter(w, 0, 0, columnGap, ' ', 0)
	fmt.Fprintln(table, strings.Join(c.headers, "\t"))
	for _, row := range rows {
		cells := make([]string, 0, len(c.paths))
		for _, path := range c.paths {
			found, err := path.FindResults(row)
			if err != nil {
				return fmt.Errorf("printing columns: %w", err)
			}
			cells = append(cells, cell(found))
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}

// columnGap is the space between two columns, as kubectl has it.
const columnGap = 3

// cell is what a path has found.
func cell(found [][]reflect.Value) string {
	var values []string
	for _, results := range found {
		for _, value := range results {
			if value.IsValid() && value.CanInterface() && value.Interface() != nil {
				values = append(values, plan.Visible(fmt.Sprint(value.Interface())))
			}
		}
	}
	if len(values) == 0 {
		return "<none>"
	}
	return strings.Join(values, ",")
}
