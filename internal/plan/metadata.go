// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// templatesOf says where an object holds the templates of the pods, and of the Jobs, that are made of it.
var templatesOf = map[schema.GroupKind][][]string{
	{Group: "apps", Kind: "Deployment"}:  {{"spec", "template"}},
	{Group: "apps", Kind: "StatefulSet"}: {{"spec", "template"}},
	{Group: "apps", Kind: "DaemonSet"}:   {{"spec", "template"}},
	{Group: "apps", Kind: "ReplicaSet"}:  {{"spec", "template"}},
	{Kind: "ReplicationController"}:      {{"spec", "template"}},
	{Group: "batch", Kind: "Job"}:        {{"spec", "template"}},
	{Group: "batch", Kind: "CronJob"}:    {{"spec", "jobTemplate"}, {"spec", "jobTemplate", "spec", "template"}},
}

// label writes whose the object is, and that it is locked. A Release must not say so itself: the labels decide what is pruned, and by whom
// it may be changed.
func (p *placement) label(object *unstructured.Unstructured) {
	own := map[string]any{v1alpha1.LabelProject: p.Project, v1alpha1.LabelEnvironment: p.Environment}
	if p.Lock {
		own[v1alpha1.LabelLock] = p.Environment
	}
	p.checkLabels(object, object.Object, "", own)
	setLabels(object.Object, own)
}

// setLabels of a map that holds `metadata`. Where there is no place for them, checkLabels has refused the object.
func setLabels(content map[string]any, labels map[string]any) {
	if len(labels) == 0 {
		return
	}
	// Templates of charts often leave the two empty.
	if content["metadata"] == nil {
		content["metadata"] = map[string]any{}
	}
	metadata, isMap := content["metadata"].(map[string]any)
	if !isMap {
		return
	}
	if metadata["labels"] == nil {
		metadata["labels"] = map[string]any{}
	}
	written, isMap := metadata["labels"].(map[string]any)
	if !isMap {
		return
	}
	maps.Copy(written, labels)
}

// labelTemplates locks what is made of an object as well: a lock that a pod of a Deployment does not carry can be walked around there.
func (p *placement) labelTemplates(object *unstructured.Unstructured) {
	own := map[string]any{}
	if p.Lock {
		own[v1alpha1.LabelLock] = p.Environment
	}
	for _, path := range templatesOf[object.GroupVersionKind().GroupKind()] {
		value, _, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
		template, isMap := value.(map[string]any)
		if !isMap {
			continue // there is none, or the API server says what is wrong with it
		}
		where := strings.Join(path, ".") + "."
		p.checkAnnotations(object, template, where, nil)
		p.checkLabels(object, template, where, own)
		setLabels(template, own)
	}
}

// checkLabels refuses labels of Assent's domain in a map that holds `metadata`, other than its own. The API server's words are better for
// labels that are no strings.
func (p *placement) checkLabels(object *unstructured.Unstructured, content map[string]any, where string, own map[string]any) {
	// The map as it is, and not GetLabels: that leaves out all labels when one of them is not a string, and the API server should say so.
	labels, _, err := unstructured.NestedFieldNoCopy(content, "metadata", "labels")
	written, isMap := labels.(map[string]any)
	if err != nil || (labels != nil && !isMap) {
		p.refuse(object, "has `%smetadata.labels` that are not a map: correct them", where)
		return
	}
	for _, key := range sortedKeys(written) {
		if ownDomain(key) && written[key] != own[key] {
			p.refuse(object, "sets the label %s%s: remove it; labels of %q are written by the rollout", quote(key), inField(where), v1alpha1.GroupName)
			return
		}
	}
}

// checkAnnotations refuses annotations of Assent's domain that a Release must not carry: others of them give rights, or stop rollouts.
func (p *placement) checkAnnotations(object *unstructured.Unstructured, content map[string]any, where string, own map[string]any) {
	annotations, _, _ := unstructured.NestedFieldNoCopy(content, "metadata", "annotations")
	written, _ := annotations.(map[string]any)
	for _, key := range sortedKeys(written) {
		switch key {
		case v1alpha1.AnnotationWave, v1alpha1.AnnotationImmutable, v1alpha1.AnnotationRerun:
			continue
		}
		if ownDomain(key) && (own[key] == nil || written[key] != own[key]) {
			p.refuse(object, "sets the annotation %s%s: remove it; a Release may set `%s`, `%s` and `%s`", quote(key), inField(where),
				v1alpha1.AnnotationWave, v1alpha1.AnnotationImmutable, v1alpha1.AnnotationRerun)
			return
		}
	}
}

func inField(where string) string {
	if where == "" {
		return ""
	}
	return " in `" + where + "metadata`"
}

func ownDomain(key string) bool {
	domain, _, found := strings.Cut(key, "/")
	return found && domain == v1alpha1.GroupName
}

// instruct checks what an object's annotations ask of the rollout, and writes the promotion on a Job that each promotion runs anew.
func (p *placement) instruct(object *unstructured.Unstructured) {
	own := map[string]any{}
	rerun := p.checkRerun(object)
	if rerun && p.PromotionUID != "" {
		own[v1alpha1.AnnotationPromotionUID] = string(p.PromotionUID)
	}
	p.checkAnnotations(object, object.Object, "", own)
	if _, valid := waveOf(object); !valid {
		value, _ := annotationOf(object, v1alpha1.AnnotationWave)
		p.refuse(object, "has %s as its annotation `%s`: it must be a whole number from %d to %d, in quotes", shownValue(value), v1alpha1.AnnotationWave, lowestWave, highestWave)
	}
	if value, found := annotationOf(object, v1alpha1.AnnotationImmutable); found && value != v1alpha1.ImmutableRecreate {
		p.refuse(object, "has %s as its annotation `%s`: it must be %q, or be removed", shownValue(value), v1alpha1.AnnotationImmutable, v1alpha1.ImmutableRecreate)
	}
	if len(own) == 0 {
		return
	}
	if err := unstructured.SetNestedField(object.Object, string(p.PromotionUID), "metadata", "annotations", v1alpha1.AnnotationPromotionUID); err != nil {
		p.refuse(object, "has `metadata.annotations` that are not a map: correct them")
	}
}

// checkRerun tells whether an object is a Job that each promotion runs anew.
func (p *placement) checkRerun(object *unstructured.Unstructured) bool {
	value, found := annotationOf(object, v1alpha1.AnnotationRerun)
	switch {
	case !found:
		return false
	case !isJob(object):
		p.refuse(object, "has the annotation `%s`, which is for Jobs alone: remove it", v1alpha1.AnnotationRerun)
	case value != v1alpha1.RerunAlways:
		p.refuse(object, "has %s as its annotation `%s`: it must be %q, or be removed", shownValue(value), v1alpha1.AnnotationRerun, v1alpha1.RerunAlways)
	default:
		return true
	}
	return false
}

// annotationOf reads an annotation as it stands, which may be no string.
func annotationOf(object *unstructured.Unstructured, key string) (any, bool) {
	annotations, _, _ := unstructured.NestedFieldNoCopy(object.Object, "metadata", "annotations")
	written, _ := annotations.(map[string]any)
	value, found := written[key]
	return value, found
}
