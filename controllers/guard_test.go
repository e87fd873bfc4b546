// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// guardShelf answers with metadata as well, and counts whose content is read.
type guardShelf struct {
	shelf
	contents int
	// unversioned fails what is asked about versions.
	unversioned error
	// mu guards contents and between.
	mu sync.Mutex
	// between is done after the versions were read, and before their contents are.
	between func()
}

func (s *guardShelf) Get(ctx context.Context, key types.NamespacedName, into client.Object, options ...client.GetOption) error {
	meta, is := into.(*metav1.PartialObjectMetadata)
	if !is {
		s.counted()
		return s.shelf.Get(ctx, key, into, options...)
	}
	if err := cmp.Or(s.unversioned, s.fails(key.Name)); err != nil {
		return err
	}
	found := s.named(meta.Kind, key.Name)
	if found == nil {
		return notFound(key.Name)
	}
	meta.Name, meta.UID, meta.ResourceVersion = found.GetName(), found.GetUID(), found.GetResourceVersion()
	return nil
}

// counted is one more of the contents that are read, of several at the same time.
func (s *guardShelf) counted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.between != nil {
		s.between()
		s.between = nil
	}
	s.contents++
}

func (s *guardShelf) named(kind, name string) client.Object {
	for _, object := range s.objects {
		_, isPolicy := object.(*guardPolicy)
		if object.GetName() == name && isPolicy == (kind == "ValidatingAdmissionPolicy") {
			return object
		}
	}
	return nil
}

// newGuardShelf has the guard as it is shipped.
func newGuardShelf(t *testing.T) *guardShelf {
	t.Helper()
	s := &guardShelf{shelf: shelf{objects: guardObjects(t)}}
	for _, object := range s.objects {
		object.SetUID("uid")
		object.SetResourceVersion("1")
	}
	return s
}

// open the first policy: it lets everything pass.
func (s *guardShelf) open(version string) {
	policy := s.objects[slices.IndexFunc(s.objects, func(o client.Object) bool { _, is := o.(*guardPolicy); return is })].(*guardPolicy)
	policy.Spec.Validations = nil
	policy.ResourceVersion = version
}

func TestTheGuardIsJudgedOncePerVersion(t *testing.T) {
	g := NewWithT(t)
	s := newGuardShelf(t)
	live := &judgedGuard{live: s}
	first, err := live.read(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(first.Problems).To(BeEmpty())
	g.Expect(first.Digest).NotTo(BeEmpty())
	all := s.contents
	g.Expect(all).To(Equal(len(s.objects)))

	again, err := live.read(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again).To(Equal(first))
	g.Expect(s.contents).To(Equal(all))
}

func TestAGuardThatWasChangedIsJudgedAnew(t *testing.T) {
	for name, change := range map[string]func(*guardShelf){
		"a policy is changed": func(s *guardShelf) { s.open("2") },
		"a policy is deleted": func(s *guardShelf) {
			s.objects = slices.DeleteFunc(s.objects, func(o client.Object) bool { _, is := o.(*guardPolicy); return is && o.GetName() == "assent-promotions" })
		},
		"a binding is made anew with the same version": func(s *guardShelf) {
			binding := s.named("", "assent-promotions").(*guardBinding)
			binding.UID, binding.Spec.ValidationActions = "another", []admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn}
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := newGuardShelf(t)
			live := &judgedGuard{live: s}
			_, err := live.read(t.Context())
			g.Expect(err).NotTo(HaveOccurred())
			change(s)
			seen, err := live.read(t.Context())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(seen.Problems).To(HaveLen(1))
		})
	}
}

func TestAJudgementIsOfTheContentThatWasRead(t *testing.T) {
	g := NewWithT(t)
	s := newGuardShelf(t)
	good := newGuardShelf(t).objects
	live := &judgedGuard{live: s}
	s.between = func() { s.open("2") }
	seen, err := live.read(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.Problems).To(HaveLen(1), "it was opened before it was read")
	s.objects = good
	seen, err = live.read(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.Problems).To(BeEmpty(), "what was found of version 2 does not speak of version 1")
}

func TestAGuardThatCannotBeReadIsNoGuard(t *testing.T) {
	g := NewWithT(t)
	s := newGuardShelf(t)
	live := &judgedGuard{live: s}
	s.broken = map[string]error{"assent-locks": errBroken}
	_, err := live.read(t.Context())
	g.Expect(err).To(MatchError(errBroken))
	s.broken, s.unversioned = nil, errBroken
	_, err = live.read(t.Context())
	g.Expect(err).To(MatchError(errBroken))
	s.unversioned = nil
	s.between = func() { s.broken = map[string]error{"assent-locks": errBroken} }
	seen, err := live.read(t.Context())
	g.Expect(err).To(MatchError(errBroken))
	g.Expect(seen.Digest).To(BeEmpty())
}
