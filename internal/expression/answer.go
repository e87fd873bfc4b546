// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"sync"

	"github.com/google/cel-go/cel"
)

// DefaultAnswer is the expression of a check that has none.
const DefaultAnswer = "status == 200"

// answerSizes are what the estimate assumes of an answer. A text is as long as an answer may be; a body of that length could hold
// half a million entries, which no estimate would allow anybody to go through: the limit of the evaluation does.
var answerSizes = sizes{
	"text":    1 << 20,
	"headers": 128,
	// Names and values of headers.
	"headers.*": 1024,
	"body":      1000,
	"body.*":    1000,
}

// answerLanguage is made once: it does not change.
var answerLanguage = sync.OnceValues(func() (language, error) {
	made, err := newEnvironment(
		cel.Variable("status", cel.IntType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("body", cel.DynType),
		cel.Variable("text", cel.StringType),
	)
	// A field of the body may be the answer itself; whether it is true or false is seen when it is there.
	return language{environment: made, results: []*cel.Type{cel.BoolType, cel.DynType}, sizes: answerSizes, costLimit: 10_000_000}, err
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
	return evaluate(a.program, map[string]any{"status": status, "headers": present(headers), "body": body, "text": text})
}
