package prewarm

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// probed is one result that was reported.
type probed struct {
	id      string
	healthy bool
	took    time.Duration
}

// market is a catalogue of sellers, all of which speak chat_completions, and the sellers themselves.
type market struct {
	models map[string][]Seller
	pool   int // how many of a model's sellers are in its pool
	delay  time.Duration
	answer func(id string) (status int, body io.Reader) // status 0: no connection

	mu        sync.Mutex
	at        []time.Time // of each probe
	asked     []string    // the ids of the sellers, in order
	now, most int         // probes at once
	reports   []probed
	want      func(a string) (purchase.Want, bool)
}

func newMarket() *market { return &market{models: make(map[string][]Seller), pool: 16} }

// offer has sellers with these ids sell a model.
func (m *market) offer(model string, ids ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		origin := "https://" + id + ".example"
		m.models[model] = append(m.models[model], Seller{ID: id, Origin: origin, BaseURL: origin + "/base", Methods: []string{"mock"}})
	}
}

func (m *market) of(model string, p dialect.Protocol) []Seller {
	if p != dialect.ChatCompletions {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.models[model]
}

func (m *market) Resolve(name string) (string, bool) {
	name = strings.TrimSuffix(name, "-latest")
	return name, len(m.of(name, dialect.ChatCompletions)) > 0
}

func (m *market) Pool(model string, p dialect.Protocol) []Seller {
	all := m.of(model, p)
	return all[:min(m.pool, len(all))]
}

func (m *market) Sample(model string, p dialect.Protocol, from, n int) (some []Seller) {
	all := m.of(model, p)
	others := all[min(m.pool, len(all)):]
	for i := range min(n, len(others)) {
		some = append(some, others[(from+i)%len(others)])
	}
	return some
}

func (m *market) Transport(Seller) http.RoundTripper { return m }

func (m *market) Probed(s Seller, healthy bool, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reports = append(m.reports, probed{s.ID, healthy, took})
}

func (m *market) Want(sellerID, _, _ string) (purchase.Want, bool) {
	if m.want == nil {
		return purchase.Want{}, false
	}
	return m.want(sellerID)
}

func (m *market) RoundTrip(r *http.Request) (*http.Response, error) {
	id, _, _ := strings.Cut(r.URL.Host, ".")
	if r.Method != http.MethodGet || r.URL.Path != "/base/healthz" {
		panic("a call that is no probe: " + r.Method + " " + r.URL.String())
	}
	m.mu.Lock()
	m.at, m.asked = append(m.at, time.Now()), append(m.asked, id)
	m.now++
	m.most = max(m.most, m.now)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.now--
	}()
	if m.delay > 0 {
		select {
		case <-time.After(m.delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	status, body := 200, io.Reader(strings.NewReader("ok"))
	if m.answer != nil {
		status, body = m.answer(id)
	}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Location": {"/elsewhere"}}, Body: io.NopCloser(body)}, nil
}

// take gives the sellers that were probed since the last call, sorted.
func (m *market) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked := m.asked
	m.asked, m.at = nil, nil
	slices.Sort(asked)
	return asked
}

// mostAtOnce gives how many probes were under way at once.
func (m *market) mostAtOnce() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.most
}

// reported gives the results that came.
func (m *market) reported() []probed {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.reports)
}

func (m *market) times() []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.at)
}

// down has these sellers refuse connections.
func down(ids ...string) func(string) (int, io.Reader) {
	return func(id string) (int, io.Reader) {
		if slices.Contains(ids, id) {
			return 0, nil
		}
		return 200, strings.NewReader("ok")
	}
}

func (m *market) options(models ...string) SiteOptions {
	return SiteOptions{
		Models: models, Interval: time.Minute, Timeout: 3 * time.Second,
		JitterMin: 5 * time.Second, JitterMax: 10 * time.Second, Catalogue: m,
	}
}

// history is a ledger with these most used models.
type history struct {
	mu     sync.Mutex
	models []string
	err    error
	since  time.Time
	n      int
	times  int // it was asked
}

func (h *history) asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.times
}

func (h *history) set(models ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.models = models
}

func (h *history) TopModels(_ context.Context, since time.Time, n int) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since, h.n = since, n
	h.times++
	return h.models, h.err
}

// warming runs f in a bubble with a Warmer.
func warming(t *testing.T, o Options, f func(*testing.T, *Warmer, *observer.ObservedLogs)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		o.Logger = zap.New(core)
		w := New(o)
		f(t, w, logs)
		w.Close()
	})
}

// pass lets time go by, and what is due then be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func wantProbed(t *testing.T, m *market, ids ...string) {
	t.Helper()
	if got := m.take(); !slices.Equal(got, ids) {
		t.Errorf("probed %v, want %v", got, ids)
	}
}

// entryOf gives the entry of a model.
func entryOf(t *testing.T, w *Warmer, model string) EntryStatus {
	t.Helper()
	for _, e := range w.Status().Prewarm.Entries {
		if e.ModelID == model {
			return e
		}
	}
	t.Fatalf("no entry for %s in %+v", model, w.Status().Prewarm)
	return EntryStatus{}
}
