// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"bytes"
	"compress/flate"
	"encoding/gob"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// mostUnpacked bounds what a cookie can become, in bytes.
const mostUnpacked = 1 << 20

// packed is an Identity as cookies hold it.
type packed struct {
	Session        string
	Began, Expires time.Time
	// Token is cut at its dots. A JSON web token's parts are decoded: people in hundreds of groups have them in the token and once more as the API server names
	// them, and decoded the two are so alike that compressing leaves little more than one.
	Token   [][]byte
	Encoded bool
	Refresh string
	Person  v1alpha1.Person
}

// pack writes an Identity as short as it can be.
func pack(identity Identity) ([]byte, error) {
	content := packed{
		Session: identity.session, Began: identity.began, Expires: identity.Expires, Refresh: identity.RefreshToken, Person: identity.Person,
	}
	content.Token, content.Encoded = cut(identity.Token)
	var made bytes.Buffer
	compressed, err := flate.NewWriter(&made, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("packing a session: %w", err)
	}
	if err := gob.NewEncoder(compressed).Encode(content); err != nil {
		return nil, fmt.Errorf("packing a session: %w", err)
	}
	if err := compressed.Close(); err != nil {
		return nil, fmt.Errorf("packing a session: %w", err)
	}
	return made.Bytes(), nil
}

func unpack(content []byte) (Identity, error) {
	var found packed
	if err := gob.NewDecoder(io.LimitReader(flate.NewReader(bytes.NewReader(content)), mostUnpacked)).Decode(&found); err != nil {
		return Identity{}, fmt.Errorf("unpacking a session: %w", err)
	}
	return Identity{
		Token: join(found.Token, found.Encoded), RefreshToken: found.Refresh, Expires: found.Expires, Person: found.Person,
		session: found.Session, began: found.Began,
	}, nil
}

// cut decodes the parts of a token. It leaves a token whole that would not be the same again when it is joined.
func cut(token string) (parts [][]byte, encoded bool) {
	for part := range strings.SplitSeq(token, ".") {
		decoded, err := encoding.DecodeString(part)
		if err != nil {
			return [][]byte{[]byte(token)}, false
		}
		parts = append(parts, decoded)
	}
	if join(parts, true) != token {
		return [][]byte{[]byte(token)}, false
	}
	return parts, true
}

func join(parts [][]byte, encoded bool) string {
	whole := make([]string, 0, len(parts))
	for _, part := range parts {
		if encoded {
			whole = append(whole, encoding.EncodeToString(part))
		} else {
			whole = append(whole, string(part))
		}
	}
	return strings.Join(whole, ".")
}
