// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	// MostNewest is how many of the newest are found by their metadata; for more, all records are to be read.
	MostNewest = 200
	// pageSize is how many objects one answer of the API server holds at most, and metadataPage how many of which nothing but the metadata is asked for.
	pageSize     = 500
	metadataPage = 2000
	// selected is how many Promotions are named in one request, whose address must not become too long.
	selected = 100
)

// Pages lists page by page.
func Pages[L client.ObjectList](ctx context.Context, from client.Reader, empty func() L, visit func(L) error, options ...client.ListOption) error {
	options = append([]client.ListOption{client.Limit(pageSize)}, options...)
	for next := ""; ; {
		page := empty()
		if err := from.List(ctx, page, append([]client.ListOption{client.Continue(next)}, options...)...); err != nil {
			return err
		}
		if err := visit(page); err != nil {
			return err
		}
		if next = page.GetContinue(); next == "" {
			return nil
		}
	}
}

// Records of the history, page by page. It ends with the first error that visit returns.
func Records(ctx context.Context, from client.Reader, visit func(*v1alpha1.AuditRecord) error, options ...client.ListOption) error {
	empty := func() *v1alpha1.AuditRecordList { return &v1alpha1.AuditRecordList{} }
	return Pages(ctx, from, empty, func(page *v1alpha1.AuditRecordList) error {
		for i := range page.Items {
			if err := visit(&page.Items[i]); err != nil {
				return err
			}
		}
		return nil
	}, options...)
}

// touched is a Promotion of which a record speaks, and when the newest of them was written.
type touched struct {
	uid string
	at  time.Time
}

// Newest are the records of the Promotions, at most so many, that something has happened to last. The API server does not list in the order of time; that of the
// metadata of all records, which costs it little, says which records to read whole.
func Newest(ctx context.Context, from client.Reader, limit int, options ...client.ListOption) ([]v1alpha1.AuditRecord, error) {
	all, err := lastTouched(ctx, from, options)
	if err != nil {
		return nil, err
	}
	var records []v1alpha1.AuditRecord
	for read := 0; read < len(all) && spokenOf(records, all[read].at) < limit; {
		more := all[read:min(len(all), read+min(limit, selected))]
		read += len(more)
		if err := recordsOf(ctx, from, more, &records, options); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// spokenOf counts the Promotions of which something was written after a time. That somebody has acknowledged an override does not count: it makes what happened no
// newer.
func spokenOf(records []v1alpha1.AuditRecord, after time.Time) int {
	found := map[string]bool{}
	for i := range records {
		if record := &records[i]; record.Spec.Type != v1alpha1.AuditAcknowledged && record.CreationTimestamp.After(after) {
			found[record.Spec.Promotion.UID] = true
		}
	}
	return len(found)
}

// lastTouched are all Promotions of which there are records, the one with the newest first.
func lastTouched(ctx context.Context, from client.Reader, options []client.ListOption) ([]touched, error) {
	empty := func() *metav1.PartialObjectMetadataList {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("AuditRecordList"))
		return list
	}
	at := map[string]time.Time{}
	err := Pages(ctx, from, empty, func(page *metav1.PartialObjectMetadataList) error {
		for i := range page.Items {
			uid := page.Items[i].Labels[v1alpha1.LabelPromotionUID]
			if written := page.Items[i].CreationTimestamp.Time; written.After(at[uid]) {
				at[uid] = written
			}
		}
		return nil
	}, append([]client.ListOption{client.Limit(metadataPage)}, options...)...)
	found := make([]touched, 0, len(at))
	for uid, written := range at {
		found = append(found, touched{uid, written})
	}
	slices.SortFunc(found, func(a, b touched) int { return cmp.Or(b.at.Compare(a.at), strings.Compare(a.uid, b.uid)) })
	return found, err
}

// recordsOf Promotions.
func recordsOf(ctx context.Context, from client.Reader, promotions []touched, into *[]v1alpha1.AuditRecord, options []client.ListOption) error {
	uids := make([]string, 0, len(promotions))
	for _, one := range promotions {
		uids = append(uids, one.uid)
	}
	requirement, err := labels.NewRequirement(v1alpha1.LabelPromotionUID, selection.In, uids)
	if err != nil {
		return err
	}
	chosen := client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*requirement)}
	return Records(ctx, from, func(record *v1alpha1.AuditRecord) error {
		*into = append(*into, *record)
		return nil
	}, append(slices.Clone(options), chosen)...)
}
