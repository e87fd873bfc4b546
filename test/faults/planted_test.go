// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// bug is planted into a copy of the operator's code, to see whether the sweep catches it.
type bug struct {
	name string
	// file, from the repository's root; in it, old stands once, and planted takes its place.
	file, old, planted string
	// only is the scenario or probe that catches it, and violation the rule that it breaks.
	only, violation string
}

// bugs are those that the sweep must catch. The first is tried by default: to compile each takes its time.
var bugs = []bug{
	{
		name: "objects are applied before the intent is on record",
		file: "controllers/promotion_act.go",
		old:  "\tintent, err := r.Ledger.appendAfter(ctx, p.Namespace, auditHead(seen.Environment), proved, entry)\n",
		planted: `	early := &rollout{uid: p.UID, intent: &v1alpha1.AuditRecord{Spec: entry}}
	early.take(seen.Rendering, seen.Environment)
	before := seen.rollout
	seen.rollout = early
	if _, err := r.apply(ctx, seen); err != nil {
		return outcome{}, err
	}
	seen.rollout = before
	intent, err := r.Ledger.appendAfter(ctx, p.Namespace, auditHead(seen.Environment), proved, entry)
`,
		only: "^first rollout$", violation: "Intent: ",
	},
	{
		name: "what the cache has decides, instead of what the API server has",
		file: "controllers/promotion_prove.go",
		old:  "r.look(together, p, seen, r.Live)", planted: "r.look(together, p, seen, r.Client)",
		only: "^a hold that no cache knows of$", violation: `end: promotion "one" must become Blocked`,
	},
	{
		name: "nobody asks at the start whether the approvers still may",
		file: "controllers/promotion_prove.go",
		old:  "if review.Status.Allowed && !review.Status.Denied {", planted: "if review.Spec.User != \"\" {",
		only: "^an approver who has lost the right$", violation: `end: promotion "one" must become AwaitingApproval`,
	},
}

// plant the bug, and return the suite with it as a program.
func (b bug) plant(ctx context.Context) string {
	GinkgoHelper()
	root, err := filepath.Abs("../..")
	Expect(err).NotTo(HaveOccurred())
	folder := GinkgoT().TempDir()
	original := filepath.Join(root, b.file)
	code, err := os.ReadFile(original)
	Expect(err).NotTo(HaveOccurred())
	Expect(strings.Count(string(code), b.old)).To(Equal(1), "the code of %s has moved: adapt the planted bug %q to it", b.file, b.name)
	changed, overlay, program := filepath.Join(folder, "changed.go"), filepath.Join(folder, "overlay.json"), filepath.Join(folder, "faults.test")
	Expect(os.WriteFile(changed, []byte(strings.Replace(string(code), b.old, b.planted, 1)), 0o600)).To(Succeed())
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(overlay, replace, 0o600)).To(Succeed())
	By("compiling the suite with the bug")
	compile := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", program, "./test/faults")
	compile.Dir = root
	output, err := compile.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
	return program
}

var _ = Describe("a bug that was planted", func() {
	planted := bugs[:1]
	if *whole {
		planted = bugs
	}
	for _, b := range planted {
		It(fmt.Sprintf("is caught: %s", b.name), func(ctx context.Context) {
			program := b.plant(ctx)
			By("running the sweep with the bug")
			run := exec.CommandContext(ctx, program, "-ginkgo.focus=a promotion, whatever fails", "-ginkgo.no-color", "-whole=false", "-undisturbed", "-only", b.only)
			output, err := run.CombinedOutput()
			Expect(err).To(HaveOccurred(), "the sweep must fail: %s", output)
			Expect(string(output)).To(ContainSubstring(b.violation))
		})
	}
})
