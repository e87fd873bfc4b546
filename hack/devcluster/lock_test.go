// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

func TestLockWaitsUntilTheOtherHolderReleasesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := lock(t.Context(), path, func() { t.Error("nobody else holds the lock") })
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	again, err := lock(t.Context(), path, func() { told++; release() })
	if err != nil {
		t.Fatal(err)
	}
	defer again()
	if told != 1 {
		t.Errorf("said %d times that it waits, want once", told)
	}
}

func TestLockGivesUpWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := lock(t.Context(), path, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := lock(ctx, path, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
