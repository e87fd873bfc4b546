// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
	"github.com/assent-dev/assent/test/cluster"
)

// as USER: who runs the commands that follow.
func as(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: as USER")
	}
	ts.Setenv("KUBECONFIG", ts.MkAbs(ts.Getenv("WORK")+"/"+args[0]+".kubeconfig"))
}

// exits CODE COMMAND…: the command must end with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		got = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%q has ended with exit code %d, and not %d", args[1:], got, want)
	}
}

// await NAME STATE: waits until a Promotion of the project is in a state.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await NAME STATE")
	}
	project := ts.Getenv("PROJECT")
	admin, err := ts.Value(project).(*cluster.Cluster).Client(cluster.Admin)
	ts.Check(err)
	state, message := "", ""
	err = poll(context.Background(), func(ctx context.Context) (bool, error) {
		var promotion v1alpha1.Promotion
		if err := admin.Get(ctx, client.ObjectKey{Namespace: project, Name: args[0]}, &promotion); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		state, message = report.State(&promotion)
		return state == args[1], nil
	})
	if err != nil {
		ts.Fatalf("promotion %q is %q (%s), and not %q: %v", args[0], state, message, args[1], err)
	}
}

// until REGEXP COMMAND…: runs the command until its standard output matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP COMMAND…")
	}
	wanted, err := regexp.Compile(args[0])
	ts.Check(err)
	err = poll(context.Background(), func(context.Context) (bool, error) {
		if err := ts.Exec(args[1], args[2:]...); err != nil {
			var ended *exec.ExitError
			if !errors.As(err, &ended) {
				return false, err
			}
		}
		return wanted.MatchString(ts.ReadFile("stdout")), nil
	})
	if err != nil {
		ts.Fatalf("%q never printed what matches %q: %v", args[1:], args[0], err)
	}
}

// differing is what differs each time.
var differing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "SHA256"},
	{regexp.MustCompile(`sha256:[0-9a-f]{12}…`), "SHA256…"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UID"},
	{regexp.MustCompile(`\b2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`\b2\d{3}-\d\d-\d\d \d\d:\d\d(:\d\d)?\b`), "TIME"},
	{regexp.MustCompile(`\b([0-9]+m)?[0-9]+s\b`), "AGE"},
	{regexp.MustCompile(`\bproject-[a-z0-9]{5}\b`), "PROJECT"},
	{regexp.MustCompile(`\btarget-[a-z0-9]{5}\b`), "TARGET"},
	{regexp.MustCompile(`(?m) +$`), ""},
}

// plain writes words for what differs each time in the standard output of the command before.
func plain(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: plain")
	}
	text := ts.ReadFile("stdout")
	for _, each := range differing {
		text = each.pattern.ReplaceAllString(text, each.with)
	}
	_, err := io.WriteString(ts.Stdout(), text)
	ts.Check(err)
}

func poll(ctx context.Context, condition wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextTimeout(ctx, interval, patience, true, condition)
}
