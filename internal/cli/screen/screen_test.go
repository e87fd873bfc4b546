// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package screen_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cli/screen"
	"github.com/assent-dev/assent/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

var friday = time.Date(2031, 3, 7, 10, 0, 0, 0, time.UTC)

const digest = v1alpha1.Digest("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")

func promotion(name string) v1alpha1.Promotion {
	return v1alpha1.Promotion{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", UID: types.UID(name), CreationTimestamp: metav1.NewTime(friday.Add(-time.Hour))},
		Spec:       v1alpha1.PromotionSpec{Release: "shop-1.1.0", Environment: "production", Reason: "vouchers", RequestedBy: v1alpha1.Person{Username: "bob"}},
		Status: v1alpha1.PromotionStatus{
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonAwaitingApproval, Message: "needs 1 more approval"}},
			Plan: v1alpha1.Plan{
				Digest: digest, Objects: ptr.To[int32](1), Diff: "--- live/Deployment/shop\n+++ plan/Deployment/shop\n@@ -1,2 +1,2 @@\n kind: Deployment\n-  replicas: 1\n+  replicas: \x1b[2J2\n",
				Changes: []v1alpha1.Change{{Action: v1alpha1.ChangeUpdate, ObjectReference: v1alpha1.ObjectReference{Kind: "Deployment", Name: "shop"}}},
			},
			Approvals: v1alpha1.ApprovalStatus{Summary: "0/1"},
			Blockers:  []v1alpha1.Blocker{{Gate: v1alpha1.GateApproval, Message: "needs 1 more approval", Clears: "alice"}},
		},
	}
}

func data() screen.Data {
	waiting := []v1alpha1.Promotion{promotion("shop-1.1.0-production"), promotion("shop-1.1.0-production-2")}
	environment := v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production", Namespace: "shop"}, Spec: v1alpha1.EnvironmentSpec{Application: "shop"}}
	return screen.Data{User: "alice", Inbox: waiting, Open: waiting, Matrix: report.Arrange([]v1alpha1.Environment{environment})}
}

func open() screen.Screen { return screen.Screen{Width: 100, Height: 20, Now: friday}.Show(data()) }

// press keys one after the other: names of keys, and anything else is typed.
func press(s screen.Screen, keys ...string) (screen.Screen, screen.Action) {
	var action screen.Action
	for _, key := range keys {
		text := ""
		if len([]rune(key)) == 1 {
			text = key
		}
		s, action = s.Key(key, text)
	}
	return s, action
}

func golden(t *testing.T, name string, s screen.Screen) {
	t.Helper()
	got := strings.Join(s.Lines(), "\n") + "\n"
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is\n%s\nand not\n%s", name, got, want)
	}
}

func TestWhatIsSeen(t *testing.T) {
	for name, keys := range map[string][]string{
		"inbox": {"down"}, "matrix": {"tab"}, "diff": {"enter"}, "approve": {"enter", "a", "o", "k"}, "reject": {"enter", "r", "n", "o", "x", "backspace"},
	} {
		s, action := press(open(), keys...)
		if action != nil {
			t.Errorf("%s asks for %+v", name, action)
		}
		golden(t, name, s)
	}
	golden(t, "empty", screen.Screen{Width: 40, Height: 6}.Show(screen.Data{User: "alice"}))
}

func TestTheScreenIsFilledAndNeverLeft(t *testing.T) {
	for width := 1; width < 60; width += 7 {
		for height := 0; height < 14; height++ {
			for _, keys := range [][]string{nil, {"tab"}, {"enter"}, {"enter", "pgdown", "pgdown"}, {"enter", "a"}, {"down", "down", "up"}} {
				s := open()
				s.Width, s.Height, s.Style = width, height, report.Style{Colours: true}
				s, _ = press(s, keys...)
				lines := s.Lines()
				if len(lines) != height {
					t.Fatalf("%d by %d after %q: %d lines", width, height, keys, len(lines))
				}
				for _, line := range lines {
					if ansi.StringWidth(line) > width || strings.Contains(line, "\n") {
						t.Fatalf("%d by %d after %q: %q", width, height, keys, line)
					}
				}
			}
		}
	}
}

func TestADecisionIsOnWhatWasShown(t *testing.T) {
	s, action := press(open(), "down", "enter", "a", "o", "k", "enter")
	decide, is := action.(screen.Decide)
	if !is || decide.Promotion.Name != "shop-1.1.0-production-2" || decide.Decision != v1alpha1.DecisionApproved || decide.Comment != "ok" || decide.Promotion.Status.Plan.Digest != digest {
		t.Errorf("it asks for %+v", action)
	}
	if s = s.Closed("approved"); !strings.Contains(strings.Join(s.Lines(), "\n"), "[Inbox (2)]") {
		t.Errorf("it shows %q", s.Lines())
	}
	if _, action := press(open(), "enter", "r", "enter"); action != nil {
		t.Errorf("without a reason it asks for %+v", action)
	}
	if _, action := press(open(), "enter", "r", "n", "o", "enter"); action == nil || action.(screen.Decide).Decision != v1alpha1.DecisionRejected {
		t.Errorf("it asks for %+v", action)
	}
	for _, keys := range [][]string{{"a", "enter"}, {"tab", "a", "enter"}, {"enter", "a", "esc", "enter"}, {"enter", "esc", "a", "enter"}} {
		if _, action := press(open(), keys...); action != nil {
			t.Errorf("%q asks for %+v", keys, action)
		}
	}
}

func TestAPlanThatHasChangedIsLookedAtAnewFirst(t *testing.T) {
	s, _ := press(open(), "enter")
	changed := data()
	changed.Open[0].Status.Plan.Digest = "sha256:" + v1alpha1.Digest(strings.Repeat("0", 64))
	s = s.Show(changed)
	if text := strings.Join(s.Lines(), "\n"); !strings.Contains(text, "Its plan has changed meanwhile") || !strings.Contains(text, string(digest)) {
		t.Errorf("it shows %s", text)
	}
	if _, action := press(s, "a", "enter"); action != nil {
		t.Errorf("it asks for %+v", action)
	}
	s, _ = press(s, "enter")
	if _, action := press(s, "a", "enter"); action == nil || action.(screen.Decide).Promotion.Status.Plan.Digest == digest {
		t.Errorf("it asks for %+v", action)
	}
	s = s.Show(screen.Data{})
	if text := strings.Join(s.Lines(), "\n"); !strings.Contains(text, "It has ended meanwhile") {
		t.Errorf("it shows %s", text)
	}
}

func TestItIsQuit(t *testing.T) {
	for _, keys := range [][]string{{"q"}, {"ctrl+c"}, {"enter", "q"}, {"enter", "a", "ctrl+c"}} {
		if _, action := press(open(), keys...); action != (screen.Quit{}) {
			t.Errorf("%q asks for %+v", keys, action)
		}
	}
	if _, action := press(open(), "enter", "r", "q"); action != nil {
		t.Errorf("a letter of a reason asks for %+v", action)
	}
}
