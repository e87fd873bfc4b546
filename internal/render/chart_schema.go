// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

const schemaFile = "values.schema.json"

// maxSchemaSteps bounds how often schemas are applied to values: one that refers to another twice, and so on, would take twice as long with each.
const maxSchemaSteps = 500_000

// checkSchemas compares the values of a chart, and of those that it uses, with their schemas.
func checkSchemas(chart *helmchart.Chart, values map[string]any) error {
	if chart.Schema != nil {
		if err := checkSchema(chart, values); err != nil {
			return err
		}
	}
	for _, child := range chart.Dependencies() {
		switch below := values[child.Name()].(type) {
		case nil:
		case map[string]any:
			if err := checkSchemas(child, below); err != nil {
				return err
			}
		default:
			return &Error{Message: fmt.Sprintf("the value %q is for the chart of that name and must be a map: correct `spec.overlay.values`", child.Name())}
		}
	}
	return nil
}

func checkSchema(chart *helmchart.Chart, values map[string]any) (err error) {
	file := path.Join(chart.ChartFullPath(), schemaFile)
	steps := &schemaSteps{}
	defer func() {
		if broken := recover(); broken != nil {
			err = &Error{File: file, Message: fmt.Sprintf("cannot be used (%s): make it simpler", short(fmt.Sprint(broken)))}
		}
	}()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(chart.Schema))
	if err != nil {
		return &Error{File: file, Message: fmt.Sprintf("is not valid JSON (%s): correct it", short(err.Error()))}
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	compiler.RegisterVocabulary(&jsonschema.Vocabulary{
		URL:     "https://assent.dev/steps",
		Compile: func(*jsonschema.CompilerContext, map[string]any) (jsonschema.SchemaExt, error) { return steps, nil },
	})
	compiler.AssertVocabs()
	const location = "file:///" + schemaFile
	if err := compiler.AddResource(location, parsed); err != nil {
		return &Error{File: file, Message: fmt.Sprintf("is not a schema (%s): correct it", short(err.Error()))}
	}
	schema, err := compiler.Compile(location)
	var loading *jsonschema.LoadURLError
	switch {
	case errors.As(err, &loading):
		return &Error{File: file, Message: fmt.Sprintf("refers to %q, and nothing is fetched while rendering: put the schema into the file", short(loading.URL))}
	case err != nil:
		return &Error{File: file, Message: fmt.Sprintf("is not a schema (%s): correct it", short(err.Error()))}
	}
	return schemaError(chart, schema.Validate(values))
}

// schemaError shows what values must be.
func schemaError(chart *helmchart.Chart, err error) error {
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return &Error{Message: fmt.Sprintf("the values of chart %q cannot be compared with its schema (%s): correct them", chart.Name(), short(err.Error()))}
	}
	_, reasons, _ := strings.Cut(invalid.Error(), "\n")
	return &Error{Message: fmt.Sprintf("the values do not fit the schema of chart %q (%s): correct `spec.overlay.values`", chart.Name(), short(reasons))}
}

// noLoader refuses to load what a schema refers to, from wherever it is.
type noLoader struct{}

// Load is refused.
func (noLoader) Load(string) (any, error) {
	return nil, errors.New("nothing is fetched while rendering")
}

// schemaSteps is a part of each schema, so that it sees each of them applied.
type schemaSteps struct{ count int }

// Validate counts, and ends it all when it is too much.
func (s *schemaSteps) Validate(*jsonschema.ValidatorContext, any) {
	if s.count++; s.count > maxSchemaSteps {
		panic("it takes too many steps to compare the values with it")
	}
}
