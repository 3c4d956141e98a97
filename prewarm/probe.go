package prewarm

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// maxHealth is how much of a health answer is read.
const maxHealth = 64 << 10

// sellerKey is which seller it is: a registry that gives a known id a new origin has named a new one.
type sellerKey struct{ id, origin string }

// verdict is what a probe found.
type verdict struct {
	probed  bool // else the site has left, or the process is about to end
	healthy bool
	took    time.Duration // to the whole response, or to the failure
}

// probe asks a seller for its health over the site's own connections. It costs nothing, follows no redirect, and leaves the
// connection to the next request.
func (s *Site) probe(seller Seller) verdict {
	if !s.enter() {
		return verdict{}
	}
	defer s.exit()
	ctx, cancel := context.WithTimeout(s.ctx, s.o.Timeout)
	defer cancel()
	begun := time.Now()
	healthy := healthz(ctx, s.o.Catalogue.Transport(seller), seller.BaseURL+wire.HealthPath)
	return verdict{probed: s.ctx.Err() == nil, healthy: healthy, took: time.Since(begun)}
}

func healthz(ctx context.Context, transport http.RoundTripper, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	r.Header.Set("Accept-Encoding", "identity")
	r.Header["User-Agent"] = nil // keeps net/http from naming itself
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	// Read to its end, the connection stays open for the next request; one that is too long loses it.
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxHealth+1))
	return err == nil && answer.StatusCode/100 == 2
}
