// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// contentKinds are looked at in every target, whoever has created them; what the requests name beside them is looked at too.
var contentKinds = []schema.GroupVersionKind{
	{Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Secret"}, {Version: "v1", Kind: "Service"}, {Version: "v1", Kind: "ServiceAccount"},
	{Version: "v1", Kind: "PersistentVolumeClaim"},
	{Group: "apps", Version: "v1", Kind: "Deployment"}, {Group: "apps", Version: "v1", Kind: "StatefulSet"}, {Group: "apps", Version: "v1", Kind: "DaemonSet"},
	{Group: "batch", Version: "v1", Kind: "Job"}, {Group: "batch", Version: "v1", Kind: "CronJob"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, {Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
}

// Content is what is in the target namespaces at the end, by "TARGET-1/Kind/name", without what differs from one run to the next: times, versions, UIDs,
// addresses, the names of the namespaces, and their status. What controllers have made of them, and what has a generated name, is left out.
func (e *Evidence) Content() map[string]any { return maps.Clone(e.content) }

func content(ctx context.Context, admin client.Client, e *Evidence) (map[string]any, error) {
	kinds := slices.Clone(contentKinds)
	for _, request := range e.Requests {
		ref := request.ObjectRef
		kind := schema.GroupVersionKind{Group: ref.APIGroup, Version: ref.APIVersion, Kind: e.reference(request).Kind}
		if slices.Contains(e.Scene.Targets, ref.Namespace) && ref.Subresource == "" && !slices.ContainsFunc(kinds, func(k schema.GroupVersionKind) bool { return k.GroupKind() == kind.GroupKind() }) {
			kinds = append(kinds, kind)
		}
	}
	found := map[string]any{}
	for number, namespace := range e.Scene.Targets {
		for _, kind := range kinds {
			objects, _, err := listed(ctx, admin, kind, namespace)
			if meta.IsNoMatchError(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			for i := range objects {
				if len(objects[i].GetOwnerReferences()) > 0 || objects[i].GetGenerateName() != "" {
					continue // a controller has made it, or it is called otherwise in every run
				}
				name := fmt.Sprintf("TARGET-%d/%s/%s", number+1, kind.Kind, objects[i].GetName())
				found[name] = e.Scene.normal(&objects[i])
			}
		}
	}
	return found, nil
}

// identifier is a UID as the API server makes them.
var identifier = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// normal is an object without what differs from one run to the next.
func (s Scene) normal(object *unstructured.Unstructured) any {
	kept := object.DeepCopy().Object
	delete(kept, "status")
	metadata, _ := kept["metadata"].(map[string]any)
	for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "namespace", "selfLink", "name"} {
		delete(metadata, field)
	}
	for _, field := range []string{"clusterIP", "clusterIPs", "volumeName", "healthCheckNodePort"} {
		unstructured.RemoveNestedField(kept, "spec", field)
	}
	ports, _, _ := unstructured.NestedFieldNoCopy(kept, "spec", "ports")
	list, _ := ports.([]any)
	for _, port := range list {
		if port, is := port.(map[string]any); is {
			delete(port, "nodePort")
		}
	}
	return s.renamed(kept)
}

// renamed replaces the names of this run's namespaces, and UIDs, in every text.
func (s Scene) renamed(value any) any {
	switch value := value.(type) {
	case string:
		value = strings.ReplaceAll(value, s.Project, "PROJECT")
		for number, namespace := range s.Targets {
			value = strings.ReplaceAll(value, namespace, fmt.Sprintf("TARGET-%d", number+1))
		}
		return identifier.ReplaceAllString(value, "UID")
	case []any:
		for i := range value {
			value[i] = s.renamed(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = s.renamed(value[key])
		}
	}
	return value
}

// Difference says in lines how the content of one run differs from another's: what is missing, what is more, and which fields have another value. It is
// empty if they are the same.
func Difference(want, have map[string]any) string {
	var lines []string
	compare(&lines, "", any(want), any(have))
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func compare(lines *[]string, path string, want, have any) {
	wanted, isMap := want.(map[string]any)
	had, alsoMap := have.(map[string]any)
	if !isMap || !alsoMap {
		if a, b := encoded(want), encoded(have); a != b {
			*lines = append(*lines, fmt.Sprintf("%s: want %s, have %s", path, a, b))
		}
		return
	}
	for key, value := range wanted {
		if other, found := had[key]; found {
			compare(lines, path+"."+key, value, other)
		} else {
			*lines = append(*lines, fmt.Sprintf("%s.%s: missing: %s", path, key, encoded(value)))
		}
	}
	for key, value := range had {
		if _, found := wanted[key]; !found {
			*lines = append(*lines, fmt.Sprintf("%s.%s: not wanted: %s", path, key, encoded(value)))
		}
	}
}

func encoded(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
