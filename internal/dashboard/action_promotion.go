// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
)

// ask for a Promotion, and go to its page. Asking again leads to the same one, so that nothing is asked for twice.
func (a *Actions) ask(ctx context.Context, actor person.Actor, about target, given values) (string, error) {
	notBefore, err := start(given.one("at"), given.one("offset"), a.Now())
	if err != nil {
		return "", err
	}
	request := person.Request{
		Project: about.project, Release: given.one("release"), Environment: given.one("environment"),
		Type: v1alpha1.PromotionType(given.one("type")), Reason: given.one("reason"), NotBefore: notBefore,
	}
	if request.Type == v1alpha1.PromotionTypeRollback {
		environment := &v1alpha1.Environment{}
		if err := actor.Client.Get(ctx, client.ObjectKey{Namespace: about.project, Name: request.Environment}, environment); err != nil {
			return "", err
		}
		if _, err := person.Back(environment, request.Release); err != nil {
			return "", err
		}
	}
	asked, err := actor.Ask(ctx, request)
	if err != nil {
		return "", err
	}
	page := a.links().Promotion(about.project, asked.Promotion.Name)
	if asked.Sooner {
		return "", &sooner{asked.Promotion.Name, page}
	}
	return page, nil
}

// seen is what was on the page that the form was sent from.
func seen(about target, given values) person.Seen {
	return person.Seen{Project: about.project, Name: about.name, UID: types.UID(given.one("uid"))}
}

// planned is seen, with its plan.
func planned(about target, given values) person.Seen {
	looked := seen(about, given)
	looked.Digest = v1alpha1.Digest(given.one("digest"))
	return looked
}

func (a *Actions) approve(ctx context.Context, actor person.Actor, about target, given values) (string, error) {
	return a.decide(ctx, actor, about, planned(about, given), person.Decision{Decision: v1alpha1.DecisionApproved, Comment: given.one("comment")})
}

func (a *Actions) reject(ctx context.Context, actor person.Actor, about target, given values) (string, error) {
	return a.decide(ctx, actor, about, planned(about, given), person.Decision{Decision: v1alpha1.DecisionRejected, Comment: given.one("reason")})
}

func (a *Actions) withdraw(ctx context.Context, actor person.Actor, about target, given values) (string, error) {
	return a.decide(ctx, actor, about, seen(about, given), person.Decision{})
}

func (a *Actions) decide(ctx context.Context, actor person.Actor, about target, looked person.Seen, decision person.Decision) (string, error) {
	promotion, err := actor.Look(ctx, looked)
	if err != nil {
		return "", err
	}
	_, err = actor.Decide(ctx, promotion, decision)
	return a.promotionPage(about), err
}

func (a *Actions) cancel(ctx context.Context, actor person.Actor, about target, given values) (string, error) {
	promotion, err := actor.Look(ctx, seen(about, given))
	if err != nil {
		return "", err
	}
	return a.promotionPage(about), actor.Cancel(ctx, promotion, given.one("reason"))
}

func (a *Actions) override(ctx context.Context, actor person.Actor, about target, given values) (string, error) {
	promotion, err := actor.Look(ctx, planned(about, given))
	if err != nil {
		return "", err
	}
	var gates []v1alpha1.OverridableGate
	for _, gate := range given["gates"] {
		gates = append(gates, v1alpha1.OverridableGate(gate))
	}
	_, err = actor.Override(ctx, promotion, gates, given.one("reason"))
	return a.promotionPage(about), err
}

func (a *Actions) acknowledge(ctx context.Context, actor person.Actor, about target, given values) (string, error) {
	promotion, err := actor.Look(ctx, seen(about, given))
	if err != nil {
		return "", err
	}
	return a.promotionPage(about), actor.Acknowledge(ctx, promotion, given.one("comment"))
}
