package routing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

func names(list []*Candidate) string {
	var all []string
	for _, c := range list {
		all = append(all, c.Seller.ID)
	}
	return strings.Join(all, " ")
}

func TestOrder(t *testing.T) {
	none := money.NoPrice
	chat := money.Tokens{Prompt: 4_000, Completion: 8_192}
	for _, tc := range []struct {
		name   string
		policy builtIn
		query  func(*Query)
		stalls []stall
		want   string
	}{
		{"default first: unfit ones come last, the soonest due first", DefaultFirst{}, nil, []stall{
			{id: "a", open: time.Minute}, {id: "b"}, {id: "c", broke: true}, {id: "default", open: time.Second}, {id: "e"},
		}, "b e default a c"},
		{"default first: neither load nor credit nor price count", DefaultFirst{}, nil, []stall{
			{id: "a", busy: 9, price: usd(9, 9)}, {id: "default", busy: 9, price: usd(9, 9)}, {id: "c", credit: true, price: usd(0, 0)},
		}, "default a c"},
		{"default first: one that overbills comes after the honest, before those that can't serve", DefaultFirst{}, nil, []stall{
			{id: "a", open: time.Minute}, {id: "b"}, {id: "c", broke: true}, {id: "default", overbills: true}, {id: "e"},
		}, "b e default a c"},
		{"manual: the one, though it overbills", &Manual{Seller: "b"}, nil, []stall{{id: "a"}, {id: "b", overbills: true}}, "b"},
		{"cheapest: one that overbills comes after the dear", Cheapest{}, nil, []stall{
			{id: "a", price: usd(1, 1), overbills: true}, {id: "b", price: usd(3, 3)}, {id: "c", price: none}, {id: "d", price: usd(0, 0), overbills: true},
		}, "b c d a"},
		{"fastest: one that overbills comes after the slow", Fastest{}, nil, []stall{
			{id: "a", latency: 1, overbills: true}, {id: "b", latency: time.Hour},
		}, "b a"},
		{"weighted: one that overbills is drawn last", Weighted{}, nil, []stall{
			{id: "a", price: usd(0, 0), overbills: true}, {id: "b", price: usd(9, 9)},
		}, "b a"},
		{"affinity counts for nothing with one that overbills", DefaultFirst{}, func(q *Query) { q.Last = SellerKey{"b", "https://b.pinned"} }, []stall{
			{id: "a"}, {id: "b", overbills: true}, {id: "c"},
		}, "a c b"},
		{"manual: the one, fit or not", &Manual{Seller: "b"}, nil, []stall{{id: "a"}, {id: "b", open: time.Minute, broke: true}}, "b"},

		{"cheapest: by price, the unknown last", Cheapest{}, nil, []stall{
			{id: "a", price: none}, {id: "b", price: usd(3, 3)}, {id: "c", price: usd(0, 0)}, {id: "d", price: usd(2, 2)},
		}, "c d b a"},
		{"cheapest: half a price is none", Cheapest{}, nil, []stall{
			{id: "a", price: usd(0, 0)}, {id: "b", price: money.Price{Output: money.Unknown}}, {id: "c", price: usd(9, 9)},
		}, "a c b"},
		{
			"cheapest: a long prompt makes the input count",
			Cheapest{},
			func(q *Query) { q.Ceiling = money.Tokens{Prompt: 90_000, Completion: 32_000} },
			[]stall{{id: "a", price: usd(2, 10)}, {id: "b", price: usd(1, 40)}},
			"b a",
		},
		{
			"cheapest: a short prompt makes the output count",
			Cheapest{},
			func(q *Query) { q.Ceiling = money.Tokens{Prompt: 900, Completion: 32_000} },
			[]stall{{id: "a", price: usd(1, 40)}, {id: "b", price: usd(2, 10)}},
			"b a",
		},
		{
			"cheapest: what was asked for, where it is short",
			Cheapest{},
			func(q *Query) { q.Ceiling = money.Tokens{Prompt: 900, Completion: 1} },
			[]stall{{id: "a", price: usd(2, 10)}, {id: "b", price: usd(1, 40)}},
			"b a",
		},
		{"cheapest: cached where it was served last", Cheapest{}, func(q *Query) {
			q.Ceiling, q.Last, q.Cached = money.Tokens{Prompt: 40_000}, fair{}.key("b"), 30_000
		}, []stall{{id: "a", price: usd(1, 1)}, {id: "b", price: money.Price{Input: 2 * money.USD, CacheRead: 0}}}, "b a"},
		{"cheapest: cached without a price for it", Cheapest{}, func(q *Query) {
			q.Ceiling, q.Last, q.Cached = money.Tokens{Prompt: 40_000}, fair{}.key("b"), 30_000
		}, []stall{{id: "a", price: none}, {id: "b", price: usd(2, 2)}, {id: "c", price: usd(1, 1)}}, "c b a"},
		{"cheapest: credit is worth a tenth", Cheapest{}, nil, []stall{
			{id: "a", price: usd(100, 100)},
			{id: "b", price: usd(105, 105), credit: true},
			{id: "c", price: usd(90, 90)},
			{id: "d", price: usd(120, 120), credit: true},
		}, "c b a d"},
		{"cheapest: equals by credit, then load, then order", Cheapest{}, nil, []stall{
			{id: "a", busy: 2}, {id: "b", busy: 1}, {id: "c", busy: 1}, {id: "d", busy: 7, credit: true}, {id: "e"},
		}, "d e b c a"},
		{"cheapest: unfit ones come last", Cheapest{}, nil, []stall{
			{id: "a", price: usd(0, 0), open: time.Hour},
			{id: "b", price: usd(1, 1), broke: true},
			{id: "c", price: none},
			{id: "d", price: usd(9, 9)},
			{id: "e", price: usd(2, 2), broke: true, credit: true},
			{id: "f", open: time.Minute},
		}, "e d c f a b"},

		{"fastest: by latency", Fastest{}, nil, []stall{
			{id: "a", latency: 2 * time.Second}, {id: "b", latency: time.Millisecond}, {id: "c", latency: 300 * time.Millisecond},
		}, "b c a"},
		{"fastest: equals by credit, then load, then order", Fastest{}, nil, []stall{
			{id: "a", latency: 512_000_000},
			{id: "b", latency: 510_000_000, busy: 3},
			{id: "c", latency: 505_000_000},
			{id: "d", latency: 530_000_000},
			{id: "e", latency: 511_000_000, busy: 9, credit: true},
		}, "e a c d b"},
		{"fastest: unfit ones come last, also after the unknown", Fastest{}, nil, []stall{
			{id: "a", latency: time.Microsecond, open: time.Hour},
			{id: "b", latency: time.Microsecond, broke: true},
			{id: "c"},
			{id: "d", latency: time.Hour},
			{id: "e", open: time.Minute},
		}, "d c e a b"},

		{"weight: health over price squared, the unknown last", Weighted{}, nil, []stall{
			{id: "a", price: none, failed: 2},
			{id: "b", price: usd(2, 2), failed: 2},
			{id: "c", price: usd(1, 1), failed: 18},
			{id: "d", price: none},
			{id: "e", price: usd(1, 1), failed: 15},
			{id: "f", price: usd(0, 0), failed: 20},
		}, "f e b c d a"},
		{"weight: credit makes cheaper", Weighted{}, nil, []stall{
			{id: "a", price: usd(100, 100)}, {id: "b", price: usd(105, 105), credit: true}, {id: "c", price: usd(120, 120), credit: true},
		}, "b a c"},
		{"weight: unfit ones come last", Weighted{}, nil, []stall{
			{id: "a", price: usd(0, 0), open: time.Hour}, {id: "b", price: usd(0, 0), broke: true}, {id: "c", price: none, failed: 20},
		}, "c a b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table, f := newFair(t, TableOptions{Policy: tc.policy}, tc.stalls...)
			q := f.query(chat)
			if tc.query != nil {
				tc.query(q)
			}
			policy := tc.policy
			if _, random := policy.(Weighted); random {
				policy = scored{byWeight}
			} else if _, random := policy.(Fastest); random {
				policy = scored{byLatency}
			}
			if got := names(policy.order(q, candidatesOf(table), make([]*Candidate, 0, 16))); got != tc.want {
				t.Errorf("ready: got %q, want %q", got, tc.want)
			}
			if got := names(tc.policy.gather(q, candidatesOf(table), make([]*Candidate, 0, 16))); got != tc.want {
				t.Errorf("all: got %q, want %q", got, tc.want)
			}
		})
	}
}

// scored is a policy without chance.
type scored struct{ score score }

func (scored) Order(_ selection.Query, list []selection.Candidate) []selection.Candidate { return list }

func (s scored) order(q *Query, c *Candidates, dst []*Candidate) []*Candidate {
	return rank(q, c, dst, s.score)
}

func (s scored) gather(q *Query, c *Candidates, dst []*Candidate) []*Candidate {
	return gather(q, c, dst, s.score)
}

func TestExplore(t *testing.T) {
	places := func(scores ...uint64) *ranking {
		r := &ranking{n: len(scores)}
		for i, s := range scores {
			r.places[i].score = s
		}
		return r
	}
	const unfit = openCircuit << classShift
	for _, tc := range []struct {
		name   string
		r      *ranking
		dice   []uint32
		want   int
		rolled int
	}{
		{"nobody", places(), nil, 0, 0},
		{"one", places(5), nil, 0, 0},
		{"one that is unknown", places(Worst, unfit), nil, 0, 0},
		{"nobody is fit", places(unfit, unfit), nil, 0, 0},
		{"an unknown one, not now", places(5, Worst, Worst), []uint32{1}, 0, 1},
		{"the first unknown one", places(5, 6, Worst, Worst, unfit), []uint32{0}, 2, 1},
		{"all unknown", places(Worst, Worst), []uint32{0}, 0, 1},
		{"all known, not now", places(5, 6, unfit), []uint32{7}, 0, 1},
		{"all known, any of the fit", places(5, 6, unfit), []uint32{0, 1}, 1, 2},
	} {
		rolled := 0
		got := explore(tc.r, func(n uint32) uint32 {
			rolled++
			if d := tc.dice[rolled-1]; d < n {
				return d
			}
			t.Fatalf("%s: the dice has %d sides", tc.name, n)
			return 0
		})
		if got != tc.want || rolled != tc.rolled {
			t.Errorf("%s: %d after %d rolls, want %d", tc.name, got, rolled, tc.want)
		}
	}
}

func TestDraw(t *testing.T) {
	price := func(weight float64) place { return place{score: scoreOf(weight)} }
	noPrice := func(weight float64) place { return place{score: unpriced | scoreOf(weight)} }
	unfit := place{score: openCircuit << classShift}
	for _, tc := range []struct {
		name   string
		places []place
		lot    float64
		want   int
	}{
		{"nobody", nil, 0.5, 0},
		{"nobody fit", []place{unfit, unfit}, 0.99, 0},
		{"the first", []place{price(4), price(2), price(2), unfit}, 0.49, 0},
		{"the second", []place{price(4), price(2), price(2), unfit}, 0.51, 1},
		{"the third", []place{price(4), price(2), price(2), unfit}, 0.99, 2},
		{"not one without a price", []place{price(1), noPrice(1000)}, 0.99, 0},
		{"no one has a price", []place{noPrice(2), noPrice(2), unfit}, 0.51, 1},
	} {
		r := &ranking{n: len(tc.places)}
		copy(r.places[:], tc.places)
		if got := draw(r, tc.lot); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestPlainCost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		number := func(name string, below int64) int64 {
			return rapid.OneOf(rapid.Int64Range(0, 100), rapid.Int64Range(0, below-1)).Draw(rt, name)
		}
		p := &money.Price{Input: money.Micros(number("in", plainPrice)), Output: money.Micros(number("out", plainPrice))}
		use := money.Tokens{Prompt: number("prompt", plainTokens), Completion: number("completion", plainTokens)}
		got := plainCost(p, use.Prompt, use.Completion)
		if want, known := p.Cost(use); got != want || !known {
			rt.Fatalf("%d, want %d, %v", got, want, known)
		}
	})
}

// shares counts who comes first in many orders.
func shares(table *Table, q *Query, n int) map[string]float64 {
	count := make(map[string]float64)
	dst := make([]*Candidate, 0, 1) // however few are wanted, the choice is among all
	for range n {
		dst = table.Order(q, candidatesOf(table), dst[:0])
		count[dst[0].Seller.ID] += 1 / float64(n)
	}
	return count
}

func TestShares(t *testing.T) {
	table, f := newFair(
		t, TableOptions{Policy: Fastest{}},
		stall{id: "a", latency: time.Second}, stall{id: "b"}, stall{id: "c"}, stall{id: "d", open: time.Minute},
	)
	got := shares(table, f.query(money.Tokens{}), 20_000)
	if got["b"] < 0.22 || got["b"] > 0.28 || got["a"] < 0.72 || len(got) != 2 {
		t.Errorf("the unknown one comes first in a quarter of all requests: %v", got)
	}
	f.set("b", func(s *stall) { s.latency = time.Minute })
	f.set("c", func(s *stall) { s.latency = time.Hour })
	got = shares(table, f.query(money.Tokens{}), 20_000)
	if got["a"] < 0.98 || got["c"] == 0 || got["d"] > 0 {
		t.Errorf("a slow one is tried again in one request of a hundred: %v", got)
	}

	table, f = newFair(
		t, TableOptions{Policy: Weighted{}},
		stall{id: "a", price: usd(10, 10)}, stall{id: "b", price: usd(20, 20)}, stall{id: "c", price: money.NoPrice},
		stall{id: "d", price: usd(10, 10), failed: 11}, stall{id: "e", price: usd(0, 0), open: time.Minute},
	)
	got = shares(table, f.query(money.Tokens{Prompt: 4000, Completion: 1000}), 50_000)
	for id, want := range map[string]float64{"a": 4. / 7, "b": 1. / 7, "c": 0, "d": 2. / 7, "e": 0} {
		if got[id] < want-0.02 || got[id] > want+0.02 {
			t.Errorf("%s comes first in %.3f, want %.3f", id, got[id], want)
		}
	}
}

// Whatever the market: every policy gives each ready candidate once, the fit ones before the unfit.
func TestOrderIsAPermutation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(rt, "sellers")
		amount := rapid.OneOf(rapid.Just(money.Unknown), rapid.Map(rapid.Int64Range(0, int64(money.Max)), func(i int64) money.Micros {
			return money.Micros(i)
		}))
		stalls := make([]stall, n)
		for i := range stalls {
			stalls[i] = stall{
				id:      fmt.Sprintf("s%d", i),
				price:   money.Price{Input: amount.Draw(rt, "in"), Output: amount.Draw(rt, "out"), CacheRead: amount.Draw(rt, "cached")},
				latency: time.Duration(rapid.SampledFrom([]int64{0, 1, 15, 1e6, 1e9, 1 << 62}).Draw(rt, "latency")),
				open:    time.Duration(rapid.SampledFrom([]int64{0, 0, 1, 1e9, 1e18}).Draw(rt, "open")),
				failed:  rapid.IntRange(0, 20).Draw(rt, "failed"),
				busy:    rapid.Int64Range(0, 1<<40).Draw(rt, "busy"),
				credit:  rapid.Bool().Draw(rt, "credit"),
				broke:   rapid.Bool().Draw(rt, "broke"),
			}
		}
		policy := rapid.SampledFrom([]builtIn{DefaultFirst{}, Cheapest{}, Fastest{}, Weighted{}}).Draw(rt, "policy")
		table, f := newFair(t, TableOptions{Policy: policy, DefaultSeller: "s7"}, stalls...)
		q := f.query(money.Tokens{Prompt: rapid.Int64Range(0, 1<<40).Draw(rt, "prompt"), Completion: rapid.Int64Range(0, 1<<40).Draw(rt, "answer")})
		q.Cached = rapid.Int64Range(0, 1<<40).Draw(rt, "cached")
		q.Last = f.key(fmt.Sprintf("s%d", rapid.IntRange(0, n).Draw(rt, "last")))
		room := rapid.IntRange(0, 20).Draw(rt, "room")

		c := candidatesOf(table)
		if len(c.Ready()) != min(n, MaxReady) {
			rt.Fatalf("%d of %d are ready", len(c.Ready()), n)
		}
		got := policy.order(q, c, make([]*Candidate, 0, room))
		if len(got) != min(room, n, MaxReady) {
			rt.Fatalf("%d of %d with room for %d", len(got), n, room)
		}
		isReady, seen, unfit := make(map[*Candidate]bool), make(map[*Candidate]bool), false
		for _, r := range c.Ready() {
			isReady[r.Candidate] = true
		}
		for _, candidate := range got {
			s := f[candidate.Seller.ID]
			bad := s.open > 0 || s.broke && !s.credit
			if seen[candidate] || !isReady[candidate] || unfit && !bad {
				rt.Fatalf("%s: %q", candidate.Seller.ID, names(got))
			}
			seen[candidate], unfit = true, bad
		}

		last := f[q.Last.ID]
		got = table.Order(q, c, make([]*Candidate, 0, room))
		if len(got) > 0 && last != nil && last.open == 0 && (!last.broke || last.credit) && got[0].Seller.ID != last.id {
			rt.Fatalf("served last by %s: %q", last.id, names(got))
		}
		slices.SortFunc(got, func(a, b *Candidate) int { return strings.Compare(a.Seller.ID, b.Seller.ID) })
		if len(slices.Compact(got)) != min(room, max(len(got), min(n, MaxReady))) {
			rt.Fatalf("somebody is there twice or missing: %q", names(got))
		}
	})
}
