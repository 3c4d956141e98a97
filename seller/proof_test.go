package seller

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/facilitator"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// TestX402Faults: what the seller answers when its facilitator fails, whether money has moved, and what the same proof gets
// the second time, when all is well again. What it does not know is never a 402, and money that has moved is never lost.
func TestX402Faults(t *testing.T) {
	for name, tc := range map[string]struct {
		verify, settle facilitator.Fault
		rpcDown        bool
		empty          bool
		first          int
		moved          int
		second         int
	}{
		"nothing":                       {first: 200, moved: 1, second: 200},
		"verify down":                   {verify: facilitator.Down, first: 503, second: 200},
		"verify html":                   {verify: facilitator.HTML, first: 503, second: 200},
		"verify cut":                    {verify: facilitator.Cut, first: 503, second: 200},
		"verify refuses":                {verify: facilitator.Refuse, first: 402, second: 200},
		"verify refuses, no chain":      {verify: facilitator.Refuse, rpcDown: true, first: 503, second: 200},
		"verify slow":                   {verify: facilitator.Hang, first: 503, second: 200},
		"settle refuses":                {settle: facilitator.Refuse, first: 402, second: 200},
		"settle down":                   {settle: facilitator.Down, first: 503, second: 200},
		"settle html":                   {settle: facilitator.HTML, first: 503, second: 200},
		"settle cut":                    {settle: facilitator.Cut, first: 503, second: 200},
		"settle pending":                {settle: facilitator.Pending, first: 503, second: 200},
		"settled, answer lost":          {settle: facilitator.Lose, first: 200, moved: 1, second: 200},
		"settled, slow":                 {settle: facilitator.Hang, first: 200, moved: 1, second: 200},
		"settled, said to be pending":   {settle: facilitator.Later, first: 200, moved: 1, second: 200},
		"settled, lost, and no chain":   {settle: facilitator.Lose, rpcDown: true, first: 503, moved: 1, second: 200},
		"settled, slow, and no chain":   {settle: facilitator.Hang, rpcDown: true, first: 503, moved: 1, second: 200},
		"empty wallet":                  {empty: true, first: 402, second: 402},
		"empty wallet, no chain to ask": {empty: true, rpcDown: true, first: 503, second: 402},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRail(t)
			s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
			if tc.empty {
				r.buyer = emptyBuyer(t)
			}
			o, proof := r.offer(s, "p")
			r.verify.Store(uint32(tc.verify))
			r.settle.Store(uint32(tc.settle))
			r.rpcDown.Store(tc.rpcDown)
			status, body := r.complete(s, "p", o, proof)
			if status != tc.first || len(r.chain.Transfers()) != tc.moved {
				t.Errorf("%d %s, %d transfers; want %d and %d", status, body, len(r.chain.Transfers()), tc.first, tc.moved)
			}
			if strings.Contains(body, "refused_by_test") {
				t.Errorf("the facilitator's words are in the answer: %s", body)
			}
			r.verify.Store(0)
			r.settle.Store(0)
			r.rpcDown.Store(false)
			again, second := r.complete(s, "p", o, proof)
			if again != tc.second {
				t.Errorf("again: %d %s, want %d", again, second, tc.second)
			}
			if status == 200 && body != second {
				t.Errorf("another answer under the same key: %s", second)
			}
			if n := len(r.chain.Transfers()); n > 1 || again == 200 && n != 1 {
				t.Errorf("%d transfers", n)
			}
			if again == 200 && !strings.Contains(second, r.chain.Transfers()[0].Transaction.String()) {
				t.Errorf("the answer does not name the transaction: %s", second)
			}
			if n := len(s.books.Report().Tokens); n > 1 || (n == 1) != (again == 200) {
				t.Errorf("%d tokens", n)
			}
		})
	}
}

// TestX402AskedLater: a payment that was cashed while nobody could be asked is found after an outage of hours, too, on which the chain has
// gone on by more blocks than a node tells of at once.
func TestX402AskedLater(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	o, proof := r.offer(s, "p")
	r.settle.Store(uint32(facilitator.Lose))
	r.rpcDown.Store(true)
	if status, body := r.complete(s, "p", o, proof); status != 503 {
		t.Fatalf("%d %s", status, body)
	}
	r.settle.Store(0)
	r.rpcDown.Store(false)
	r.chain.SetClock(func() time.Time { return time.Now().Add(30 * time.Hour) })
	if status, body := r.complete(s, "p", o, proof); status != 200 || !strings.Contains(body, r.chain.Transfers()[0].Transaction.String()) {
		t.Errorf("a day later: %d %s", status, body)
	}
}

func emptyBuyer(t *testing.T) *x402.Method {
	t.Helper()
	t.Setenv("SELLER_TEST_EMPTY", strings.Repeat("17", 32))
	m := &x402.Method{Config: x402.Config{Key: "{env.SELLER_TEST_EMPTY}", Networks: []x402.Network{{ID: testNetwork}}, DailyLimit: "20"}}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := m.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestX402Contradiction: a facilitator that says that a payment was cashed, and something else as well, is not believed: the chain is.
func TestX402Contradiction(t *testing.T) {
	const transaction = `"transaction":"0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"`
	for name, says := range map[string]struct {
		status int
		body   string
	}{
		"an error":        {200, `{"success":true,"errorReason":"insufficient_funds",` + transaction + `}`},
		"a refusal":       {402, `{"success":true,` + transaction + `}`},
		"no transaction":  {200, `{"success":true,"transaction":""}`},
		"the zero one":    {200, `{"success":true,"transaction":"0x` + strings.Repeat("0", 64) + `"}`},
		"another network": {200, `{"success":true,"network":"eip155:1",` + transaction + `}`},
		"another payer":   {200, `{"success":true,"payer":"` + testPayTo + `",` + transaction + `}`},
		"no payer at all": {200, `{"success":true,"payer":"nobody",` + transaction + `}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRail(t)
			liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if strings.HasSuffix(req.URL.Path, "/verify") {
					fmt.Fprint(w, `{"isValid":true}`)
					return
				}
				w.WriteHeader(says.status)
				fmt.Fprint(w, says.body)
			}))
			defer liar.Close()
			file := t.TempDir() + "/books.json"
			s := newSeller(t, strings.Replace(r.lines(file), "facilitator "+r.url, "facilitator "+liar.URL, 1))
			o, proof := r.offer(s, "p")
			if status, body := r.complete(s, "p", o, proof); status != 503 || len(s.books.Report().Tokens) != 0 {
				t.Errorf("nothing was cashed: %d %s", status, body)
			}
			if err := s.Cleanup(); err != nil {
				t.Fatal(err)
			}
			s = newSeller(t, r.lines(file)) // with an honest one
			if status, body := r.complete(s, "p", o, proof); status != 200 || len(r.chain.Transfers()) != 1 {
				t.Errorf("cashed: %d %s", status, body)
			}
		})
	}
}

// TestX402AtOnce: one proof, many times at the same moment: one payment, one token.
func TestX402AtOnce(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	o, proof := r.offer(s, "p")
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := make(map[string]int)
	for range 20 {
		wg.Go(func() {
			for {
				status, body := r.complete(s, "p", o, proof)
				if status == http.StatusServiceUnavailable {
					continue // as it says: try again
				}
				mu.Lock()
				answers[body]++
				mu.Unlock()
				return
			}
		})
	}
	wg.Wait()
	if len(answers) != 1 || len(r.chain.Transfers()) != 1 || len(s.books.Report().Tokens) != 1 {
		t.Errorf("%d answers, %d transfers, %d tokens", len(answers), len(r.chain.Transfers()), len(s.books.Report().Tokens))
	}
}

// TestX402Restart: the seller dies after the money has moved and before it has said so to anybody.
func TestX402Restart(t *testing.T) {
	r := newRail(t)
	lines := r.lines(t.TempDir() + "/books.json")
	s := newSeller(t, lines)
	o, proof := r.offer(s, "p")
	r.settle.Store(uint32(facilitator.Lose))
	r.rpcDown.Store(true)
	if status, body := r.complete(s, "p", o, proof); status != 503 {
		t.Fatalf("%d %s", status, body)
	}
	if err := s.Cleanup(); err != nil {
		t.Fatal(err)
	}
	s = newSeller(t, lines)
	if status, body := r.complete(s, "p", o, proof); status != 503 {
		t.Fatalf("no chain to ask: %d %s", status, body)
	}
	// Another payment for the same order is not taken as long as nobody knows of the first.
	other := edit(t, proof, func(s *x402.Signed) { s.Authorization.ValidAfter = "1" })
	if status, body := r.complete(s, "p", o, other); status != 409 {
		t.Errorf("another proof: %d %s", status, body)
	}
	r.rpcDown.Store(false)
	status, body := r.complete(s, "p", o, proof)
	if status != 200 || len(r.chain.Transfers()) != 1 || !strings.Contains(body, r.chain.Transfers()[0].Transaction.String()) {
		t.Errorf("%d %s, %d transfers", status, body, len(r.chain.Transfers()))
	}
}

// TestX402NonceUsedElsewhere: a payer cashes the nonce towards itself while the seller settles. That is no payment.
func TestX402NonceUsedElsewhere(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	o, proof := r.offer(s, "p")
	r.settle.Store(uint32(facilitator.Down)) // begun, and nothing done
	if status, _ := r.complete(s, "p", o, proof); status != 503 {
		t.Fatal("not begun")
	}
	r.settle.Store(0)
	key, err := eip3009.ParseKey(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	a, _, _, err := x402.ReadPayload(proof)
	if err != nil {
		t.Fatal(err)
	}
	a.To = key.Address()
	own := edit(t, proof, func(s *x402.Signed) {
		s.Authorization.To, s.Signature = a.To.String(), key.Sign(a.Digest(r.chain.Domain)).Text()
	})
	want := `{"scheme":"exact","network":"` + testNetwork + `","amount":"500000","payTo":"` + testWallet + `"}`
	resp, err := http.Post(r.url+"/settle", "application/json", strings.NewReader(`{"paymentPayload":`+string(own)+`,"paymentRequirements":`+want+`}`))
	if err != nil || len(r.chain.Transfers()) != 1 {
		t.Fatalf("%v, %d transfers", err, len(r.chain.Transfers()))
	}
	resp.Body.Close()
	if status, body := r.complete(s, "p", o, proof); status != 402 || !strings.Contains(body, "used for something else") {
		t.Errorf("%d %s", status, body)
	}
	if n := len(s.books.Report().Tokens); n != 0 {
		t.Error("credit was given away")
	}
}

// TestX402WorthlessPayments: well-signed payments that nobody can cash close the seller to nobody, and what may have been cashed is kept.
func TestX402WorthlessPayments(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	lost, lostProof := r.offer(s, "lost")
	r.settle.Store(uint32(facilitator.Lose))
	r.rpcDown.Store(true)
	if status, body := r.complete(s, "lost", lost, lostProof); status != 503 {
		t.Fatalf("the answer is lost: %d %s", status, body)
	}
	r.settle.Store(0)
	r.rpcDown.Store(false)
	buyer := r.buyer
	r.buyer = emptyBuyer(t)
	o, proof := r.offer(s, "worthless")
	if status, body := r.complete(s, "worthless", o, proof); status != 402 {
		t.Fatalf("an empty wallet: %d %s", status, body)
	}
	r.buyer = buyer
	s.books.mu.Lock()
	for _, o := range s.books.orders { // a quarter of an hour later
		o.ExpiresAt = time.Now().Add(-time.Second)
	}
	for i := 0; len(s.books.orders) < maxOrders; i++ {
		s.books.orders[digest{1, byte(i >> 8), byte(i)}] = &order{
			Hash: digest{1, byte(i >> 8), byte(i)}, ExpiresAt: time.Now().Add(time.Minute), KeepUntil: time.Now().Add(time.Hour),
		}
	}
	s.books.mu.Unlock()
	r.offer(s, "p") // there is room for it
	if status, body := r.complete(s, "lost", lost, lostProof); status != 200 || len(r.chain.Transfers()) != 1 {
		t.Errorf("what was cashed: %d %s, %d transfers", status, body, len(r.chain.Transfers()))
	}
	r.offer(s, "q") // in the place of p, which nobody has begun to pay
	if status, body := r.complete(s, "lost", lost, lostProof); status != 200 {
		t.Errorf("what was cashed has given way: %d %s", status, body)
	}
}

// till settles as it is told.
type till struct {
	anyProof
	says acceptance.Verdict
}

func (till) Accept(acceptance.Order, json.RawMessage) acceptance.Verdict {
	return acceptance.ToSettle()
}

func (c *till) Settle(context.Context, acceptance.Order, json.RawMessage) acceptance.Verdict {
	return c.says
}

// TestOverIsNoPayment: a payment that was not cashed and never will be keeps neither its order nor another one of its purchase from being paid.
func TestOverIsNoPayment(t *testing.T) {
	s := newSeller(t, "")
	c := new(till)
	s.accepted["till"] = c
	order := func(key string) (o wire.Order) {
		w := post(t, s, wire.PurchaseCreatePath, `{"purchaseId":"p","modelId":"toy-1","paymentMethod":"till","amountMicros":500000}`, wire.HeaderIdempotencyKey, key)
		if err := wire.Decode(w.Body.Bytes(), &o); err != nil {
			t.Fatalf("create: %d %s", w.Code, w.Body)
		}
		return o
	}
	one, two := order("a"), order("b")
	for _, tc := range []struct {
		order, proof string
		says         acceptance.Verdict
		want         int
	}{
		{one.OrderID, "1", acceptance.NotYet("slow"), 503},
		{one.OrderID, "2", acceptance.Paid("r"), 409},
		{two.OrderID, "2", acceptance.Paid("r"), 409},
		{one.OrderID, "1", acceptance.Refused("empty"), 402},
		{two.OrderID, "2", acceptance.Paid("r"), 409}, // it may be cashed yet
		{one.OrderID, "1", acceptance.Over("over"), 402},
		{two.OrderID, "2", acceptance.Over("over"), 402},
		{one.OrderID, "3", acceptance.Paid("r"), 200},
		{two.OrderID, "4", acceptance.Paid("r"), 409},
	} {
		c.says = tc.says
		body := `{"purchaseId":"p","orderId":"` + tc.order + `","paymentMethod":"till","proof":{"n":` + tc.proof + `}}`
		if w := post(t, s, wire.PurchaseCompletePath, body, wire.HeaderIdempotencyKey, tc.order); w.Code != tc.want {
			t.Errorf("%+v: %d %s", tc, w.Code, w.Body)
		}
	}
}
