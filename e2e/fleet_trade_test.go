package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

// fleetTrade is a fleet that is traded through while it is disturbed: each gateway reaches PostgreSQL by a proxy of its own. It remembers
// what the clients were answered and what the seller has settled, to hold the books against.
type fleetTrade struct {
	*fleetOf
	seed    uint64
	begun   time.Time
	proxies []*pgtest.Proxy
	tokens  string // own or shared
	acme    *fakeSeller
	limits  map[string]int64 // micros a day, by member; none of a member's: it is never to be refused

	mu      sync.Mutex // protects all following fields
	billed  map[string]int64
	served  map[string]string // the members of the requests whose answer came whole, by request id
	answers map[string]int    // by what came
	away    [][]outage        // by gateway, when it may have been without the store
	wrongs  []string
}

// outage is a time from and to; a zero end is not there yet.
type outage struct{ from, to time.Time }

// slack is how long the effects of what was disturbed may last: connections are made anew, and others wait for what was locked.
const slack = 5 * time.Second

// newFleetTrade starts so many gateways for members with large budgets and with small ones, which are given in micros. Their tokens are
// their own, or shared.
func newFleetTrade(t *testing.T, n int, small, group int64, tokens string) *fleetTrade {
	t.Helper()
	f := &fleetTrade{
		fleetOf: &fleetOf{t: t, pg: pgtest.New(t)}, seed: seedOf(t), begun: time.Now(), tokens: tokens,
		limits: map[string]int64{"small": small, "tiny": 1_000, "few": group},
		billed: map[string]int64{}, served: map[string]string{}, answers: map[string]int{}, away: make([][]outage, n),
	}
	f.acme = newSeller(t, "acme", f.settle)
	f.acme.credit = 1_000_000_000
	registry := registryOf(t, []string{"m"}, f.acme)
	for i := range n {
		f.proxies = append(f.proxies, pgtest.NewProxy(t, f.pg.Addr()))
		f.gateways = append(f.gateways, f.gateway(i, registry.URL))
	}
	var all sync.WaitGroup
	for _, c := range f.gateways {
		all.Go(c.start)
	}
	all.Wait()
	for i := range f.gateways { // each has its token then
		eventually(t, "the store has answered", func() bool {
			status, _, body := f.ask(i, "key-of-large")
			if status != http.StatusOK && status != http.StatusServiceUnavailable {
				t.Fatalf("status %d: %s", status, body)
			}
			return status == http.StatusOK
		})
	}
	return f
}

// gateway prepares one behind its proxy.
func (f *fleetTrade) gateway(i int, registry string) *caddy {
	c := newCaddy(f.t, "")
	c.env = append(c.env, "FLEET_DSN="+pgtest.DSN(f.proxies[i].Addr(), "postgres", "postgres"))
	dollars := func(name string) string { return fmt.Sprintf("%d.%06d", f.limits[name]/1e6, f.limits[name]%1e6) }
	c.write(strings.Replace(c.global(""), "\tdebug\n", "", 1) + siteOf(c.site, fmt.Sprintf(`
		registry %s
		seller_networks 127.0.0.0/8
		payment mock
		ledger badger {
			key 0123456789abcdef0123456789abcdef
		}
		fleet postgres {env.FLEET_DSN} {
			name gw-%d
			hold_out 2s
			tokens %s
		}
		purchase {
			amount 1000
			daily_limit 1000000
		}
		member large {
			key key-of-large
			daily_budget 100000
		}
		member small {
			key key-of-small
			daily_budget %s
		}
		member tiny {
			key key-of-tiny
			daily_budget %s
		}
		member grouped {
			key key-of-grouped
			daily_budget 100000
		}
		group few {
			members grouped
			daily_budget %s
		}
		group many {
			members large small tiny
			daily_budget 100000
		}`, registry, i, f.tokens, dollars("small"), dollars("tiny"), dollars("few"))))
	return c
}

// settle is the seller: a request costs the same however often it comes.
func (f *fleetTrade) settle(w http.ResponseWriter, r *http.Request, body []byte) {
	id, key := r.Header.Get("X-Request-Id"), r.Header.Get("Idempotency-Key")
	h := fnv.New64a()
	_, _ = io.WriteString(h, key)
	cost := 20 + int64(h.Sum64()%40)
	await(r, time.Duration(h.Sum64()>>8%60)*time.Millisecond)
	f.mu.Lock()
	f.billed[id] = cost
	f.mu.Unlock()
	settledBy(answerPlain, "Billed-Micros", strconv.FormatInt(cost, 10), "Settlement-Id", "s_"+key)(w, r, body)
}

// wrong notes what does not hold. The first of them say enough.
func (f *fleetTrade) wrong(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.wrongs) < 30 {
		f.wrongs = append(f.wrongs, time.Since(f.begun).Round(time.Millisecond).String()+": "+fmt.Sprintf(format, args...))
	}
}

// trade has so many clients ask all the time, until ctx ends: a gateway at random for a member at random.
func (f *fleetTrade) trade(ctx context.Context, clients int) (done func()) {
	var all sync.WaitGroup
	for i := range clients {
		r := rand.New(rand.NewPCG(f.seed, uint64(1000+i)))
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}, Timeout: 15 * time.Second}
			defer client.CloseIdleConnections()
			for n := 0; ctx.Err() == nil; n++ {
				member := []string{"large", "large", "large", "small", "small", "tiny", "grouped"}[r.IntN(7)]
				f.request(client, r.IntN(len(f.gateways)), member, fmt.Sprintf("c%d-%d-%d", time.Since(f.begun), i, n))
				pause(ctx, upTo(r, 60*time.Millisecond))
			}
		})
	}
	return all.Wait
}

// pause waits for so long, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// request asks once, and judges the answer.
func (f *fleetTrade) request(client *http.Client, gateway int, member, id string) (status int) {
	req, err := http.NewRequest(http.MethodPost, f.gateways[gateway].url("/v1/chat/completions"), strings.NewReader(chatOf("m", `"max_tokens":30,`)))
	if err != nil {
		f.wrong("%v", err)
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer key-of-"+member)
	req.Header.Set("X-Request-Id", id)
	began := time.Now()
	res, err := client.Do(req)
	if err != nil {
		f.note("no answer")
		pause(req.Context(), 30*time.Millisecond)
		return 0
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		f.note("cut")
	case res.StatusCode == http.StatusOK:
		f.note("served")
		f.mu.Lock()
		f.served[id] = member
		f.mu.Unlock()
	case res.StatusCode == http.StatusPaymentRequired && member != "large":
		f.note("spent")
	case res.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(body), "fleet_unavailable"):
		if res.Header.Get("Retry-After") == "" {
			f.wrong("fleet_unavailable without a Retry-After")
		}
		own, anyone := f.wasAway(gateway, began)
		switch {
		case own:
			f.note("away")
		case anyone:
			f.note("away, as another was disturbed")
		default:
			f.wrong("%s at gateway %d: status %d with the store there: %s", member, gateway, res.StatusCode, body)
		}
	default:
		f.wrong("%s at gateway %d: status %d: %s", member, gateway, res.StatusCode, body)
	}
	return res.StatusCode
}

func (f *fleetTrade) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[what]++
}

// without says that a gateway may be without the store from now on, until what it gives is called.
func (f *fleetTrade) without(gateways ...int) (end func()) {
	from, at := time.Now(), make([]int, len(f.away))
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range gateways {
		at[g] = len(f.away[g])
		f.away[g] = append(f.away[g], outage{from: from})
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, g := range gateways {
			f.away[g][at[g]].to = time.Now()
		}
	}
}

// wasAway tells whether a gateway may have been without the store since then, and whether any was.
func (f *fleetTrade) wasAway(gateway int, since time.Time) (own, anyone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for g, spans := range f.away {
		if slices.ContainsFunc(spans, func(s outage) bool { return s.to.IsZero() || s.to.Add(slack).After(since) }) {
			own, anyone = own || g == gateway, true
		}
	}
	return own, anyone
}

// fleetSaid is what the tests read of how a fleet stands.
type fleetSaid struct {
	Budgets []struct {
		Group                                            bool
		Name, Scope                                      string
		LimitMicros, SpentMicros, HeldMicros, FreeMicros int64
		Leases                                           map[string]struct{ GrantedMicros, SpentMicros, HeldMicros int64 }
	}
	Gateways []struct {
		Gateway, Name  string
		StrandedMicros int64
	}
	Here struct {
		Gateway          string
		StoreUp, Fenced  bool
		Entries, Shipped uint64
	}
}

func (c *caddy) fleetSaid() (said fleetSaid) {
	c.t.Helper()
	status, body := c.look("/tokenbuddy/fleet")
	if err := json.Unmarshal(body, &said); status != http.StatusOK || err != nil {
		c.t.Fatalf("fleet: status %d, %v: %s", status, err, body)
	}
	return said
}

// audit holds the books of all gateways against the budgets, what the clients were answered and what the seller has settled, and gives
// what was spent by member and by group, and how many requests were
// estimated. An entry that stands in the books of two gateways, as one is a copy, is one.
func (f *fleetTrade) audit() (spent map[string]int64, estimated int) {
	f.t.Helper()
	requests, seen := map[string]entry{}, map[string]bool{}
	spent = map[string]int64{}
	for i, c := range f.gateways {
		for _, e := range c.entries("") {
			if seen[e.ID] {
				continue
			}
			seen[e.ID] = true
			switch {
			case e.Kind == "inference":
				if twice, ok := requests[e.RequestID]; ok && e.RequestID != "" {
					f.wrong("gateway %d: request %s has two entries: %+v and %+v", i, e.RequestID, twice, e)
				}
				requests[e.RequestID] = e
				spent[e.Member] += e.ExpenseMicros
				if e.BilledSource == "estimate" {
					estimated++
				}
			case e.Kind == "adjustment":
				spent[e.Correction.Member] += e.Correction.BilledMicros
			}
		}
	}
	f.mu.Lock()
	served, billed := f.served, f.billed
	f.mu.Unlock()
	for id, member := range served {
		e, ok := requests[id]
		switch {
		case !ok:
			f.wrong("%s of %s was answered, and is not booked", id, member)
		case e.Member != member, e.ExpenseMicros != billed[id] && !slices.Contains(e.Flags, "recovered"):
			f.wrong("%s of %s was answered for %d, and is booked as %+v", id, member, billed[id], e)
		}
	}
	spent["few"] = spent["grouped"]
	spent["many"] = spent["large"] + spent["small"] + spent["tiny"]
	for name, limit := range f.limits {
		if spent[name] > limit*f.days() {
			f.wrong("%s has spent %d micros of %d", name, spent[name], limit)
		}
	}
	f.t.Logf("%d entries of requests, %d of them estimated; spent: %v; budgets: %v", len(requests), estimated, spent, f.limits)
	return spent, estimated
}

// days is how many days the test has seen.
func (f *fleetTrade) days() int64 {
	if f.begun.Day() != time.Now().Day() {
		return 2
	}
	return 1
}

// settled waits until the store says of each budget what the books do, and that nothing is set aside any more. What an estimated request
// may have cost beside is held for a minute: held tells that it may be.
func (f *fleetTrade) settled(spent map[string]int64, held bool, within time.Duration) {
	f.t.Helper()
	var left []string
	for began := time.Now(); time.Since(began) < within; pause(f.t.Context(), 100*time.Millisecond) {
		left = left[:0]
		said := f.gateways[0].fleetSaid()
		for _, b := range said.Budgets {
			if strings.HasPrefix(b.Scope, "d") && f.days() == 1 && (b.SpentMicros != spent[b.Name] || b.FreeMicros != 0 || b.HeldMicros != 0 && !held) {
				left = append(left, fmt.Sprintf("%+v, by the books %d", b, spent[b.Name]))
			}
		}
		if len(said.Budgets) == 0 {
			left = append(left, "no budgets are there")
		}
		for _, g := range said.Gateways {
			if g.StrandedMicros != 0 {
				left = append(left, fmt.Sprintf("%+v", g))
			}
		}
		if len(left) == 0 {
			f.t.Logf("nothing was set aside any more after %s (held: %v)", time.Since(began).Round(time.Millisecond), held)
			return
		}
	}
	for i, c := range f.gateways {
		here := c.books().Ledger
		left = append(left, fmt.Sprintf("gateway %d %s: %d holds", i, c.fleetSaid().Here.Gateway, here.Holds))
	}
	f.wrong("after %s without requests: %s", within, strings.Join(left, "; "))
}

// finish reports what was wrong.
func (f *fleetTrade) finish() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.t.Logf("answers: %v", f.answers)
	for _, w := range f.wrongs {
		f.t.Error(w)
	}
}
