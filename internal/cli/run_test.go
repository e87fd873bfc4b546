// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func TestThePluginSaysItsVersion(t *testing.T) {
	var out, said bytes.Buffer
	code := Run(t.Context(), genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &said}, []string{"--version"})
	if want := "kubectl assent version " + version + "\n"; code != 0 || out.String() != want || said.Len() != 0 {
		t.Errorf("it ends with %d and prints %q and %q", code, out.String(), said.String())
	}
}
