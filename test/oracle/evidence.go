// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// Evidence is all that is judged. It can be kept as JSON.
type Evidence struct {
	Scene Scene `json:"scene"`
	// Requests for a change that concern the scene, in the order in which they came in.
	Requests []cluster.Request `json:"requests"`
	// Objects of our kinds in the project, as they were at the end.
	Objects []unstructured.Unstructured `json:"objects"`
	// AsOf is the store's version when they were read: what was written later is not among them. Zero if nothing was.
	AsOf int64 `json:"asOf,omitempty"`
	// Kinds by "resource.group", for the resources that the requests name.
	Kinds map[string]string `json:"kinds"`

	content map[string]any
}

// ourKinds are read at the end.
var ourKinds = []string{"Release", "Environment", "Promotion", "AuditRecord"}

// Collect reads the log from where it was begun, and the objects as they are now. It waits for nothing: whoever calls it waits for rest.
func Collect(ctx context.Context, admin client.Client, requests *cluster.RequestLog, scene Scene) (*Evidence, error) {
	evidence := &Evidence{Scene: scene, Kinds: map[string]string{}}
	for _, kind := range ourKinds {
		list, version, err := listed(ctx, admin, v1alpha1.SchemeGroupVersion.WithKind(kind), scene.Project)
		if err != nil {
			return nil, err
		}
		evidence.Objects, evidence.AsOf = append(evidence.Objects, list...), version
	}
	if err := evidence.read(ctx, requests); err != nil {
		return nil, err
	}
	slices.SortStableFunc(evidence.Requests, func(a, b cluster.Request) int { return a.Received.Compare(b.Received) })
	for _, request := range evidence.Requests {
		evidence.resolve(admin, request)
	}
	var err error
	evidence.content, err = content(ctx, admin, evidence)
	return evidence, err
}

const (
	// logDelay is how long the API server's log may lag behind its answers: it tells of a request once that is answered.
	logDelay = 500 * time.Millisecond
	again    = 50 * time.Millisecond
)

// read the log, until it tells of what is there.
func (e *Evidence) read(ctx context.Context, requests *cluster.RequestLog) error {
	words := append([]string{e.Scene.Project, `"username":"` + v1alpha1.ControllerUsername + `"`}, e.Scene.Targets...)
	err := wait.PollUntilContextTimeout(ctx, again, logDelay, true, func(context.Context) (bool, error) {
		var err error
		e.Requests, err = requests.Changes(words, e.Scene.concerns)
		return e.Scene.Lossy || e.logged(), err
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return nil // what it does not tell of is judged
	}
	return err
}

// logged says whether the log tells of the last write of each object.
func (e *Evidence) logged() bool {
	written := map[string]bool{}
	for _, request := range e.Requests {
		var stored metav1.PartialObjectMetadata
		if json.Unmarshal(request.ResponseObject, &stored) == nil {
			written[stored.ResourceVersion] = true
		}
	}
	return !slices.ContainsFunc(e.Objects, func(o unstructured.Unstructured) bool { return !written[o.GetResourceVersion()] })
}

// concerns says whether a change has to do with the scene: it is in one of its namespaces, in the name of one of its Promotions, or the operator's own
// outside of every project.
func (s Scene) concerns(r cluster.Request) bool {
	here := r.ObjectRef.Namespace == s.Project || slices.Contains(s.Targets, r.ObjectRef.Namespace)
	for _, named := range r.ImpersonatedUser.Extra[v1alpha1.ExtraPromotion] {
		here = here || strings.HasPrefix(named, s.Project+"/")
	}
	if !r.ByOperator() {
		// What the cluster's own controllers do to pods and the like is not asked for.
		return here && (r.ObjectRef.APIGroup == v1alpha1.GroupName || r.ImpersonatedUser.Username != "")
	}
	ours := r.ObjectRef.APIGroup == v1alpha1.GroupName || strings.HasPrefix(r.ObjectRef.Resource, "events")
	return here || !ours && r.ImpersonatedUser.Username == ""
}

// resolve finds the kind of what a request names. A resource that nobody knows any more keeps its own name.
func (e *Evidence) resolve(admin client.Client, request cluster.Request) {
	ref := request.ObjectRef
	name := schema.GroupResource{Group: ref.APIGroup, Resource: ref.Resource}
	if _, known := e.Kinds[name.String()]; known {
		return
	}
	kind, err := admin.RESTMapper().KindFor(name.WithVersion(ref.APIVersion))
	if err != nil {
		kind.Kind = ref.Resource
	}
	e.Kinds[name.String()] = kind.Kind
}

// reference of the object that a request names, as an audit record names it.
func (e *Evidence) reference(r cluster.Request) v1alpha1.ObjectReference {
	name := schema.GroupResource{Group: r.ObjectRef.APIGroup, Resource: r.ObjectRef.Resource}
	ref := v1alpha1.ObjectReference{
		Group: r.ObjectRef.APIGroup, Kind: cmp.Or(e.Kinds[name.String()], r.ObjectRef.Resource), Namespace: r.ObjectRef.Namespace, Name: r.ObjectRef.Name,
	}
	if ref.Group == "" && ref.Kind == "Namespace" {
		ref.Namespace = "" // the log says that a namespace is in itself
	}
	return ref
}

// listed are the objects of a kind in a namespace, and the store's version at that time.
func listed(ctx context.Context, admin client.Client, kind schema.GroupVersionKind, namespace string) ([]unstructured.Unstructured, int64, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	if err := admin.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, 0, fmt.Errorf("listing %s in %q: %w", kind.Kind, namespace, err)
	}
	version, err := strconv.ParseInt(list.GetResourceVersion(), 10, 64)
	if err != nil {
		return nil, 0, fmt.Errorf("listing %s in %q: %w", kind.Kind, namespace, err)
	}
	return list.Items, version, nil
}

// Violations are judged anew at each call. None means that every rule held.
func (e *Evidence) Violations() []Violation {
	told, err := e.tell()
	if err != nil {
		return []Violation{{Rule: RuleRecord, Detail: err.Error()}}
	}
	verdict := &verdict{}
	told.judgeDeployers(verdict)
	told.judgeIntents(verdict)
	told.judgeAuthors(verdict)
	told.judgeEnds(verdict)
	told.judgeHistories(verdict)
	told.judgeWriters(verdict)
	if e.Scene.AtRest {
		told.judgeRest(verdict)
	}
	return slices.DeleteFunc(verdict.violations, e.Scene.excepts)
}

// verdict collects violations.
type verdict struct{ violations []Violation }

func (v *verdict) add(rule Rule, format string, args ...any) {
	v.violations = append(v.violations, Violation{Rule: rule, Detail: fmt.Sprintf(format, args...)})
}
