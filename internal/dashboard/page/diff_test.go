// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"strings"
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// written is a parsed diff in short: a line for each object, indented ones for its blocks, and what is left.
func written(parsed diffText) string {
	var out strings.Builder
	for _, object := range parsed.objects {
		added, removed := object.count()
		kind, name := object.names()
		fmt.Fprintf(&out, "%s %s %s +%d -%d\n", object.action(), kind, name, added, removed)
		for _, block := range object.blocks() {
			if block.Gap > 0 {
				fmt.Fprintf(&out, "  gap %d\n", block.Gap)
			}
			for _, row := range block.Rows {
				fmt.Fprintf(&out, "  %s | %s\n", sideText(row.Old), sideText(row.New))
			}
		}
	}
	for _, line := range parsed.rest {
		fmt.Fprintf(&out, "rest %s\n", line)
	}
	return out.String()
}

func sideText(side *diffSide) string {
	if side == nil {
		return "-"
	}
	text := fmt.Sprintf("%d:%s", side.Number, side.Before)
	if side.Mark != "" || side.After != "" {
		text += "[" + side.Mark + "]" + side.After
	}
	return text
}

func TestADiffIsReadObjectByObject(t *testing.T) {
	for name, each := range map[string]struct{ text, want string }{
		"nothing changes": {"", ""},
		"lines that change stand beside each other, with the part that differs": {
			"--- live/Deployment.apps/shop/web\n+++ plan/Deployment.apps/shop/web\n@@ -4,3 +4,3 @@\n spec:\n-  replicas: 2\n+  replicas: 3\n   x: y\n",
			"Update Deployment shop/web +1 -1\n  gap 3\n  4:spec: | 4:spec:\n  5:  replicas: [2] | 5:  replicas: [3]\n  6:  x: y | 6:  x: y\n",
		},
		"lines that have nothing in common are not marked": {
			"--- live/A/a\n+++ plan/A/a\n@@ -1 +1 @@\n-first\n+another\n",
			"Update A a +1 -1\n  1:first | 1:another\n",
		},
		"what comes beyond what goes has no counterpart": {
			"--- live/A/a\n+++ plan/A/a\n@@ -1,1 +1,2 @@\n-a: 1\n+a: 2\n+b: 1\n",
			"Update A a +2 -1\n  1:a: [1] | 1:a: [2]\n  - | 2:b: 1\n",
		},
		"between two hunks is a gap": {
			"--- live/A/a\n+++ plan/A/a\n@@ -1,2 +1,1 @@\n-a\n b\n@@ -9,1 +8,2 @@\n c\n+d\n",
			"Update A a +1 -1\n  1:a | -\n  2:b | 1:b\n  gap 6\n  9:c | 8:c\n  - | 9:d\n",
		},
		"an object is created": {
			"--- /dev/null\n+++ plan/ConfigMap/shop/a\n@@ -0,0 +1,2 @@\n+a\n+b\n",
			"Create ConfigMap shop/a +2 -0\n  - | 1:a\n  - | 2:b\n",
		},
		"an object is deleted": {
			"--- live/ConfigMap/shop/a\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n",
			"Prune ConfigMap shop/a +0 -1\n  1:a | -\n",
		},
		"an object is deleted and created again as it was": {
			"--- live/Job.batch/shop/a\n+++ plan/Job.batch/shop/a (deleted and created again)\n",
			"Recreate Job shop/a +0 -0\n",
		},
		"a cluster-scoped object has no namespace": {
			"--- live/Namespace/shop\n+++ plan/Namespace/shop\n@@ -1 +1 @@\n-a\n+b\n",
			"Update Namespace shop +1 -1\n  1:a | 1:b\n",
		},
		"a diff that is cut says so, in the midst of a hunk too": {
			"--- live/A/a\n+++ plan/A/a\n@@ -1,9 +1,9 @@\n a\n... the diff is longer than 128 KiB and is cut here\n",
			"Update A a +0 -0\n  1:a | 1:a\nrest ... the diff is longer than 128 KiB and is cut here\n",
		},
		"lines of an object that look like the head of another are lines of the object": {
			"--- live/A/a\n+++ plan/A/a\n@@ -1,2 +1,2 @@\n--- live/Secret/hidden\n+++ plan/Secret/forged\n-@@ -1 +1 @@\n+@@ -1 +1 @@\n",
			"Update A a +2 -2\n  1:-- live/Secret/hidden | 1:++ plan/Secret/forged\n  2:@@ -1 +1 @@ | 2:@@ -1 +1 @@\n",
		},
		"a hunk that is shorter than it says ends where the next object begins": {
			"--- live/A/a\n+++ plan/A/a\n@@ -1,1 +1,2 @@\n-a\n--- live/B/b\n+++ plan/B/b\n@@ -1 +1 @@\n-c\n+d\n",
			"Update A a +0 -1\n  1:a | -\nUpdate B b +1 -1\n  1:c | 1:d\n",
		},
		"an empty line of an object is one": {
			"--- live/A/a\n+++ plan/A/a\n@@ -1,2 +1,1 @@\n \n-\n",
			"Update A a +0 -1\n  1: | 1:\n  2: | -\n",
		},
		"what is no diff is shown as it is":                 {"hello\n@@ nonsense\n", "rest hello\nrest @@ nonsense\n"},
		"a hunk without an object is no hunk":               {"@@ -1 +1 @@\n-a\n", "rest @@ -1 +1 @@\nrest -a\n"},
		"a head of which the second line is cut is no head": {"--- live/A/a\n", "rest --- live/A/a\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := written(parseDiff(each.text)); got != each.want {
				t.Errorf("it reads\n%s\nand not\n%s", got, each.want)
			}
		})
	}
}

func TestAnObjectOfTheDiffIsFoundAmongTheChanges(t *testing.T) {
	changes := []v1alpha1.Change{
		{Action: v1alpha1.ChangeUpdate, ObjectReference: v1alpha1.ObjectReference{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}},
		{Action: v1alpha1.ChangeRecreate, ObjectReference: v1alpha1.ObjectReference{Kind: "Service", Namespace: "shop", Name: "w\u202eeb"}},
	}
	for path, want := range map[string]v1alpha1.ChangeAction{
		"Deployment.apps/shop/web": v1alpha1.ChangeUpdate, `Service/shop/w\u202eeb`: v1alpha1.ChangeRecreate, "Deployment/shop/web": "",
	} {
		if change, _ := changeOf(changes, path); change.Action != want {
			t.Errorf("%s is %q, and not %q", path, change.Action, want)
		}
	}
}

// FuzzParseDiff: whatever it is given, no line is lost, doubled or changed on the way to the screen.
func FuzzParseDiff(f *testing.F) {
	f.Add("--- live/A/a\n+++ plan/A/a\n@@ -1,2 +1,2 @@\n a\n-b: 1\n+b: 2\n--- /dev/null\n+++ plan/B/b (deleted and created again)\n@@ -0,0 +1 @@\n+é\n... cut\n")
	f.Add("@@ -1,99999999999999999999 +1 @@\n-\n\n--- \n+++ \n@@ -9223372036854775807,2 +0,0 @@\n-\xff\n-\xc3\n")
	f.Fuzz(func(t *testing.T, text string) {
		parsed := parseDiff(text)
		lines := len(parsed.rest)
		for _, object := range parsed.objects {
			lines += 2 + len(object.hunks)
			var hunks, rows []string
			for _, hunk := range object.hunks {
				lines += len(hunk.lines)
				for _, line := range hunk.lines {
					if line.mark == ' ' {
						hunks = append(hunks, line.text)
					}
					hunks = append(hunks, line.text)
				}
			}
			for _, block := range object.blocks() {
				if block.Gap < 0 || (block.Gap > 0) == (len(block.Rows) > 0) {
					t.Fatalf("a block has %d rows and a gap of %d", len(block.Rows), block.Gap)
				}
				for _, row := range block.Rows {
					for _, side := range []*diffSide{row.Old, row.New} {
						if side != nil {
							rows = append(rows, side.Before+side.Mark+side.After)
						}
					}
				}
			}
			if left := missing(hunks, rows); left != "" {
				t.Fatalf("what is shown is not what was there: %s", left)
			}
		}
		if want := strings.Count(text, "\n") + map[bool]int{true: 0, false: 1}[strings.HasSuffix(text, "\n")]; text != "" && lines != want {
			t.Fatalf("%d lines are %d", want, lines)
		}
	})
}

// missing is what is in one of the lists and not as often in the other.
func missing(lines, shown []string) string {
	counts := map[string]int{}
	for _, line := range lines {
		counts[line]++
	}
	for _, line := range shown {
		counts[line]--
	}
	for line, count := range counts {
		if count != 0 {
			return fmt.Sprintf("%q, %d times", line, count)
		}
	}
	return ""
}
