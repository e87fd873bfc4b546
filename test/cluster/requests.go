// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Request is one request as the API server's own audit log has it.
type Request struct {
	Verb             string    `json:"verb"`
	RequestURI       string    `json:"requestURI"`
	User             Requester `json:"user"`
	ImpersonatedUser Requester `json:"impersonatedUser"`
	ObjectRef        struct {
		APIGroup    string `json:"apiGroup"`
		APIVersion  string `json:"apiVersion"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	// RequestObject is what was written; the log has it for Assent's own kinds, and of every deletion its options.
	RequestObject json.RawMessage `json:"requestObject,omitempty"`
	// ResponseObject is what was stored; the log has it for Assent's own kinds.
	ResponseObject json.RawMessage `json:"responseObject,omitempty"`
	// Received is when the request came in, and Done when it was answered.
	Received time.Time `json:"requestReceivedTimestamp"`
	Done     time.Time `json:"stageTimestamp"`
	Stage    string    `json:"stage"`
}

// Requester is who made a request.
type Requester struct {
	Username string              `json:"username"`
	UID      string              `json:"uid,omitempty"`
	Groups   []string            `json:"groups,omitempty"`
	Extra    map[string][]string `json:"extra,omitempty"`
}

// String is the request as messages show it.
func (r Request) String() string {
	who := r.User.Username
	if r.ImpersonatedUser.Username != "" {
		who += " as " + r.ImpersonatedUser.Username
	}
	return fmt.Sprintf("%s %s -> %d by %s", r.Verb, r.RequestURI, r.ResponseStatus.Code, who)
}

// ByOperator says whether the operator made the request, as itself or as a deployer.
func (r Request) ByOperator() bool {
	return r.User.Username == v1alpha1.ControllerUsername
}

// Actor is whose rights the request was made with: those of whoever was impersonated, if somebody was.
func (r Request) Actor() Requester {
	if r.ImpersonatedUser.Username != "" {
		return r.ImpersonatedUser
	}
	return r.User
}

// Granted says whether the API server did what was asked.
func (r Request) Granted() bool {
	return r.ResponseStatus.Code >= 200 && r.ResponseStatus.Code < 300
}

// Changes says whether the request asks for a change: whether it was granted or not, but neither as a dry run nor to ask who may do what.
func (r Request) Changes() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, r.Verb) &&
		!r.dryRun() && !strings.HasSuffix(r.ObjectRef.Resource, "accessreviews")
}

// dryRun says whether the request only tries. A deletion says so in its body.
func (r Request) dryRun() bool {
	uri, err := url.Parse(r.RequestURI)
	if err != nil || uri.Query().Has("dryRun") {
		return true
	}
	var options struct {
		Kind   string   `json:"kind"`
		DryRun []string `json:"dryRun"`
	}
	return strings.HasPrefix(r.Verb, "delete") && json.Unmarshal(r.RequestObject, &options) == nil && options.Kind == "DeleteOptions" && len(options.DryRun) > 0
}

// RequestLog reads the API server's audit log from where it stood when the RequestLog was made.
type RequestLog struct {
	path string
	from int64
}

// Requests reads the requests that the API server answers from now on.
func (c *Cluster) Requests() (*RequestLog, error) {
	path := filepath.Join(c.dir, "audit.log")
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("finding the API server's audit log: %w", err)
	}
	return &RequestLog{path: path, from: info.Size()}, nil
}

// Answered are the requests that were answered and that the filter wants, in the order of their answers.
func (l *RequestLog) Answered(wanted func(Request) bool) ([]Request, error) {
	return l.answered(func([]byte) bool { return true }, wanted)
}

// Changes are the requests for a change that were answered, that mention one of these words anywhere and that the filter wants, in the order of their
// answers. It decodes nothing else, so that it is quick in a long log.
func (l *RequestLog) Changes(words []string, wanted func(Request) bool) ([]Request, error) {
	mentioned := func(line []byte) bool {
		return slices.ContainsFunc(words, func(word string) bool { return bytes.Contains(line, []byte(word)) })
	}
	return l.answered(
		func(line []byte) bool { return !reading.Match(line[:min(len(line), verbWithin)]) && mentioned(line) },
		func(r Request) bool { return r.Changes() && wanted(r) },
	)
}

// verbWithin is how far into its line the verb of a request stands at most: only its address can be long.
const verbWithin = 2048

// reading finds the verb of a request that changes nothing.
var reading = regexp.MustCompile(`"verb":"(get|list|watch)"`)

func (l *RequestLog) answered(line func([]byte) bool, wanted func(Request) bool) ([]Request, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(l.from, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the API server's audit log: %w", err)
	}
	var found []Request
	reader := bufio.NewReaderSize(file, 1<<20)
	for {
		text, err := reader.ReadBytes('\n')
		if err == io.EOF { // what is left is being written
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the API server's audit log: %w", err)
		}
		if !line(text) {
			continue
		}
		var request Request
		// The reader may begin in the middle of a line.
		if json.Unmarshal(text, &request) == nil && request.Stage == "ResponseComplete" && wanted(request) {
			found = append(found, request)
		}
	}
}
