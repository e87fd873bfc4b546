// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
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
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	// RequestObject is what was written; the log has it for Assent's own kinds.
	RequestObject json.RawMessage `json:"requestObject"`
	// Received is when the request came in, and Done when it was answered.
	Received time.Time `json:"requestReceivedTimestamp"`
	Done     time.Time `json:"stageTimestamp"`
	Stage    string    `json:"stage"`
}

// Requester is who made a request.
type Requester struct {
	Username string              `json:"username"`
	Extra    map[string][]string `json:"extra"`
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

// Changes says whether the request asks for a change: whether it was granted or not, but neither as a dry run nor to ask who may do what.
func (r Request) Changes() bool {
	uri, err := url.Parse(r.RequestURI)
	return err == nil && slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, r.Verb) &&
		!uri.Query().Has("dryRun") && !strings.HasSuffix(r.ObjectRef.Resource, "accessreviews")
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
		line, err := reader.ReadBytes('\n')
		if err == io.EOF { // what is left is being written
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the API server's audit log: %w", err)
		}
		var request Request
		// The reader may begin in the middle of a line.
		if json.Unmarshal(line, &request) == nil && request.Stage == "ResponseComplete" && wanted(request) {
			found = append(found, request)
		}
	}
}
