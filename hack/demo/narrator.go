// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// patience is after how long a wait says that it still waits.
const patience = 10 * time.Second

// narrator tells what happens, with the time since the demo began. It is safe for concurrent use.
type narrator struct {
	mu    sync.Mutex
	out   io.Writer
	began time.Time
	// bold and plain surround what stands out on a terminal; both are empty elsewhere.
	bold, plain string
}

func newNarrator(out *os.File) *narrator {
	n := &narrator{out: out, began: time.Now()}
	info, err := out.Stat()
	if err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
		n.bold, n.plain = "\x1b[1m", "\x1b[0m"
	}
	return n
}

// progress says what is being done now.
func (n *narrator) progress(format string, arguments ...any) {
	n.say("[%s] %s", elapsed(time.Since(n.began)), fmt.Sprintf(format, arguments...))
}

// say prints lines as they are.
func (n *narrator) say(format string, arguments ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.out, format+"\n", arguments...)
}

// title begins a chapter.
func (n *narrator) title(text string) {
	n.say("\n%s== %s ==%s", n.bold, text, n.plain)
}

// during says what is being done, and from time to time that it is still being done, until work returns.
func (n *narrator) during(what string, work func() error) error {
	n.progress("%s", what)
	done := make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() {
		ticker := time.NewTicker(patience)
		defer ticker.Stop()
		for began := time.Now(); ; {
			select {
			case <-done:
				return
			case <-ticker.C:
				n.progress("  still at it, for %s now", time.Since(began).Round(time.Second))
			}
		}
	})
	err := work()
	close(done)
	told.Wait()
	return err
}

// elapsed is a duration as minutes and seconds.
func elapsed(d time.Duration) string {
	seconds := int(d.Seconds())
	return fmt.Sprintf("%2d:%02d", seconds/60, seconds%60)
}

// tail returns the last lines of a text, indented.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return "  " + strings.Join(all[max(0, len(all)-lines):], "\n  ")
}
