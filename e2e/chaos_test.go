package e2e

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// chaosSeed seeds what goes wrong. A failed run is repeated by giving its seed in TOKENBUDDY_CHAOS_SEED, as far as the
// machine repeats itself: whether a seller fails the nth try at a request is always the same, but who is tried is up to time.
func chaosSeed(t *testing.T) uint64 {
	seed := rand.Uint64()
	if s := os.Getenv("TOKENBUDDY_CHAOS_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("TOKENBUDDY_CHAOS_SEED: %v", err)
		}
	}
	t.Logf("TOKENBUDDY_CHAOS_SEED=%d", seed)
	return seed
}

// chaosSize is a number of requests: the few by default, the many with TOKENBUDDY_CHAOS in the environment.
func chaosSize(few, many int) int {
	if os.Getenv("TOKENBUDDY_CHAOS") != "" {
		return many
	}
	return few
}

// TestChaos has three of four sellers break a third of their answers before content, in every way there is, and two sellers
// of another model break every answer after content, at the same time in the same gateway.
func TestChaos(t *testing.T) {
	t.Parallel()
	c := &chaos{stage: newStage(t), seed: chaosSeed(t), before: chaosSize(400, 2000), after: chaosSize(60, 300)}
	c.unseen = make(chan *fault, len(earlyFaults))
	for _, i := range c.random("order", "", 0).Perm(len(earlyFaults)) {
		if f := earlyFaults[i]; !f.rests && !f.useless {
			c.unseen <- f
		}
	}
	for i := range 4 {
		seller := newFaultSeller(c.stage, fmt.Sprint("s", i), nil, priced("m"))
		seller.pick = c.early(seller, i)
		c.sellers = append(c.sellers, seller)
	}
	c.sellers[3].pick = func(*question, int) *fault { return nil }
	for i := range 2 {
		c.late = append(c.late, newFaultSeller(c.stage, fmt.Sprint("late", i), func(q *question, _ int) *fault {
			return lateFaults[c.random("late", q.mark, 0).IntN(len(lateFaults))]
		}, priced("late")))
	}
	c.late[0].lives = 1300 * time.Millisecond // of which the gateway does not use the last second
	const margin = "\t\tpurchase {\n\t\t\tdaily_limit 1000000\n\t\t\texpiry_margin 1s\n\t\t}\n"
	c.open(margin+chaosFailover(1), "\t\tselection weighted\n"+margin+chaosFailover(0))
	t.Run("group", func(t *testing.T) { // waits for both
		t.Run("before content", func(t *testing.T) {
			t.Parallel()
			c.breakBefore(t)
		})
		t.Run("after content", func(t *testing.T) {
			t.Parallel()
			c.breakAfter(t)
		})
	})
	c.verify()
	if c.log.has(poison) {
		t.Error("what a seller said stands in the log")
	}
	if c.log.has("DATA RACE") || c.log.has("panic") {
		t.Errorf("something is wrong in the gateway:\n%s", c.log)
	}
	if n := len(c.entries("inference")); n != c.before+c.after {
		t.Errorf("%d inference entries for %d requests", n, c.before+c.after)
	}
}

// chaos is what goes wrong at once.
type chaos struct {
	*stage
	seed          uint64
	before, after int            // requests
	sellers       []*faultSeller // the last one is well
	late          []*faultSeller
	unseen        chan *fault // early faults that have to be seen once, in any order
}

// random decides about a try at a request, whenever it comes.
func (c *chaos) random(seller, mark string, nth int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%d", seller, mark, nth)
	return rand.New(rand.NewPCG(c.seed, h.Sum64()))
}

// early picks a fault for a third of a seller's answers.
//
// Some make the gateway keep away from the seller, or make a token useless, and after two of these a seller gets no more money. For
// most of the time there are only as many of these as leave the seller in business: one. In the last tenth all come as they like.
func (c *chaos) early(seller *faultSeller, i int) func(*question, int) *fault {
	due := make(chan *fault, len(earlyFaults))
	for _, f := range earlyFaults {
		if slices.Contains([][]string{{"401"}, {"429, funds"}, {"402"}, nil}[i], f.name) {
			due <- f
		}
	}
	return func(q *question, nth int) *fault {
		r := c.random(seller.id, q.mark, nth)
		if r.IntN(3) > 0 {
			return nil
		}
		number, _ := strconv.Atoi(strings.TrimPrefix(q.mark, "before "))
		last := number >= c.before*9/10
		if f := c.wanted(q, due, r.IntN(4) == 0); f != nil {
			return f
		}
		for {
			f := earlyFaults[r.IntN(len(earlyFaults))]
			if (last || !f.rests && !f.useless) && (q.stream || !f.streamed) {
				return f
			}
		}
	}
}

// wanted is a fault that has to come sometime, where it fits the question.
func (c *chaos) wanted(q *question, due <-chan *fault, now bool) *fault {
	if now {
		select {
		case f := <-due:
			return f
		default:
		}
	}
	select {
	case f := <-c.unseen:
		if q.stream || !f.streamed {
			return f
		}
		c.unseen <- f
	default:
	}
	return nil
}

// at runs numbered requests, so many at a time.
func at(once, n int, request func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range once {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				request(i)
			}
		})
	}
	wg.Wait()
}

// breakBefore sends the requests that all have to be served, and looks at what they have cost.
func (c *chaos) breakBefore(t *testing.T) {
	answers := make([]*answered, c.before)
	begun := time.Now()
	at(20, c.before, func(i int) {
		q := &question{speech: speeches[i%len(speeches)], mark: fmt.Sprint("before ", i), stream: i/2%2 == 0}
		answers[i] = assertServed(t, c.stage, i%2, q, "m")
	})
	t.Logf("%d requests in %s", c.before, time.Since(begun))

	entries := make(map[string][]entry)
	eventually(t, "the entries", func() bool {
		clear(entries)
		for _, e := range c.entries("inference") {
			entries[e.RequestID] = append(entries[e.RequestID], e)
		}
		booked := 0
		for i := range answers {
			booked += min(1, len(entries[fmt.Sprint("before ", i)]))
		}
		return booked == len(answers)
	})
	for i, a := range answers {
		mark := fmt.Sprint("before ", i)
		if len(entries[mark]) != 1 {
			t.Errorf("%s has %d entries", mark, len(entries[mark]))
		}
		e := entries[mark][0]
		if e.Status != "ok" || e.Seller != a.Header.Get("X-TokenBuddy-Seller") || strconv.Itoa(e.Attempts) != a.Header.Get("X-TokenBuddy-Attempts") ||
			e.BilledMicros != goodBill || e.ExpenseMicros != goodBill || e.BilledSource != "settlement" {
			t.Errorf("booked: %+v", e)
		}
		if tried := c.tried(mark); tried > e.Attempts {
			t.Errorf("%s: sellers were asked %d times in %d attempts", mark, tried, e.Attempts)
		}
	}
	c.assertSellers(t)
}

// tried is how often the sellers were asked a request. An attempt that meets a token that is no longer known is not among
// them.
func (c *chaos) tried(mark string) (n int) {
	for _, s := range slices.Concat(c.sellers, c.late) {
		n += s.tried(mark)
	}
	return n
}

// assertSellers looks at what the sellers did: each request was served once, no more was bought than was made useless, and
// everything has gone wrong that can.
func (c *chaos) assertSellers(t *testing.T) {
	good, did := 0, make(map[string]int)
	for _, s := range c.sellers {
		s.own.Lock()
		for name, n := range s.did {
			did[name] += n
		}
		good += s.did[""]
		t.Logf("%s: %d good answers, %d purchases, %d tokens made useless", s.id, s.did[""], s.purchases(), s.useless)
		if n := s.purchases(); n > 1+s.useless {
			t.Errorf("%d purchases at %s, where %d tokens were made useless", n, s.id, s.useless)
		}
		for i := 3; i < len(s.bought); i++ { // what happens here is seen a little after it was begun there
			if within := s.bought[i].Sub(s.bought[i-3]); within < 55*time.Second {
				t.Errorf("4 purchases at %s within %s", s.id, within)
			}
		}
		s.own.Unlock()
	}
	if good != c.before {
		t.Errorf("%d good answers were given for %d requests", good, c.before)
	}
	t.Logf("faults: %v", did)
	// What makes a token useless comes seldom, as the seller gets no more money then, and a few others may wait for a turn in vain.
	var unseen []string
	for _, f := range earlyFaults {
		if did[f.name] == 0 && !f.rests && !f.useless {
			unseen = append(unseen, f.name)
		}
	}
	if len(unseen) > len(earlyFaults)/10 {
		t.Errorf("no answer was broken by %q", unseen)
	}
}

// breakAfter sends requests whose answers all break after content. The client gets what there is, an error event in the shape
// of the API, and an end that nobody can take for a clean one; nobody else is asked.
func (c *chaos) breakAfter(t *testing.T) {
	at(16, c.after, func(i int) {
		q := &question{speech: speeches[i%len(speeches)], mark: fmt.Sprint("late ", i), stream: true}
		f := lateFaults[c.random("late", q.mark, 0).IntN(len(lateFaults))]
		a := c.ask(i%2, http.MethodPost, q.path, q.request("late"), "X-Request-Id", q.mark)
		rest, ok := strings.CutPrefix(a.body, begun(q))
		switch {
		case a.StatusCode != http.StatusOK || !ok:
			t.Errorf("%s, %s: status %d: %q", q.mark, f.name, a.StatusCode, a.body)
		case f.name == ownError:
			if rest != q.fails("server_error") || a.cut != nil {
				t.Errorf("%s, %s: %v, %q", q.mark, f.name, a.cut, rest)
			}
		default:
			assertErrorEvent(t, q.mark+", "+f.name, q.api, rest)
			if a.cut == nil {
				t.Errorf("%s, %s: a clean end", q.mark, f.name)
			}
			if strings.Contains(rest, poison) {
				t.Errorf("%s, %s: %q", q.mark, f.name, rest)
			}
		}
		if n := c.tried(q.mark); n != 1 {
			t.Errorf("%s, %s: sellers were asked %d times", q.mark, f.name, n)
		}
	})
	booked := make(map[string]int)
	eventually(t, "the entries", func() bool {
		clear(booked)
		for _, e := range c.entries("inference") {
			if e.RequestedModel == "late" {
				booked[e.RequestID]++
			}
		}
		return len(booked) >= c.after
	})
	for _, e := range c.entries("inference") {
		if e.RequestedModel == "late" && (e.Status != "interrupted" || e.Attempts != 1 || e.BilledMicros <= 0 || booked[e.RequestID] != 1) {
			t.Errorf("%d entries, booked: %+v", booked[e.RequestID], e)
		}
	}
	for _, s := range c.late {
		s.own.Lock()
		if n := s.purchases(); n > 1+s.useless {
			t.Errorf("%d purchases at %s, where %d tokens were made useless", n, s.id, s.useless)
		}
		s.own.Unlock()
	}
}
