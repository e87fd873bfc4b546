// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"crypto/x509"
	"net/http"

	"oras.land/oras-go/v2/registry/remote"
)

// NewRegistryHTTP returns an HTTP client to speak to registries with, bounded in time and without a proxy from the environment. No roots: the machine's
// certificate authorities.
func NewRegistryHTTP(roots *x509.CertPool) *http.Client { return newHTTPClient(roots) }

// OpenRepository returns the repository of an URL, oci://HOST[:PORT]/REPOSITORY or oci+http://HOST[:PORT]/REPOSITORY, for a package that reads something
// else there than a source. Nothing is asked of the registry yet. Manifests and lists of more than metadataBytes are not read. The error is an [*Error].
func OpenRepository(client *http.Client, url string, credentials Credentials, metadataBytes int64) (*remote.Repository, error) {
	reference, plain, err := parseURL(fieldOCI, url)
	if err != nil {
		return nil, err
	}
	if err := credentials.forRegistries(fieldOCI + ".secretRef"); err != nil {
		return nil, err
	}
	return &remote.Repository{
		Client:           newRegistryClient(client, reference, credentials),
		Reference:        reference,
		PlainHTTP:        plain,
		MaxMetadataBytes: metadataBytes,
	}, nil
}

// IsDenied says whether a registry's answer was that the credentials do not suffice.
func IsDenied(err error) bool { return isDenied(err) }

// Cause is why a registry could not be read, in short and fit for a status message. It leaves out URLs: after a redirect they may be signed.
func Cause(err error) string { return reason(err) }
