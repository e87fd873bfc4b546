// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Variables that say what was built where CI itself has none for it. They come before those of CI.
const (
	commitVariable = "ASSENT_BUILD_COMMIT"
	urlVariable    = "ASSENT_BUILD_URL"
	authorVariable = "ASSENT_BUILD_AUTHOR"
	branchVariable = "ASSENT_BUILD_BRANCH"
)

// tektonSteps is a directory that Tekton mounts into every step.
const tektonSteps = "/tekton/steps"

// fromCI fills in what CI says about its run where nothing is said already. The variables are those that GitHub Actions, GitLab CI and Jenkins document,
// and before them our own: Tekton sets none, it substitutes values in the task's text.
func fromCI(build v1alpha1.ReleaseBuild, variable func(string) string) v1alpha1.ReleaseBuild {
	said := v1alpha1.ReleaseBuild{Commit: variable(commitVariable), URL: variable(urlVariable), Author: variable(authorVariable), Branch: variable(branchVariable)}
	return orElse(orElse(build, said), ciRun(variable))
}

// ciRun is what the CI says that this runs in; nothing where it is none that is known.
func ciRun(variable func(string) string) v1alpha1.ReleaseBuild {
	switch {
	case variable("GITHUB_ACTIONS") == "true":
		return v1alpha1.ReleaseBuild{
			Commit: variable("GITHUB_SHA"), Author: variable("GITHUB_ACTOR"), Branch: variable("GITHUB_REF_NAME"),
			URL: variable("GITHUB_SERVER_URL") + "/" + variable("GITHUB_REPOSITORY") + "/actions/runs/" + variable("GITHUB_RUN_ID"),
		}
	case variable("GITLAB_CI") == "true":
		return v1alpha1.ReleaseBuild{
			Commit: variable("CI_COMMIT_SHA"), Author: cmp.Or(variable("GITLAB_USER_LOGIN"), variable("CI_COMMIT_AUTHOR")),
			Branch: variable("CI_COMMIT_REF_NAME"), URL: cmp.Or(variable("CI_PIPELINE_URL"), variable("CI_JOB_URL")),
		}
	case variable("JENKINS_URL") != "":
		return v1alpha1.ReleaseBuild{
			Commit: variable("GIT_COMMIT"), Author: variable("CHANGE_AUTHOR"),
			Branch: cmp.Or(variable("BRANCH_NAME"), variable("GIT_BRANCH")), URL: variable("BUILD_URL"),
		}
	default:
		return v1alpha1.ReleaseBuild{}
	}
}

// orElse takes from another what is not said.
func orElse(build, other v1alpha1.ReleaseBuild) v1alpha1.ReleaseBuild {
	return v1alpha1.ReleaseBuild{
		Commit: cmp.Or(build.Commit, other.Commit), URL: cmp.Or(build.URL, other.URL),
		Author: cmp.Or(build.Author, other.Author), Branch: cmp.Or(build.Branch, other.Branch),
	}
}

// tektonAdvice is what to do where Tekton runs this and nothing says what was built; empty where that is not so.
func tektonAdvice(build v1alpha1.ReleaseBuild, exists func(path string) bool) string {
	if build != (v1alpha1.ReleaseBuild{}) || !exists(tektonSteps) {
		return ""
	}
	return "Tekton tells its steps nothing of their run, so the Release says nothing of its build: set " + commitVariable + ", " + urlVariable + ", " +
		authorVariable + " and " + branchVariable + " in the step's env, for example to $(params.revision), or give --build-commit and so on"
}
