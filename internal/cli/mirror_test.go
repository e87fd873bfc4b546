// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestARefusalIsFinalWhenItLasts(t *testing.T) {
	refusal := apierrors.NewForbidden(schema.GroupResource{Resource: "promotions"}, "", errors.New("not synced yet"))
	var refused failing
	if refused.finally(refusal) {
		t.Error("the first refusal is final")
	}
	refused.since = refused.since.Add(-grace - time.Second)
	if !refused.finally(refusal) {
		t.Error("a refusal that lasts is not final")
	}
	if refused.finally(nil) || refused.finally(refusal) {
		t.Error("after an answer it does not begin anew")
	}
	if refused.finally(errors.New("connection refused")) || !refused.since.IsZero() {
		t.Error("an API server that is away refuses")
	}
}

func TestTheMirrorKeepsWhatHasNotEnded(t *testing.T) {
	m := &mirror{changed: make(chan struct{}, 1)}
	kind := m.ofPromotions()
	kind.forget()
	open := &v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "one"}}
	kind.keep(open)
	kind.keep(&v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "two"}, Status: v1alpha1.PromotionStatus{CompletionTime: metav1.Now()}})
	if _, promotions := m.now(); len(promotions) != 1 || promotions[0].Name != "one" {
		t.Errorf("it has %v", promotions)
	}
	ended := open.DeepCopy()
	ended.Status.CompletionTime = metav1.Now()
	kind.keep(ended)
	if _, promotions := m.now(); len(promotions) != 0 {
		t.Errorf("it has %v", promotions)
	}
	kind.keep(open)
	kind.drop(open)
	if len(m.promotions) != 0 || m.promotions[client.ObjectKeyFromObject(open)].Name != "" {
		t.Errorf("it has %v", m.promotions)
	}
	m.tell()
	m.tell() // nobody has looked yet: that is no reason to wait
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	linger(ctx, time.Hour)
}
