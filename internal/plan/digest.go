// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gowebpki/jcs"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// RenderedDigest is the SHA-256 digest over the canonical JSON (RFC 8785) of the objects, in their order.
// It fails for a number that canonical JSON cannot tell from its neighbour; Place refuses such objects with a better message.
func RenderedDigest(objects []*unstructured.Unstructured) (v1alpha1.Digest, error) {
	content := make([]map[string]any, 0, len(objects))
	for _, object := range objects {
		if field := inexactNumber(object.Object); field != "" {
			return "", fmt.Errorf("digest of %s: the number in `%s` is not exact in JSON", Describe(Reference(object)), field)
		}
		content = append(content, object.Object)
	}
	return canonicalDigest(content)
}

// Digest is what an approval names: SHA-256 over the canonical JSON of the Promotion's UID, the plan's inputs, the digest of the
// rendered objects, and what a failed rollout would go back to, if anything: that is approved with it. What runs now is left
// out, so that an approval of what would run stands when something else ran meanwhile.
func Digest(promotionUID types.UID, inputs v1alpha1.PlanInputs, rendered v1alpha1.Digest, fallback v1alpha1.Fallback) (v1alpha1.Digest, error) {
	return canonicalDigest(struct {
		PromotionUID   types.UID           `json:"promotionUID"`
		Inputs         v1alpha1.PlanInputs `json:"inputs"`
		RenderedDigest v1alpha1.Digest     `json:"renderedDigest"`
		Fallback       v1alpha1.Fallback   `json:"fallback,omitzero"`
	}{promotionUID, Decisive(inputs), rendered, fallback})
}

// Decisive are the inputs without those that only the diff is made from, which say what runs now.
func Decisive(inputs v1alpha1.PlanInputs) v1alpha1.PlanInputs {
	inputs.Deployed, inputs.DriftDigest = "", ""
	return inputs
}

// EnvironmentDigest is the digest of an Environment's rules: its spec, without what decides neither what
// runs nor who approves. An emergency stop must not void approvals.
func EnvironmentDigest(spec v1alpha1.EnvironmentSpec) (v1alpha1.Digest, error) {
	spec.Hold, spec.AutoPromotion = v1alpha1.Hold{}, v1alpha1.AutoPromotion{}
	return canonicalDigest(spec)
}

func canonicalDigest(value any) (v1alpha1.Digest, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encode as JSON: %w", err)
	}
	canonical, err := jcs.Transform(plain)
	if err != nil {
		return "", fmt.Errorf("bring into canonical JSON: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return v1alpha1.Digest("sha256:" + hex.EncodeToString(sum[:])), nil
}

// maxExactInteger is the largest integer that RFC 8785, whose numbers are IEEE 754 doubles, keeps apart from its neighbours.
// Two objects that differ beyond it would share a digest, and one approval would cover both.
const maxExactInteger = 1<<53 - 1

// inexactNumber returns the path of the first integer beyond what canonical JSON keeps apart, or "".
func inexactNumber(content map[string]any) string {
	path := inexactBelow(content)
	return strings.TrimPrefix(path, ".")
}

// inexactBelow returns the same from a value on: the path is put together only where there is such a number.
func inexactBelow(value any) string {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if below := inexactBelow(v[key]); below != "" {
				return step(key) + strings.TrimPrefix(below, here)
			}
		}
	case []any:
		for i, item := range v {
			if below := inexactBelow(item); below != "" {
				return fmt.Sprintf("[%d]", i) + strings.TrimPrefix(below, here)
			}
		}
	case int64:
		if v > maxExactInteger || v < -maxExactInteger {
			return here
		}
	case float64:
		if v > maxExactInteger || v < -maxExactInteger {
			return here
		}
	}
	return ""
}

// here stands for the end of a path. No step begins with it.
const here = "$"

// step is a key in a path. A key comes from a Release and may hold anything: one that could be misread is quoted.
func step(key string) string {
	if plainKind(key) && !strings.Contains(key, ".") {
		return "." + key
	}
	return "[" + quote(key) + "]"
}
