// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

const (
	// pieceSize is how many bytes one cookie's value has at most. Browsers keep 4096 of its name, value and attributes together.
	pieceSize = 3800
	// mostPieces bounds what a browser has to send with each request.
	mostPieces = 8
)

// errTooLarge says that something does not fit into cookies.
var errTooLarge = errors.New("too large for cookies")

var encoding = base64.RawURLEncoding.Strict()

// crate is one sealed value in a browser: a cookie, or several if it is large. The first says how many there are, and they are opened together: one that was
// changed, left out, put in another's place, or is of another value leaves nothing that could be opened.
type crate struct {
	// name of the cookies, before their number.
	name   string
	path   string
	secure bool
	keys   Keys
	// seconds that the browser keeps it for; 0: until it is closed.
	seconds int
}

// newCrate names its cookies so that browsers let nobody but this host write them, and nobody who is not on https: `__Host-`. Below a path they cannot have that
// name, and have the next best.
func newCrate(name, path string, secure bool, keys Keys, seconds int) crate {
	switch {
	case secure && path == "/":
		name = "__Host-" + name
	case secure:
		name = "__Secure-" + name
	}
	return crate{name: name, path: path, secure: secure, keys: keys, seconds: seconds}
}

// purpose binds what is sealed to where it is: a value of one crate cannot be opened out of another.
func (c crate) purpose() string { return c.name + " " + c.path }

func (c crate) piece(number int) string { return c.name + "-" + strconv.Itoa(number) }

// put writes all of a value, or, if it is too large, nothing. Cookies that a larger value before has left are taken away.
func (c crate) put(w http.ResponseWriter, plain []byte) error {
	sealed := encoding.EncodeToString(c.keys.seal(plain, c.purpose()))
	const lead = 2 // the number of pieces, and a dot
	count := (lead + len(sealed) + pieceSize - 1) / pieceSize
	if count > mostPieces {
		return fmt.Errorf("%w: it needs %d of them, and there may be %d", errTooLarge, count, mostPieces)
	}
	rest := strconv.Itoa(count) + "." + sealed
	for number := range mostPieces {
		if number >= count {
			c.remove(w, number)
			continue
		}
		size := min(pieceSize, len(rest))
		c.set(w, number, rest[:size], c.seconds)
		rest = rest[size:]
	}
	return nil
}

// take returns the value that a request brings. It is false if there is none, or anything about it is not as it was put.
func (c crate) take(r *http.Request) ([]byte, bool) {
	first, found := c.only(r, 0)
	if !found {
		return nil, false
	}
	number, sealed, found := strings.Cut(first, ".")
	count, err := strconv.Atoi(number)
	if !found || err != nil || count < 1 || count > mostPieces {
		return nil, false
	}
	whole := strings.Builder{}
	whole.WriteString(sealed)
	for i := 1; i < count; i++ {
		piece, found := c.only(r, i)
		if !found {
			return nil, false
		}
		whole.WriteString(piece)
	}
	decoded, err := encoding.DecodeString(whole.String())
	if err != nil {
		return nil, false
	}
	return c.keys.open(decoded, c.purpose())
}

// only is the value of a piece. Two of the same name are none: somebody else has put one there.
func (c crate) only(r *http.Request, number int) (string, bool) {
	named := r.CookiesNamed(c.piece(number))
	if len(named) != 1 || len(named[0].Value) > pieceSize {
		return "", false
	}
	return named[0].Value, true
}

// brought says whether the request brings any of its cookies, be they good or not.
func (c crate) brought(r *http.Request) bool {
	for number := range mostPieces {
		if len(r.CookiesNamed(c.piece(number))) > 0 {
			return true
		}
	}
	return false
}

func (c crate) clear(w http.ResponseWriter) {
	for number := range mostPieces {
		c.remove(w, number)
	}
}

func (c crate) remove(w http.ResponseWriter, number int) { c.set(w, number, "", -1) }

func (c crate) set(w http.ResponseWriter, number int, value string, seconds int) {
	//nolint:gosec // without Secure only where the dashboard is told to serve plain http to its own machine
	http.SetCookie(w, &http.Cookie{
		Name: c.piece(number), Value: value, Path: c.path, MaxAge: seconds, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
