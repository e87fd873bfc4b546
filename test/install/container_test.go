// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func TestTheContainerBuildIsGivenEverythingThatTheBinaryIsMadeOf(t *testing.T) {
	g := NewWithT(t)
	ignored, err := os.ReadFile("../../.dockerignore")
	g.Expect(err).NotTo(HaveOccurred())
	given := strings.Fields(string(ignored))
	packages, err := exec.CommandContext(t.Context(), "go", "list", "-C", "../..", "-deps", ".").Output()
	g.Expect(err).NotTo(HaveOccurred())
	for _, name := range strings.Fields(string(packages)) {
		if folder, ours := strings.CutPrefix(name, "github.com/assent-dev/assent/"); ours {
			top, _, _ := strings.Cut(folder, "/")
			g.Expect(given).To(ContainElement("!"+top), "%s", name)
		}
	}
}
