// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAStepIsJudgedByWhatItsCommandDoesAndSays(t *testing.T) {
	for name, row := range map[string]struct {
		expect expectation
		failed bool
		output string
		want   string
	}{
		"succeeds and shows the text":                  {shows("ready"), false, "it is ready", ""},
		"succeeds without the text":                    {shows("ready"), false, "it waits", `must show "ready"`},
		"fails although it shows the text":             {shows("ready"), true, "it is ready", "it failed"},
		"succeeds and shows what must not be there":    {shows().without("shop"), false, "shop", `must not show "shop"`},
		"is refused for the reason":                    {refused("(G5)"), true, "denied (G5)", ""},
		"is refused for another reason":                {refused("(G5)"), true, "connection refused", `must show "(G5)"`},
		"must be refused and succeeds":                 {refused("(G5)"), false, "patched", "must be refused, and was not"},
		"must be refused and succeeds, with the words": {refused("(G5)"), false, "patched (G5)", "must be refused, and was not"},
	} {
		t.Run(name, func(t *testing.T) {
			err := row.expect.check(row.failed, row.output)
			if (row.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), row.want)) {
				t.Errorf("judged as %v, want %q", err, row.want)
			}
		})
	}
}

func TestAStepThatDoesNotDoWhatItHasToEndsTheStory(t *testing.T) {
	d := newTestDemo(t)
	told := 0
	d.out = writerFunc(func(p []byte) (int, error) {
		told += strings.Count(string(p), "told")
		return len(p), nil
	})
	story := []chapter{{"one", []step{
		{who: "bob", why: "told", command: "get promotions", expect: shows()},
		{who: "bob", why: "told", command: "get promotions", expect: shows()},
	}}}
	if err := d.play(t.Context(), story); err == nil || told != 1 {
		t.Errorf("without a kubectl, %d steps were told, and the story ended with: %v", told, err)
	}
}

func TestAShellTakesTheStoryAsItIsShown(t *testing.T) {
	for _, c := range newTestDemo(t).story([]release{{version: "1.0.0"}, {version: "1.1.0"}}) {
		for _, s := range c.steps {
			if strings.ContainsAny(s.why, "'`\"\n") {
				t.Errorf("a shell without comments would stumble over: %s", s.why)
			}
			if strings.Contains(s.command, "\n") {
				t.Errorf("more than one line: %s", s.command)
			}
		}
	}
}

func TestACommandThatIsCancelledTakesItsChildrenAlong(t *testing.T) {
	d := newTestDemo(t)
	ctx, cancel := newCancel(t)
	command := d.command(ctx, "sh", "-c", "sleep 600 & echo started; wait")
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stdout = writer
	if err := errors.Join(command.Start(), writer.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(reader, make([]byte, len("started"))); err != nil {
		t.Fatal(err)
	}
	cancel(errors.New("enough"))
	// The output ends with the last process that holds it.
	if err := reader.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(reader); err != nil {
		t.Errorf("the child of a cancelled command was left: %v", err)
	}
	_ = command.Wait() // it was cancelled
}
