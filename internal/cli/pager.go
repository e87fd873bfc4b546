// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// page shows a text on a terminal by the pager of whoever looks, and prints it elsewhere. Without a pager it is printed.
func (s *session) page(ctx context.Context, text string, wanted bool) error {
	pager := os.Getenv("PAGER")
	if pager == "" {
		pager = "less"
	}
	if !wanted || !s.prints() || pager == "cat" {
		_, err := fmt.Fprint(s.Out, text)
		return err
	}
	program, arguments, _ := strings.Cut(pager, " ")
	path, err := exec.LookPath(program)
	if err != nil {
		_, err = fmt.Fprint(s.Out, text)
		return err
	}
	shown := exec.CommandContext(ctx, path, strings.Fields(arguments)...) //nolint:gosec // the pager that whoever runs this has chosen
	// As git does: colours are shown, what fits on the screen needs no key, and nothing is cleared at the end.
	shown.Env = append([]string{"LESS=FRX"}, os.Environ()...)
	shown.Stdin, shown.Stdout, shown.Stderr = strings.NewReader(text), s.Out, s.ErrOut
	if err := shown.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("showing the diff by %q: %w: use --no-pager", pager, err)
	}
	return nil
}
