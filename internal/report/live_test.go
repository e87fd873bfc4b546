// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/report"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	if text == "" {
		return nil
	}
	parsed := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &parsed.Object); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// config has a line for each letter, so that what is far from a change is not shown.
func config(letters string) string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop, namespace: shop, resourceVersion: \"" + letters + "\"}\ndata:\n"
	for i, letter := range letters {
		text += "  key" + string(rune('a'+i)) + ": \"" + string(letter) + "\"\n"
	}
	return text
}

const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: shop, namespace: shop}\ndata: {password: "

func TestADiffIsComparedWithWhatRunsNow(t *testing.T) {
	for _, test := range []struct {
		name, live, planned, now string
		state                    report.LiveState
		diff                     string
	}{
		{"nothing has changed", config("0123456789abcdef"), config("0123456X89abcdef"), config("0123456789abcdef"), report.LiveSame, ""},
		{"what the diff does not show has changed", config("0123456789abcdef"), config("X123456789abcdef"), config("0123456789abcdeY"), report.LiveSame, ""},
		{"the line itself has changed", config("0123456789abcdef"), config("0123456X89abcdef"), config("0123456Y89abcdef"), report.LiveChanged,
			"-  keyh: \"7\"\n+  keyh: \"Y\"\n"},
		{"a line beside it has changed", config("0123456789abcdef"), config("0123456X89abcdef"), config("01234567Y9abcdef"), report.LiveChanged,
			"-  keyi: \"8\"\n+  keyi: \"Y\""},
		{"one of two places has changed", config("0123456789abcdef"), config("X12345678sabcdeZ"), config("0123456789abcdeY"), report.LiveChanged,
			"-  keyp: f\n+  keyp: \"Y\""},
		{"it was deleted", config("01"), config("02"), "", report.LiveGone, ""},
		{"it does not exist, as the plan says", "", config("01"), "", report.LiveSame, ""},
		{"somebody has created it", "", config("01"), config("02"), report.LiveChanged, "-  keyb: \"2\"\n+  keyb: \"1\"\n"},
		{"it is to be pruned, and runs", config("01"), "", config("01"), report.LiveSame, ""},
		{"it is to be pruned, and has changed", config("01"), "", config("02"), report.LiveChanged, "-  keyb: \"1\"\n+  keyb: \"2\"\n"},
		{"a Secret's values are masked", secret + "b25l}", secret + "dHdv}", secret + "b25l}", report.LiveSame, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			ref := v1alpha1.ObjectReference{Kind: object(t, config("0")).GetKind(), Namespace: "shop", Name: "shop"}
			if strings.HasPrefix(test.live, secret) {
				ref.Kind = "Secret"
			}
			pairs := []plan.Pair{{Ref: ref, Live: object(t, test.live), Merged: object(t, test.planned)}}
			difference := report.Difference{Diff: plan.Diff(pairs), Changes: plan.Changes(pairs)}
			text := ""
			if now := object(t, test.now); now != nil {
				text = plan.Shown(now)
			}
			live := difference.Against(map[v1alpha1.ObjectReference]report.Found{ref: {Text: text}}).Live
			if len(live) != 1 || live[0].State != test.state || !strings.Contains(live[0].Diff, test.diff) || (test.diff == "") != (live[0].Diff == "") {
				t.Errorf("%+v\n%s", live, difference.Diff)
			}
		})
	}
}

func TestWhatCannotBeComparedSaysWhy(t *testing.T) {
	difference := report.Differ(blocked())
	found := map[v1alpha1.ObjectReference]report.Found{}
	for i, change := range difference.Changes {
		found[change.ObjectReference] = report.Found{Text: "kind: Deployment\n  replicas: 1\n"}
		if i == 0 {
			found[change.ObjectReference] = report.Found{Unknown: "cronjobs.batch is forbidden"}
		}
	}
	golden(t, "diff-live", difference.Against(found).Text(report.Style{}))
}
