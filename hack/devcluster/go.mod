module github.com/assent-dev/assent/hack/devcluster

go 1.26.0
