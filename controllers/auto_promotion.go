// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/autopromotion"
	"github.com/assent-dev/assent/internal/promotion"
)

// automatic is what came of looking for a Release to ask for.
type automatic struct {
	// release that there is a Promotion of now; nil if none was asked for.
	release *v1alpha1.Release
	// refused says why it could not be asked for, and what to do.
	refused string
	// again is when to look again although nothing may have happened; zero for never.
	again time.Time
}

// autoPromote asks for the newest Release that is eligible, where the Environment says so. The Promotion has a name of its own, so that it is asked
// for once, whoever was interrupted; and the status keeps it from being asked for again when it is deleted.
func (r *EnvironmentReconciler) autoPromote(ctx context.Context, environment *v1alpha1.Environment, project map[string]*v1alpha1.Environment, now time.Time) (automatic, error) {
	if environment.Spec.AutoPromotion.Versions == "" || !environment.DeletionTimestamp.IsZero() {
		return automatic{}, nil
	}
	var releases v1alpha1.ReleaseList
	if err := r.Client.List(ctx, &releases, readOnly, client.InNamespace(environment.Namespace)); err != nil {
		return automatic{}, fmt.Errorf("list the releases of project %q: %w", environment.Namespace, err)
	}
	var unknown error
	question := autopromotion.Question{
		Environment: environment,
		Upstream: func(release *v1alpha1.Release) []v1alpha1.Blocker {
			return promotion.UpstreamBlockers(release, environment, project, now)
		},
		Asked: func(release *v1alpha1.Release) bool {
			asked, err := r.askedByOthers(ctx, environment, release)
			unknown = errors.Join(unknown, err)
			return asked
		},
	}
	for i := range releases.Items {
		question.Releases = append(question.Releases, &releases.Items[i])
	}
	choice := autopromotion.Choose(question)
	if unknown != nil {
		return automatic{}, unknown
	}
	if choice.Release == nil {
		return automatic{again: choice.Again}, nil
	}
	refused, err := r.Promoters.Ask(ctx, r.Live, environment, choice.Release)
	if err != nil {
		return automatic{}, fmt.Errorf("ask for release %q in environment %q: %w", choice.Release.Name, environment.Name, err)
	}
	if refused != "" {
		return automatic{refused: refused, again: now.Add(recheck)}, nil
	}
	return automatic{release: choice.Release, again: choice.Again}, nil
}

// askedByOthers says whether there is a Promotion of a Release to an Environment but the one that is created here: that one was created by a process
// that died before it could say so in the status.
func (r *EnvironmentReconciler) askedByOthers(ctx context.Context, environment *v1alpha1.Environment, release *v1alpha1.Release) (bool, error) {
	var promotions v1alpha1.PromotionList
	if err := r.Client.List(ctx, &promotions, readOnly, client.InNamespace(release.Namespace), client.MatchingFields{indexRelease: release.Name}); err != nil {
		return false, fmt.Errorf("list the promotions of release %q: %w", release.Name, err)
	}
	own := autopromotion.Name(release, environment)
	return slices.ContainsFunc(promotions.Items, func(p v1alpha1.Promotion) bool {
		return p.Spec.Environment == environment.Name && p.Name != own
	}), nil
}

// Promoters ask for promotions as the service account assent-promoter of a project: what it may not ask for, nobody asks for.
type Promoters struct {
	config *rest.Config
	scheme *runtime.Scheme
	mapper meta.RESTMapper
}

// NewPromoters makes Promoters of the operator's own configuration.
func NewPromoters(config *rest.Config, scheme *runtime.Scheme, mapper meta.RESTMapper) *Promoters {
	config = rest.CopyConfig(config)
	config.QPS, config.RateLimiter = -1, nil
	return &Promoters{config: config, scheme: scheme, mapper: mapper}
}

// Ask for a Release in an Environment, by a Promotion that is there already if it was asked for before. Refused says why that is not allowed, and
// what to do; an error is a fault that trying again can mend.
func (p *Promoters) Ask(ctx context.Context, live client.Reader, environment *v1alpha1.Environment, release *v1alpha1.Release) (refused string, err error) {
	project := environment.Namespace
	account, err := find(ctx, live, &corev1.ServiceAccount{}, types.NamespacedName{Namespace: project, Name: v1alpha1.PromoterServiceAccount})
	if err != nil {
		return "", err
	}
	if account == nil { // the API server lets one be impersonated that does not exist
		return refusedPromoter(project, "it does not exist"), nil
	}
	promoter, err := p.as(project)
	if err != nil {
		return "", err
	}
	switch err := promoter.Create(ctx, automaticPromotion(environment, release)); {
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		return refusedPromoter(project, err.Error()), nil
	default:
		return "", client.IgnoreAlreadyExists(err)
	}
}

// as is a client of a project's promoter.
func (p *Promoters) as(project string) (client.Client, error) {
	config := rest.CopyConfig(p.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: promoterOf(project)}
	promoter, err := client.New(config, client.Options{Scheme: p.scheme, Mapper: p.mapper})
	if err != nil {
		return nil, fmt.Errorf("make a client for %q: %w", promoterOf(project), err)
	}
	return promoter, nil
}

// promoterOf is the promoter of a project as the API server knows it.
func promoterOf(project string) string {
	return "system:serviceaccount:" + project + ":" + v1alpha1.PromoterServiceAccount
}

// automaticPromotion is the Promotion that is created. Who asks is spelled out for clusters whose API server does not stamp it.
func automaticPromotion(environment *v1alpha1.Environment, release *v1alpha1.Release) *v1alpha1.Promotion {
	return &v1alpha1.Promotion{
		ObjectMeta: metav1.ObjectMeta{Name: autopromotion.Name(release, environment), Namespace: environment.Namespace},
		Spec: v1alpha1.PromotionSpec{
			Release: release.Name, Environment: environment.Name, Approvals: []v1alpha1.Approval{},
			Reason: fmt.Sprintf("asked for automatically: version %s is the newest that `spec.autoPromotion` of environment %q allows (%s) and that has passed every environment before it",
				release.Spec.Version, environment.Name, environment.Spec.AutoPromotion.Versions),
			RequestedBy: v1alpha1.Person{
				Username: promoterOf(environment.Namespace),
				Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + environment.Namespace, "system:authenticated"},
			},
		},
	}
}

// refusedPromoter says what to create so that promotions can be asked for.
func refusedPromoter(project, why string) string {
	const most = 1024
	return fmt.Sprintf("`spec.autoPromotion`: service account %[1]q of project %[2]q cannot ask for promotions: %[3]s. Let an owner of the project run: "+
		"kubectl create serviceaccount %[1]s --namespace=%[2]s; "+
		"kubectl create rolebinding %[1]s --namespace=%[2]s --clusterrole=assent-promoter --serviceaccount=%[2]s:%[1]s",
		v1alpha1.PromoterServiceAccount, project, promotion.Clip(why, most))
}
