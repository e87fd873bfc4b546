// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/base64"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	maskSame   = "***"
	maskBefore = "*** (before)"
	maskAfter  = "*** (after)"
)

// lastApplied repeats the whole object, a Secret's values among it, as `kubectl apply` last wrote it.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// masked copies both sides of a pair for people to see: without noise, and with masks for what a Secret holds. A mask tells whether a
// value changes and nothing else: a hash of a short password is as good as the password.
func masked(pair Pair) (before, after map[string]any) {
	before, after = shown(pair.Live), shown(pair.Merged)
	if pair.Live == nil && pair.Merged != nil {
		dropAllocated(after, pair.Merged)
	}
	if pair.Ref.Kind == "Secret" {
		foldStringData(before)
		foldStringData(after)
		maskField(before, after, "data")
		// What is not a map at all could not be folded, and must not be shown.
		maskField(before, after, "stringData")
	}
	maskAnnotation(before, after, lastApplied)
	return before, after
}

// dropAllocated takes the addresses out that a dry run makes up for a new Service: the real ones are given when it is created.
// Those that the release asks for itself stay.
func dropAllocated(content map[string]any, object *unstructured.Unstructured) {
	spec, _ := content["spec"].(map[string]any)
	if object.GetKind() != "Service" || object.GroupVersionKind().Group != "" || spec["clusterIP"] == "None" {
		return
	}
	for _, entry := range object.GetManagedFields() {
		if entry.FieldsV1 != nil && strings.Contains(entry.FieldsV1.String(), `"f:clusterIP"`) {
			return
		}
	}
	delete(spec, "clusterIP")
	delete(spec, "clusterIPs")
}

func shown(object *unstructured.Unstructured) map[string]any {
	if object == nil {
		return nil
	}
	return withoutNoise(object.DeepCopy()).Object
}

// foldStringData writes `stringData` into `data` as the API server does, so that the same value is the same however it was written.
func foldStringData(content map[string]any) {
	stringData, ok := content["stringData"].(map[string]any)
	if !ok {
		return
	}
	if _, found := content["data"]; !found {
		content["data"] = map[string]any{}
	}
	data, ok := content["data"].(map[string]any)
	if !ok {
		return
	}
	for key, value := range stringData {
		if text, isText := value.(string); isText {
			data[key] = base64.StdEncoding.EncodeToString([]byte(text))
			continue
		}
		data[key] = value
	}
	delete(content, "stringData")
}

func maskField(before, after map[string]any, field string) {
	oldValues, oldIsMap := before[field].(map[string]any)
	newValues, newIsMap := after[field].(map[string]any)
	_, inOld := before[field]
	_, inNew := after[field]
	if (inOld && !oldIsMap) || (inNew && !newIsMap) {
		maskValue(before, after, field)
		return
	}
	for key := range oldValues {
		maskValue(oldValues, newValues, key)
	}
	for key := range newValues {
		if _, both := oldValues[key]; !both {
			newValues[key] = maskSame
		}
	}
}

// maskValue masks one value where it is.
func maskValue(before, after map[string]any, key string) {
	oldValue, inOld := before[key]
	newValue, inNew := after[key]
	oldMask, newMask := maskSame, maskSame
	if inOld && inNew && !equality.Semantic.DeepEqual(oldValue, newValue) {
		oldMask, newMask = maskBefore, maskAfter
	}
	if inOld {
		before[key] = oldMask
	}
	if inNew {
		after[key] = newMask
	}
}

func maskAnnotation(before, after map[string]any, key string) {
	maskValue(annotations(before), annotations(after), key)
}

func annotations(content map[string]any) map[string]any {
	metadata, _ := content["metadata"].(map[string]any)
	values, _ := metadata["annotations"].(map[string]any)
	return values
}
