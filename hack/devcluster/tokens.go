// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"encoding/csv"
	"fmt"
	"os"
	"strings"
)

// writeTokens gives each person a token beside their certificate, for what takes no certificates: a dashboard, for one. It is in the folder of kubeconfigs, and known
// to the API server as that very person.
func writeTokens(d directory) error {
	known, err := os.OpenFile(d.tokens(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the people's tokens: %w", err)
	}
	defer known.Close() //nolint:errcheck // Flush tells whether all was written
	table := csv.NewWriter(known)
	for _, u := range people() {
		token := rand.Text() + rand.Text()
		if err := os.WriteFile(d.usersToken(u), []byte(token+"\n"), 0o600); err != nil {
			return fmt.Errorf("writing the token of %q: %w", u.name, err)
		}
		// A certificate has no UID either: by both it is the same person. An empty list of groups would be one without a name.
		line := []string{token, u.name, ""}
		if len(u.groups) > 0 {
			line = append(line, strings.Join(u.groups, ","))
		}
		if err := table.Write(line); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}
