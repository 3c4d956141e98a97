package purchase

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// cashier is a method whose money moves when the seller cashes the proof.
type cashier struct {
	fakeMethod
	fate     func(n int) (payment.Outcome, error)
	asked    int
	patience time.Duration
	header   http.Header
	ended    []string
}

func (m *cashier) Fate(_ context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	return m.now(q, intent, m.fate, m.asked)
}

func (m *cashier) Patience(payment.Quote, json.RawMessage) time.Duration { return m.patience }

func (m *cashier) Present(proof json.RawMessage) http.Header {
	if string(proof) != `{"hash":"h"}` {
		panic("another proof")
	}
	return m.header
}

func (m *cashier) Ended(q payment.Quote, _ json.RawMessage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = append(m.ended, q.PurchaseID)
}

// says gives outcomes in turn, the last one again and again.
func says(o ...payment.Outcome) func(int) (payment.Outcome, error) {
	return func(n int) (payment.Outcome, error) { return o[min(n, len(o))-1], nil }
}

func refusing(times int) func(int) *http.Response {
	return func(n int) *http.Response {
		if n <= times {
			return reply(402, `{"error":{"code":"payment_refused"}}`)
		}
		return own()
	}
}

// What a refusal means is for the method to say: the money may have moved all the same, may yet move, or never will.
func TestFate(t *testing.T) {
	moved := payment.Outcome{Kind: payment.OutcomeProven}
	for name, c := range map[string]struct {
		seller func(int) *http.Response
		fate   func(int) (payment.Outcome, error)
		first  time.Duration // how long the first request waits
		got    error         // what it gets; nil: a token
		after  time.Duration // until the purchase has ended
		state  ledger.PurchaseState
		unpaid bool
		shut   bool // the seller gets no more money
	}{
		"the wallet is empty": {refusing(1000), says(payment.Failed(true)), 0, ErrRefused, 0, ledger.Failed, true, false},
		"the wallet is empty, as is known after a minute": {
			refusing(1000), says(append(make([]payment.Outcome, 9), payment.Failed(true))...), 4 * time.Second, ErrInDoubt, 5 * time.Minute, ledger.Failed, true, false,
		},
		"the seller was not ready":       {refusing(2), says(payment.Pending()), 2 * time.Second, nil, 0, ledger.Granted, false, false},
		"the seller has cashed it":       {refusing(1000), says(moved), 4 * time.Second, ErrInDoubt, 25 * time.Minute, ledger.Disputed, false, true},
		"it has cashed it, and grants":   {refusing(9), says(moved), 4 * time.Second, ErrInDoubt, 5 * time.Minute, ledger.Granted, false, false},
		"gone, the method can't say why": {refusing(1000), says(payment.Failed(false)), 0, ErrDisputed, 0, ledger.Disputed, false, false},
		"the rail is away": {refusing(1000), func(int) (payment.Outcome, error) {
			return payment.Outcome{}, errors.New("no answer")
		}, 4 * time.Second, ErrInDoubt, giveUpAfter + time.Hour, ledger.Disputed, false, false},
		"an answer without a token, cashed":     {always(200, `{}`), says(moved), 0, ErrDisputed, 0, ledger.Disputed, false, true},
		"an answer without a token, not cashed": {always(200, `{}`), says(payment.Failed(true)), 0, ErrRefused, 0, ledger.Failed, true, false},
		"silence, and it never moved":           {always(502, ``), says(payment.Failed(true)), time.Second, errUnknown, 0, ledger.Failed, true, false},
		"silence, cashed":                       {always(502, ``), says(moved), time.Second, ErrInDoubt, giveUpAfter + time.Hour, ledger.Disputed, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := &cashier{fate: c.fate}
			set := func(b *bench) {
				b.method, b.seller.answer = m, at(wire.PurchaseCompletePath, c.seller)
			}
			trade(t, set, func(t *testing.T, b *bench) {
				begun := time.Now()
				l, err := b.desk.Lease(t.Context(), b.want(1))
				if took := time.Since(begun); !errors.Is(err, c.got) || c.got == nil && err != nil || took > c.first {
					t.Errorf("after %s: %v, want %v within %s", took, err, c.got, c.first)
				}
				if l != nil {
					l.Return(-money.USD)
				}
				if c.after > 0 {
					if b.refusedLease(1, ErrInDoubt); b.journal.lastStep().State != ledger.Completing {
						t.Errorf("states %q", b.journal.states())
					}
					if doubt := b.desk.Purchases()[0].Doubt; strings.Contains(doubt, "has cashed") != strings.Contains(name, "has cashed") {
						t.Errorf("the operator is told %q", doubt)
					}
				}
				time.Sleep(c.after)
				if p := b.journal.lastStep(); p.State != c.state || p.Unpaid != c.unpaid {
					t.Errorf("ended as %s, unpaid: %v", p.State, p.Unpaid)
				}
				if m.paid != 1 || m.traced != 0 {
					t.Errorf("paid %d times, tracked %d times", m.paid, m.traced)
				}
				if synctest.Wait(); len(m.ended) != 1 {
					t.Errorf("told of %d ends", len(m.ended))
				}
				b.seller.answer = nil
				if c.shut {
					for range 2 { // the next desk knows it, too
						err := b.refusedLease(1, ErrWithheld)
						if lack, _ := Lacking(err); lack != LacksTrust {
							t.Errorf("it wants for %s", lack)
						}
						b.desk.Close()
						b.past = b.desk.Past()
						b.open(b.journal)
					}
					b.desk.Forgive("acme")
				}
				b.lease(1).Return(-money.USD)
			})
		})
	}
}

// The method says how long the seller may take with the proof, and which headers carry it; the protocol's own stay.
func TestPatienceAndPresent(t *testing.T) {
	for _, c := range []struct{ says, is time.Duration }{
		{0, 30 * time.Second}, {-1, 30 * time.Second}, {2 * time.Minute, 2 * time.Minute}, {time.Hour, maxPatience}, {5 * time.Second, 5 * time.Second},
	} {
		m := &cashier{patience: c.says, fate: says(payment.Pending()), header: http.Header{
			"payment-signature": {"c2lnbmVk"}, "Idempotency-Key": {"mine"}, "Authorization": {"Bearer x"}, "X-Two-Lines": {"a\r\nb: c"},
			"Not A Name": {"x"}, "Host": {"elsewhere"}, "X-Large": {strings.Repeat("x", maxPresented)}, "X-Tokenbuddy-Balance-Micros": {"1"},
		}}
		var took time.Duration
		set := func(b *bench) {
			b.method = m
			b.seller.heard = func(r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, wire.PurchaseCompletePath) {
					return
				}
				if r.Header.Get("Payment-Signature") != "c2lnbmVk" || r.Header.Get("Idempotency-Key") == "mine" || len(r.Header) != 5 {
					t.Errorf("headers %v", r.Header)
				}
				if deadline, ok := r.Context().Deadline(); ok {
					took = time.Until(deadline)
				}
			}
		}
		trade(t, set, func(t *testing.T, b *bench) {
			b.lease(1).Return(0)
			if took != c.is {
				t.Errorf("it has %s, want %s", took, c.is)
			}
		})
	}
}

// After a crash while a refused proof could still be cashed, nothing is paid anew, and the same proof is shown.
func TestFateAfterACrash(t *testing.T) {
	p := leftAt(t)[ledger.Completing]
	m := &cashier{fate: says(payment.Pending(), payment.Pending(), payment.Failed(true))}
	set := func(b *bench) {
		b.method, b.itself, b.journal.open = m, true, []ledger.Purchase{p}
		b.seller.answer = at(wire.PurchaseCompletePath, refusing(1000))
	}
	trade(t, set, func(t *testing.T, b *bench) {
		time.Sleep(time.Minute)
		if last := b.journal.lastStep(); last.State != ledger.Failed || !last.Unpaid || m.paid != 0 {
			t.Errorf("ended as %s, paid %d times", last.State, m.paid)
		}
		for _, a := range b.seller.calls {
			if proof, _ := json.Marshal(a.body["proof"]); a.key != p.ID || string(proof) != `{"hash":"h"}` {
				t.Errorf("asked with %s under %s", proof, a.key)
			}
		}
	})
}

// A purchase that waits long for its payment is asked about as soon as another config is in force: it may be what was wanting.
func TestPendingUnderANewConfig(t *testing.T) {
	m := &cashier{fate: says(payment.Pending())}
	set := func(b *bench) {
		b.method, b.seller.answer = m, at(wire.PurchaseCompletePath, always(502, ``))
	}
	trade(t, set, func(t *testing.T, b *bench) {
		_, _ = b.desk.Lease(t.Context(), b.want(1))
		time.Sleep(giveUpAfter / 2)
		synctest.Wait()
		b.seller.answer = nil
		b.desk.SetTerms(*b.desk.terms.Load())
		time.Sleep(time.Second)
		if p := b.journal.lastStep(); p.State != ledger.Granted {
			t.Errorf("a second after it the purchase is %s", p.State)
		}
	})
}

func TestGrants(t *testing.T) {
	const granted, disputed, doubt = 'g', 'd', '?'
	for name, c := range map[string]struct {
		status int
		body   string
		ends   rune
	}{
		"no token":       {200, `{"creditMicros":5}`, disputed},
		"no credit":      {200, `{"accessToken":"t"}`, disputed},
		"zero":           {200, `{"accessToken":"t","creditMicros":0}`, disputed},
		"negative":       {200, `{"accessToken":"t","creditMicros":-5}`, disputed},
		"absurd":         {200, `{"accessToken":"t","creditMicros":9000000000000000000}`, disputed},
		"fraction":       {200, `{"accessToken":"t","creditMicros":0.5}`, disputed},
		"line break":     {200, `{"accessToken":"t\r\nX-A: b","creditMicros":5}`, disputed},
		"space":          {200, `{"accessToken":"t t","creditMicros":5}`, disputed},
		"not ASCII":      {200, `{"accessToken":"tö","creditMicros":5}`, disputed},
		"long":           {200, `{"accessToken":"` + strings.Repeat("t", maxToken+1) + `","creditMicros":5}`, disputed},
		"an error":       {200, `{"error":{"code":"payment_refused"}}`, disputed},
		"longest":        {200, `{"accessToken":"` + strings.Repeat("t", maxToken) + `","creditMicros":5}`, granted},
		"odd expiry":     {200, `{"accessToken":"t","creditMicros":5,"expiresAt":17}`, granted},
		"odd reference":  {200, `{"accessToken":"t","creditMicros":5,"paymentReference":{}}`, granted},
		"snake_case":     {200, `{"access_token":"t","credit_micros":5,"expires_at":"2100-01-01T00:00:00Z"}`, granted},
		"a float":        {200, `{"accessToken":"t","creditMicros":5000000.0}`, granted},
		"with exponent":  {200, `{"accessToken":"t","creditMicros":5.0E6}`, granted},
		"a text":         {200, `{"accessToken":"t","creditMicros":"5000000"}`, disputed},
		"more than paid": {200, `{"accessToken":"t","creditMicros":6000000}`, granted},

		"order_expired":        {410, `{"error":{"code":"order_expired","message":"` + secretText + `"}}`, disputed},
		"order_unknown":        {404, `{"error":{"code":"order_unknown"}}`, disputed},
		"payment_refused":      {402, `{"error":{"code":"payment_refused"}}`, disputed},
		"amount_refused":       {400, `{"error":{"code":"amount_refused"}}`, disputed},
		"idempotency_conflict": {409, `{"error":{"code":"idempotency_conflict"}}`, disputed},

		"empty":            {200, "", doubt},
		"not JSON":         {200, "<html>" + secretText, doubt},
		"cut":              {200, `{"accessToken":"t","creditMicros":`, doubt},
		"a list":           {200, `[]`, doubt},
		"too large":        {200, strings.Repeat(" ", maxAnswer+1), doubt},
		"400":              {400, secretText, doubt},
		"401":              {401, `{"error":{"code":"invalid_api_key"}}`, doubt},
		"402":              {402, `{}`, doubt},
		"404":              {404, `{"error":"order_unknown"}`, doubt},
		"409":              {409, secretText, doubt},
		"503":              {503, `{}`, doubt},
		"a refusal, cut":   {402, `{"error":{"code":"payment_refused"}`, doubt},
		"another's code":   {402, `{"error":{"code":"payment_required"}}`, doubt},
		"a redirect":       {302, `{"error":{"code":"payment_refused"}}`, doubt},
		"refused at large": {402, `{"error":{"code":"payment_refused"}}` + strings.Repeat(" ", maxAnswer), doubt},
	} {
		t.Run(name, func(t *testing.T) {
			set := func(b *bench) {
				b.seller.answer = at(wire.PurchaseCompletePath, func(n int) *http.Response {
					if c.ends == doubt && n > 2*maxTries {
						return own() // the one after many has the token
					}
					return reply(c.status, c.body)
				})
			}
			trade(t, set, func(t *testing.T, b *bench) {
				want := wholeWay
				switch c.ends {
				case granted:
					l := b.lease(1)
					if !strings.HasPrefix(l.Bearer(), "t") {
						t.Errorf("lease %+v", l)
					}
					l.Return(0)
					b.wantCalls(1, 1)
				case disputed:
					b.refusedLease(1, ErrDisputed)
					b.wantCalls(1, 1)
					want = strings.Replace(wholeWay, "granted", "disputed", 1)
				case doubt:
					b.refusedLease(1, ErrInDoubt)
					b.wantCalls(1, maxTries)
					time.Sleep(time.Minute)
					b.lease(1).Return(0)
					b.wantCalls(1, 2*maxTries+1)
				}
				if got := b.journal.states(); got != want {
					t.Errorf("states %q, want %q", got, want)
				}
			})
		})
	}
}

// A complete whose fate is unknown is asked again, for as long as it takes, and nothing else is bought meanwhile.
func TestCompleteInDoubt(t *testing.T) {
	set := func(b *bench) {
		b.seller.answer = at(wire.PurchaseCompletePath, func(n int) *http.Response {
			switch {
			case n == 1:
				return nil
			case n < 8:
				return reply(503, "")
			}
			return own()
		})
	}
	trade(t, set, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrInDoubt)
		b.wantCalls(1, 3)
		started := time.Now()
		b.refusedLease(1, ErrInDoubt)
		if time.Since(started) > 0 {
			t.Error("a request waited for a purchase in doubt")
		}
		if open := b.desk.Credit().Sellers[0].Open; open == nil || open.Doubt == "" {
			t.Errorf("open purchase: %+v", open)
		}
		time.Sleep(time.Minute)
		b.lease(1).Return(0)
		b.wantCalls(1, 8)
		for _, a := range b.seller.calls {
			if a.key != b.seller.calls[0].key || a.body["purchaseId"] != a.key {
				t.Errorf("another key: %+v", a)
			}
		}
		if b.logged("purchase.in_doubt") != 1 || b.logged("purchase.token.succeeded") != 1 {
			t.Error("not logged, or too often")
		}
	})
}

func TestCompleteIsGivenUp(t *testing.T) {
	set := func(b *bench) { b.seller.answer = at(wire.PurchaseCompletePath, always(500, "")) }
	trade(t, set, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrInDoubt)
		time.Sleep(giveUpAfter + time.Hour)
		if p := b.journal.lastStep(); p.State != ledger.Disputed {
			t.Errorf("after a day the purchase is %s", p.State)
		}
	})
}
