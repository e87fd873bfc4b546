// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
)

// keySize is that of AES-256, in bytes.
const keySize = 32

// Keys seal what cookies hold: the first seals, and each opens what it has sealed. A new key is put before the old one, which is taken away when the sessions
// that it has sealed are over.
type Keys struct {
	each []cipher.AEAD
}

// RandomKeys are known to this process alone: its sessions end with it.
func RandomKeys() (Keys, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // it never fails
	return newKeys(key)
}

// ReadKeys reads a file with a key on each line, as `openssl rand -base64 32` makes one.
func ReadKeys(file string) (Keys, error) {
	content, err := os.ReadFile(file) //nolint:gosec // it is the one that whoever starts the dashboard names
	if err != nil {
		return Keys{}, fmt.Errorf("reading the keys of cookies: %w", err)
	}
	var each [][]byte
	number := 0
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		number++
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(key) != keySize {
			// What stands there is not shown: it may be a key all the same.
			return Keys{}, fmt.Errorf("line %d of %q must be a key of %d bytes in base64, as `openssl rand -base64 %d` makes one", number, file, keySize, keySize)
		}
		each = append(each, key)
	}
	if len(each) == 0 {
		return Keys{}, fmt.Errorf("%q must hold a key, as `openssl rand -base64 %d` makes one", file, keySize)
	}
	return newKeys(each...)
}

func newKeys(each ...[]byte) (Keys, error) {
	var keys Keys
	for _, key := range each {
		block, err := aes.NewCipher(key)
		if err != nil {
			return Keys{}, errors.New("a key of cookies has the wrong length")
		}
		sealer, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return Keys{}, fmt.Errorf("preparing the keys of cookies: %w", err)
		}
		keys.each = append(keys.each, sealer)
	}
	return keys, nil
}

// seal makes of a plain text what can be opened for the same purpose alone.
func (k Keys) seal(plain []byte, purpose string) []byte {
	return k.each[0].Seal(nil, nil, plain, []byte(purpose)) //nolint:gosec // without a nonce it makes one by itself
}

// open is false for what was not sealed with one of the keys, for that purpose, to the last bit.
func (k Keys) open(sealed []byte, purpose string) ([]byte, bool) {
	for _, key := range k.each {
		if plain, err := key.Open(nil, nil, sealed, []byte(purpose)); err == nil {
			return plain, true
		}
	}
	return nil, false
}
