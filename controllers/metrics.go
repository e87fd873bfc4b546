// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
)

var (
	rolloutSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "assent_rollout_duration_seconds", Help: "Time from the start of a rollout to its end, by outcome.",
		Buckets: prometheus.ExponentialBuckets(0.25, 2, 14),
	}, []string{"project", "environment", "outcome"})
	approvalSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "assent_approval_wait_seconds", Help: "Time from the creation of a promotion to the start of its rollout.",
		Buckets: prometheus.ExponentialBuckets(1, 4, 11),
	}, []string{"project", "environment"})
)

var overrides = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "assent_overrides_total", Help: "Gates that were closed at the start of a rollout and that an override had opened.",
}, []string{"project", "environment", "gate"})

// census counts the Promotions when somebody asks, so that nothing is counted while nobody does.
type census struct {
	reader   client.Reader
	states   *prometheus.Desc
	blockers *prometheus.Desc
}

func newCensus(reader client.Reader) *census {
	return &census{
		reader:   reader,
		states:   prometheus.NewDesc("assent_promotions", "Promotions by state.", []string{"project", "environment", "state"}, nil),
		blockers: prometheus.NewDesc("assent_promotion_blockers", "Closed gates of Promotions that wait.", []string{"project", "environment", "gate"}, nil),
	}
}

// registerMetrics makes the operator's own metrics available beside controller-runtime's.
func registerMetrics(reader client.Reader) error {
	for _, collector := range []prometheus.Collector{rolloutSeconds, approvalSeconds, overrides, newCensus(reader)} {
		err := metrics.Registry.Register(collector)
		if already := (prometheus.AlreadyRegisteredError{}); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// Describe implements prometheus.Collector.
func (c *census) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.states
	descriptions <- c.blockers
}

// Collect implements prometheus.Collector.
func (c *census) Collect(found chan<- prometheus.Metric) {
	var all v1alpha1.PromotionList
	if err := c.reader.List(context.Background(), &all, readOnly); err != nil {
		found <- prometheus.NewInvalidMetric(c.states, err)
		return
	}
	type place struct{ project, environment, what string }
	states, blockers := map[place]int{}, map[place]int{}
	for i := range all.Items {
		p := &all.Items[i]
		states[place{p.Namespace, p.Spec.Environment, promotion.State(p)}]++
		for _, blocker := range p.Status.Blockers {
			blockers[place{p.Namespace, p.Spec.Environment, string(blocker.Gate)}]++
		}
	}
	for at, count := range states {
		found <- prometheus.MustNewConstMetric(c.states, prometheus.GaugeValue, float64(count), at.project, at.environment, at.what)
	}
	for at, count := range blockers {
		found <- prometheus.MustNewConstMetric(c.blockers, prometheus.GaugeValue, float64(count), at.project, at.environment, at.what)
	}
}

// observeEnd measures a promotion that has just ended.
func observeEnd(p *v1alpha1.Promotion) {
	if p.Status.StartTime.IsZero() {
		return
	}
	rolloutSeconds.WithLabelValues(p.Namespace, p.Spec.Environment, promotion.State(p)).
		Observe(p.Status.CompletionTime.Sub(p.Status.StartTime.Time).Seconds())
	approvalSeconds.WithLabelValues(p.Namespace, p.Spec.Environment).
		Observe(p.Status.StartTime.Sub(p.CreationTimestamp.Time).Seconds())
}
