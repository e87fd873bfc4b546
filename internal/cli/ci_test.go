// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"maps"
	"strings"
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestWhatCISaysOfItsRun(t *testing.T) {
	github := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_SHA": "4f1c2d9", "GITHUB_ACTOR": "bob", "GITHUB_REF_NAME": "main",
		"GITHUB_SERVER_URL": "https://github.example.com", "GITHUB_REPOSITORY": "shop/shop", "GITHUB_RUN_ID": "77",
	}
	for name, test := range map[string]struct {
		given     v1alpha1.ReleaseBuild
		variables map[string]string
		want      v1alpha1.ReleaseBuild
	}{
		"GitHub Actions": {
			variables: github,
			want:      v1alpha1.ReleaseBuild{Commit: "4f1c2d9", Author: "bob", Branch: "main", URL: "https://github.example.com/shop/shop/actions/runs/77"},
		},
		"GitLab CI": {
			variables: map[string]string{
				"GITLAB_CI": "true", "CI_COMMIT_SHA": "4f1c2d9", "GITLAB_USER_LOGIN": "bob", "CI_COMMIT_AUTHOR": "Bob <bob@example.com>",
				"CI_COMMIT_REF_NAME": "main", "CI_PIPELINE_URL": "https://gitlab.example.com/p/1", "CI_JOB_URL": "https://gitlab.example.com/j/2",
			},
			want: v1alpha1.ReleaseBuild{Commit: "4f1c2d9", Author: "bob", Branch: "main", URL: "https://gitlab.example.com/p/1"},
		},
		"GitLab CI without a person": {
			variables: map[string]string{"GITLAB_CI": "true", "CI_COMMIT_AUTHOR": "Bob <bob@example.com>", "CI_JOB_URL": "https://gitlab.example.com/j/2"},
			want:      v1alpha1.ReleaseBuild{Author: "Bob <bob@example.com>", URL: "https://gitlab.example.com/j/2"},
		},
		"Jenkins": {
			variables: map[string]string{
				"JENKINS_URL": "https://jenkins.example.com/", "GIT_COMMIT": "4f1c2d9", "GIT_BRANCH": "origin/main", "BUILD_URL": "https://jenkins.example.com/job/shop/5/",
			},
			want: v1alpha1.ReleaseBuild{Commit: "4f1c2d9", Branch: "origin/main", URL: "https://jenkins.example.com/job/shop/5/"},
		},
		"Tekton, by its task's env": {
			variables: map[string]string{
				"ASSENT_BUILD_COMMIT": "4f1c2d9", "ASSENT_BUILD_URL": "https://tekton.example.com/run", "ASSENT_BUILD_AUTHOR": "bob", "ASSENT_BUILD_BRANCH": "main",
			},
			want: v1alpha1.ReleaseBuild{Commit: "4f1c2d9", Author: "bob", Branch: "main", URL: "https://tekton.example.com/run"},
		},
		"flags first, then our variables, then those of CI": {
			given:     v1alpha1.ReleaseBuild{Commit: "0000000"},
			variables: merged(github, map[string]string{"ASSENT_BUILD_COMMIT": "1111111", "ASSENT_BUILD_AUTHOR": "carol"}),
			want:      v1alpha1.ReleaseBuild{Commit: "0000000", Author: "carol", Branch: "main", URL: "https://github.example.com/shop/shop/actions/runs/77"},
		},
		"none that is known": {variables: map[string]string{"CI": "true", "GITHUB_SHA": "4f1c2d9"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fromCI(test.given, func(name string) string { return test.variables[name] }); got != test.want {
				t.Errorf("it is %+v and not %+v", got, test.want)
			}
		})
	}
}

func TestTektonIsToldHowToSayWhatWasBuilt(t *testing.T) {
	tekton := func(path string) bool { return path == "/tekton/steps" }
	if got := tektonAdvice(v1alpha1.ReleaseBuild{}, tekton); !strings.Contains(got, "ASSENT_BUILD_COMMIT") || !strings.Contains(got, "--build-commit") {
		t.Errorf("it says %q", got)
	}
	if got := tektonAdvice(v1alpha1.ReleaseBuild{Commit: "4f1c2d9"}, tekton); got != "" {
		t.Errorf("where the commit is known it says %q", got)
	}
	if got := tektonAdvice(v1alpha1.ReleaseBuild{}, func(string) bool { return false }); got != "" {
		t.Errorf("elsewhere it says %q", got)
	}
}

func merged(all ...map[string]string) map[string]string {
	into := map[string]string{}
	for _, next := range all {
		maps.Copy(into, next)
	}
	return into
}
