// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module is one with a gate of two conditions. Its test knows of one of them.
var module = map[string]string{
	"go.mod": "module example.org/shop\n\ngo 1.26\n",
	"gate/gate.go": `package gate

// Open says whether somebody may.
func Open(user string, held bool) bool {
	if held {
		return false
	}
	if user == "mallory" {
		return false
	}
	return true
}
`,
	"gate/gate_test.go": `package gate

import "testing"

func TestAHoldClosesTheGate(t *testing.T) {
	if Open("alice", true) || !Open("alice", false) {
		t.Error("the hold is not heard")
	}
}
`,
	"scope.yaml":      "packages:\n- {package: gate, tests: [{package: gate}]}\n",
	"exceptions.yaml": "exceptions: []\n",
}

// mutating that module, with changes to it.
func mutating(t *testing.T, changes map[string]string, flags ...string) (string, error) {
	t.Helper()
	root := t.TempDir()
	write := func(files map[string]string) {
		for name, text := range files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(module)
	write(changes)
	var out bytes.Buffer
	err := Run(t.Context(), append([]string{"-root", root, "-scope", "scope.yaml", "-exceptions", "exceptions.yaml"}, flags...), &out)
	return out.String(), err
}

const unnoticed = "gate/gate.go:8 Open: `user == \"mallory\"` taken for false"

func TestAConditionThatNoTestKnowsOfSurvivesAndIsNamed(t *testing.T) {
	out, err := mutating(t, nil)
	if err == nil || err.Error() != "1 mutants have survived" {
		t.Errorf("it ended with %v", err)
	}
	for _, want := range []string{unnoticed, "all                             6        5         0         1         0   83.3 %"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}

func TestAnExceptionIsNamedWithItsReasonAndDoesNotCount(t *testing.T) {
	out, err := mutating(t, map[string]string{"exceptions.yaml": `exceptions:
- {package: gate, function: Open, source: 'user == "mallory"', kinds: ["false"], reason: mallory is on holiday}
`})
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{unnoticed + ": mallory is on holiday", "100 %"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}

func TestAnExceptionForWhatIsNotThereIsAnError(t *testing.T) {
	for name, exception := range map[string]string{
		"another text":     `{package: gate, function: Open, source: 'user == "eve"', kinds: ["false"], reason: none}`,
		"another function": `{package: gate, function: Close, source: 'user == "mallory"', kinds: ["false"], reason: none}`,
		"no reason":        `{package: gate, function: Open, source: 'user == "mallory"', kinds: ["false"]}`,
		"another one":      `{package: gate, function: Open, source: 'user == "mallory"', kinds: ["false"], nth: 2, reason: none}`,
		"another kind":     `{package: gate, function: Open, source: 'user == "mallory"', kinds: [dropped], reason: none}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mutating(t, map[string]string{"exceptions.yaml": "exceptions:\n- " + exception + "\n"}, "-list")
			if err == nil || !strings.Contains(err.Error(), "exceptions: ") {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

func TestTestsThatAreRedWithoutAMutantProveNothing(t *testing.T) {
	_, err := mutating(t, map[string]string{"gate/gate_test.go": "package gate\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) { t.Error(\"red\") }\n"})
	if err == nil || !strings.Contains(err.Error(), "gate is red without a mutant") {
		t.Errorf("it ended with %v", err)
	}
}

func TestCodeThatNoTestGetsToSurvives(t *testing.T) {
	out, err := mutating(t, map[string]string{"gate/other.go": "package gate\n\n// Spare is called by nobody.\nfunc Spare(a int) bool { return a == 1 }\n"})
	if err == nil || !strings.Contains(out, "gate/other.go:4 Spare: `a == 1` inverted (no test gets there)") {
		t.Errorf("it ended with %v, and said\n%s", err, out)
	}
}

func TestAMutantThatNeverEndsIsCountedApart(t *testing.T) {
	out, err := mutating(t, map[string]string{
		"gate/gate.go":      "package gate\n\n// Count counts.\nfunc Count(to int) (n int) {\n\tfor {\n\t\tif n >= to {\n\t\t\treturn n\n\t\t}\n\t\tn++\n\t}\n}\n",
		"gate/gate_test.go": "package gate\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {\n\tif Count(3) != 3 {\n\t\tt.Error(\"no\")\n\t}\n}\n",
	})
	if err != nil || !strings.Contains(out, "all                             3        2         1         0         0    100 %") {
		t.Errorf("it ended with %v, and said\n%s", err, out)
	}
}

func TestASampleTakesAsManyAsItIsAskedForFromThePackagesOfTheSlice(t *testing.T) {
	out, err := mutating(t, map[string]string{"scope.yaml": "packages:\n- {package: gate, slice: true, tests: [{package: gate}]}\n"}, "-sample", "2", "-list")
	if err != nil || !strings.HasSuffix(out, "\n2 mutants\n") {
		t.Errorf("it ended with %v, and said\n%s", err, out)
	}
	out, err = mutating(t, nil, "-sample", "2", "-list")
	if err == nil || !strings.Contains(err.Error(), "nothing to mutate") {
		t.Errorf("it ended with %v, and said\n%s", err, out)
	}
}

// onCluster is that module with a Ginkgo suite: a spec by itself, and two that only run in order.
func onCluster(t *testing.T) map[string]string {
	t.Helper()
	changes := map[string]string{
		"main.go":    "package main\n\nfunc main() {}\n",
		"scope.yaml": "packages:\n- {package: gate, tests: [{package: gate, suite: TestGate}]}\n",
		"gate/gate_test.go": `package gate

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestGate(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Gates")
}

var _ = Describe("a gate", func() {
	It("is closed by a hold", func() {
		Expect(Open("alice", true)).To(BeFalse())
	})

	Describe("one by one", Ordered, func() {
		It("lets nobody in whom it knows", func() {
			Expect(Open("mallory", false)).To(BeFalse())
		})

		It("lets others in", func() {
			Expect(Open("alice", false)).To(BeTrue())
		})
	})
})
`,
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		changes[name] = strings.Replace(string(content), "module github.com/assent-dev/assent\n", "module example.org/shop\n", 1)
	}
	return changes
}

func TestSpecsOfASuiteAreAskedAloneAndNotice(t *testing.T) {
	out, err := mutating(t, onCluster(t), "-clusters", t.TempDir())
	if err != nil || !strings.Contains(out, "all                             6        6         0         0         0    100 %") {
		t.Errorf("it ended with %v, and said\n%s", err, out)
	}
}

func TestASuiteThatIsRedAfterwardsHasNoticedNothing(t *testing.T) {
	module := onCluster(t)
	module["gate/gate_test.go"] = strings.NewReplacer(
		"import (\n", "import (\n\t\"os\"\n",
		"var _ = Describe", `var broken = os.Getenv("ASSENT_DEVCLUSTER") + "/broken"

var _ = BeforeEach(func() { Expect(broken).NotTo(BeAnExistingFile()) })

var _ = Describe`,
		"Expect(Open(\"alice\", true)).To(BeFalse())", `if Open("alice", true) {
			Expect(os.WriteFile(broken, nil, 0o600)).To(Succeed())
			Fail("a mutant has broken the cluster for good")
		}`).Replace(module["gate/gate_test.go"])
	out, err := mutating(t, module, "-clusters", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "red without a mutant after all have been tried") {
		t.Errorf("it ended with %v, and said\n%s", err, out)
	}
}

func TestSpecsThatDoNotRunAreAnErrorAndNoSurvivors(t *testing.T) {
	module := onCluster(t)
	module["gate/gate_test.go"] = strings.NewReplacer(
		"import (\n", "import (\n\t\"fmt\"\n\t\"time\"\n",
		`Describe("a gate"`, `Describe(fmt.Sprint("a gate at ", time.Now().UnixNano())`).Replace(module["gate/gate_test.go"])
	out, err := mutating(t, module, "-clusters", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "none of the specs ran that were asked about") {
		t.Errorf("it ended with %v, and said\n%s", err, out)
	}
}
