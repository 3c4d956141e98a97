package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestGuestsMisbehaveChaos has a selection policy and a payment method that panic, block and lie at random, under load, in a
// gateway that is reloaded every second. Every request is served, as there is one seller that needs neither of them; the process
// ends in time while guests are stuck in it; and the books are those of the rail: nothing is paid twice, and nothing that was
// paid is missing.
func TestGuestsMisbehaveChaos(t *testing.T) {
	t.Parallel()
	c := &guestChaos{guestStage: newGuestStage(t, 14), seed: chaosSeed(t), requests: chaosSize(200, 1000)}
	for _, s := range c.bad {
		s.answer = c.answer(s)
	}
	for i := range 20 { // of these the policy has to gather some
		c.lists = append(c.lists, listing{ID: fmt.Sprint("idle", i), URL: c.good.URL, Models: []any{priced("idle")}})
	}
	c.orders(c.misbehave)
	c.open(c.body("config-0", c.policy()+"\t\tfailover {\n\t\t\tmax_attempts 30\n\t\t}\n"))
	c.underLoad(t)

	begun := time.Now()
	c.terminate()
	c.endedStuck(begun)
	c.orders(nil) // the next process finds guests that behave, and takes up what is open
	c.start()
	c.assertPaid(t)
	c.well()
	if n := len(c.entries("inference")); n != c.requests {
		t.Errorf("%d inference entries for %d requests", n, c.requests)
	}
	t.Logf("%d reloads, faults %v", c.reloads.Load(), c.did)
}

// guestChaos is what goes wrong at once.
type guestChaos struct {
	*guestStage
	seed     uint64
	requests int
	reloads  atomic.Int64

	turn int            // of the guests' calls; under master.mu
	did  map[string]int // by step and fault; under master.mu
}

// answer serves, but for one request in ten, which is told that its token is unknown: so there is always something to be bought.
func (c *guestChaos) answer(s *fakeSeller) handler {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		if n.Add(1)%10 != 0 {
			answerPlain(w, r, body)
			return
		}
		s.mu.Lock()
		delete(s.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		s.mu.Unlock()
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// guestFaults are what each step may do beside what it should. What a method alone can know, it does not lie about.
var guestFaults = map[string][]string{
	"check":   {"panic", "exit", "error"},
	"prepare": {"panic", "exit", "error", "proof"},
	"pay":     {"panic", "exit", "block"},
	"paid":    {"panic", "exit", "block", "error", "proof", "kind", "pending"},
	"track":   {"panic", "exit", "block", "error", "proof", "kind", "pending"},
	"order":   {"panic", "exit", "block", "invent", "double"},
	"gather":  {"panic", "exit", "block", "invent"},
	"cleanup": {"panic", "block"},
}

// misbehave is what the guests are told: every third call is a fault. It is called under the master's lock.
func (c *guestChaos) misbehave(call guestCall) order {
	c.turn++
	r := rand.New(rand.NewPCG(c.seed, uint64(c.turn)))
	var o order
	faults := guestFaults[call.Step]
	if len(faults) > 0 && r.IntN(3) == 0 {
		o.Fault = faults[r.IntN(len(faults))]
		if c.did == nil {
			c.did = make(map[string]int)
		}
		c.did[call.Step+" "+o.Fault]++
	}
	if call.Step == "order" && o.Fault == "" {
		o.Sellers = call.Sellers
		r.Shuffle(len(o.Sellers), func(i, j int) { o.Sellers[i], o.Sellers[j] = o.Sellers[j], o.Sellers[i] })
	}
	return o
}

// sendUntilHeard sends a request, again where the connection was reset: at a reload Caddy opens its port anew, and the kernel resets
// what waited at the old one for somebody to take it. Nobody has seen such a request.
func (c *guestChaos) sendUntilHeard(t *testing.T, client *http.Client, id, body string) (*http.Response, error) {
	for try := 1; ; try++ {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url("/v1/chat/completions"), strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Request-Id", id)
		res, err := client.Do(req)
		if err == nil || try == 3 || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			return res, err
		}
	}
}

// underLoad sends the requests, and reloads meanwhile. They take their time, so that there are reloads among them.
func (c *guestChaos) underLoad(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var reloads sync.WaitGroup
	reloads.Go(func() {
		file := c.file()
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
			if err := c.load(strings.ReplaceAll(file, "config-0", fmt.Sprint("config-", c.reloads.Add(1)))); err != nil {
				t.Errorf("reload %d: %v", c.reloads.Load(), err)
				return
			}
		}
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	at(10, c.requests, func(i int) {
		id := fmt.Sprint("request ", i)
		body := strings.Replace(chatOf("m", ""), "Hello", id, 1)
		res, err := c.sendUntilHeard(t, client, id, body)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			return
		}
		defer res.Body.Close()
		if b, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || string(b) != plainAnswer {
			t.Errorf("%s: status %d after %s attempts, %v: %.300s", id, res.StatusCode, res.Header.Get("X-TokenBuddy-Attempts"), err, b)
		}
	})
	cancel()
	reloads.Wait()
}

// assertPaid waits until the fate of every payment is known, and holds the ledger's wallet against the rail's books.
func (c *guestChaos) assertPaid(t *testing.T) {
	var wallet, paid int64
	eventually(t, "the books are the rail's", func() bool {
		n, _ := c.moved()
		paid, wallet = int64(n)*5_000_000, c.balances()["wallet:misbehaving"]
		return wallet == -paid
	})
	if paid == 0 {
		t.Error("nothing was paid: no payment was tried")
	}
	t.Logf("paid %d micros in all", paid)
}
