// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package floor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	api = "/apis/assent.dev/v1alpha1"
	// extraHeader carries the promotion in the impersonated identity.
	extraHeader = "Impersonate-Extra-assent.dev%2Fpromotion"
)

// floor at work.
type floor struct {
	client *http.Client
	host   string
	slots  chan struct{}
	out    *json.Encoder
	mu     sync.Mutex
}

// Serve reads an Order, says `{}` when it watches, and does the jobs; of each it writes a Done, as a line of JSON. It ends when all are done.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	var order Order
	if err := json.NewDecoder(in).Decode(&order); err != nil {
		return fmt.Errorf("reading the order: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", order.Kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	f := &floor{client: client, host: config.Host, slots: make(chan struct{}, order.Parallel), out: json.NewEncoder(out)}
	return f.serve(ctx, order)
}

func (f *floor) serve(ctx context.Context, order Order) error {
	waiting := map[string]*Job{}
	for i := range order.Jobs {
		job := &order.Jobs[i]
		waiting[job.Project+"/"+job.Name] = job
	}
	path := api + "/promotions"
	if order.Project != "" {
		path = api + "/namespaces/" + url.PathEscape(order.Project) + "/promotions"
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := f.watch(ctx, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = events.Close() }()
	if err := f.tell(struct{}{}); err != nil {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	for decoder := json.NewDecoder(events); len(waiting) > 0; {
		var event promotionEvent
		if err := decoder.Decode(&event); err != nil {
			return fmt.Errorf("watching promotions: %w", err)
		}
		object := event.Object
		job := waiting[object.Metadata.Namespace+"/"+object.Metadata.Name]
		if job == nil || len(object.Spec.Approvals) == 0 {
			continue
		}
		delete(waiting, object.Metadata.Namespace+"/"+object.Metadata.Name)
		seen := time.Now()
		group.Go(func() {
			done := Done{Project: job.Project, Name: job.Name, Seen: seen}
			if err := f.do(ctx, job, &done); err != nil {
				done.Error = err.Error()
			}
			_ = f.tell(done) // whoever does not read it misses it
		})
	}
	group.Wait()
	return nil
}

type promotionEvent struct {
	Object struct {
		Metadata struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			Approvals []json.RawMessage `json:"approvals"`
		} `json:"spec"`
	} `json:"object"`
}

// do a job: the intent, then all objects, then wait for what is to be ready.
func (f *floor) do(ctx context.Context, job *Job, done *Done) error {
	if _, err := f.send(ctx, http.MethodPost, api+"/namespaces/"+job.Project+"/auditrecords", job.Intent, nil); err != nil {
		return fmt.Errorf("writing the intent: %w", err)
	}
	written := make([]applied, len(job.Writes))
	errs := make([]error, len(job.Writes))
	var group sync.WaitGroup
	for i, write := range job.Writes {
		f.slots <- struct{}{}
		group.Go(func() {
			defer func() { <-f.slots }()
			answer, err := f.send(ctx, http.MethodPatch, write.Path, write.Body, job)
			if errs[i] = err; err == nil && job.Deployments != "" {
				errs[i] = json.Unmarshal(answer, &written[i])
			}
		})
	}
	group.Wait()
	done.Written = time.Now()
	if err := errors.Join(errs...); err != nil || job.Deployments == "" {
		return err
	}
	err := f.awaitReady(ctx, job, written)
	done.Ready = time.Now()
	return err
}

// send a request, as the deployer of the job if there is one, and return the answer.
func (f *floor) send(ctx context.Context, method, path string, body []byte, job *Job) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, f.host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/apply-patch+yaml")
	}
	impersonate(request, job)
	response, err := f.client.Do(request)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	return answer, nil
}

// watch what is there and what changes.
func (f *floor) watch(ctx context.Context, path string, job *Job) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.host+path+"?watch=true", http.NoBody)
	if err != nil {
		return nil, err
	}
	impersonate(request, job)
	response, err := f.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("watching %s: %s", path, response.Status), response.Body.Close())
	}
	return response.Body, nil
}

func impersonate(request *http.Request, job *Job) {
	request.Header.Set("Accept", "application/json")
	if job != nil {
		request.Header.Set("Impersonate-User", job.Deployer)
		request.Header[extraHeader] = []string{job.Extra}
	}
}

// tell a line to whoever started this.
func (f *floor) tell(line any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out.Encode(line)
}
