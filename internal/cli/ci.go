// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// fromCI fills in what CI says about its run where nothing is said already. The variables are those that GitHub Actions, GitLab CI and Jenkins document.
func fromCI(build v1alpha1.ReleaseBuild, variable func(string) string) v1alpha1.ReleaseBuild {
	var found v1alpha1.ReleaseBuild
	switch {
	case variable("GITHUB_ACTIONS") == "true":
		found = v1alpha1.ReleaseBuild{
			Commit: variable("GITHUB_SHA"), Author: variable("GITHUB_ACTOR"), Branch: variable("GITHUB_REF_NAME"),
			URL: variable("GITHUB_SERVER_URL") + "/" + variable("GITHUB_REPOSITORY") + "/actions/runs/" + variable("GITHUB_RUN_ID"),
		}
	case variable("GITLAB_CI") == "true":
		found = v1alpha1.ReleaseBuild{
			Commit: variable("CI_COMMIT_SHA"), Author: cmp.Or(variable("GITLAB_USER_LOGIN"), variable("CI_COMMIT_AUTHOR")),
			Branch: variable("CI_COMMIT_REF_NAME"), URL: cmp.Or(variable("CI_PIPELINE_URL"), variable("CI_JOB_URL")),
		}
	case variable("JENKINS_URL") != "":
		found = v1alpha1.ReleaseBuild{
			Commit: variable("GIT_COMMIT"), Author: variable("CHANGE_AUTHOR"),
			Branch: cmp.Or(variable("BRANCH_NAME"), variable("GIT_BRANCH")), URL: variable("BUILD_URL"),
		}
	}
	return v1alpha1.ReleaseBuild{
		Commit: cmp.Or(build.Commit, found.Commit), URL: cmp.Or(build.URL, found.URL),
		Author: cmp.Or(build.Author, found.Author), Branch: cmp.Or(build.Branch, found.Branch),
	}
}
