// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crowd_test measures the commands of the kubectl plugin among many: Environments and Promotions as a large organisation has them, with the histories
// that belong to them, written to a real API server as the operator would have written them. The operator itself does not run.
//
// As part of all tests the crowd is small, and what is looked at is how many requests each command makes: that does not depend on the machine. With
//
//	CROWD=1000 go test -timeout 30m ./test/cli/crowd
//
// there are 1,000 Environments and 10,000 Promotions, and each command must answer within two seconds.
package crowd_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/assent-dev/assent/internal/cli"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// goal is how long a command may take on the crowd that it is set for.
	goal      = 2 * time.Second
	goalCrowd = 1000
	// few is how many Environments there are where nobody asks for more.
	few = 60
	// neighbours is how many Environments share a project, and ended how many of the ten Promotions to each have ended.
	neighbours = 50
	ended      = 9
	// page is how many objects one answer of the API server may hold, and mostMetadata of how many it may hold the metadata.
	page         = 500
	mostMetadata = 2000
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-assent": func() {
		os.Exit(cli.Run(context.Background(), genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}, os.Args[1:]))
	}})
}

func TestCommandsAnswerAmongManyWithFewRequests(t *testing.T) {
	size := few
	if wanted := os.Getenv("CROWD"); wanted != "" {
		var err error
		size, err = strconv.Atoi(wanted)
		must(t, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	connected, err := cluster.Connect()
	must(t, err)
	must(t, connected.Install(ctx))
	c, err := newCrowd(ctx, connected)
	must(t, err)
	t.Cleanup(func() {
		if err := c.leave(context.Background()); err != nil {
			t.Error(err)
		}
	})
	others, err := c.others(ctx)
	must(t, err)
	begun := time.Now()
	must(t, c.come(ctx, connected, size))
	t.Logf("%d Environments and %d Promotions are there after %s", size, size*(ended+1), time.Since(begun).Round(time.Second))
	kubeconfig := connected.Kubeconfig(cluster.Alice)
	projects := (size + neighbours - 1) / neighbours
	environments, open, records := pagesOf(size, page), pagesOf(size, page), pagesOf(size*ended*2, mostMetadata)
	for _, test := range []struct {
		arguments []string
		// requests at most, lines that are printed, and lines about the crowd: others may have left something in the cluster. Zero is any number.
		requests, lines, own int
	}{
		// Who one is, the Promotions that have not ended, the rights in each project, and the Environments.
		{[]string{"inbox"}, 1 + open + projects + others + environments, 0, size},
		{[]string{"matrix", "-A"}, environments, 0, projects},
		// All metadata, and the records of the fifty newest; some more if many were written within one second.
		{[]string{"history", "-A"}, records + 4, 51, 0},
		{[]string{"status", "--namespace", c.projects[0]}, 2, 0, 0},
	} {
		t.Run(strings.Join(test.arguments[:1], " "), func(t *testing.T) {
			log, err := connected.Requests()
			must(t, err)
			took, out := c.timed(t, kubeconfig, test.arguments...)
			if lines := strings.Count(out, "\n"); test.lines > 0 && lines != test.lines {
				t.Errorf("it prints %d lines, and not %d: %.2000s", lines, test.lines, out)
			}
			if lines := c.linesAbout(out); test.own > 0 && lines != test.own {
				t.Errorf("it prints %d lines about the crowd, and not %d: %.2000s", lines, test.own, out)
			}
			c.checkRequests(t, log, test.requests)
			t.Logf("%q took %s", test.arguments, took.Round(time.Millisecond))
			if size >= goalCrowd && took > goal {
				t.Errorf("%q took %s, and may take %s", test.arguments, took, goal)
			}
		})
	}
}

func pagesOf(objects, page int) int { return (objects + page - 1) / page }

// timed is the best of three: what another program did meanwhile is not the command's.
func (c *crowd) timed(t *testing.T, kubeconfig string, arguments ...string) (time.Duration, string) {
	t.Helper()
	best, out := time.Hour, ""
	for range 3 {
		begun := time.Now()
		cmd := exec.CommandContext(t.Context(), "kubectl-assent", append(arguments, "--kubeconfig="+kubeconfig)...)
		printed, err := cmd.Output()
		took := time.Since(begun)
		if err != nil {
			t.Fatalf("%q: %v: %s", arguments, err, printed)
		}
		best, out = min(best, took), string(printed)
	}
	return best, out
}

var limited = regexp.MustCompile(`[?&]limit=(\d+)`)

// checkRequests of the three runs: as few as promised, and no list without a limit.
func (c *crowd) checkRequests(t *testing.T, log *cluster.RequestLog, most int) {
	t.Helper()
	made, err := log.Answered(func(r cluster.Request) bool { return r.User.Username == cluster.Alice })
	must(t, err)
	if len(made) == 0 || len(made) > 3*most {
		t.Errorf("it makes %d requests in three runs, and may make %d: %v", len(made), 3*most, made[:min(len(made), 30)])
	}
	for _, request := range made {
		limit := limited.FindStringSubmatch(request.RequestURI)
		if request.Verb != "list" {
			continue
		}
		if limit == nil || (limit[1] != strconv.Itoa(page) && limit[1] != strconv.Itoa(mostMetadata)) {
			t.Errorf("it lists without a limit: %s", request)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
