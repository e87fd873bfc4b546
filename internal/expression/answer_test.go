// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var ticket = map[string]any{
	"state": "approved", "open": false, "count": int64(3), "rate": 0.005, "owner": nil,
	"items": []any{map[string]any{"name": "a", "tags": []any{"x"}}, map[string]any{"name": "b"}},
}

var headers = map[string]string{"content-type": "application/json", "x-state": "ok"}

func TestAnAnswerIsJudgedByItsStatusHeadersBodyAndText(t *testing.T) {
	for source, want := range map[string]bool{
		DefaultAnswer:                                       true,
		"status in [200, 204]":                              true,
		"status >= 500":                                     false,
		"body.state == 'approved'":                          true,
		"status == 200 && body.state == 'approved'":         true,
		"body.open":                                         false,
		"!body.open":                                        true,
		"body.count > 2 && body.count == 3":                 true,
		"body.count == 3.0 && body.rate < 0.01":             true,
		"body.count + 1 == 4":                               true,
		"body.owner == null":                                true,
		"has(body.owner) && !has(body.reviewer)":            true,
		"body.?reviewer.orValue('nobody') == 'nobody'":      true,
		"body.items.exists(i, i.name == 'b')":               true,
		"body.items.map(i, i.name).exists(n, n == 'c')":     false,
		"body.items[0].tags == ['x']":                       true,
		"'x' in body.items[0].tags":                         true,
		"size(body.items) == 2":                             true,
		"headers['content-type'].startsWith('application')": true,
		"headers[?'x-missing'].orValue('') == ''":           true,
		"text.contains('appr')":                             true,
		"text.matches('state:\\\\s+approved')":              true,
	} {
		answer, err := CompileAnswer(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := answer.Passes(200, headers, ticket, "state: approved\nOK \n"); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", source, got, err, want)
		}
	}
}

// What is in a body has no type before it is there. Each kind of value that can be written can be compared with it, on either side.
func TestWhatIsInABodyCanBeComparedWithEverySimpleValue(t *testing.T) {
	for source, want := range map[string]bool{
		"body.state == 'approved'":                        true,
		"'approved' == body.state":                        true,
		"'approved' != body.state":                        false,
		"body.open == false":                              true,
		"body.open != false":                              false,
		"body.count == 3":                                 true,
		"body.count == uint(3)":                           true,
		"body.rate == 0.005":                              true,
		"body.owner != null":                              false,
		"body.state == b'approved'":                       false,
		"body.state == duration('1h')":                    false,
		"body.state == timestamp('2026-11-01T00:00:00Z')": false,
		"body.state in ['approved', 'done']":              true,
		"'is ' + body.state == 'is approved'":             true,
		"body.state + '!' == 'approved!'":                 true,
		"body.items == []":                                false,
		"[] != body.items":                                true,
		"body == {}":                                      false,
		"{} != body":                                      true,
	} {
		answer, err := CompileAnswer(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := answer.Passes(200, headers, ticket, ""); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", source, got, err, want)
		}
	}
}

// A list may hold each list before it twice: what compares two of them can take for ever, and is counted too late.
func TestWhatHoldsValuesIsNotComparedAsAWhole(t *testing.T) {
	for _, source := range []string{
		"body == body", "body != body", "[body] == [body]", "[[1]] == [[1]]", "[[1]] != [[1]]", "body == [body]", "[body] == body",
		"body == {'a': 1}", "{'a': 1} == body", "{'a': 1} == {'a': 1}", "headers == headers", "optional.of(1) == optional.of(1)",
	} {
		_, err := CompileAnswer(source)
		if err == nil || !strings.HasPrefix(err.Error(), "lists, maps and objects must not be compared as a whole") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestAnErrorPointsIntoTheExpressionOfACheck(t *testing.T) {
	for source, want := range map[string]string{
		"stats == 200":                  "undeclared reference to 'stats' (line 1, column 1): stats == 200",
		"status == '200'":               "found no matching overload for '_==_' applied to '(int, string)' (line 1, column 8): == '200'",
		"plan.objects == 1":             "undeclared reference to 'plan' (line 1, column 1): plan.objects == 1",
		"status":                        "must be true or false: its type is int and must be bool",
		"text.split('\\n').size() == 1": "function 'split' must not be used: its result can become too large: use `contains` or `matches` (line 1, column 11): ('\\n').size() == 1",
		"text.replace('', text)":        "function 'replace' must not be used: its result can become too large (line 1, column 13): ('', text)",
		"text.matches(body.rule)":       "the pattern of 'matches' must be written out (line 1, column 13): (body.rule)",
		"body == body":                  "lists, maps and objects must not be compared as a whole, and of two values of unknown type one must be converted, such as by string() (line 1, column 6): == body",
		"body.a + body.b == 2":          "lists must not be joined by '+', and of two values of unknown type one must be converted, such as by string() (line 1, column 8): + body.b == 2",
		"body.a in body.b":              "what is looked for by 'in' must not be of unknown type: convert it, such as by string() (line 1, column 8): in body.b",
		"body.exists(a, body.exists(b, body.exists(c, c == 1)))": "must be simplified: it can cost 5.1 times what is allowed: " +
			"go through a list once and not inside of another, and compare with `==`, `in` or `startsWith` instead of `matches`",
		"[text].map(a, a+a).map(a, a+a).map(a, a+a).map(a, a+a).map(a, a+a).map(a, a+a)[0] == ''": "must be simplified: it can cost 12 times what is allowed: " +
			"go through a list once and not inside of another, and compare with `==`, `in` or `startsWith` instead of `matches`",
	} {
		if _, err := CompileAnswer(source); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", source, err, want)
		}
	}
}

func TestWhatGoesWrongWithAnAnswerIsAnErrorAndNeverFalse(t *testing.T) {
	for source, want := range map[string]string{
		"body.state == 'approved'": "evaluate: no such key: state",
		"body.ok":                  "evaluate: it must be true or false: its type is string and must be bool",
		"headers['x'] == ''":       "evaluate: no such key: x",
		"body.ok > 3":              "evaluate: no such overload",
		"body.ok.exists(i, true)":  "evaluate: got 'types.String', expected iterable type",
	} {
		answer, err := CompileAnswer(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if passes, err := answer.Passes(200, nil, map[string]any{"ok": "yes"}, ""); err == nil || passes || err.Error() != want {
			t.Errorf("%s:\n got %v, %v\nwant %s", source, passes, err, want)
		}
	}
}

func TestAnAnswerWithoutJSONHasNoFields(t *testing.T) {
	answer, err := CompileAnswer("body.state == 'approved'")
	if err != nil {
		t.Fatal(err)
	}
	if passes, err := answer.Passes(200, nil, nil, "<html>"); err == nil || passes {
		t.Errorf("%v, %v", passes, err)
	}
}

// What a server answers is not what the estimate assumes: the limit of the evaluation holds.
func TestAnAnswerThatIsLargerThanAssumedEndsTheEvaluationInTime(t *testing.T) {
	items := slices.Repeat([]any{map[string]any{"name": strings.Repeat("a", 100)}}, maxEntries)
	for _, source := range []string{
		"body.all(a, body.all(b, b.name.startsWith('a')))",
		"body.all(i, i.name.matches('^(a|aa|aaa|aaaa|aaaaaa|aaaaaaaaaaa|aaaaaaaaaaa)+$'))",
	} {
		answer, err := CompileAnswer(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		began := time.Now()
		passes, err := answer.Passes(200, nil, items, "")
		const want = "evaluate: it costs more than it may with these values: compare fewer or shorter things"
		if err == nil || passes || err.Error() != want {
			t.Errorf("%s: %v, %v", source, passes, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %s", source, took)
		}
	}
}

func TestAnAnswerWithTooManyEntriesOrHeadersIsNotJudged(t *testing.T) {
	answer, err := CompileAnswer("true")
	if err != nil {
		t.Fatal(err)
	}
	if passes, err := answer.Passes(200, nil, map[string]any{"deep": []any{make([]any, maxEntries)}}, ""); err != nil || !passes {
		t.Errorf("%v, %v", passes, err)
	}
	if passes, err := answer.Passes(200, nil, map[string]any{"deep": []any{make([]any, maxEntries+1)}}, ""); err == nil || passes {
		t.Errorf("%v, %v", passes, err)
	}
	if passes, err := answer.Passes(200, many(maxHeaders+1), nil, ""); err == nil || passes {
		t.Errorf("%v, %v", passes, err)
	}
}
