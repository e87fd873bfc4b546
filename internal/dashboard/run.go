// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

const (
	// headerPatience is how long a browser may take to ask, and idlePatience how long a connection without a request stays.
	headerPatience = 10 * time.Second
	idlePatience   = 2 * time.Minute
	// goodbye is how long requests may still be answered when the process is to end.
	goodbye = 10 * time.Second
	// mostHeader is how large a request's headers may be, in bytes: the cookies of a session are most of it.
	mostHeader = 128 << 10
)

// Run serves until the context ends.
func Run(ctx context.Context, options Options, config *rest.Config, log logr.Logger) error {
	server, err := New(options, config, clock.RealClock{}, log)
	if err != nil {
		return err
	}
	defer server.Close()
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", options.Address)
	if err != nil {
		return fmt.Errorf("listen at --bind-address: %w", err)
	}
	// Streams end with the context, so that nobody waits for them.
	streams, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	serving := &http.Server{
		Handler: server, ReadHeaderTimeout: headerPatience, IdleTimeout: idlePatience, MaxHeaderBytes: mostHeader,
		BaseContext: func(net.Listener) context.Context { return streams },
	}
	ended := make(chan error, 1)
	go func() {
		if options.CertificateFile != "" {
			ended <- serving.ServeTLS(listener, options.CertificateFile, options.KeyFile)
			return
		}
		ended <- serving.Serve(listener)
	}()
	log.Info("Serving the dashboard", "address", listener.Addr().String())
	select {
	case err := <-ended:
		return fmt.Errorf("serve the dashboard: %w", err)
	case <-ctx.Done():
	}
	end()
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if err := serving.Shutdown(late); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("end serving the dashboard: %w", err)
	}
	return nil
}
