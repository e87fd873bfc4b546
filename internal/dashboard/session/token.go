// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	// mostForm is how large a posted form may be, in bytes.
	mostForm = 64 << 10

	notAccepted = "The API server does not accept this token: it has expired, it was made for something else, or a part of it is missing. " +
		"Make a new one, for example with `kubectl create token NAME --namespace PROJECT`, and paste all of it."
	notReached = "The API server could not be asked whose token this is. Try again in a moment."
)

// token signs somebody in with the token that they have pasted.
func (h *Handler) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	if err := r.ParseForm(); err != nil {
		h.show(w, http.StatusBadRequest, "", "What was sent is not a token, or is too large.")
		return
	}
	back := r.PostForm.Get("return")
	token := strings.TrimSpace(r.PostForm.Get("token"))
	person, err := Check(r.Context(), h.Config, token)
	switch {
	case token == "":
		h.show(w, http.StatusUnauthorized, back, "Paste a token: `kubectl create token NAME --namespace PROJECT` makes one.")
	case errors.Is(err, ErrNobody):
		h.Log.Info("A pasted token was not accepted")
		h.show(w, http.StatusUnauthorized, back, notAccepted)
	case err != nil:
		h.Log.Error(err, "Asking whose a pasted token is")
		h.show(w, http.StatusServiceUnavailable, back, notReached)
	default:
		h.enter(w, Identity{Token: token, Expires: h.expiry(token), Person: person}, back)
	}
}

// expiry is when a pasted token says that it expires. That is not verified, nor need it be: the API server judges the token, each time. One that does not say, such
// as one that is not a JSON web token, is good for one session.
func (h *Handler) expiry(token string) time.Time {
	if said := claimsOf(token).Expiry; said > 0 {
		return time.Unix(int64(said), 0)
	}
	return h.Clock.Now().Add(lifetime)
}
