// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

// mostRecords is how many records a page reads that looks at all of a history. What is older is left out, and the page says so.
const mostRecords = 20_000

// mostNamed is how many Promotions are named in one request, whose address must not become too long.
const mostNamed = 100

// past are the records that a page has read, as the person who looks at it. They are read again when what they are of has changed, not with every change of the world.
type past struct {
	person.Connection
	known map[string]recorded
	// trouble of the Environment that the page is of, at the version of it.
	trouble  *report.Trouble
	besideAt string
	// hold of the project, at the same version.
	hold string
	// ended is the Promotion that the page is of, where the world does not have it any more: it never changes again.
	ended client.Object
	// promotions of the Release that the page is of; nil until they were read.
	promotions []v1alpha1.Promotion
}

// recorded is what was read for a version of its object.
type recorded struct {
	version string
	records []v1alpha1.AuditRecord
	// cut says that there are more.
	cut bool
}

func newPast(as person.Connection) *past { return &past{Connection: as, known: map[string]recorded{}} }

// once reads what there is of that name, unless it was read at that version.
func (p *past) once(name, version string, read func() (recorded, error)) (recorded, error) {
	if found, is := p.known[name]; is && found.version == version {
		return found, nil
	}
	found, err := read()
	if err != nil {
		return recorded{}, err
	}
	found.version = version
	p.known[name] = found
	return found, nil
}

// ofPromotion are the records that speak of a Promotion, while its Environment's history is at that version.
func (p *past) ofPromotion(ctx context.Context, promotion *v1alpha1.Promotion, version string) ([]v1alpha1.AuditRecord, error) {
	found, err := p.once("promotion", version, func() (recorded, error) {
		return p.all(ctx, client.InNamespace(promotion.Namespace), client.MatchingLabels{v1alpha1.LabelPromotionUID: string(promotion.UID)})
	})
	return found.records, err
}

// ofRelease are the records that speak of Promotions of it: of the newest, as many as one request can name.
func (p *past) ofRelease(ctx context.Context, release *v1alpha1.Release, promotions []*v1alpha1.Promotion) ([]v1alpha1.AuditRecord, error) {
	if len(promotions) == 0 {
		return nil, nil
	}
	uids := make([]string, 0, mostNamed)
	version := ""
	for _, promotion := range promotions[:min(mostNamed, len(promotions))] {
		uids = append(uids, string(promotion.UID))
		version += promotion.ResourceVersion + " "
	}
	requirement, err := labels.NewRequirement(v1alpha1.LabelPromotionUID, selection.In, uids)
	if err != nil {
		return nil, err
	}
	found, err := p.once("release", version, func() (recorded, error) {
		return p.all(ctx, client.InNamespace(release.Namespace), client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*requirement)})
	})
	return found.records, err
}

// promotionsOf a Release, those that have ended too, as they were when the page was opened.
func (p *past) promotionsOf(ctx context.Context, release *v1alpha1.Release) ([]v1alpha1.Promotion, error) {
	if p.promotions != nil {
		return p.promotions, nil
	}
	p.promotions = []v1alpha1.Promotion{}
	empty := func() *v1alpha1.PromotionList { return &v1alpha1.PromotionList{} }
	err := person.Pages(ctx, p, empty, func(page *v1alpha1.PromotionList) error {
		p.promotions = append(p.promotions, page.Items...)
		return nil
	}, client.InNamespace(release.Namespace), client.MatchingFields{"spec.release": release.Name})
	return p.promotions, err
}

// newest of an Environment, or of what else the options choose.
func (p *past) newest(ctx context.Context, version string, limit int, options ...client.ListOption) ([]v1alpha1.AuditRecord, error) {
	found, err := p.once("newest", version, func() (recorded, error) {
		records, err := person.Newest(ctx, p, limit, options...)
		return recorded{records: records}, err
	})
	return found.records, err
}

// beside an Environment is what its pods say, where something does not work there, and why its project is on hold. It is looked at again when there is something new
// of the Environment, and not with every change of the world.
func (p *past) beside(ctx context.Context, environment *v1alpha1.Environment) (*report.Trouble, string) {
	if p.besideAt != environment.ResourceVersion {
		p.trouble, p.hold, p.besideAt = nil, p.holdOf(ctx, environment.Namespace), environment.ResourceVersion
		if report.Stand(environment, nil).InTrouble() {
			p.trouble = person.Trouble(ctx, p, p.Config, environment)
		}
	}
	return p.trouble, p.hold
}

// holdOf a project, where its namespace has one and the person may read it.
func (p *past) holdOf(ctx context.Context, project string) string {
	namespace := &corev1.Namespace{}
	if err := p.Get(ctx, client.ObjectKey{Name: project}, namespace); err != nil {
		return "" // blockers say it of each Promotion
	}
	return namespace.Annotations[v1alpha1.AnnotationHold]
}

// errCut ends the reading of a history that is too long.
var errCut = errors.New("there are more records than a page looks at")

// all that the options choose, and whether there are more.
func (p *past) all(ctx context.Context, options ...client.ListOption) (recorded, error) {
	var found recorded
	err := person.Records(ctx, p, func(record *v1alpha1.AuditRecord) error {
		if len(found.records) == mostRecords {
			return errCut
		}
		found.records = append(found.records, *record)
		return nil
	}, options...)
	if errors.Is(err, errCut) {
		found.cut, err = true, nil
	}
	return found, err
}

// across projects, of which the empty one stands for all: all records that the options choose, and whether there are more than a page looks at.
func (p *past) across(ctx context.Context, projects []string, options ...client.ListOption) (recorded, error) {
	var found recorded
	for _, project := range projects {
		of, err := p.all(ctx, append([]client.ListOption{client.InNamespace(project)}, options...)...)
		if err != nil {
			return recorded{}, err
		}
		found.records, found.cut = append(found.records, of.records...), found.cut || of.cut
		if len(found.records) > mostRecords {
			return recorded{records: found.records[:mostRecords], cut: true}, nil
		}
	}
	return found, nil
}

// requests are when the Promotions of projects were created that are still there, by their UIDs. Nothing but their metadata is read.
func (p *past) requests(ctx context.Context, projects []string) (map[string]time.Time, error) {
	found := map[string]time.Time{}
	empty := func() *metav1.PartialObjectMetadataList {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("PromotionList"))
		return list
	}
	for _, project := range projects {
		err := person.Pages(ctx, p, empty, func(page *metav1.PartialObjectMetadataList) error {
			for i := range page.Items {
				found[string(page.Items[i].UID)] = page.Items[i].CreationTimestamp.Time
			}
			return nil
		}, client.InNamespace(project))
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
