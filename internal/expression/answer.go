// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"sync"

	"github.com/google/cel-go/cel"
)

// DefaultAnswer is the expression of a check that has none.
const DefaultAnswer = "status == 200"

const (
	// maxEntries is how long a list or a map of an answer may be, and maxHeaders how many headers it may have.
	maxEntries = 10_000
	maxHeaders = 1000
)

// answerSizes are what the estimate assumes of an answer. A text is as long as an answer may be; for lists of the length that is
// allowed no estimate would let anybody look into the lists of a list's entries. The limit of the evaluation holds for what is longer.
var answerSizes = sizes{
	"text":    1 << 20,
	"headers": 100,
	"body":    100,
	// Names and values of headers, and what is in the body: texts, lists and maps.
	"headers.*": 1000,
	"body.*":    100,
}

// answerLanguage is made once: it does not change.
var answerLanguage = sync.OnceValues(func() (language, error) {
	made, err := newEnvironment(
		cel.ASTValidators(refused{"split": "its result can become too large: use `contains` or `matches`"}),
		cel.Variable("status", cel.IntType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("body", cel.DynType),
		cel.Variable("text", cel.StringType),
	)
	// A field of the body may be the answer itself; whether it is true or false is seen when it is there.
	return language{environment: made, results: []*cel.Type{cel.BoolType, cel.DynType}, sizes: answerSizes}, err
})

// Answer is the compiled `when` of a check over HTTP.
type Answer struct {
	program cel.Program
}

// CompileAnswer compiles an expression over `status`, `headers`, `body` and `text`. An error is of type *Error.
func CompileAnswer(source string) (*Answer, error) {
	answers, err := answerLanguage()
	if err != nil {
		return nil, whole("the language of answers cannot be set up: %v", err)
	}
	program, err := answers.compile(source)
	if err != nil {
		return nil, err
	}
	return &Answer{program: program}, nil
}

// Passes tells whether an answer passes. The names of headers are in lower case; body is what was parsed from JSON, and nil where it is none.
// With an error nobody knows, and the check has failed.
func (a *Answer) Passes(status int, headers map[string]string, body any, text string) (bool, error) {
	if longest := longest(body); longest > maxEntries || len(headers) > maxHeaders {
		return false, fmt.Errorf("evaluate: an answer must not have more than %d headers and %d entries in a list or a map: it has %d and %d", maxHeaders, maxEntries, len(headers), longest)
	}
	return evaluate(a.program, map[string]any{"status": status, "headers": present(headers), "body": body, "text": text})
}

// longest is the number of entries of the longest list or map in what was parsed from JSON.
func longest(value any) int {
	most := 0
	switch value := value.(type) {
	case []any:
		most = len(value)
		for _, entry := range value {
			most = max(most, longest(entry))
		}
	case map[string]any:
		most = len(value)
		for _, entry := range value {
			most = max(most, longest(entry))
		}
	}
	return most
}
