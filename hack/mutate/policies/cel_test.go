// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestAnExpressionIsChangedInEachOfItsParts(t *testing.T) {
	for _, test := range []struct {
		name, expression string
		changes          []change
	}{
		{"nothing to take out of a comparison", `request.operation == 'CREATE'`, []change{}},
		{"each operand of a conjunction", `a && b && c`, []change{{"without a", "b && c"}, {"without b", "a && c"}, {"without c", "a && b"}}},
		{"each operand of what is in a disjunction", `!a || (b && c)`, []change{
			{"without !a", "b && c"}, {"without b && c", "!a"}, {"without b", "!a || c"}, {"without c", "!a || b"},
		}},
		{"what is in a macro", `list.all(i, i.a || i in others)`, []change{
			{"without i.a", "list.all(i, i in others)"}, {"without i in others", "list.all(i, i.a)"},
		}},
		{"a condition, both ways", `creating ? [] : oldObject.spec.?approvals.orValue([])`, []change{
			{"as if creating", "[]"}, {"as if not creating", "oldObject.spec.?approvals.orValue([])"},
		}},
		{"each entry of a list", `me in ['a', 'b']`, []change{
			{`without the entry "a"`, `me in ["b"]`}, {`without the entry "b"`, `me in ["a"]`},
		}},
		{"not the only entry of a list, which is another comparison", `me in ['a']`, []change{}},
		{"each question to the authorizer", `authorizer.group('g').resource('r').namespace(n).name(m).check('promote').allowed()`, []change{
			{`asking for verb "rollback" instead of "promote"`, `authorizer.group("g").resource("r").namespace(n).name(m).check("rollback").allowed()`},
			{"asking for any name", `authorizer.group("g").resource("r").namespace(n).check("promote").allowed()`},
			{"asking for any namespace", `authorizer.group("g").resource("r").name(m).check("promote").allowed()`},
			{`asking for resource "r-x" instead of "r"`, `authorizer.group("g").resource("r-x").namespace(n).name(m).check("promote").allowed()`},
			{`asking for group "g-x" instead of "g"`, `authorizer.group("g-x").resource("r").namespace(n).name(m).check("promote").allowed()`},
		}},
		{"what a stamp is made of", `JSONPatch{op: "add", value: Object.spec{?uid: a || b}}`, []change{
			{"without a", `JSONPatch{op: "add", value: Object.spec{?uid: b}}`}, {"without b", `JSONPatch{op: "add", value: Object.spec{?uid: a}}`},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := NewWithT(t)
			parsed, err := parse(test.expression)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(parsed.changes()).To(Equal(test.changes))
		})
	}
}

func TestWhatIsNoExpressionIsRefused(t *testing.T) {
	_, err := parse("a &&")
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("parsing")))
}

func TestAVariableIsKnownToBeTrueOrFalse(t *testing.T) {
	for expression, is := range map[string]bool{
		`a == b`:                                    true,
		`!a`:                                        true,
		`has(a.b)`:                                  true,
		`list.exists(i, i.a)`:                       true,
		`authorizer.check('x').allowed()`:           true,
		`variables.closed`:                          true,
		`variables.name`:                            false,
		`variables.creating ? has(a.b) : a != b`:    true,
		`variables.creating ? [] : a`:               false,
		`object.spec.?hold.orValue(false)`:          true,
		`object.spec.?hold.orValue('')`:             false,
		`request.userInfo.username`:                 false,
		`list.filter(i, i.a)`:                       false,
		`variables.labels[?'assent.dev/lock'] == a`: true,
	} {
		g := NewWithT(t)
		parsed, err := parse(expression)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(isBoolean(parsed.root, map[string]bool{"closed": true, "name": false})).To(Equal(is), expression)
	}
}
