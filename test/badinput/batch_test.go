// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/test/badinput"
	"github.com/assent-dev/assent/test/cluster"
)

// senders is how many inputs are under way at once.
const senders = 8

// accepted is an input that the API server took, and the name that it has there.
type accepted struct {
	input *badinput.Input
	name  string
	// promotion that makes the operator work with it.
	promotion string
}

// batch is a project of its own, with some inputs of one kind in it.
type batch struct {
	kind    *badinput.Kind
	project *cluster.Project
	around  badinput.Surroundings
	// audit is the file that the API server wrote its audit log to when the batch began.
	audit os.FileInfo

	sync.Mutex
	taken    []accepted
	refused  int
	problems []string
}

// newBatch has a good release and a good environment beside the inputs.
func newBatch(ctx context.Context, kind *badinput.Kind) *batch {
	GinkgoHelper()
	project, err := scene.cluster.Project(ctx)
	Expect(err).NotTo(HaveOccurred())
	target, err := scene.cluster.Target(ctx)
	Expect(err).NotTo(HaveOccurred())
	audit, err := scene.auditLog()
	Expect(err).NotTo(HaveOccurred())
	b := &batch{kind: kind, project: project, audit: audit, around: badinput.Surroundings{Target: target, Release: "good", Environment: "good", User: cluster.Bob}}
	release := cluster.NewRelease(project.Name, b.around.Release, "1.0.0", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n")
	Expect(scene.admin.Create(ctx, release)).To(Succeed())
	Expect(scene.admin.Create(ctx, cluster.NewEnvironment(project.Name, b.around.Environment, target))).To(Succeed())
	return b
}

func (b *batch) problem(input *badinput.Input, format string, args ...any) {
	b.Lock()
	defer b.Unlock()
	b.problems = append(b.problems, fmt.Sprintf("%s: %s", input.Name, fmt.Sprintf(format, args...)))
}

// send all inputs, some at a time, and judge the answers.
func (b *batch) send(ctx context.Context, inputs []badinput.Input) {
	GinkgoHelper()
	var group sync.WaitGroup
	next := make(chan int)
	for range senders {
		group.Go(func() {
			for i := range next {
				b.sendOne(ctx, i, &inputs[i])
			}
		})
	}
	for i := range inputs {
		next <- i
	}
	close(next)
	group.Wait()
}

func (b *batch) sendOne(ctx context.Context, number int, input *badinput.Input) {
	sender, options := scene.people[cluster.Bob], []string(nil)
	switch b.kind.Name {
	case "Environment":
		sender = scene.people[cluster.Admin]
	case "AuditRecord": // nobody else gets as far as the schema; what is written stays for good
		sender, options = scene.people[operator], []string{"dryRun=All"}
	}
	name := fmt.Sprintf("in-%04d", number)
	given, err := sender.create(ctx, b.project.Name, b.kind.Plural, input.Body(b.project.Name, name), options...)
	for range 3 { // on a busy machine the API server may not have the time for thousands of elements
		if err != nil || given.code != http.StatusGatewayTimeout {
			break
		}
		given, err = sender.create(ctx, b.project.Name, b.kind.Plural, input.Body(b.project.Name, name), options...)
	}
	switch {
	case err != nil:
		b.problem(input, "%v", err)
	case !given.accepted():
		if wrong := input.Refusal(given.code, given.status); wrong != "" {
			b.problem(input, "%s: %d %q", wrong, given.code, tail(given.status.Message, 1000))
		}
		b.Lock()
		b.refused++
		b.Unlock()
	case input.Refused:
		b.problem(input, "it is accepted although the schema rules it out: %s", head(string(given.body), 1000))
	case b.kind.Name != "AuditRecord":
		b.take(ctx, number, input, given.created())
	}
}

// take what was accepted, and have it used.
func (b *batch) take(ctx context.Context, number int, input *badinput.Input, name string) {
	one := accepted{input: input, name: name, promotion: name}
	if b.kind.Name != "Promotion" {
		one.promotion = fmt.Sprintf("use-%04d", number)
		asked := cluster.NewPromotion(b.project.Name, one.promotion, b.around.Release, b.around.Environment)
		if b.kind.Name == "Release" {
			asked.Spec.Release = name
		} else {
			asked.Spec.Environment = name
		}
		if err := scene.admin.Create(ctx, asked); err != nil {
			b.problem(input, "it is accepted, and nothing can be promoted with it: %v", err)
			return
		}
	}
	b.Lock()
	defer b.Unlock()
	b.taken = append(b.taken, one)
}

// summary of a batch in one line.
func (b *batch) summary() string {
	return fmt.Sprintf("%-11s %5d accepted, %5d refused, %d problems", b.kind.Name, len(b.taken), b.refused, len(b.problems))
}

func head(text string, length int) string {
	return strings.ToValidUTF8(text[:min(length, len(text))], "")
}

func tail(text string, length int) string {
	return strings.ToValidUTF8(text[max(0, len(text)-length):], "")
}

// panics are the lines of a log that tell of one.
func panics(log string) []string {
	var found []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, "panic") {
			found = append(found, head(line, 2000))
		}
	}
	return found
}
