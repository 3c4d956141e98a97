package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/facilitator"
)

// cheat is a seller that takes x402, and grants nothing: it cashes what it is shown, or keeps it.
type cheat struct {
	*httptest.Server
	rail   string
	cashes bool

	mu    sync.Mutex // protects all following fields
	shown []string   // headers
}

func newCheat(t *testing.T, rail string, cashes bool) *cheat {
	s := &cheat{rail: rail, cashes: cashes}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

const requirementOf = `{"scheme":"exact","network":"eip155:84532","amount":"%d","asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e",` +
	`"payTo":"0x8a8089de7e7235cf008ef478c50fa17ccbcd4176","maxTimeoutSeconds":60,"extra":{"name":"USDC","version":"2"}}`

func (s *cheat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requirement := fmt.Sprintf(requirementOf, 500_000)
	switch r.URL.Path {
	case "/purchase/create":
		reply(w, map[string]any{
			"orderId": "o_1", "amountMicros": 500_000, "currency": "USD",
			"payment": json.RawMessage(`{"x402Version":2,"resource":{"url":"http://cheat.example/"},"accepts":[` + requirement + `]}`),
		})
	case "/purchase/complete":
		header := r.Header.Get(x402.HeaderSignature)
		s.mu.Lock()
		s.shown = append(s.shown, header)
		s.mu.Unlock()
		if payload, err := base64.StdEncoding.DecodeString(header); s.cashes && err == nil {
			body := fmt.Sprintf(`{"x402Version":2,"paymentPayload":%s,"paymentRequirements":%s}`, payload, requirement)
			if res, err := http.Post(s.rail+"/settle", "application/json", strings.NewReader(body)); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		}
		w.WriteHeader(http.StatusPaymentRequired)
		_, _ = io.WriteString(w, `{"error":{"code":"payment_refused","message":"planted-seller-words"}}`)
	default:
		w.WriteHeader(http.StatusOK)
	}
}

// proofs are what it was shown: each header, and in it the signature.
func (s *cheat) proofs(t *testing.T) (secrets []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, header := range s.shown {
		payload, err := base64.StdEncoding.DecodeString(header)
		var p struct {
			Payload struct{ Signature string }
		}
		if err == nil {
			err = json.NewDecoder(bytes.NewReader(payload)).Decode(&p)
		}
		if err != nil || p.Payload.Signature == "" {
			t.Fatalf("%v: %s", err, payload)
		}
		secrets = append(secrets, header, strings.TrimPrefix(p.Payload.Signature, "0x"))
	}
	return secrets
}

// wantWallets wants the status to say so of the wallets.
func (c *caddy) wantWallets(want ...string) {
	c.t.Helper()
	_, body := c.look("/tokenbuddy/status")
	var status struct {
		Payments []struct {
			Method, Network, Address string
			BalanceMicros            *int64
			Warnings                 []string
		}
	}
	if err := json.Unmarshal(body, &status); err != nil {
		c.t.Fatal(err)
	}
	var got []string
	for _, p := range status.Payments {
		balance := "-"
		if p.BalanceMicros != nil {
			balance = strconv.FormatInt(*p.BalanceMicros, 10)
		}
		words := " warnings"
		if len(p.Warnings) == 1 {
			words = " warning"
		}
		got = append(got, fmt.Sprint(p.Method, " ", p.Network, " ", balance, " ", len(p.Warnings), words))
		if !strings.HasPrefix(p.Address, "0x") {
			c.t.Errorf("address %q", p.Address)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		c.t.Errorf("wallets %q, want %q", got, want)
	}
}

// TestCheatedWithX402 pays a seller that cashes and grants nothing, and one that refuses: what the operator sees of it, what can be
// done, and what comes back.
func TestCheatedWithX402(t *testing.T) {
	t.Parallel()
	domain, err := x402.Domain("eip155:84532", nil)
	if err != nil {
		t.Fatal(err)
	}
	chain := facilitator.NewChain("eip155:84532", domain)
	chain.SetFaucet(700_000) // less than two purchases
	rail := httptest.NewServer(&facilitator.Handler{Chain: chain})
	defer rail.Close()
	taker, keeper := newCheat(t, rail.URL, true), newCheat(t, rail.URL, false)
	c := newCaddy(t, "")
	wallet := filepath.Join(c.dir, "wallet")
	if err := os.WriteFile(wallet, []byte(x402Key), 0o600); err != nil {
		t.Fatal(err)
	}
	c.write(c.global("\tmetrics\n") + fmt.Sprintf(`http://%s {
	bind 127.0.0.1
	tokenbuddy {
		seller taker %s {
			models m
			payment x402
		}
		seller keeper %s {
			models n
			payment x402
		}
		payment x402 {
			key {file.%s}
			network eip155:84532 %s/rpc
			network eip155:8453
			daily_limit 20
		}
		purchase {
			amount 0.50
		}
	}
}
`, c.site, taker.URL, keeper.URL, wallet, rail.URL))
	c.start()
	c.wantWallets("x402 eip155:8453 - 1 warning", "x402 eip155:84532 700000 0 warnings")

	c.tryPost("/v1/chat/completions", chatOf("m", ""))
	p := c.openPurchase()
	transfers := chain.Transfers()
	if len(transfers) != 1 {
		t.Fatalf("%d transfers", len(transfers))
	}
	transaction := transfers[0].Transaction.String()
	if p.State != "completing" || p.Reference != transaction || time.Until(p.Until) <= 0 || !strings.Contains(p.Doubt, "has cashed the proof") {
		t.Errorf("%+v, transaction %s", p, transaction)
	}
	c.doctor(true, []string{"--address", c.admin}, "("+transaction+") is in doubt: the seller has cashed the proof")
	c.undoing("it can be cashed until", "cancel", p.PurchaseID)
	if out := c.doing("settle", p.PurchaseID, "--paid", "--note", "seen on the chain"); !strings.Contains(out, "disputed") || !strings.Contains(out, transaction) {
		t.Errorf("settled:\n%s", out)
	}
	c.doctor(true, []string{"--address", c.admin}, "was paid ("+transaction+") and not granted", "purchases refund "+p.PurchaseID)
	if rows := c.purchases("--disputed"); len(rows) != 1 || rows[0].PurchaseID != p.PurchaseID {
		t.Errorf("disputed: %+v", rows)
	}
	c.undoing("$0.50 is not refunded yet", "refund", p.PurchaseID, "0.51", "--reference", "0xback")
	c.doing("refund", p.PurchaseID, "0.20", "--reference", "0xback")
	c.undoing("is booked already", "refund", p.PurchaseID, "0.20", "--reference", "0xback")
	c.doing("refund", p.PurchaseID, "0.3", "--reference", "0xrest", "--note", "with an apology")
	if b := c.balances(); b["disputed:taker"] != 0 || b["wallet:x402"] != 0 || b["pending:taker"] != 0 {
		t.Errorf("balances %v", b)
	}
	if rows := c.purchases("--disputed"); len(rows) != 0 {
		t.Errorf("still disputed: %+v", rows)
	}
	c.verify()
	_, status := c.look("/tokenbuddy/status")
	if !strings.Contains(string(status), `"spentTodayMicros":500000`) {
		t.Errorf("the limits got the refund back: %s", status)
	}

	// What the wallet and its networks look like.
	if err := os.Chmod(wallet, 0o644); err != nil {
		t.Fatal(err)
	}
	chain.SetClock(func() time.Time { return time.Now().Add(20 * time.Second) })
	eventually(t, "what the wallet has and where the chain is by now", func() bool { // what was said is shown for some seconds
		_, said, _ := c.says("doctor", "--address", c.admin)
		return strings.Contains(said, "0.20 dollars, which is less than a purchase of 0.50") && strings.Contains(said, "seconds behind the chain")
	})
	c.doctor(true, []string{"--address", c.admin}, "seconds behind the chain", "chmod 600 "+wallet, "eip155:8453: without an RPC")

	// A seller that refuses, and does not cash before the authorization ends.
	chain.SetClock(func() time.Time { return time.Now().Add(5 * time.Minute) })
	c.tryPost("/v1/chat/completions", chatOf("n", ""))
	eventually(t, "the end", func() bool { return len(c.purchases("--open")) == 0 })
	rows := c.purchases("--seller", "keeper")
	if len(rows) != 1 || rows[0].State != "failed" || !rows[0].Unpaid {
		t.Errorf("%+v", rows)
	}
	_, metrics := c.look("/metrics")
	for _, want := range []string{
		`tokenbuddy_purchases_total{outcome="refused_unpaid",seller="keeper"} 1`, `tokenbuddy_purchases_paid_not_granted_total{seller="taker"} 1`,
		`tokenbuddy_wallet_micros{method="x402",network="eip155:84532"} 200000`,
	} {
		if !strings.Contains(string(metrics), want) {
			t.Errorf("no %s", want)
		}
	}
	c.hides(append(append(taker.proofs(t), keeper.proofs(t)...), x402Key, "planted-seller-words")...)
}
