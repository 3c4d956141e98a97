package prewarm

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/netfault"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// maxHealth is how much of a health answer is read.
const maxHealth = 64 << 10

// sellerKey is which seller it is: a registry that gives a known id a new origin has named a new one.
type sellerKey struct{ id, origin string }

// health is what a probe found.
type health struct {
	probed  bool // else the site has left, or the process is about to end
	healthy bool
	took    time.Duration // to the whole response, or to the failure

	forbidden bool // the site's config keeps it from the seller's address, which says nothing of the seller
}

// probe asks a seller for its health over the site's own connections. It costs nothing, follows no redirect, and leaves the
// connection to the next request.
func (s *Site) probe(seller Seller) health {
	if !s.enter() {
		return health{}
	}
	defer s.exit()
	ctx, cancel := context.WithTimeout(s.ctx, s.o.Timeout)
	defer cancel()
	begun := time.Now()
	err := healthz(ctx, s.o.Catalogue.Transport(seller), wire.URL(seller.BaseURL, wire.HealthPath, seller.Query))
	_, forbidden := netfault.Rule(err)
	return health{
		probed: s.ctx.Err() == nil, healthy: err == nil, took: time.Since(begun),
		forbidden: forbidden,
	}
}

var errUnwell = errors.New("the seller does not say that it is well")

// healthz gives nil where the seller is well.
func healthz(ctx context.Context, transport http.RoundTripper, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept-Encoding", "identity")
	r.Header["User-Agent"] = nil // keeps net/http from naming itself
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	// Read to its end, the connection stays open for the next request; one that is too long loses it.
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxHealth+1))
	if err == nil && answer.StatusCode/100 != 2 {
		err = errUnwell
	}
	return err
}
