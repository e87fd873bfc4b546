// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

const (
	// manyNames is for commands that take as many as there are.
	manyNames = -1
	// patience is for how long a shell waits for names.
	patience = 3 * time.Second
)

// candidates are the objects whose names a shell offers.
type candidates func() (list client.ObjectList, wanted func(runtime.Object) bool)

func all(runtime.Object) bool { return true }

func anyRelease() (client.ObjectList, func(runtime.Object) bool) {
	return &v1alpha1.ReleaseList{}, all
}

func anyEnvironment() (client.ObjectList, func(runtime.Object) bool) {
	return &v1alpha1.EnvironmentList{}, all
}

func anyPromotion() (client.ObjectList, func(runtime.Object) bool) {
	return &v1alpha1.PromotionList{}, all
}

func openPromotions() (client.ObjectList, func(runtime.Object) bool) {
	return &v1alpha1.PromotionList{}, func(object runtime.Object) bool {
		promotion, ok := object.(*v1alpha1.Promotion)
		return ok && !report.Ended(promotion)
	}
}

// completes has a shell offer names for the first arguments of a command.
func (s *session) completes(cmd *cobra.Command, of candidates, most int) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if most != manyNames && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, directive := s.offered(cmd.Context(), of)
		return slices.DeleteFunc(found, func(name string) bool { return slices.Contains(args, name) }), directive
	}
}

// completesFlag has a shell offer names for a flag.
func (s *session) completesFlag(cmd *cobra.Command, flag string, of candidates) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return s.offered(cmd.Context(), of)
	})
	if err != nil {
		panic(err) // the flag does not exist: the command itself is wrong
	}
}

// offered are the names on the first page. A shell has nowhere to show an error.
func (s *session) offered(ctx context.Context, of candidates) ([]string, cobra.ShellCompDirective) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := s.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	list, wanted := of()
	if err := c.List(limited, list, client.InNamespace(c.project), client.Limit(pageSize)); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var found []string
	err = meta.EachListItem(list, func(item runtime.Object) error {
		if object, ok := item.(client.Object); ok && wanted(item) {
			found = append(found, object.GetName())
		}
		return nil
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
