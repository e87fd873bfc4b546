// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package latency

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/bench/scene"
)

const (
	// many objects, each with so many bytes of content: over 1.5 MB in all.
	many, contentSize = 1000, 1500
)

// thousand is B10: how long the objects take, and how much memory the operator holds at most, from the Release's creation to the Promotion's end.
func thousand(ctx context.Context, s *scene.Scene, runs int) ([]measure.Result, error) {
	store := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer store.Close()
	first, err := pushed(store, "creating", "a")
	if err != nil {
		return nil, err
	}
	second, err := pushed(store, "updating", "b")
	if err != nil {
		return nil, err
	}
	versions := []version{first, second}
	memory := &held{scene: s}
	runners := []contestant{&remembering{contestant: &assent{s}, memory: memory}, &bare{s}}
	measured, err := raceOf(ctx, s, runs, runners, versions, func(f finish) time.Duration { return f.written.Sub(f.began) })
	all := results("B10", "approval to last object visible, 1,000 objects", versions, measured)
	return append(all, memory.results()...), err
}

// pushed is a version in a registry.
func pushed(store *httptest.Server, name, letter string) (version, error) {
	var objects []string
	for i := range many {
		objects = append(objects, configMap(fmt.Sprintf("settings-%04d", i), strings.Repeat(letter, contentSize)))
	}
	v := version{name: name, manifests: joined(objects), objects: len(objects)}
	image, err := crane.Image(map[string][]byte{"shop.yaml": []byte(v.manifests)})
	if err != nil {
		return v, fmt.Errorf("making an artifact: %w", err)
	}
	digest, err := image.Digest()
	if err != nil {
		return v, fmt.Errorf("making an artifact: %w", err)
	}
	host := strings.TrimPrefix(store.URL, "http://")
	if err := crane.Push(image, host+"/shop:"+name); err != nil {
		return v, fmt.Errorf("pushing an artifact: %w", err)
	}
	v.source.OCI = v1alpha1.OCISource{URL: "oci+http://" + host + "/shop", Digest: v1alpha1.Digest(digest.String())}
	return v, nil
}

// held is the operator's memory, of each rollout that counts: before it, and at most from then on.
type held struct {
	scene        *scene.Scene
	before, peak []float64
}

// remembering is a contestant whose rollouts are watched for the operator's memory.
type remembering struct {
	contestant
	memory *held
}

func (r *remembering) roll(ctx context.Context, place *scene.Place, v version) (finish, error) {
	operator := r.memory.scene.Operator
	if err := operator.ForgetPeak(); err != nil {
		return finish{}, err
	}
	before, err := operator.Peak() // what it holds now, as the peak was forgotten
	if err != nil {
		return finish{}, err
	}
	rolled, err := r.contestant.roll(ctx, place, v)
	if err != nil {
		return finish{}, err
	}
	peak, err := operator.Peak()
	r.memory.before = append(r.memory.before, mebibytes(before))
	r.memory.peak = append(r.memory.peak, mebibytes(peak))
	return rolled, err
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// results of all rollouts but those of the run that does not count.
func (h *held) results() []measure.Result {
	const versions = 2
	if len(h.peak) <= versions {
		return nil
	}
	return []measure.Result{
		{Benchmark: "B10", Case: "memory", What: "most memory of the operator", Unit: measure.Mebibytes, Series: []measure.Series{{Contender: measure.Assent, Values: h.peak[versions:]}}},
		{Benchmark: "B10", Case: "memory before", What: "memory of the operator before that", Unit: measure.Mebibytes, Series: []measure.Series{{Contender: measure.Assent, Values: h.before[versions:]}}},
	}
}
