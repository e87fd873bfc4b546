// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"encoding/json"
	"strings"
)

// claims are what a JSON web token says of itself.
type claims struct {
	Subject string `json:"sub"`
	Nonce   string `json:"nonce"`
	// AuthorizedParty is the client that the token was issued to, where that is said.
	AuthorizedParty string `json:"azp"`
	// Expiry in seconds since 1970. Some write a fraction.
	Expiry float64 `json:"exp"`
}

// claimsOf reads a token without verifying it: it is for tokens that were, and for what needs no verification. Of anything else the claims are empty.
func claimsOf(token string) claims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}
	}
	content, err := encoding.DecodeString(parts[1])
	if err != nil {
		return claims{}
	}
	var said claims
	if err := json.Unmarshal(content, &said); err != nil {
		return claims{}
	}
	return said
}
