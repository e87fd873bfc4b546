// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// consent is how somebody agrees: on a terminal when they are asked, by --yes, or by the digest of the plan that they have looked at.
type consent struct {
	yes  bool
	plan string
}

func (a *consent) addYes(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "Do not ask.")
}

func (a *consent) addPlan(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.plan, "plan", "", "The digest of the plan that was looked at, or its first 12 digits or more: any other plan is refused. It agrees as --yes does.")
}

var planPrefix = regexp.MustCompile(`^sha256:[0-9a-f]{12,64}$`)

// consents is an error where nobody has agreed and nobody can be asked.
func (a *consent) consents(cmd *cobra.Command, s *session) error {
	switch {
	case a.plan != "" && !planPrefix.MatchString(a.plan):
		return misused(cmd, fmt.Errorf("--plan must be the digest of a plan, such as sha256:0123456789ab, as `kubectl assent diff` shows it"))
	case a.yes || a.plan != "" || s.asks():
		return nil
	case cmd.Flag("plan") == nil:
		return misused(cmd, fmt.Errorf("there is no terminal to ask on: give --yes"))
	default:
		return misused(cmd, fmt.Errorf("there is no terminal to ask on: give --yes, or --plan with the digest that was looked at"))
	}
}

// planned is an error where there is no plan, or not the one that --plan names.
func (a *consent) planned(seen *v1alpha1.Promotion) error {
	if err := hasPlan(seen); err != nil {
		return err
	}
	if digest := string(seen.Status.Plan.Digest); !strings.HasPrefix(digest, a.plan) {
		return fmt.Errorf("the plan of promotion %q is %s now, and not the one that --plan names: look at it by `kubectl assent diff %s`", seen.Name, digest, seen.Name)
	}
	return nil
}

// given asks, unless somebody has agreed already.
func (a *consent) given(s *session, question string) (bool, error) {
	if a.yes || a.plan != "" {
		return true, nil
	}
	return s.agree(question)
}

// lookAt shows what is to be decided on: the diff, and what else is waited for.
func (s *session) lookAt(seen *v1alpha1.Promotion) {
	if seen.Status.Plan.Digest != "" {
		fmt.Fprint(s.ErrOut, report.Differ(seen).Text(s.meanwhile())+"\n")
	}
	fmt.Fprint(s.ErrOut, report.Explain(seen).Text(s.meanwhile(), now()))
}
