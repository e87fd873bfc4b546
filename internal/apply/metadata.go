// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"

	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Metadata is the deployer's client for what objects say of themselves and not for what they hold, acting for one promotion: the values of a
// Secret never leave the API server by it.
func (f *Factory) Metadata(target v1alpha1.Target, promotion PromotionIdentity) (metadata.Interface, error) {
	config := rest.CopyConfig(f.config)
	// What unpacks an answer holds 50 KiB for as long as a watch runs, and these watches bring next to nothing.
	config.DisableCompression = true
	config.Impersonate = rest.ImpersonationConfig{
		UserName: Username(target),
		Extra:    map[string][]string{v1alpha1.ExtraPromotion: {promotion.String()}},
	}
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for the metadata that %q may read: %w", Username(target), err)
	}
	return client, nil
}
