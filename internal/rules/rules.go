// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rules finds what is wrong with the rules of an Environment, before anybody waits for them.
//
// The API server refuses what one field shows to be wrong. What remains needs a closer look: expressions and constraints that do not compile,
// windows and approval rules that cannot be carried out, and Environments that name each other. All of it is found from the Environment and its
// project alone, so that the same rules give the same problems, whoever asks and when.
package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/expression"
	"github.com/assent-dev/assent/internal/window"
)

// Problem is a rule of an Environment that cannot be carried out.
type Problem struct {
	// Field that is wrong, such as "spec.approval.rules[1].when".
	Field string
	// Message says what is wrong with it, and what to do.
	Message string
}

// Problems are all that is wrong with the rules of an Environment, in the order of its spec. Project are the Environments of its project by name.
// Checks are not among them; Join adds what was found about them.
func Problems(environment *v1alpha1.Environment, project map[string]*v1alpha1.Environment) []Problem {
	return Join(Own(environment), Upstreams(environment, project))
}

// Own are the problems that the Environment alone shows. They change with its generation only.
func Own(environment *v1alpha1.Environment) []Problem {
	var problems []Problem
	_, invalid := window.Parse(environment.Spec.Windows)
	for _, problem := range invalid {
		problems = append(problems, Problem(problem))
	}
	for _, problem := range approval.Problems(environment.Spec.Approval) {
		problems = append(problems, Problem(problem))
	}
	for i, rule := range environment.Spec.Approval.Rules {
		if rule.When == "" {
			continue
		}
		if _, err := expression.CompileRule(rule.When); err != nil {
			problems = append(problems, Problem{
				Field:   fmt.Sprintf("spec.approval.rules[%d].when", i),
				Message: fmt.Sprintf("the expression of rule %q must be mended: %v", rule.Name, err),
			})
		}
	}
	return Join(append(problems, ofVersions(environment.Spec.AutoPromotion)...))
}

func ofVersions(auto v1alpha1.AutoPromotion) []Problem {
	if auto.Versions == "" {
		return nil
	}
	if _, err := semver.NewConstraint(auto.Versions); err != nil {
		return []Problem{{Field: "spec.autoPromotion.versions", Message: fmt.Sprintf(
			"%q is no constraint on semantic versions: write one such as \">=1.0.0 <2.0.0\"", auto.Versions)}}
	}
	return nil
}

// order of the fields in an Environment's spec.
var order = []string{"target", "after", "soakSeconds", "windows", "hold", "approval", "rollout", "rollback", "signatures", "overlay", "checks", "autoPromotion"}

// Join puts problems that were found in several places into the order of an Environment's spec.
func Join(found ...[]Problem) []Problem {
	all := slices.Concat(found...)
	slices.SortStableFunc(all, func(a, b Problem) int { return cmp.Compare(place(a), place(b)) })
	return all
}

// place of a problem's field in the spec; what is no field of the spec comes last.
func place(problem Problem) int {
	name, _, _ := strings.Cut(strings.TrimPrefix(problem.Field, "spec."), ".")
	name, _, _ = strings.Cut(name, "[")
	if at := slices.Index(order, name); at >= 0 {
		return at
	}
	return len(order)
}

// most is how many bytes a text of problems has, beside the words that say how many are left out.
const most = 1900

// Text says problems as one sentence for a status, of at most 2,000 bytes. Those that find no place are counted.
func Text(problems []Problem) string {
	var text strings.Builder
	for i, problem := range problems {
		part := fmt.Sprintf("`%s`: %s", problem.Field, strings.ToValidUTF8(problem.Message, "\uFFFD"))
		if i > 0 {
			part = "; " + part
		}
		if text.Len()+len(part) > most {
			if i == 0 {
				text.WriteString(cut(part, most) + " …")
				i++
			}
			if left := len(problems) - i; left > 0 {
				fmt.Fprintf(&text, "; and %d more", left)
			}
			break
		}
		text.WriteString(part)
	}
	return text.String()
}

// cut a text to a number of bytes, and not in the middle of a rune.
func cut(text string, length int) string {
	if len(text) <= length {
		return text
	}
	for length > 0 && text[length]&0xC0 == 0x80 {
		length--
	}
	return text[:length]
}
