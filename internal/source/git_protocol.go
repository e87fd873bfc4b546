// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// historyDepths are how far back the branches are searched for a commit that the server does not send by its hash, first near and then far.
var historyDepths = [...]int{50, 1000}

// maxTips is how many branches and tags are searched.
const maxTips = 512

// errRefused is a server that answers a request for objects with something else.
var errRefused = errors.New("the server does not send what was asked for")

// objectsOf fetches the commit with its trees and files, and without history where the server sends commits by their hashes. The large hosts
// and Git's own server do, whether they advertise it or not, for what a branch or a tag leads to. From other servers the last commits of all
// branches and tags are taken, within the same limits.
func (r *repository) objectsOf(ctx context.Context, from *url.URL, commit plumbing.Hash) (objects, error) {
	session, advertised, err := r.advertised(ctx, from)
	if err != nil {
		return nil, err
	}
	found, err := r.request(ctx, session, advertised, []plumbing.Hash{commit}, 1)
	switch {
	case err == nil && found.objects.has(commit):
		return found.objects, nil
	case err != nil && !errors.Is(err, errRefused):
		return nil, err
	case advertised.Capabilities.Supports(capability.AllowReachableSHA1InWant):
		return nil, r.missing(from, commit, "does not exist, or no branch or tag leads to it any more")
	}
	return r.search(ctx, session, advertised, from, commit)
}

func (r *repository) advertised(ctx context.Context, from *url.URL) (transport.UploadPackSession, *packp.AdvRefs, error) {
	// Made by hand: the library's own parser takes URLs that are no URLs, such as paths on this machine.
	endpoint := &transport.Endpoint{Protocol: from.Scheme, Host: from.Hostname(), Path: strings.TrimSuffix(from.Path, "/")}
	if port := from.Port(); port != "" {
		if _, err := fmt.Sscanf(port, "%d", &endpoint.Port); err != nil {
			return nil, nil, invalid(fieldGitURL, "%q has no valid port", foreign(from.Host))
		}
	}
	session, err := githttp.NewClient(r.transfer.client).NewUploadPackSession(endpoint, nil)
	if err != nil {
		return nil, nil, err
	}
	advertised, err := session.AdvertisedReferencesContext(ctx)
	if err == nil {
		return session, advertised, nil
	}
	failure := r.transfer.failed()
	switch {
	case statusOf(failure) == http.StatusNotFound:
		return nil, nil, r.failed(fieldGitURL, "there is no Git repository at %q, or it is not shown without credentials: check the URL, or name a Secret in `secretRef`; it is tried again", from.Redacted())
	case failure != nil:
		return nil, nil, failure
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return nil, nil, r.failed(fieldGitURL, "the repository at %q is empty: push the commit; it is tried again", from.Redacted())
	}
	return nil, nil, r.failed(fieldGitURL, "the server at %q does not speak Git's smart HTTP protocol (%s): check the URL; it is tried again", from.Redacted(), foreign(err.Error()))
}

func (r *repository) failed(field, format string, args ...any) *Error {
	return secretFault(field, fmt.Sprintf(format, args...))
}

func (r *repository) missing(from *url.URL, commit plumbing.Hash, why string) *Error {
	return r.failed(fieldGitCommit, "commit %q %s in %q: push a branch or a tag with it, or create a new Release with a commit that exists; it is tried again",
		commit, why, from.Redacted())
}

// tipsOf are the commits that branches and tags point to.
func tipsOf(advertised *packp.AdvRefs) map[plumbing.Hash]struct{} {
	tips := map[plumbing.Hash]struct{}{}
	if advertised.Head != nil {
		tips[*advertised.Head] = struct{}{}
	}
	for name, hash := range advertised.References {
		if strings.HasPrefix(name, "refs/heads/") || strings.HasPrefix(name, "refs/tags/") {
			if peeled, found := advertised.Peeled[name]; found {
				hash = peeled
			}
			tips[hash] = struct{}{}
		}
	}
	return tips
}

// search looks for the commit in the history of the branches.
func (r *repository) search(
	ctx context.Context, session transport.UploadPackSession, advertised *packp.AdvRefs, from *url.URL, commit plumbing.Hash,
) (objects, error) {
	var wants []plumbing.Hash
	for tip := range tipsOf(advertised) {
		wants = append(wants, tip)
	}
	if len(wants) == 0 || len(wants) > maxTips {
		return nil, r.missing(from, commit, fmt.Sprintf("is not sent by its hash, and the %d branches and tags are not searched (1 to %d would be)", len(wants), maxTips))
	}
	sort.Slice(wants, func(i, j int) bool { return wants[i].String() < wants[j].String() })
	for _, depth := range historyDepths {
		found, err := r.request(ctx, session, advertised, wants, depth)
		var many *tooManyBytesError
		var limit *limitError
		switch {
		case errors.As(err, &many), errors.As(err, &limit):
			return nil, invalid(fieldGitCommit, "%q is not the tip of a branch or a tag, the server does not send commits by their hashes, and the last %d commits of all branches are beyond the limits: "+
				"tag the commit, or set `uploadpack.allowReachableSHA1InWant` on the server", commit, depth)
		case err != nil:
			return nil, err
		case found.objects.has(commit):
			return found.objects, nil
		case found.history == historyWhole:
			return nil, r.missing(from, commit, "does not exist, or no branch or tag leads to it any more")
		}
	}
	return nil, r.missing(from, commit, fmt.Sprintf("is not among the last %d commits of the branches and tags", historyDepths[len(historyDepths)-1]))
}

// received is what a server has sent.
type received struct {
	objects objects
	history history
}

// history says how far back a server has sent it.
type history string

const (
	historyCut   history = "Cut"
	historyWhole history = "Whole"
)

// request takes the objects of the wanted commits, with their history down to the depth.
func (r *repository) request(
	ctx context.Context, session transport.UploadPackSession, advertised *packp.AdvRefs, wants []plumbing.Hash, depth int,
) (*received, error) {
	request := packp.NewUploadPackRequestFromCapabilities(advertised.Capabilities)
	request.Wants = wants
	if advertised.Capabilities.Supports(capability.Shallow) {
		if err := request.Capabilities.Set(capability.Shallow); err != nil {
			return nil, err
		}
		request.Depth = packp.DepthCommits(depth)
	}
	if advertised.Capabilities.Supports(capability.NoProgress) {
		if err := request.Capabilities.Set(capability.NoProgress); err != nil {
			return nil, err
		}
	}
	response, err := session.UploadPack(ctx, request)
	if err != nil {
		return nil, r.refusal()
	}
	defer func() { _ = response.Close() }()
	found, err := unpackObjects(demultiplexed(request.Capabilities, response), r.limits.DecompressedBytes)
	if errors.Is(err, errRefused) {
		return nil, r.refusal()
	}
	if err != nil {
		return nil, r.transfer.cause(err)
	}
	if len(response.Shallows) > 0 {
		return &received{objects: found, history: historyCut}, nil
	}
	return &received{objects: found, history: historyWhole}, nil
}

// refusal tells a server that was reached and declined from one that could not be reached.
func (r *repository) refusal() error {
	if failure := r.transfer.failed(); failure != nil {
		return failure
	}
	return errRefused
}

// demultiplexed takes the pack out of the stream that has the server's remarks beside it.
func demultiplexed(capabilities *capability.List, stream io.Reader) io.Reader {
	switch {
	case capabilities.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, stream)
	case capabilities.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, stream)
	default:
		return stream
	}
}
