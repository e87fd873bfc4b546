// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"os"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/rules"
	"github.com/assent-dev/assent/test/cluster"
)

// row of a table that begins with a field and what is wrong with it.
var row = regexp.MustCompile("(?m)^\\| `` (`spec\\..*?) `` \\|")

// mistakes are those that the page's table names, in its order.
var mistakes = []func(*v1alpha1.EnvironmentSpec){
	func(spec *v1alpha1.EnvironmentSpec) { spec.After = []string{"stagin"} },
	func(spec *v1alpha1.EnvironmentSpec) { spec.After = []string{"staging"} }, // which waits for production in turn
	func(spec *v1alpha1.EnvironmentSpec) {
		spec.Windows.Allow = []v1alpha1.Window{{Schedule: "0 9 * *", DurationSeconds: 3600}}
	},
	func(spec *v1alpha1.EnvironmentSpec) {
		spec.Windows.Freeze = []v1alpha1.Window{{Schedule: "0 9 * * *", DurationSeconds: 3600, TimeZone: "CET+1"}}
	},
	func(spec *v1alpha1.EnvironmentSpec) {
		spec.Windows.Allow = []v1alpha1.Window{{StartTime: metav1.NewTime(friday.AddDate(-1, 0, 0)), EndTime: metav1.NewTime(friday)}}
	},
	func(spec *v1alpha1.EnvironmentSpec) {
		spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "security", When: "plan.chnges.exists(c, true)"}}
	},
	func(spec *v1alpha1.EnvironmentSpec) {
		spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "owners", Required: ptr.To[int32](2), Users: []string{"alice"}}}
	},
	func(spec *v1alpha1.EnvironmentSpec) { spec.AutoPromotion.Versions = "newest" },
}

var _ = Describe("the table of what is wrong with an Environment", func() {
	It("says it in the operator's own words", func() {
		content, err := os.ReadFile(page)
		Expect(err).NotTo(HaveOccurred())
		var told, found []string
		for _, cells := range row.FindAllStringSubmatch(string(content), -1) {
			told = append(told, cells[1])
		}
		for _, mistake := range mistakes {
			production := cluster.NewEnvironment("shop", "production", v1alpha1.Target{})
			staging := cluster.NewEnvironment("shop", "staging", v1alpha1.Target{})
			staging.Spec.After = []string{"production"}
			mistake(&production.Spec)
			project := map[string]*v1alpha1.Environment{"production": production, "staging": staging}
			closed, _ := rules.NeverOpens(production, friday)
			found = append(found, rules.Text(rules.Join(rules.Problems(production, project), closed)))
		}
		Expect(told).To(Equal(found))
	})
})
