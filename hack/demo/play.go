// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// stepLimit is how long one step may take; the longest that any waits by itself is five minutes.
const stepLimit = 6 * time.Minute

// show prints the commands for people to try, and what they are for as comments, so that a shell takes all of it as it is.
func (d *demo) show(story []chapter) {
	d.say("\n%sNow it is your turn.%s Open a second terminal and paste these, one after the other:", d.bold, d.plain)
	d.say("\ncd %s", quoted(d.root))
	d.say("\nTo watch what happens meanwhile, paste this into a third one:\n\ncd %s && %s", quoted(d.root),
		d.commandLine(step{who: "bob", command: "get promotions --watch"}))
	for _, c := range story {
		d.title(c.title)
		for _, s := range c.steps {
			if s.detail {
				continue
			}
			d.say("\n# %s", s.why)
			if s.expect.refused {
				d.say("# (This has to fail.)")
			}
			d.say("%s", d.commandLine(s))
		}
	}
	d.say("\n%sThe cluster runs until you press Ctrl-C here.%s The operator's log is %s; every request that the API server has seen is in %s.",
		d.bold, d.plain, filepath.Join(d.shown, "logs", "operator.log"), filepath.Join(d.shown, "audit.log"))
	d.say("`make demo DEMO=auto` does all of the above by itself and checks it.")
}

// play carries out the steps, shows what each prints, and ends at the first that does not do what it has to.
func (d *demo) play(ctx context.Context, story []chapter) error {
	count := 0
	for _, c := range story {
		d.title(c.title)
		for _, s := range c.steps {
			if err := d.perform(ctx, s); err != nil {
				return d.withOperatorLog(err)
			}
			count++
		}
	}
	d.say("")
	d.progress("All %d steps did what they had to.", count)
	return nil
}

// perform carries out one step with a shell, so that what is run is what is shown.
func (d *demo) perform(ctx context.Context, s step) error {
	d.say("\n%s\n%s$ %s%s", s.why, d.bold, d.commandLine(s), d.plain)
	limited, cancel := context.WithTimeoutCause(ctx, stepLimit, fmt.Errorf("the command did not end within %s", stepLimit))
	defer cancel()
	output, err := d.command(limited, "sh", "-c", d.commandLine(s)).CombinedOutput()
	if limited.Err() != nil {
		return context.Cause(limited)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("running the shell: %w", err)
	}
	text := strings.TrimRight(string(output), "\n")
	if text != "" {
		d.say("%s", text)
	}
	if err := s.expect.check(err != nil, text); err != nil {
		return fmt.Errorf("the last command did not do what it had to: %w", err)
	}
	if s.expect.refused {
		d.say("(refused, as it has to be)")
	}
	return nil
}

// check compares what a command has done with what it had to do.
func (e expectation) check(failed bool, output string) error {
	if failed != e.refused {
		if e.refused {
			return errors.New("it must be refused, and was not")
		}
		return errors.New("it failed")
	}
	for _, text := range e.shows {
		if !strings.Contains(output, text) {
			return fmt.Errorf("its output must show %q", text)
		}
	}
	for _, text := range e.hides {
		if strings.Contains(output, text) {
			return fmt.Errorf("its output must not show %q", text)
		}
	}
	return nil
}

// quoted is a path as a shell reads it.
func quoted(path string) string {
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
