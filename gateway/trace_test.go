package gateway

import (
	"net/http"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/config"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// untraced does all that tracing does for a request that nobody traces.
func untraced(a *attempt, header http.Header) {
	a.rq.span = traced(a.rq.r.Context())
	a.beginSpan()
	a.passTrace(header)
	a.tracePurchase(a.begun)
	committed(books{a.rq}.traceCommit("acme"), ledger.Booked{}, nil)
	a.endSpan(ended{})
}

func untracedAttempt(t testing.TB) *attempt {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	gw := &Gateway{settings: &config.Settings{Traced: map[string]bool{"own": true}}}
	return &attempt{rq: &request{r: r, gw: gw}, candidate: &routing.Candidate{Seller: &routing.Seller{ID: "acme", Pinned: true}}}
}

func TestUntracedCostsNothing(t *testing.T) {
	a, header := untracedAttempt(t), make(http.Header)
	if n := testing.AllocsPerRun(100, func() { untraced(a, header) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(header) > 0 {
		t.Errorf("a stranger is told %v", header)
	}
	a.candidate.Seller = &routing.Seller{ID: "own", Pinned: true}
	if untraced(a, header); header.Get("Traceparent") != a.rq.r.Header.Get("Traceparent") {
		t.Errorf("an own seller is told %v", header)
	}
	clear(header)
	a.candidate.Seller = &routing.Seller{ID: "own"} // the registry's
	if untraced(a, header); len(header) > 0 {
		t.Errorf("a stranger of the same name is told %v", header)
	}
}

func BenchmarkUntraced(b *testing.B) {
	a, header := untracedAttempt(b), make(http.Header)
	b.ReportAllocs()
	for b.Loop() {
		untraced(a, header)
	}
}
