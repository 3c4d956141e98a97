package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestFleetTokensVerified: while gateways trade with shared tokens, buy, spend them to their end, and one is killed and comes back, the fleet's books
// are never called wrong.
func TestFleetTokensVerified(t *testing.T) {
	t.Parallel()
	const each, credit = 50, 20_000
	var books bounded
	acme := newSeller(t, "acme", books.answer(each, credit))
	acme.credit = credit
	f := newFleet(t, 3, []*fakeSeller{acme}, "\t\t\ttokens shared", keyOfAll+"\t\tpurchase {\n\t\t\tamount 0.02\n\t\t\trebuy_below 0.002\n\t\t}\n\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t}\n")
	over := make(chan struct{})
	var clients, all sync.WaitGroup
	var served atomic.Int64
	for _, i := range []int{0, 0, 2, 2} {
		clients.Go(func() {
			for served.Load() < 2*credit/each+50 {
				select {
				case <-over:
					return
				case <-time.After(5 * time.Millisecond):
				}
				switch status, _, body := f.ask(i, "key-of-ada"); status {
				case http.StatusOK:
					served.Add(1)
				case http.StatusServiceUnavailable, http.StatusPaymentRequired:
				default:
					t.Errorf("status %d: %s", status, body)
				}
			}
		})
	}
	all.Go(func() {
		for range 2 {
			for range 30 {
				if status, _, _ := f.ask(1, "key-of-ada"); status == http.StatusOK {
					served.Add(1)
				}
			}
			f.gateways[1].kill()
			f.gateways[1].start()
		}
	})
	verified := 0
	verify := func() {
		verified++
		if status, body := f.gateways[0].look("/tokenbuddy/ledger/verify?fleet=1"); status != http.StatusOK {
			t.Errorf("status %d: %s", status, body)
		}
	}
	ended := make(chan struct{})
	go func() {
		clients.Wait()
		all.Wait()
		close(ended)
	}()
	for begun := time.Now(); ; {
		verify()
		select {
		case <-ended:
		case <-time.After(100 * time.Millisecond):
			if time.Since(begun) > 3*time.Minute {
				close(over)
				<-ended
				break
			}
			continue
		}
		break
	}
	for range 5 {
		verify()
	}
	if n := acme.purchases(); served.Load() < 2*credit/each || n < 2 || verified < 10 {
		t.Errorf("%d were served with %d tokens, and it was verified %d times", served.Load(), n, verified)
	}
	t.Logf("%d were served with %d tokens, and it was verified %d times", served.Load(), acme.purchases(), verified)
}

// looks has a gateway's metrics and its page tell of the token that both share, as the store has it.
func (f *fleetOf) looks(t *testing.T) {
	f.t.Helper()
	c := f.gateways[1]
	dir := c.ledgerDir()
	eventually(f.t, "the metrics tell of shared tokens", func() bool {
		said := c.tokensSaid()
		s := said.Tokens[0]
		var own, all int64
		for gateway, p := range s.Parts {
			all += p.GrantedMicros - p.SpentMicros
			if gateway == said.Here.Gateway {
				own = p.GrantedMicros - p.SpentMicros
			}
		}
		_, metrics := c.look("/metrics")
		for part, micros := range map[string]int64{"own": own, "others": all - own, "free": s.FreeMicros} {
			line := fmt.Sprintf("tokenbuddy_fleet_tokens_micros{ledger=%q,part=%q,seller=\"acme\"} %s\n", dir, part, strconv.FormatFloat(float64(micros), 'g', -1, 64))
			if micros == 0 || !strings.Contains(string(metrics), line) {
				return false
			}
		}
		compareMetrics(t, metrics, func(name string) bool { return strings.HasPrefix(name, ofFleets) })
		return true
	})
	f.snapshot(1, func(s *fleetShown) bool {
		t := s.Fleet.Tokens
		return len(t) == 1 && t[0].Seller == "acme" && t[0].CreditMicros == 5_000_000 && strings.Join(t[0].By, " ") == "gw-0 gw-1" &&
			t[0].SpentMicros+t[0].AsideMicros+t[0].FreeMicros == t[0].CreditMicros
	})
}

// fleetShown is what a page shows of shared tokens.
type fleetShown struct {
	Fleet struct {
		Tokens []struct {
			Seller                                             string
			CreditMicros, SpentMicros, AsideMicros, FreeMicros int64
			By                                                 []string
		}
	}
}

// snapshot reads what a gateway's page shows until it is good.
func (f *fleetOf) snapshot(gateway int, good func(*fleetShown) bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.gateways[gateway].admin+"/tokenbuddy/live", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	events := bufio.NewScanner(res.Body)
	events.Buffer(nil, 1<<20)
	s := new(fleetShown)
	for events.Scan() {
		line, ok := strings.CutPrefix(events.Text(), "data: ")
		if !ok {
			continue
		}
		s = new(fleetShown)
		if err := json.Unmarshal([]byte(line), s); err != nil {
			f.t.Fatal(err)
		}
		if good(s) {
			return
		}
	}
	f.t.Errorf("%v: the page shows %+v", events.Err(), s)
}

// rewrite changes a gateway's Caddyfile, for its next start.
func (c *caddy) rewrite(from, to string) {
	c.t.Helper()
	text, err := os.ReadFile(c.caddyfile())
	if err != nil || !strings.Contains(string(text), from) {
		c.t.Fatalf("%v: there is no %q in it", err, from)
	}
	c.write(strings.ReplaceAll(string(text), from, to))
}

// TestFleetTokensOwnAgain: gateways that go back to tokens of their own spend what was shared before, one of them each token, and what they buy they do
// not share.
func TestFleetTokensOwnAgain(t *testing.T) {
	t.Parallel()
	const each, credit = 50, 5_000_000
	var books bounded
	acme := newSeller(t, "acme", books.answer(each, credit))
	f := newFleet(t, 2, []*fakeSeller{acme}, "\t\t\ttokens shared", keyOfAll+"\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t}\n")
	ask := func(gateway, bought int) {
		t.Helper()
		if status, _, body := f.ask(gateway, "key-of-ada"); status != http.StatusOK {
			t.Errorf("gateway %d: status %d: %s", gateway, status, body)
		}
		if n := acme.purchases(); n != bought {
			t.Errorf("%d tokens were bought, not %d", n, bought)
		}
	}
	ask(0, 1)
	ask(1, 1)
	for _, c := range f.gateways {
		c.stop()
	}
	for _, c := range f.gateways {
		c.rewrite("tokens shared", "tokens own")
		c.start()
	}
	if s := f.gateways[0].tokensSaid().Tokens; len(s) != 1 || s[0].AsideMicros != 0 || s[0].FreeMicros != credit-2*each {
		t.Fatalf("the store has %+v", s)
	}
	for range 5 {
		ask(0, 1)
	}
	for range 3 {
		ask(1, 2)
	}
	f.gateways[0].stop()
	f.gateways[0].start()
	ask(0, 2)
	eventually(t, "what was spent of it is known", func() bool {
		s := f.gateways[1].tokensSaid().Tokens
		return len(s) == 1 && s[0].SpentMicros == 8*each && len(s[0].Parts) == 2
	})
	for i, c := range f.gateways {
		c.verify()
		if out := c.good("verify", "--fleet", "--address", c.admin); strings.Contains(out, "note ") {
			t.Errorf("%s", out)
		}
		if left := c.balances()["credit:acme"]; i == 1 && left != credit-3*each {
			t.Errorf("%d are left of its own", left)
		}
	}
}
