// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// tested is a test that the page of security names: its file, and words that are in it.
var tested = regexp.MustCompile(`\]\((\.\./[^)]+_test\.go)\) "([^"]+)"`)

func TestThePageOfSecurityNamesTestsThatAreThere(t *testing.T) {
	g := NewWithT(t)
	page, err := os.ReadFile(filepath.Join(repository, "docs", "security.md"))
	g.Expect(err).NotTo(HaveOccurred())
	files, named := map[string]string{}, 0
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| ") && strings.Contains(line, "_test.go)") {
			g.Expect(tested.FindAllString(line, -1)).To(HaveLen(strings.Count(line, "_test.go)")), line)
		}
		for _, found := range tested.FindAllStringSubmatch(line, -1) {
			path := filepath.Join(repository, "docs", found[1])
			if files[path] == "" {
				content, err := os.ReadFile(path)
				g.Expect(err).NotTo(HaveOccurred())
				files[path] = string(content)
			}
			g.Expect(files[path]).To(ContainSubstring(found[2]), "%s is named in: %s", found[1], line)
			named++
		}
	}
	g.Expect(named).To(BeNumerically(">", 60))
}
