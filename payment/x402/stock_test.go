package x402_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/facilitator"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// reply is what a stock seller answers to complete, and what has happened to the money by then.
type reply struct {
	status int // 0: no answer, until the buyer leaves; -1: the connection is lost
	body   string
	header string // PAYMENT-REQUIRED, as JSON
	says   string // PAYMENT-RESPONSE, as JSON
	moved  bool   // the proof is cashed
}

// stock is a seller whose purchases are guarded by stock middleware, as far as a buyer sees it.
type stock struct {
	chain  *facilitator.Chain
	answer func(n int) reply // n counts the calls of complete, from 1

	mu     sync.Mutex
	n      int
	orders map[string]string // amounts by purchase
	proofs map[string]bool
	payTo  string          // in place of the usual one
	asked  map[string]bool // payees for whom a proof came
}

func (s *stock) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.URL.Path == wire.PurchaseCreatePath {
		var q wire.CreatePurchase
		if err := wire.Decode(body, &q); err != nil {
			return nil, err
		}
		amount := fmt.Sprintf("%d", q.AmountMicros)
		s.mu.Lock()
		s.orders[q.PurchaseID] = amount
		s.mu.Unlock()
		return response(reply{status: 200, body: `{"orderId":"o_1","currency":"USD","amountMicros":` + amount + `,"payment":` +
			string(required(requirement(s.terms(amount)))) + `}`}), nil
	}
	var q wire.CompletePurchase
	if err := wire.Decode(body, &q); err != nil {
		return nil, err
	}
	header, err := base64.StdEncoding.DecodeString(r.Header.Get("PAYMENT-SIGNATURE"))
	if err != nil || !bytes.Equal(header, q.Proof) {
		return nil, errors.New("the header is not the proof")
	}
	s.mu.Lock()
	s.n++
	a := s.answer(s.n)
	s.proofs[string(q.Proof)] = true
	s.asked[s.payTo] = true
	amount := s.orders[q.PurchaseID]
	s.mu.Unlock()
	if a.moved {
		want := requirement(s.terms(amount))
		rec := httptest.NewRecorder()
		(&facilitator.Handler{Chain: s.chain}).ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/settle",
			strings.NewReader(`{"x402Version":2,"paymentPayload":`+string(q.Proof)+`,"paymentRequirements":`+want+`}`)))
		switch success := strings.Contains(rec.Body.String(), `"success":true`); {
		case a.status == 200 && !success:
			a = reply{status: 402, body: "{}"} // as the stock seller does, which settles before it sends what it sells
		case a.status == 200:
			a.says = rec.Body.String() // the facilitator's words, as the stock seller sends them on
		}
	}
	switch {
	case a.status == 0:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case a.status < 0:
		return nil, errors.New("connection reset")
	case a.status == 200:
		a.body = `{"accessToken":"tok","creditMicros":` + amount + `,"expiresAt":"2100-01-01T00:00:00Z","paymentReference":"ref_1"}`
	}
	return response(a), nil
}

// terms are what the seller wants changed in a requirement.
func (s *stock) terms(amount string) map[string]string {
	change := map[string]string{"amount": `"` + amount + `"`}
	if s.payTo != "" {
		change["payTo"] = `"` + s.payTo + `"`
	}
	return change
}

func response(a reply) *http.Response {
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	if a.header != "" {
		h.Set("Payment-Required", base64.StdEncoding.EncodeToString([]byte(a.header)))
	}
	if a.says != "" {
		h.Set("Payment-Response", base64.StdEncoding.EncodeToString([]byte(a.says)))
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body))}
}

// market is a gateway's desk with one seller, on a ledger and a chain of its own.
type market struct {
	t      testing.TB
	chain  *facilitator.Chain
	seller *stock
	ledger *ledger.Ledger
	desk   *purchase.Desk
	method *x402.Method
	want   purchase.Want
	stop   context.CancelFunc
}

func open(t testing.TB, balance uint64, answer func(n int) reply) *market {
	t.Helper()
	domain, err := x402.Domain(sepolia, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &market{t: t, chain: facilitator.NewChain(sepolia, domain)}
	m.chain.SetFinality(15 * time.Minute)
	m.chain.Mint(address(t, wallet), balance)
	m.seller = &stock{chain: m.chain, answer: answer, orders: make(map[string]string), proofs: make(map[string]bool), asked: make(map[string]bool)}
	if m.ledger, err = ledger.Open(ledger.Options{InMemory: true, Key: store.KeyFromSecret("k")}); err != nil {
		t.Fatal(err)
	}
	m.method = provisioned(t, x402.Config{
		Key: "{env.X402_TEST_WALLET}", Networks: []x402.Network{{ID: sepolia, RPC: []string{"http://node.example"}}}, DailyLimit: "20",
	})
	m.method.Via(m)
	m.want = purchase.Want{
		SellerID: "acme", Origin: "https://acme.example", BaseURL: "https://acme.example", Model: "m", Transport: m.seller,
		Methods: []purchase.NamedMethod{{Name: "x402", Method: m.method}}, Likely: 1000, Bound: 1000,
	}
	m.start()
	return m
}

// RoundTrip reaches the chain's node.
func (m *market) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	r = r.Clone(r.Context())
	r.URL.Path = "/rpc"
	(&facilitator.Handler{Chain: m.chain}).ServeHTTP(rec, r)
	return rec.Result(), nil
}

func (m *market) start() {
	var ctx context.Context
	ctx, m.stop = context.WithCancel(m.t.Context())
	m.desk = purchase.NewDesk(m.ledger, purchase.DeskOptions{Resolve: func(ledger.Purchase) (purchase.Want, bool) { return m.want, true }})
	m.desk.SetTerms(purchase.Terms{Amount: money.USD / 2, RebuyBelow: 1, DailyLimit: 20 * money.USD, SessionLimit: -1, SellerLimit: -1, ExpiryMargin: time.Minute})
	m.desk.Start(ctx)
}

// crash ends the desk and begins anew from the ledger.
func (m *market) crash() {
	m.stop()
	m.desk.Close()
	m.start()
}

func (m *market) close() {
	m.stop()
	m.desk.Close()
	if err := m.ledger.Close(); err != nil {
		m.t.Error(err)
	}
}

// request is a client's request that needs a token: it has one, or is told why not.
func (m *market) request() error {
	lease, err := m.desk.Lease(m.t.Context(), m.want)
	if err == nil {
		lease.Booked(ledger.Booked{})
	}
	return err
}

// ended waits until nothing is open any more. How the purchases have ended is in the entries.
func (m *market) ended() {
	m.t.Helper()
	for deadline := time.Now().Add(60 * time.Hour); len(m.ledger.OpenPurchases()) > 0; time.Sleep(time.Minute) {
		if time.Now().After(deadline) {
			m.t.Fatalf("open for ever: %+v", m.desk.Purchases())
		}
	}
}

// books are the two sides' books: what the ledger says that was paid, and the rail.
func (m *market) books() (paid, rail money.Micros, states string) {
	m.t.Helper()
	accounts, err := accountsOf(m.ledger)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, tr := range m.chain.Transfers() {
		rail += money.Micros(tr.Value)
	}
	return -accounts["wallet:x402"], rail, fmt.Sprint(accounts)
}

// wantReferences wants each purchase whose money has moved to be known by its transaction, whoever has told of it.
func (m *market) wantReferences() {
	m.t.Helper()
	transactions := make(map[eip3009.Hash]string)
	for _, tr := range m.chain.Transfers() {
		transactions[tr.Nonce] = tr.Transaction.String()
	}
	purchases, err := m.ledger.Purchases(m.t.Context(), ledger.PurchaseQuery{})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, p := range purchases {
		if want := transactions[x402.Nonce(p.Origin, p.ID)]; p.Reference != want {
			m.t.Errorf("a purchase that is %s has the reference %q, want %q", p.State, p.Reference, want)
		}
	}
}

func TestStockSeller(t *testing.T) {
	data, err := os.ReadFile("../../../shared/payments/x402-seller-answers.json")
	if os.IsNotExist(err) {
		t.Skip("the vectors are not beside this checkout")
	}
	type answer struct {
		Status          int
		Body            string
		PaymentRequired json.RawMessage
		PaymentResponse json.RawMessage
	}
	var cases []struct {
		Case           string
		MoneyMoved     bool
		Answer         *answer
		Answers        []answer
		SameProofAgain *answer
	}
	if err != nil || json.Unmarshal(data, &cases) != nil || len(cases) != 22 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, tc := range cases {
		t.Run(tc.Case, func(t *testing.T) {
			if len(tc.Answers) > 0 {
				tc.Answer = &tc.Answers[0]
			}
			to := func(a *answer) reply {
				if a == nil {
					return reply{}
				}
				return reply{status: a.Status, body: a.Body, header: string(a.PaymentRequired), says: string(a.PaymentResponse)}
			}
			first, again := to(tc.Answer), to(tc.Answer)
			first.moved = tc.MoneyMoved
			if tc.SameProofAgain != nil {
				again = to(tc.SameProofAgain)
				again.moved = again.status == 200
			}
			granted := first.status == 200 || again.status == 200
			moved := tc.MoneyMoved || again.status == 200
			t.Setenv("X402_TEST_WALLET", secret)
			synctest.Test(t, func(t *testing.T) {
				m := open(t, 10_000_000, func(n int) reply {
					if n == 1 {
						return first
					}
					return again
				})
				defer m.close()
				begun := time.Now()
				err := m.request()
				if (err == nil) != granted {
					t.Errorf("the request: %v", err)
				}
				if took := time.Since(begun); took > 10*time.Second {
					t.Errorf("the request was held for %s", took)
				}
				// As long as nobody knows, nothing more is bought there.
				if !granted {
					if err := m.request(); err == nil {
						t.Error("a second request has got a token")
					}
				}
				m.ended()
				paid, rail, states := m.books()
				if len(m.seller.proofs) != 1 {
					t.Errorf("%d different proofs", len(m.seller.proofs))
				}
				if paid != rail || (rail > 0) != moved || rail > money.USD/2 {
					t.Errorf("the ledger says %s was paid, the rail %s: %s", paid, rail, states)
				}
				m.wantReferences()
				switch {
				case granted && (!strings.Contains(states, "credit:acme") || strings.Contains(states, "disputed")),
					moved && !granted && !strings.Contains(states, "disputed:acme"):
					t.Errorf("booked as %s", states)
				}
			})
		})
	}
}

// accountsOf gives the sums of the ledger's accounts by name.
func accountsOf(l *ledger.Ledger) (map[string]money.Micros, error) {
	list, err := l.Accounts()
	sums := make(map[string]money.Micros)
	for _, a := range list {
		sums[a.Account] = a.BalanceMicros
	}
	return sums, err
}
