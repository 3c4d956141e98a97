package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/facilitator"
)

// TestX402Crash kills gateway and seller while they trade over a facilitator that fails in every way it can. When all has ended,
// the rail has one payment for each purchase at most, and the gateway's books say that as much was paid as the rail has.
func TestX402Crash(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	kills := 6
	if n, err := strconv.Atoi(os.Getenv("TOKENBUDDY_KILLS")); err == nil {
		kills = n
	}
	const network = "eip155:84532"
	domain, err := x402.Domain(network, nil)
	if err != nil {
		t.Fatal(err)
	}
	chain := facilitator.NewChain(network, domain)
	chain.SetFaucet(1_000_000_000)
	var mu sync.Mutex
	calm := false
	rail := httptest.NewServer(&facilitator.Handler{Chain: chain, Fault: func(string) facilitator.Fault {
		mu.Lock()
		defer mu.Unlock()
		if calm || rand.IntN(2) == 0 {
			return facilitator.None
		}
		return []facilitator.Fault{
			facilitator.Refuse, facilitator.Down, facilitator.HTML, facilitator.Cut, facilitator.Lose, facilitator.Hang, facilitator.Pending, facilitator.Later,
		}[rand.IntN(8)]
	}})
	defer rail.Close()

	shop := newCaddy(t, "")
	shop.write(shop.global("") + fmt.Sprintf(`http://%s {
	bind 127.0.0.1
	tokenbuddy_seller acme {
		state books.json
		pace 0s
		token_ttl 30s
		payment x402 {
			pay_to 0x8a8089de7E7235Cf008eF478c50FA17CCBcd4176
			network %s
			facilitator %s
			rpc %s/rpc
			timeout 1s
		}
	}
}
`, shop.site, network, rail.URL, rail.URL))
	c := newCaddy(t, fmt.Sprintf(`
		registry http://%s/registry.json
		seller_networks 127.0.0.0/8
		payment x402 {
			key {env.X402_WALLET}
			network %s %s/rpc
			daily_limit 1000
			valid_for 10s
		}
		purchase {
			amount 0.01
			daily_limit 1000
		}`, shop.site, network, rail.URL))
	c.env = append(c.env, "X402_WALLET="+x402Key)
	shop.start()
	c.start()
	var clients sync.WaitGroup
	// Few requests and many faults: now and then nothing at all is bought, and that would show nothing.
	for i := 0; i < kills || len(chain.Transfers()) == 0 && i < 10*kills; i++ {
		for range 3 {
			clients.Go(func() {
				resp, err := http.Post("http://"+c.site+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"toy-1","messages":[{"role":"user","content":"Hello"}]}`))
				if err == nil {
					resp.Body.Close()
				}
			})
		}
		<-time.After(time.Duration(rand.IntN(700)) * time.Millisecond)
		if i%3 == 2 {
			shop.kill()
			shop.start()
		} else {
			c.kill()
			c.start()
		}
	}
	clients.Wait()
	mu.Lock()
	calm = true
	mu.Unlock()
	inFlight := func() (sum int64) {
		for _, e := range c.entries("") {
			for _, p := range e.Postings {
				if strings.HasPrefix(p.Account, "pending:") {
					sum += p.AmountMicros
				}
			}
		}
		return sum
	}
	for deadline := time.Now().Add(3 * time.Minute); inFlight() != 0; <-time.After(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a purchase does not end:\n%s", c.log)
		}
	}

	var paid money.Micros
	for _, e := range c.entries("") {
		for _, p := range e.Postings {
			if p.Account == "wallet:x402" {
				paid -= money.Micros(p.AmountMicros)
			}
		}
	}
	var moved money.Micros
	nonces := make(map[eip3009.Hash]bool)
	for _, tr := range chain.Transfers() {
		moved += money.Micros(tr.Value)
		nonces[tr.Nonce] = true
	}
	if paid != moved || len(nonces) != len(chain.Transfers()) {
		t.Errorf("the books say %s was paid, the rail %s in %d payments of %d purchases", paid, moved, len(chain.Transfers()), len(nonces))
	}
	if moved == 0 {
		t.Error("nothing was bought: this shows nothing")
	}
	t.Logf("at least %d kills, %d payments, %s", kills, len(chain.Transfers()), moved)
	c.verify()
}
