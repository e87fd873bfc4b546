// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/controllers"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/test/oracle"
)

// The history is tried without the operator: what it relies on must hold when two of them are at it, or when one knows less than there is.
var _ = Describe("the history of an environment", func() {
	var p *place
	BeforeEach(func(ctx context.Context) {
		p = newProject(ctx)
		p.except(oracle.RuleRecord, "there was no such promotion", "the test writes the history itself, of promotions that there never were")
	})

	ledger := func() *controllers.Ledger {
		return controllers.NewLedger(scene.as(operator), scene.as(operator), io.Discard)
	}
	entry := func(kind v1alpha1.AuditType, promotion string) v1alpha1.AuditRecordSpec {
		return v1alpha1.AuditRecordSpec{
			Environment: production, Type: kind, Time: metav1.Now().Rfc3339Copy(),
			Promotion: v1alpha1.ObjectIdentity{Name: promotion, UID: "uid-of-" + promotion},
		}
	}
	write := func(ctx context.Context, into *controllers.Ledger, kind v1alpha1.AuditType, promotion string) (*v1alpha1.AuditRecord, error) {
		return into.Append(ctx, p.project.Name, v1alpha1.AuditHead{}, entry(kind, promotion))
	}

	It("takes no intent while another rollout is on record, from whoever knows of it or not", func(ctx context.Context) {
		first, second := ledger(), ledger()
		_, err := second.State(ctx, client.ObjectKey{Namespace: p.project.Name, Name: production}, v1alpha1.AuditHead{})
		Expect(err).NotTo(HaveOccurred())
		Expect(write(ctx, first, v1alpha1.AuditIntent, "one")).NotTo(BeNil())
		for _, other := range []*controllers.Ledger{first, second, ledger()} {
			_, err := write(ctx, other, v1alpha1.AuditIntent, "two")
			Expect(err).To(MatchError(ContainSubstring("another rollout is on record")))
		}
		Expect(write(ctx, second, v1alpha1.AuditRejected, "three")).NotTo(BeNil())
		_, err = write(ctx, first, v1alpha1.AuditIntent, "two")
		Expect(err).To(HaveOccurred(), "the end of another promotion ends no rollout")
		Expect(write(ctx, second, v1alpha1.AuditSucceeded, "one")).NotTo(BeNil())
		Expect(write(ctx, first, v1alpha1.AuditIntent, "two")).NotTo(BeNil())
	})

	It("takes an intent once, whichever process asks again", func(ctx context.Context) {
		once, err := write(ctx, ledger(), v1alpha1.AuditIntent, "one")
		Expect(err).NotTo(HaveOccurred())
		again, err := write(ctx, ledger(), v1alpha1.AuditIntent, "one")
		Expect(err).NotTo(HaveOccurred())
		Expect(again.UID).To(Equal(once.UID))
	})

	It("stays one chain under several writers", func(ctx context.Context) {
		const writers, each = 3, 5
		failures := make([]error, writers)
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				defer GinkgoRecover()
				into := ledger()
				for k := range each {
					_, err := write(ctx, into, v1alpha1.AuditRejected, fmt.Sprintf("p-%d-%d", i, k))
					failures[i] = errors.Join(failures[i], err)
				}
			})
		}
		group.Wait()
		Expect(errors.Join(failures...)).NotTo(HaveOccurred())
		var records v1alpha1.AuditRecordList
		Expect(scene.as(operator).List(ctx, &records, client.InNamespace(p.project.Name))).To(Succeed())
		Expect(records.Items).To(HaveLen(writers * each))
		Expect(audit.Verify(records.Items, v1alpha1.AuditHead{})).To(BeEmpty())
	})
})
