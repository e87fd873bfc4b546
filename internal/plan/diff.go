// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// MaxDiffBytes is how long a diff may be: it is kept in a Promotion's status.
const MaxDiffBytes = 128 << 10

const cutLine = "... the diff is longer than 128 KiB and is cut here; `status.plan.changes` lists what changes\n"

// nothing stands for the side that an object does not have, as in patches.
const nothing = "/dev/null"

// recreated follows the name of an object that does not just change.
const recreated = " (deleted and created again)"

// Diff shows what the pairs would change: a unified diff of YAML, without what the API server writes and with the values of Secrets
// masked. It is at most MaxDiffBytes long; what is longer is cut at a line, and the last line says so.
func Diff(pairs []Pair) string {
	var text strings.Builder
	for _, pair := range pairs {
		if pair.Unchanged() {
			continue
		}
		text.WriteString(Visible(pairDiff(pair)))
		if text.Len() > MaxDiffBytes {
			return cut(text.String())
		}
	}
	return text.String()
}

func cut(text string) string {
	kept := text[:MaxDiffBytes-len(cutLine)]
	return kept[:strings.LastIndexByte(kept, '\n')+1] + cutLine
}

func pairDiff(pair Pair) string {
	before, after := masked(pair)
	oldName, newName := "live/"+Path(pair.Ref), "plan/"+Path(pair.Ref)
	if before == nil {
		oldName = nothing
	}
	if after == nil {
		newName = nothing
	}
	if pair.action() == v1alpha1.ChangeRecreate {
		newName += recreated
	}
	text := diff.Diff(oldName, asYAML(before), newName, asYAML(after))
	// The library's first line repeats the two names that follow.
	if _, rest, found := bytes.Cut(text, []byte("\n")); found {
		text = rest
	}
	if len(text) == 0 {
		// It comes back as it was; that it goes at all must be seen.
		return "--- " + oldName + "\n+++ " + newName + "\n"
	}
	return string(text)
}

// Shown is an object that runs, as the diff shows one: without what the API server writes, and with the values of a Secret masked.
func Shown(live *unstructured.Unstructured) string {
	before, _ := masked(Pair{Ref: Reference(live), Live: live})
	return Visible(string(asYAML(before)))
}

// Path is the object's name in the diff's header.
func Path(ref v1alpha1.ObjectReference) string {
	kind := ref.Kind
	if ref.Group != "" {
		kind += "." + ref.Group
	}
	if ref.Namespace == "" {
		return kind + "/" + ref.Name
	}
	return kind + "/" + ref.Namespace + "/" + ref.Name
}

func asYAML(content map[string]any) []byte {
	if content == nil {
		return nil
	}
	text, err := yaml.Marshal(content)
	if err != nil {
		// Content that came from YAML or JSON always goes back; if it ever does not, people must see that they do not see it.
		return fmt.Appendf(nil, "# not shown: %v\n", err)
	}
	return text
}
