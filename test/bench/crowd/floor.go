// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Floor is the work of a program that knows everything beforehand: for every Promotion, by NAMESPACE/NAME, the writes that have to be made once somebody
// has approved it, encoded already. It reads nothing but the watch that tells of the approval.
type Floor struct {
	// Kubeconfig of the operator's own account.
	Kubeconfig string
	// Rollouts by Promotion.
	Rollouts map[string]Rollout
}

// Rollout is one of them: 9 writes of 4 objects, in the order in which they have to be made. Those of Applies are made at once.
type Rollout struct {
	Start, Intent Write
	Applies       []Write
	Outcome       Write
	Environment   Write
	End           Write
}

// Write is a request.
type Write struct {
	Method, Path string
	// Type of the body.
	Type string
	// As is the deployer that is impersonated, and For the promotion that the requests are made for; empty for the operator itself.
	As, For string
	// Body; versionPlace in it is where the version of the Promotion goes that was seen last.
	Body json.RawMessage
}

const (
	versionPlace = "@VERSION@"
	// lanes is how many promotions the floor works on at once: as many as the operator does by default.
	lanes = 16
	// FloorCommand is the argument with which this binary is the floor of a crowd.
	FloorCommand = "crowd-floor"
	// FloorReady is what the floor prints when it watches.
	FloorReady = "ready"
)

// RunFloor does the work that a file holds, and returns when all of it is done. It tells out when it watches.
func RunFloor(ctx context.Context, path string, out io.Writer) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the floor's work: %w", err)
	}
	var work Floor
	if err := json.Unmarshal(raw, &work); err != nil {
		return fmt.Errorf("reading the floor's work: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", work.Kubeconfig)
	if err != nil {
		return fmt.Errorf("connecting the floor: %w", err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("connecting the floor: %w", err)
	}
	f := &floor{Floor: work, client: client, host: config.Host, approved: make(chan approved, len(work.Rollouts))}
	return f.run(ctx, out)
}

type floor struct {
	Floor
	client   *http.Client
	host     string
	approved chan approved
}

// approved is a Promotion that somebody has approved, in the version that says so.
type approved struct{ name, version string }

func (f *floor) run(ctx context.Context, out io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watching, err := f.watch(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = watching.Close() }()
	_, _ = fmt.Fprintln(out, FloorReady)
	failed := make(chan error, lanes+1)
	go func() { failed <- f.follow(watching) }()
	var left sync.WaitGroup
	left.Add(len(f.Rollouts))
	for range lanes {
		go func() {
			for one := range f.approved {
				if err := f.carryOut(ctx, f.Rollouts[one.name], one.version); err != nil {
					failed <- fmt.Errorf("promotion %q: %w", one.name, err)
					return
				}
				left.Done()
			}
		}()
	}
	done := make(chan struct{})
	go func() { left.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case err := <-failed:
		return err
	}
}

const promotionsPath = "/apis/assent.dev/v1alpha1/promotions"

// watch all Promotions from now on.
func (f *floor) watch(ctx context.Context) (io.ReadCloser, error) {
	listing, err := f.get(ctx, promotionsPath+"?limit=1")
	if err != nil {
		return nil, err
	}
	var list struct {
		Metadata struct{ ResourceVersion string }
	}
	if err := errors.Join(json.NewDecoder(listing).Decode(&list), listing.Close()); err != nil {
		return nil, fmt.Errorf("listing promotions: %w", err)
	}
	return f.get(ctx, promotionsPath+"?watch=true&resourceVersion="+list.Metadata.ResourceVersion)
}

func (f *floor) get(ctx context.Context, path string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.host+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := f.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("reading promotions: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("reading promotions: %s", response.Status), response.Body.Close())
	}
	return response.Body, nil
}

// follow the watch, and hand on each Promotion once it is approved.
func (f *floor) follow(watching io.Reader) error {
	told := map[string]bool{}
	lines := bufio.NewReaderSize(watching, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("watching promotions: %w", err)
		}
		var event struct {
			Object struct {
				Metadata struct{ Namespace, Name, ResourceVersion string }
				Spec     struct{ Approvals []struct{ User string } }
			}
		}
		if err := json.Unmarshal(line, &event); err != nil {
			return fmt.Errorf("watching promotions: %w", err)
		}
		meta := event.Object.Metadata
		name := meta.Namespace + "/" + meta.Name
		if _, ours := f.Rollouts[name]; ours && len(event.Object.Spec.Approvals) > 0 && !told[name] {
			told[name] = true
			f.approved <- approved{name, meta.ResourceVersion}
		}
	}
}

func (f *floor) carryOut(ctx context.Context, work Rollout, version string) error {
	version, err := f.send(ctx, work.Start, version)
	if err != nil {
		return err
	}
	if _, err := f.send(ctx, work.Intent, ""); err != nil {
		return err
	}
	failed := make([]error, len(work.Applies))
	var applies sync.WaitGroup
	for i, apply := range work.Applies {
		applies.Go(func() { _, failed[i] = f.send(ctx, apply, "") })
	}
	applies.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	for _, write := range []Write{work.Outcome, work.Environment} {
		if _, err := f.send(ctx, write, ""); err != nil {
			return err
		}
	}
	_, err = f.send(ctx, work.End, version)
	return err
}

// send a write, and return the version that it has made.
func (f *floor) send(ctx context.Context, write Write, version string) (string, error) {
	body := bytes.Replace(write.Body, []byte(versionPlace), []byte(version), 1)
	request, err := http.NewRequestWithContext(ctx, write.Method, f.host+write.Path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", write.Type)
	request.Header.Set("Accept", "application/json")
	if write.As != "" {
		request.Header.Set("Impersonate-User", write.As)
		request.Header.Set("Impersonate-Extra-assent.dev%2fpromotion", write.For)
	}
	response, err := f.client.Do(request)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", write.Method, write.Path, err)
	}
	answer, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return "", fmt.Errorf("%s %s: %w", write.Method, write.Path, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return "", fmt.Errorf("%s %s: %s: %s", write.Method, write.Path, response.Status, strings.TrimSpace(string(answer)))
	}
	if version == "" {
		return "", nil
	}
	var written struct {
		Metadata struct{ ResourceVersion string }
	}
	err = json.Unmarshal(answer, &written)
	return written.Metadata.ResourceVersion, err
}
