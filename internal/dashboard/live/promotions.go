// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"cmp"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// promotions has those that have not ended, and of each Environment the one that has ended last.
type promotions struct {
	*shelf[*v1alpha1.Promotion]
	// last to have ended, by its Environment.
	last map[place]*v1alpha1.Promotion
	// missing are the Environments whose last one was deleted: which is the last now is not known here.
	missing map[place]struct{}
}

func newPromotions() *promotions {
	return &promotions{newShelf[*v1alpha1.Promotion](), map[place]*v1alpha1.Promotion{}, map[place]struct{}{}}
}

func environmentOf(promotion *v1alpha1.Promotion) place {
	return place{Namespace: promotion.Namespace, Name: promotion.Spec.Environment}
}

// put one, unless another one has ended later in its Environment.
func (p *promotions) put(promotion *v1alpha1.Promotion) {
	at, environment := client.ObjectKeyFromObject(promotion), environmentOf(promotion)
	last := p.last[environment]
	switch {
	case !report.Ended(promotion):
		if last != nil && last.Name == promotion.Name {
			delete(p.last, environment)
		}
	case last == nil || last.Name == promotion.Name:
		p.last[environment] = promotion
	case endedLater(promotion, last):
		p.take(client.ObjectKeyFromObject(last))
		p.last[environment] = promotion
	default:
		p.take(at)
		return
	}
	p.shelf.put(promotion)
}

func endedLater(a, b *v1alpha1.Promotion) bool {
	return cmp.Or(
		a.Status.CompletionTime.Compare(b.Status.CompletionTime.Time),
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		strings.Compare(a.Name, b.Name),
	) > 0
}

// remove one that was deleted.
func (p *promotions) remove(promotion *v1alpha1.Promotion) {
	p.take(client.ObjectKeyFromObject(promotion))
	environment := environmentOf(promotion)
	if last := p.last[environment]; last != nil && last.Name == promotion.Name {
		delete(p.last, environment)
		p.missing[environment] = struct{}{}
	}
}

func (p *promotions) become(other *promotions) {
	p.shelf.become(other.shelf)
	p.last, p.missing = other.last, other.missing
}
