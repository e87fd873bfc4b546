// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cli/screen"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

// refresh is how often the time on the screen, and what the caller may do, are looked at anew where nothing else changes.
const refresh = 5 * time.Second

func newUI(s *session) *cobra.Command {
	i := &inboxCommand{session: s}
	cmd := &cobra.Command{
		Use:     "ui",
		GroupID: groupSee,
		Short:   "Look at the inbox, the matrix and diffs on a full screen, and decide there",
		Long: `Look at what waits for you, at which version runs where, and at the diff of each plan on a full screen that is always current; approve and reject there.

A decision is on the plan that is shown: if it has changed meanwhile, the screen says so, and the API server refuses.

Keys: arrows or j and k choose and scroll, enter looks at what is chosen, tab turns between inbox and matrix, a approves and r rejects what is looked at, esc goes
back, q quits.`,
		Example: `  kubectl assent ui
  kubectl assent ui --namespace shop`,
		Args: names(0, 0, "nothing"),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !s.asks() || !s.prints() {
			return misused(cmd, fmt.Errorf("it needs a terminal: elsewhere use `kubectl assent inbox`, `matrix` and `diff`"))
		}
		return i.full(cmd.Context())
	}
	return cmd
}

// full screen, until it is quit.
func (i *inboxCommand) full(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := i.connect()
	if err != nil {
		return err
	}
	me, err := c.whoami(ctx)
	if err != nil {
		return err
	}
	m, err := seen(i, c, func(options ...client.ListOption) (*mirror, error) { return c.mirror(ctx, options...) })
	if err != nil {
		return err
	}
	style := i.style()
	window := &window{ctx: ctx, session: i.session, mirror: m, me: me, screen: screen.Screen{Style: style, Now: now()}}
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(i.In), tea.WithOutput(i.Out), tea.WithoutSignalHandler()}
	_, err = tea.NewProgram(window, options...).Run()
	switch {
	case window.failed != nil:
		return window.failed
	case ctx.Err() != nil, errors.Is(err, tea.ErrProgramKilled):
		return nil // whoever looks has ended it
	default:
		return err
	}
}

// window is the screen in a terminal: what happens is told to it, and what it asks for is done.
type window struct {
	ctx context.Context //nolint:containedctx // commands of the screen run for as long as the program
	*session
	mirror  *mirror
	me      v1alpha1.Person
	screen  screen.Screen
	refused failing
	failed  error
}

// What the window is told beside keys and sizes.
type (
	changed struct {
		data screen.Data
		err  error
		// fatal says that the mirror has given up.
		fatal bool
	}
	decided struct {
		message string
		close   bool
	}
)

// Init reads for the first time.
func (w *window) Init() tea.Cmd { return w.read }

// Update the screen by what has happened.
func (w *window) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	w.screen.Now = now()
	switch told := message.(type) {
	case tea.WindowSizeMsg:
		w.screen.Width, w.screen.Height = told.Width, told.Height
	case changed:
		switch {
		case told.fatal || w.refused.finally(told.err):
			w.failed = told.err
			return w, tea.Quit
		case told.err != nil:
			w.screen = w.screen.Tell("This is not current, and it is tried again: " + told.err.Error())
		default:
			w.screen = w.screen.Show(told.data)
		}
		return w, w.next
	case decided:
		if told.close {
			w.screen = w.screen.Closed(told.message)
		} else {
			w.screen = w.screen.Tell(told.message)
		}
	case tea.KeyPressMsg:
		next, action := w.screen.Key(told.Keystroke(), told.Text)
		w.screen = next
		switch asked := action.(type) {
		case screen.Quit:
			return w, tea.Quit
		case screen.Decide:
			return w, func() tea.Msg { return w.decide(asked) }
		}
	}
	return w, nil
}

// View is the screen as it is now.
func (w *window) View() tea.View {
	view := tea.NewView(strings.Join(w.screen.Lines(), "\n"))
	view.AltScreen = true
	return view
}

// next waits until something has changed, and reads it.
func (w *window) next() tea.Msg {
	late := time.NewTimer(refresh)
	defer late.Stop()
	select {
	case <-w.ctx.Done():
		return nil
	case err := <-w.mirror.failed:
		return changed{err: err, fatal: true}
	case <-late.C:
	case <-w.mirror.changed:
		linger(w.ctx, settle)
	}
	return w.read()
}

func (w *window) read() tea.Msg {
	inbox, err := w.mirror.inbox(w.ctx, w.me)
	if err != nil {
		return changed{err: err}
	}
	environments, open := w.mirror.now()
	data := screen.Data{User: w.me.Username, Inbox: inbox, Open: open}
	all := make([]v1alpha1.Environment, 0, len(environments))
	for at, environment := range environments {
		all = append(all, environment)
		data.Projects = data.Projects || at.project != all[0].Namespace
	}
	data.Matrix = report.Arrange(all)
	return changed{data: data}
}

// decide as `approve` and `reject` do.
func (w *window) decide(asked screen.Decide) tea.Msg {
	command := &decideCommand{session: w.session, decision: asked.Decision, comment: asked.Comment}
	if _, err := command.write(w.ctx, person.Actor{Client: w.mirror.connection, Me: w.me}, asked.Promotion); err != nil {
		return decided{message: "error: " + explained(err)}
	}
	return decided{message: fmt.Sprintf("promotion %q %s", asked.Promotion.Name, verbs[asked.Decision].done), close: true}
}
