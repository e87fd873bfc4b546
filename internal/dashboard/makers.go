// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/internal/report"
)

// mostHistory is how many rollouts the page of an Environment lists.
const mostHistory = 50

func (s *Server) matrix(ctx context.Context, v *visit) (page.View, error) {
	filter := page.MatrixFilterOf(v.URL.Query())
	view, err := s.shown.view(v.world, filter.Query(), func() (page.View, error) {
		shared := v.Context
		shared.Me, shared.Rows = v1alpha1.Person{}, s.rows // it is shown to others, too
		view, err := page.Matrix(shared, v.world, filter)
		return view.Sealed(), err
	})
	if err != nil || streamed(ctx) != nil { // what somebody may is in the document alone
		return view, err
	}
	places := make([]page.Place, 0, len(v.world.Environments))
	for _, environment := range v.world.Environments {
		places = append(places, page.Place{Project: environment.Namespace, Environment: environment.Name})
	}
	granted, err := v.viewer.May(ctx, v1alpha1.VerbPromote, places)
	if err != nil {
		return page.View{}, err
	}
	may := slices.DeleteFunc(places, func(at page.Place) bool { return !granted[at] })
	return view.MayPromote(may), nil
}

func (s *Server) inbox(ctx context.Context, v *visit) (page.View, error) {
	mine, err := s.mine(ctx, v)
	if err != nil {
		return page.View{}, err
	}
	return page.Inbox(v.Context, v.world, mine)
}

// mine are the Promotions that wait for a decision of whoever looks, the oldest first.
func (s *Server) mine(ctx context.Context, v *visit) ([]*v1alpha1.Promotion, error) {
	var open []*v1alpha1.Promotion
	var places []page.Place
	known := map[page.Place]bool{}
	for _, promotion := range v.world.Promotions {
		if !report.AwaitsApproval(promotion) || report.Decided(promotion, v.Me) {
			continue
		}
		open = append(open, promotion)
		if at := placeOf(promotion); !known[at] {
			places, known[at] = append(places, at), true
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	granted, err := v.viewer.May(ctx, v1alpha1.VerbApprove, places)
	if err != nil {
		return nil, err
	}
	mine := slices.DeleteFunc(open, func(p *v1alpha1.Promotion) bool {
		environment := v.environmentAt(p.Namespace, p.Spec.Environment)
		return environment == nil || !granted[placeOf(p)] || !report.CouldApprove(p, environment, v.Me)
	})
	slices.SortStableFunc(mine, func(a, b *v1alpha1.Promotion) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return mine, nil
}

// placeOf a Promotion is its Environment.
func placeOf(promotion *v1alpha1.Promotion) page.Place {
	return page.Place{Project: promotion.Namespace, Environment: promotion.Spec.Environment}
}

// environmentAt a place, as the viewer sees it; nil if they see none.
func (v *visit) environmentAt(project, name string) *v1alpha1.Environment {
	return found(v.world.Environments, project, name)
}

// found among what is in the order of projects and names; nil if it is not there.
func found[T any, P interface {
	*T
	client.Object
}](all []P, project, name string) P {
	at, is := slices.BinarySearchFunc(all, keyed(project, name), func(one P, wanted client.ObjectKey) int {
		return cmp.Or(strings.Compare(one.GetNamespace(), wanted.Namespace), strings.Compare(one.GetName(), wanted.Name))
	})
	if !is {
		return nil
	}
	return all[at]
}

// lookUp an object of the project and name of the path: from the world where it is there, else, as the viewer, from the API server.
func lookUp[T any, P interface {
	*T
	client.Object
}](ctx context.Context, v *visit, all []P) (P, error) {
	project, name := v.PathValue("project"), v.PathValue("name")
	if !(target{project, name}).possible() {
		return nil, &impossible{target{project, name}}
	}
	if there := found(all, project, name); there != nil {
		return there, nil
	}
	if ended, is := v.past.ended.(P); is {
		return ended, nil
	}
	object := P(new(T))
	if err := v.past.Get(ctx, keyed(project, name), object); err != nil {
		return nil, err
	}
	if promotion, is := any(object).(*v1alpha1.Promotion); is && report.Ended(promotion) {
		v.past.ended = promotion
	}
	return object, nil
}

func (s *Server) promotion(ctx context.Context, v *visit) (page.View, error) {
	promotion, err := lookUp(ctx, v, v.world.Promotions)
	if err != nil {
		return page.View{}, err
	}
	seen := page.PromotionSeen{Promotion: promotion, Environment: v.environmentAt(promotion.Namespace, promotion.Spec.Environment)}
	for _, release := range v.world.Releases {
		if release.Namespace != promotion.Namespace {
			continue
		}
		if release.Name == promotion.Spec.Release {
			seen.Release = release
		}
		if seen.Environment != nil && release.Spec.Application == seen.Environment.Spec.Application {
			seen.Releases = append(seen.Releases, release)
		}
	}
	if seen.Records, err = v.past.ofPromotion(ctx, promotion, headOf(v.world, promotion.Namespace, promotion.Spec.Environment)); err != nil {
		return page.View{}, err
	}
	if seen.Rights, err = v.viewer.Rights(ctx, promotion.Namespace, promotion.Spec.Environment); err != nil {
		return page.View{}, err
	}
	return page.Promotion(v.Context, seen)
}

func (s *Server) release(ctx context.Context, v *visit) (page.View, error) {
	release, err := lookUp(ctx, v, v.world.Releases)
	if err != nil {
		return page.View{}, err
	}
	seen := page.ReleaseSeen{Release: release, Rights: map[string]page.Rights{}}
	for _, environment := range v.world.Environments {
		if environment.Namespace != release.Namespace {
			continue
		}
		seen.Environments = append(seen.Environments, environment)
		if environment.Spec.Application != release.Spec.Application {
			continue
		}
		if seen.Rights[environment.Name], err = v.viewer.Rights(ctx, environment.Namespace, environment.Name); err != nil {
			return page.View{}, err
		}
	}
	if seen.Own, err = v.viewer.RightsOnRelease(ctx, release.Namespace, release.Name); err != nil {
		return page.View{}, err
	}
	seen.Bundled, seen.Bundles = bundle(v.world.Releases, release)
	if seen.Promotions, err = v.promotionsOf(ctx, release); err != nil {
		return page.View{}, err
	}
	if seen.Records, err = v.past.ofRelease(ctx, release, seen.Promotions); err != nil {
		return page.View{}, err
	}
	return page.Release(v.Context, seen)
}

// bundle are the Releases that one names, as far as they exist, and those that name it.
func bundle(all []*v1alpha1.Release, of *v1alpha1.Release) (members, bundles []*v1alpha1.Release) {
	names := func(release *v1alpha1.Release, name string) bool {
		return slices.ContainsFunc(release.Spec.Source.Bundle, func(b v1alpha1.BundledRelease) bool { return b.Name == name })
	}
	for _, other := range all {
		if other.Namespace != of.Namespace {
			continue
		}
		if names(of, other.Name) {
			members = append(members, other)
		}
		if names(other, of.Name) {
			bundles = append(bundles, other)
		}
	}
	return members, bundles
}

// promotionsOf a Release: what the world has of them is newer than what was read when the page was opened.
func (v *visit) promotionsOf(ctx context.Context, release *v1alpha1.Release) ([]*v1alpha1.Promotion, error) {
	all, err := v.past.promotionsOf(ctx, release)
	if err != nil {
		return nil, err
	}
	known := map[string]*v1alpha1.Promotion{}
	for i := range all {
		known[all[i].Name] = &all[i]
	}
	for _, now := range v.world.Promotions {
		if now.Namespace == release.Namespace && now.Spec.Release == release.Name {
			known[now.Name] = now
		}
	}
	return slices.SortedFunc(maps.Values(known), func(a, b *v1alpha1.Promotion) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	}), nil
}
