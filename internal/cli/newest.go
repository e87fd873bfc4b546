// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

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
	"github.com/assent-dev/assent/internal/cli/report"
)

const (
	// mostNewest is how many of the newest are found by their metadata; for more, all records are read.
	mostNewest = 200
	// metadataPage is how many records one page has of which nothing but the metadata is asked for.
	metadataPage = 2000
	// selected is how many Promotions are named in one request, whose address must not become too long.
	selected = 100
)

// touched is a Promotion of which the history speaks, and when its last record was written.
type touched struct {
	uid string
	at  time.Time
}

// newest of a history. Of all records only the metadata is read, which says of which Promotion they speak and when they were written; and then the records of those
// that were last spoken of.
func (c *connection) newest(ctx context.Context, limit int, options []client.ListOption) (report.History, error) {
	all, err := c.touched(ctx, options)
	if err != nil {
		return report.History{}, err
	}
	var records []v1alpha1.AuditRecord
	for read := 0; read < len(all) && spokenOf(records, all[read].at) < limit; {
		more := all[read:min(len(all), read+min(limit, selected))]
		read += len(more)
		if err := c.recordsOf(ctx, more, &records, options); err != nil {
			return report.History{}, err
		}
	}
	return report.Tell(records), nil
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

// touched Promotions, those that the history spoke of last before the others.
func (c *connection) touched(ctx context.Context, options []client.ListOption) ([]touched, error) {
	empty := func() *metav1.PartialObjectMetadataList {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("AuditRecordList"))
		return list
	}
	at := map[string]time.Time{}
	err := pages(ctx, c, empty, func(page *metav1.PartialObjectMetadataList) {
		for i := range page.Items {
			uid := page.Items[i].Labels[v1alpha1.LabelPromotionUID]
			if written := page.Items[i].CreationTimestamp.Time; written.After(at[uid]) {
				at[uid] = written
			}
		}
	}, append([]client.ListOption{client.Limit(metadataPage)}, options...)...)
	found := make([]touched, 0, len(at))
	for uid, written := range at {
		found = append(found, touched{uid, written})
	}
	slices.SortFunc(found, func(a, b touched) int { return cmp.Or(b.at.Compare(a.at), strings.Compare(a.uid, b.uid)) })
	return found, err
}

// recordsOf Promotions, in one request for as long as they fit on a page.
func (c *connection) recordsOf(ctx context.Context, promotions []touched, into *[]v1alpha1.AuditRecord, options []client.ListOption) error {
	uids := make([]string, 0, len(promotions))
	for _, one := range promotions {
		uids = append(uids, one.uid)
	}
	requirement, err := labels.NewRequirement(v1alpha1.LabelPromotionUID, selection.In, uids)
	if err != nil {
		return err
	}
	chosen := client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*requirement)}
	return c.records(ctx, func(record *v1alpha1.AuditRecord) error {
		*into = append(*into, *record)
		return nil
	}, append(slices.Clone(options), chosen)...)
}
