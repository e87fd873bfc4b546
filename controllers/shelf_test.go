// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

var errBroken = errors.New("the connection broke")

// shelf answers reads with the objects that lie on it, or fails as it is told. It shows what is made of an answer; how the API server comes to one, the
// suites on a cluster show. What it does not answer panics.
type shelf struct {
	client.Client
	objects []client.Object
	// broken fails what is asked about an object of that name; any, where the name is "*"; lists, where it is "list" or the type of one.
	broken map[string]error
	// create is asked before an object is put on the shelf, and update before its status is.
	create, update func(client.Object) error
}

func (s *shelf) fails(name string) error {
	return cmp.Or(s.broken[name], s.broken["*"])
}

func (s *shelf) Get(_ context.Context, key types.NamespacedName, into client.Object, _ ...client.GetOption) error {
	if err := s.fails(key.Name); err != nil {
		return err
	}
	if key.Name == "" {
		return errors.New("resource name may not be empty") // as the client says
	}
	for _, object := range s.objects {
		if reflect.TypeOf(object) == reflect.TypeOf(into) && client.ObjectKeyFromObject(object) == key {
			reflect.ValueOf(into).Elem().Set(reflect.ValueOf(object.DeepCopyObject()).Elem())
			return nil
		}
	}
	return notFound(key.Name)
}

// List answers lists of audit records, and of all Promotions of a namespace.
func (s *shelf) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	if err := cmp.Or(s.fails("list"), s.fails(fmt.Sprintf("%T", into))); err != nil {
		return err
	}
	asked := client.ListOptions{}
	asked.ApplyOptions(options)
	if promotions, ok := into.(*v1alpha1.PromotionList); ok {
		for _, object := range s.objects {
			if p, is := object.(*v1alpha1.Promotion); is && p.Namespace == asked.Namespace {
				promotions.Items = append(promotions.Items, *p)
			}
		}
		return nil
	}
	records, ok := into.(*v1alpha1.AuditRecordList)
	if !ok {
		panic(fmt.Sprintf("nothing lists %T here", into))
	}
	for _, object := range s.objects {
		record, ok := object.(*v1alpha1.AuditRecord)
		if ok && record.Namespace == asked.Namespace && asked.LabelSelector.Matches(labels.Set(record.Labels)) {
			records.Items = append(records.Items, *record)
		}
	}
	slices.SortFunc(records.Items, func(a, b v1alpha1.AuditRecord) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

func (s *shelf) Create(ctx context.Context, object client.Object, _ ...client.CreateOption) error {
	if s.create != nil {
		if err := s.create(object); err != nil {
			return err
		}
	}
	err := s.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopyObject().(client.Object)) //nolint:forcetypeassert // it is one
	if err == nil {
		return apierrors.NewAlreadyExists(schema.GroupResource{}, object.GetName())
	}
	s.objects = append(s.objects, object)
	return nil
}

func (s *shelf) Status() client.SubResourceWriter { return shelfStatus{shelf: s} }

// shelfStatus writes the status of what lies there. Each write makes a new version.
type shelfStatus struct {
	client.SubResourceWriter
	shelf *shelf
}

func (w shelfStatus) Update(_ context.Context, object client.Object, _ ...client.SubResourceUpdateOption) error {
	if w.shelf.update != nil {
		if err := w.shelf.update(object); err != nil {
			return err
		}
	}
	for i, old := range w.shelf.objects {
		if reflect.TypeOf(old) == reflect.TypeOf(object) && client.ObjectKeyFromObject(old) == client.ObjectKeyFromObject(object) {
			version, _ := strconv.Atoi(old.GetResourceVersion())
			object.SetResourceVersion(strconv.Itoa(version + 1))
			w.shelf.objects[i] = object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // it is one
			return nil
		}
	}
	return notFound(object.GetName())
}

func notFound(name string) error { return apierrors.NewNotFound(schema.GroupResource{}, name) }

func forbidden(name string) error {
	return apierrors.NewForbidden(schema.GroupResource{}, name, errors.New("no"))
}

// saying matches an error with these words in it; no words: no error.
func saying(words string) OmegaMatcher {
	if words == "" {
		return Not(HaveOccurred())
	}
	return MatchError(ContainSubstring(words))
}

func TestAShelfAnswersWithWhatLiesOnIt(t *testing.T) {
	g := NewWithT(t)
	release := &v1alpha1.Release{}
	release.Name = "shop-1"
	s := &shelf{objects: []client.Object{release}, broken: map[string]error{"odd": errBroken}}
	g.Expect(find(t.Context(), s, &v1alpha1.Release{}, types.NamespacedName{Name: "shop-1"})).To(Equal(release))
	g.Expect(find(t.Context(), s, &v1alpha1.Release{}, types.NamespacedName{Name: "shop-2"})).To(BeNil())
	g.Expect(find(t.Context(), s, &v1alpha1.Environment{}, types.NamespacedName{Name: "shop-1"})).To(BeNil())
	_, err := find(t.Context(), s, &v1alpha1.Release{}, types.NamespacedName{Name: "odd"})
	g.Expect(err).To(MatchError(errBroken))
}

// countingLists counts the lists that are asked of a shelf.
type countingLists struct {
	*shelf
	lists *int
}

func (s countingLists) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	*s.lists++
	return s.shelf.List(ctx, into, options...)
}
