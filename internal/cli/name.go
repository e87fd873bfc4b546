// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// longestName leaves room for a number in the 253 bytes that a name may have.
const longestName = 245

// stableName joins names to that of a Promotion: the same each time. One that would be too long is cut, and told apart by a digest of all of it.
func stableName(parts ...string) string {
	name := strings.Join(parts, "-")
	if len(name) <= longestName {
		return name
	}
	digest := sha256.Sum256([]byte(name))
	mark := "-" + hex.EncodeToString(digest[:4])
	return strings.TrimRight(name[:longestName-len(mark)], "-.") + mark
}

// numbered is the name of the first, the second and so on.
func numbered(name string, number int) string {
	if number == 1 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, number)
}

func isTaken(err error) bool { return apierrors.IsAlreadyExists(err) }
