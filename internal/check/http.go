// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/expression"
)

// askHTTP is the question of a check with `http`.
func askHTTP(check v1alpha1.Check, about Subject) (question, *Finding) {
	no := func(finding Finding) (question, *Finding) { return question{}, &finding }
	if problems := httpProblems(check); len(problems) > 0 {
		return no(misconfigured("`%s` %s", problems[0].Field, problems[0].Message))
	}
	to, err := url.Parse(check.HTTP.URL)
	if err != nil {
		return no(misconfigured("`http.url` is no URL"))
	}
	when, err := expression.CompileAnswer(condition(check))
	if err != nil {
		return no(misconfigured("`http.when` %v", err))
	}
	asked := question{
		field: "http", method: http.MethodGet, to: to, headers: check.HTTP.Headers, timeout: timeout(check), smaller: "let it answer with less",
		judge: func(a answer) Finding { return judgeHTTP(a, when) },
	}
	if check.HTTP.Method == v1alpha1.HTTPMethodPost {
		asked.method, asked.content = http.MethodPost, "application/json"
		if asked.body, err = describe(about); err != nil {
			return no(misconfigured("%v", err))
		}
	}
	return asked, nil
}

func condition(check v1alpha1.Check) string {
	if check.HTTP.When == "" {
		return expression.DefaultAnswer
	}
	return check.HTTP.When
}

// description is what a POST tells the server.
type description struct {
	Project     string                 `json:"project"`
	Promotion   string                 `json:"promotion"`
	UID         string                 `json:"uid"`
	Type        v1alpha1.PromotionType `json:"type"`
	Release     string                 `json:"release"`
	Version     string                 `json:"version"`
	Application string                 `json:"application"`
	Environment string                 `json:"environment"`
	PlanDigest  v1alpha1.Digest        `json:"planDigest"`
	RequestedBy string                 `json:"requestedBy"`
	Reason      string                 `json:"reason"`
}

func describe(about Subject) ([]byte, error) {
	content, err := json.Marshal(description{
		Project: about.Promotion.Namespace, Promotion: about.Promotion.Name, UID: string(about.Promotion.UID), Type: promotionType(about.Promotion),
		Release: about.Release.Name, Version: about.Release.Spec.Version, Application: about.Release.Spec.Application,
		Environment: about.Environment.Name, PlanDigest: about.PlanDigest,
		RequestedBy: about.Promotion.Spec.RequestedBy.Username, Reason: about.Promotion.Spec.Reason,
	})
	if err != nil {
		return nil, fmt.Errorf("describe the promotion as JSON: %w", err)
	}
	return content, nil
}

func promotionType(promotion *v1alpha1.Promotion) v1alpha1.PromotionType {
	if promotion.Spec.Type == "" {
		return v1alpha1.PromotionTypePromote
	}
	return promotion.Spec.Type
}

// judgeHTTP evaluates `when` over an answer.
func judgeHTTP(a answer, when *expression.Answer) Finding {
	passes, err := when.Passes(a.status, lowerHeaders(a.headers), parseJSON(a.text), a.text)
	switch {
	case err != nil:
		return failed("`when` could not be evaluated (%v): %s", err, a.shows())
	case !passes:
		return failed("`when` is not met: %s", a.shows())
	default:
		return passed("%s answered %d", a.server, a.status)
	}
}
