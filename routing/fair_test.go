package routing

import (
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// stall is a seller of the model "m" as a test wants it.
type stall struct {
	id      string
	price   money.Price
	open    time.Duration // its circuit is open for this long; 0: closed
	latency time.Duration
	failed  int // of its last 20 answers
	busy    int64
	credit  bool
	broke   bool // nothing can be bought there

	overbills bool

	state *State
}

func (s *stall) Look(time.Time) (credit, canBuy bool) { return s.credit, !s.broke }

// tell has the pool know what the test says of the stall.
func (s *stall) tell() {
	const never = 200 * 365 * 24 * time.Hour // whatever the time is in a test, an open circuit is not due
	h := history(0)
	for i := range window {
		if i < s.failed {
			h = h.withFailure()
		} else {
			h = h.withGood()
		}
	}
	if s.open > 0 {
		h = h.opened()
	}
	s.state.circuit.history.Store(uint64(h))
	s.state.circuit.due.Store(int64(never + s.open))
	s.state.setBack.Store(0)
	if s.overbills {
		s.state.setBack.Store(int64(never))
	}
	s.state.latency.nanos.Store(int64(s.latency))
	s.state.inFlight.Store(s.busy)
}

var noon = time.Date(2026, 6, 2, 12, 0, 0, 0, time.UTC)

// fair is a market of stalls: the funds of a table.
type fair map[string]*stall

func (f fair) Purse(key SellerKey) Purse { return f[key.ID] }

func (f fair) key(id string) SellerKey { return SellerKey{id, "https://" + id + ".pinned"} }

func (f fair) query(ceiling money.Tokens) *Query {
	return &Query{Served: "m", Protocol: dialect.Messages, Path: "/v1/messages", Ceiling: ceiling, Now: noon}
}

// set changes a stall.
func (f fair) set(id string, change func(*stall)) {
	change(f[id])
	f[id].tell()
}

// open opens the circuit of a stall for so long; 0 closes it.
func (f fair) open(id string, d time.Duration) { f.set(id, func(s *stall) { s.open = d }) }

func newFair(t testing.TB, o TableOptions, stalls ...stall) (*Table, fair) {
	t.Helper()
	f := make(fair)
	o.Pool = NewPool(PoolOptions{})
	for i := range stalls {
		s := pin(t, stalls[i].id, nil, "m", "rare-"+stalls[i].id)
		s.Models[0].Price = &stalls[i].price
		o.Pinned = append(o.Pinned, s)
		f[stalls[i].id] = &stalls[i]
		stalls[i].state = o.Pool.State(s.Key())
		stalls[i].tell()
	}
	o.Methods, o.Funds = []string{"mock"}, f
	if o.DefaultSeller == "" {
		o.DefaultSeller = "default"
	}
	table := NewTable(o)
	t.Cleanup(table.Close)
	return table, f
}

func candidatesOf(table *Table) *Candidates { return table.Index().Candidates("m", dialect.Messages) }

// usd is a price of an input and an output, in dollars for a million tokens.
func usd(input, output money.Micros) money.Price {
	return money.Price{Input: input * money.USD, Output: output * money.USD, CacheRead: money.Unknown, CacheWrite: money.Unknown}
}
