// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/plan"
)

// exit is what a command ends with, for scripts.
type exit int

const (
	exitDone exit = iota
	exitError
	// exitEnded: a Promotion was rejected, or has ended in another way than with success.
	exitEnded
	// exitTimedOut: what was waited for has not come in time.
	exitTimedOut
	// exitNotPermitted: the API server has refused because of who asks.
	exitNotPermitted
)

// ending is an error with an exit code of its own.
type ending struct {
	code exit
	err  error
}

func (e *ending) Error() string { return e.err.Error() }

func (e *ending) Unwrap() error { return e.err }

func exitOf(err error) exit {
	var ended *ending
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &ended):
		return ended.code
	case apierrors.IsForbidden(err):
		return exitNotPermitted
	default:
		return exitError
	}
}

// misused is a command line that cannot be carried out.
func misused(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w: see `%s --help`", err, cmd.CommandPath())
}

// explained is an error with what to do next. What the API server says is shown as it came.
func explained(err error) string {
	text := strings.TrimRight(plan.Visible(err.Error()), "\n")
	if hint := nextStep(err); hint != "" {
		text += "\n" + hint
	}
	return text
}

func nextStep(err error) string {
	switch {
	case clientcmd.IsEmptyConfig(err):
		return "Name the cluster: set KUBECONFIG, or give --kubeconfig or --server."
	case apierrors.IsUnauthorized(err):
		return "The API server does not know who you are: sign in again, and look with `kubectl auth whoami`."
	case person.IsMissingAPI(err):
		return "Assent is not installed in this cluster, or another cluster is meant: see `kubectl config current-context`."
	case utilnet.IsConnectionRefused(err) || isUnreachable(err):
		return "The API server cannot be reached: see `kubectl cluster-info`, or name another cluster by --context."
	default:
		return ""
	}
}

func isUnreachable(err error) bool {
	return strings.Contains(err.Error(), "no such host") || strings.Contains(err.Error(), "i/o timeout")
}
