// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const (
	lfsVersion   = "version https://git-lfs.github.com/spec/v1"
	lfsMediaType = "application/vnd.git-lfs+json"
	// maxPointerBytes is what a pointer must be smaller than, as the specification of Git LFS says.
	maxPointerBytes = 1024
	// lfsBatch is how many files are asked for at once.
	lfsBatch = 100
)

var oidPattern = regexp.MustCompile(`^[a-f0-9]{64}$`)

// pointer is a file that is kept in Git LFS, with where it lies in the tree.
type pointer struct {
	url        *url.URL
	name, mode string
	oid        string
	size       int64
}

// parsePointer reads what Git has in the place of a file in Git LFS. It returns a pointer without a size for any other file, and an error for
// one that begins like a pointer and is none.
func parsePointer(data []byte) (pointer, error) {
	if len(data) >= maxPointerBytes || !bytes.HasPrefix(data, []byte(lfsVersion)) {
		return pointer{}, nil
	}
	var found pointer
	for _, line := range strings.Split(string(data), "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "oid":
			found.oid, _ = strings.CutPrefix(value, "sha256:")
		case "size":
			found.size, _ = strconv.ParseInt(value, 10, 64)
		}
	}
	if !oidPattern.MatchString(found.oid) || found.size <= 0 {
		return pointer{}, errors.New("it has no SHA-256 or no size")
	}
	return found, nil
}

type lfsRequest struct {
	Operation string      `json:"operation"`
	Transfers []string    `json:"transfers"`
	HashAlgo  string      `json:"hash_algo"`
	Objects   []lfsObject `json:"objects"`
}

type lfsObject struct {
	OID     string               `json:"oid"`
	Size    int64                `json:"size"`
	Actions map[string]lfsAction `json:"actions,omitempty"`
}

type lfsAction struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header"`
}

// fetchLFS replaces the pointers by the files. Each repository is asked for its own.
func (w *walk) fetchLFS(ctx context.Context) error {
	var order []string
	byServer := map[string][]pointer{}
	for _, one := range w.pointers {
		key := one.url.String()
		if _, seen := byServer[key]; !seen {
			order = append(order, key)
		}
		byServer[key] = append(byServer[key], one)
	}
	for _, key := range order {
		for rest := byServer[key]; len(rest) > 0; {
			batch := rest[:min(lfsBatch, len(rest))]
			rest = rest[len(batch):]
			if err := w.fetchBatch(ctx, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) fetchBatch(ctx context.Context, batch []pointer) error {
	actions, err := w.downloads(ctx, batch)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, one := range batch {
		data, fetched := files[one.oid]
		if !fetched {
			action, offered := actions[one.oid]
			if !offered {
				return w.lfsFault(one, "it is not there: run `git lfs push`")
			}
			if data, err = w.download(ctx, one, action); err != nil {
				return err
			}
			files[one.oid] = data
		}
		if int64(len(data)) != one.size {
			return w.lfsMismatch(one)
		}
		w.found = append(w.found, contentFile{name: one.name, mode: one.mode, data: data})
	}
	return nil
}

// downloads asks the batch API of Git LFS where the files are.
func (w *walk) downloads(ctx context.Context, batch []pointer) (map[string]lfsAction, error) {
	asked := lfsRequest{Operation: "download", Transfers: []string{"basic"}, HashAlgo: "sha256"}
	for _, one := range batch {
		asked.Objects = append(asked.Objects, lfsObject{OID: one.oid, Size: one.size})
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	endpoint := strings.TrimSuffix(batch[0].url.String(), "/")
	endpoint = strings.TrimSuffix(endpoint, ".git") + ".git/info/lfs/objects/batch"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", lfsMediaType)
	request.Header.Set("Content-Type", lfsMediaType)
	answer, err := w.repository.transfer.do(request)
	if err != nil {
		return nil, w.lfsFailed(batch[0], err)
	}
	var answered struct {
		Objects []lfsObject `json:"objects"`
	}
	if err := json.Unmarshal(answer, &answered); err != nil {
		return nil, w.lfsFault(batch[0], "the server's answer is not that of Git LFS")
	}
	actions := map[string]lfsAction{}
	for _, object := range answered.Objects {
		if action, found := object.Actions["download"]; found {
			actions[object.OID] = action
		}
	}
	return actions, nil
}

func (w *walk) download(ctx context.Context, one pointer, action lfsAction) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, action.Href, nil)
	if err != nil {
		return nil, w.lfsFault(one, "the server named an address that is none")
	}
	if !sameOrigin(request.URL, w.repository.url) {
		return nil, invalid(fieldGit, "the commit keeps file %q in Git LFS on another host, %q: only files from %q are fetched; commit the file itself",
			foreign(one.name), foreign(originText(request.URL)), originText(w.repository.url))
	}
	for name, value := range action.Header {
		request.Header.Set(name, value)
	}
	data, err := w.repository.transfer.do(request)
	if err != nil {
		return nil, w.lfsFailed(one, err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != one.oid {
		return nil, w.lfsMismatch(one)
	}
	return data, nil
}

func (w *walk) lfsMismatch(one pointer) error {
	return mismatch(fieldGit, "the server sent something else for file %q in Git LFS than the commit names: check the server, or run `git lfs push` again", foreign(one.name))
}

func (w *walk) lfsFault(one pointer, why string) error {
	return w.repository.failed(fieldGit, "file %q could not be had from Git LFS: %s; it is tried again", foreign(one.name), why)
}

// lfsFailed keeps what the limits and the host's rule say, and tells the rest of in terms of the file.
func (w *walk) lfsFailed(one pointer, err error) error {
	switch status := statusOf(err); {
	case status == http.StatusNotFound:
		return w.lfsFault(one, fmt.Sprintf("%q has no Git LFS, or not this file: run `git lfs push`", one.url.Redacted()))
	case status != 0 && !isDenied(err):
		return w.lfsFault(one, reason(err))
	default:
		return err
	}
}
