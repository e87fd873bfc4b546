// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/test/badinput"
)

const (
	// slice is how many inputs of a kind are sent by default, beside those that have found something.
	slice = 120
	// most is how many are in one project at once.
	most = 150
	// combinations of several fields that there are of a kind.
	combinations = 400
	// longRun is how long all inputs may take.
	longRun = 2 * time.Hour
)

var _ = Describe("whatever is sent as", func() {
	for _, kind := range []string{"AuditRecord", "Environment", "Promotion", "Release"} {
		It(kind+" is refused in words that name the field, or leaves the operator at rest with a status that can be read", NodeTimeout(longRun), func(ctx context.Context) {
			sendAll(ctx, kindOf(kind))
		})
	}
})

func kindOf(name string) *badinput.Kind {
	GinkgoHelper()
	at := slices.IndexFunc(scene.kinds, func(kind badinput.Kind) bool { return kind.Name == name })
	Expect(at).NotTo(BeNumerically("<", 0), "config/crd defines no kind %q", name)
	return &scene.kinds[at]
}

// sendAll that is asked for of a kind, in projects of a bounded size.
func sendAll(ctx context.Context, kind *badinput.Kind) {
	GinkgoHelper()
	var problems []string
	for done, all := 0, 1; done < all; {
		b := newBatch(ctx, kind)
		inputs := wanted(badinput.Inputs(kind, b.around, combinations, scene.seed))
		all = len(inputs)
		part := inputs[done:min(done+most, all)]
		log, err := scene.cluster.Requests()
		Expect(err).NotTo(HaveOccurred())
		began := time.Now()
		b.send(ctx, part)
		sent := time.Since(began)
		b.awaitRest(ctx, log)
		rested := time.Since(began)
		b.judgeStatuses(ctx)
		b.judgeAll(ctx, log)
		b.expectDeletable(ctx)
		done += len(part)
		fmt.Printf("%d of %d: %s; sent after %.0fs, at rest after %.0fs, gone after %.0fs\n",
			done, all, b.summary(), sent.Seconds(), rested.Seconds(), time.Since(began).Seconds())
		for _, problem := range b.problems {
			fmt.Println("  " + head(problem, 600))
		}
		problems = append(problems, b.problems...)
		Expect(scene.operator.Running()).To(BeTrue(), "the operator has ended by itself")
	}
	Expect(problems).To(BeEmpty(), "BADINPUT_SEED=%d: %d problems:\n%s", scene.seed, len(problems), strings.Join(problems, "\n"))
}

// before are parts of the names of inputs that have been too much for Assent once.
var before = []string{
	"spec.notBeforeTime:", "spec.windows.freeze[0].startTime: of type array", "spec.windows.allow[0].endTime: lower case",
	"spec.overlay.patches[0].target.kind: control characters", "spec.overlay.patches[0].target.name: control characters",
	"spec.blocked.reason: a line separator",
}

// foundBefore are sent each time.
func foundBefore(all []badinput.Input) []badinput.Input {
	var found []badinput.Input
	for _, input := range all {
		if slices.ContainsFunc(before, func(part string) bool { return strings.Contains(input.Name, part) }) {
			found = append(found, input)
		}
	}
	return found
}

// wanted are the inputs that the environment variables ask for.
func wanted(all []badinput.Input) []badinput.Input {
	switch scene.only {
	case "":
		return append(badinput.Choose(all, slice, scene.seed), foundBefore(all)...)
	case allOfThem:
		return all
	}
	return slices.DeleteFunc(all, func(input badinput.Input) bool { return !strings.Contains(input.Name, scene.only) })
}
