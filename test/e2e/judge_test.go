// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/lint"
	"github.com/assent-dev/assent/test/oracle"
)

// judgement is how the oracle judges a place when its test is over.
type judgement struct {
	log        *cluster.RequestLog
	exceptions []oracle.Exception
	// spared says why it is not judged; empty if it is.
	spared string
}

// except declares what a test does on purpose.
func (p *place) except(rule oracle.Rule, about, reason string) {
	p.judgement.exceptions = append(p.judgement.exceptions, oracle.Exception{Rule: rule, About: about, Reason: reason})
}

// spare a place that costs too much to judge.
func (p *place) spare(reason string) { p.judgement.spared = reason }

// judge everything that has happened in the place, by the API server's audit log and the objects that are there, and what their status says.
func (p *place) judge(ctx context.Context) {
	GinkgoHelper()
	if p.judgement.spared != "" {
		return
	}
	evidence, err := oracle.Collect(ctx, scene.as(cluster.Admin), p.judgement.log, oracle.Scene{
		Project: p.project.Name, Targets: []string{p.target.Namespace}, Rights: p.project.Rights(), Exceptions: p.judgement.exceptions,
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(evidence.Violations()).To(BeEmpty(), "the oracle (test/oracle) has found this in project %q", p.project.Name)
	By("waiting until every object that is left has a status as its readers expect")
	Eventually(func() ([]lint.Finding, error) {
		left, err := lint.Collect(ctx, scene.as(cluster.Admin), p.project.Name)
		return left.Findings(time.Now()), err
	}).WithContext(ctx).Should(BeEmpty())
}
