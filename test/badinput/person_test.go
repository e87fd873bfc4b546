// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// person sends what no client library would: bodies as they are.
type person struct {
	client *http.Client
	host   string
}

func (w *world) enter(name string) func(*rest.Config, error) {
	return func(config *rest.Config, err error) {
		GinkgoHelper()
		Expect(err).NotTo(HaveOccurred())
		connected, err := rest.HTTPClientFor(config)
		Expect(err).NotTo(HaveOccurred())
		w.people[name] = &person{client: connected, host: config.Host}
	}
}

// answer of the API server.
type answer struct {
	code int
	// status is filled where something was refused.
	status metav1.Status
	body   []byte
}

func (a answer) accepted() bool {
	return a.code < 300
}

// created is the name of what was accepted.
func (a answer) created() string {
	var object metav1.PartialObjectMetadata
	if json.Unmarshal(a.body, &object) != nil {
		return ""
	}
	return object.Name
}

// create sends an object, as strictly as kubectl does.
func (p *person) create(ctx context.Context, namespace, plural string, body []byte, options ...string) (answer, error) {
	path := fmt.Sprintf("/apis/%s/namespaces/%s/%s", v1alpha1.SchemeGroupVersion, namespace, plural)
	return p.send(ctx, http.MethodPost, path, "application/json", body, options...)
}

func (p *person) send(ctx context.Context, method, path, contentType string, body []byte, options ...string) (answer, error) {
	query := url.Values{"fieldValidation": {"Strict"}, "fieldManager": {"badinput"}}
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		query.Set(name, value)
	}
	request, err := http.NewRequestWithContext(ctx, method, p.host+path+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		return answer{}, fmt.Errorf("sending %d bytes: %w", len(body), err)
	}
	defer func() { _ = response.Body.Close() }()
	given := answer{code: response.StatusCode}
	if given.body, err = io.ReadAll(response.Body); err != nil {
		return answer{}, fmt.Errorf("reading the answer: %w", err)
	}
	if !given.accepted() && json.Unmarshal(given.body, &given.status) != nil {
		given.status.Message = string(given.body)
	}
	return given, nil
}
