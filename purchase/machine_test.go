package purchase

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const wholeWay = "creating quoted prepared paying proven completing granted"

// at answers the calls of one path with f, and the others as the seller does.
func at(path string, f func(n int) *http.Response) func(int, asked) *http.Response {
	return func(n int, a asked) *http.Response {
		if !strings.HasSuffix(a.path, path) {
			return own()
		}
		return f(n)
	}
}

func always(status int, body string) func(int) *http.Response {
	return func(int) *http.Response { return reply(status, body) }
}

func TestOrders(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		states string
	}{
		"more than asked":   {200, `{"orderId":"o","amountMicros":5000001,"currency":"USD"}`, "creating failed"},
		"nothing":           {200, `{"orderId":"o","amountMicros":0,"currency":"USD"}`, "creating failed"},
		"negative":          {200, `{"orderId":"o","amountMicros":-1,"currency":"USD"}`, "creating failed"},
		"fraction":          {200, `{"orderId":"o","amountMicros":1.5,"currency":"USD"}`, "creating failed"},
		"not a number":      {200, `{"orderId":"o","amountMicros":"5","currency":"USD"}`, "creating failed"},
		"too big for 64":    {200, `{"orderId":"o","amountMicros":92233720368547758080,"currency":"USD"}`, "creating failed"},
		"euros":             {200, `{"orderId":"o","amountMicros":5,"currency":"EUR"}`, "creating failed"},
		"no currency":       {200, `{"orderId":"o","amountMicros":5}`, "creating failed"},
		"no id":             {200, `{"amountMicros":5,"currency":"USD"}`, "creating failed"},
		"not JSON":          {200, secretText, "creating failed"},
		"an array":          {200, `[]`, "creating failed"},
		"null":              {200, `null`, "creating failed"},
		"too large":         {200, `{"orderId":"o","amountMicros":5,"currency":"USD","payment":"` + strings.Repeat("x", maxAnswer) + `"}`, "creating failed"},
		"400":               {400, secretText, "creating failed"},
		"409":               {409, secretText, "creating failed"},
		"500":               {500, secretText, "creating failed"},
		"302":               {302, "", "creating failed"},
		"429":               {429, "", "creating failed"},
		"expired":           {200, `{"orderId":"o","amountMicros":5,"currency":"USD","expiresAt":"1999-01-01T00:00:00Z"}`, "creating quoted prepared expired"},
		"expires when?":     {200, `{"orderId":"o","amountMicros":5000000,"currency":"USD","expiresAt":"soon"}`, wholeWay},
		"less than asked":   {200, `{"orderId":"o","amountMicros":1,"currency":"USD","payment":{"a":1}}`, wholeWay},
		"snake_case, 201":   {201, `{"order_id":"o","amount_micros":5000000,"currency":"USD"}`, wholeWay},
		"connection breaks": {0, "", "creating failed"},
	} {
		t.Run(name, func(t *testing.T) {
			method := new(fakeMethod)
			unsure := c.status == 0 || c.status == 302 || c.status >= 429
			set := func(b *bench) {
				b.method = method
				b.seller.answer = at(wire.PurchaseCreatePath, func(int) *http.Response {
					if c.status == 0 {
						return nil
					}
					return reply(c.status, c.body)
				})
			}
			trade(t, set, func(t *testing.T, b *bench) {
				if c.states == wholeWay {
					b.lease(1).Return(0)
				} else if unsure {
					b.refusedLease(1, errUnknown)
				} else {
					b.refusedLease(1, ErrRefused)
				}
				if got := b.journal.states(); got != c.states {
					t.Errorf("states %q, want %q", got, c.states)
				}
				create, _ := b.seller.count()
				want := 1
				if unsure {
					want = maxTries
				}
				if create != want {
					t.Errorf("asked %d times, want %d", create, want)
				}
				if c.states != wholeWay {
					if p := b.journal.lastStep(); method.paid != 0 || !p.Unpaid || p.Failure == "" {
						t.Errorf("paid %d times; recorded as %+v", method.paid, p)
					}
				}
			})
		})
	}
}

// A seller that does not answer keeps a request for ten seconds, and a step for thirty.
func TestHangingSeller(t *testing.T) {
	set := func(b *bench) { b.seller.delay = time.Hour }
	trade(t, set, func(t *testing.T, b *bench) {
		started := time.Now()
		b.refusedLease(1, ErrTooSlow)
		if d := time.Since(started); d != patience {
			t.Errorf("waited %s", d)
		}
		b.refusedLease(1, ErrTooSlow)
		if d := time.Since(started); d != patience {
			t.Errorf("waited again for a purchase that is known to be slow: %s", d)
		}
		time.Sleep(3*stepTime + time.Second)
		b.wantCalls(3, 0)
		if got := b.journal.states(); got != "creating failed" {
			t.Errorf("states %q", got)
		}
		// The next purchase hangs as well: only who has nobody else waits for it.
		started = time.Now()
		impatient := b.want(1)
		impatient.Others = true
		if _, err := b.desk.Lease(t.Context(), impatient); !errors.Is(err, ErrTooSlow) || time.Since(started) != 0 {
			t.Errorf("%v after %s", err, time.Since(started))
		}
		b.refusedLease(1, ErrTooSlow)
		if d := time.Since(started); d != patience {
			t.Errorf("waited %s", d)
		}
	})
}

func TestPayments(t *testing.T) {
	lost := errors.New("lost")
	proof := json.RawMessage(`{"hash":"h"}`)
	script := func(o ...any) func(int) (payment.Outcome, error) {
		return func(n int) (payment.Outcome, error) {
			switch v := o[min(n, len(o))-1].(type) {
			case error:
				return payment.Outcome{}, v
			default:
				return v.(payment.Outcome), nil
			}
		}
	}
	for name, c := range map[string]struct {
		pay, track func(int) (payment.Outcome, error)
		err        error // of the first lease, nil: it gets its token
		states     string
		traced     int
	}{
		"at once":          {nil, nil, nil, wholeWay, 0},
		"pending":          {script(payment.Pending()), script(payment.Pending(), payment.Pending(), payment.Proven(proof)), nil, wholeWay, 3},
		"error, then paid": {script(lost), script(lost, payment.Proven(proof)), nil, wholeWay, 2},
		"never reached":    {script(lost), script(payment.Failed(true)), ErrRefused, "creating quoted prepared paying failed", 1},
		"failed, unpaid":   {script(payment.Failed(true)), nil, ErrRefused, "creating quoted prepared paying failed", 0},
		"failed, paid":     {script(payment.Failed(false)), nil, ErrDisputed, "creating quoted prepared paying failed", 0},
		"human": {
			script(payment.NeedsHuman("https://pay.example", "scan")), script(payment.NeedsHuman("https://pay.example", "scan"), payment.Proven(proof)), ErrInDoubt,
			strings.Replace(wholeWay, "paying", "paying needs_human", 1), 2,
		},
		"proof is no JSON": {
			script(payment.Proven(json.RawMessage("{"))), script(payment.Proven(json.RawMessage("{")), payment.Proven(proof)), ErrInDoubt, wholeWay, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &fakeMethod{pay: c.pay, track: c.track}
			trade(t, func(b *bench) { b.method = m }, func(t *testing.T, b *bench) {
				if c.err != nil {
					b.refusedLease(1, c.err)
				} else {
					b.lease(1).Return(0)
				}
				time.Sleep(time.Minute)
				if got := b.journal.states(); got != c.states {
					t.Errorf("states %q, want %q", got, c.states)
				}
				if m.paid != 1 || m.traced != c.traced {
					t.Errorf("paid %d times and tracked %d times, want 1 and %d", m.paid, m.traced, c.traced)
				}
				for _, q := range m.quotes {
					if q.PurchaseID == "" || q.OrderID != "o_1" || q.AmountMicros != 5*money.USD || string(q.Payment) != "{}" || q.ExpiresAt.IsZero() {
						t.Errorf("quote %+v", q)
					}
				}
				if name == "human" {
					e := b.logs.FilterMessage("purchase.in_doubt").All()
					if len(e) != 1 || e[0].ContextMap()["hint"] != "scan; its link: caddy tokenbuddy purchases show "+b.journal.lastStep().ID {
						t.Errorf("logged %v", e)
					}
					if said := fmt.Sprint(e[0].ContextMap(), b.doubted); strings.Contains(said, "pay.example") {
						t.Errorf("a link in the log, or in an event: %s", said)
					}
				}
			})
		})
	}
}

func TestMethodsThatRefuse(t *testing.T) {
	no := errors.New("the wallet is locked")
	for name, c := range map[string]struct {
		method *fakeMethod
		err    error
	}{
		"check":              {&fakeMethod{check: no}, words(no.Error())},
		"prepare":            {&fakeMethod{prepare: no}, words(no.Error())},
		"intent is not JSON": {&fakeMethod{intent: "{"}, ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			trade(t, func(b *bench) { b.method = c.method }, func(t *testing.T, b *bench) {
				b.refusedLease(1, c.err)
				if got := b.journal.states(); got != "creating quoted failed" || c.method.paid != 0 || !b.journal.lastStep().Unpaid {
					t.Errorf("states %q, paid %d times", got, c.method.paid)
				}
				if p := b.journal.lastStep(); len(p.Payment)+len(p.Intent)+len(p.Proof) > 0 {
					t.Errorf("what the seller has written is kept for good: %s %s %s", p.Payment, p.Intent, p.Proof)
				}
				if b.logged("purchase.failed") != 1 {
					t.Error("not logged")
				}
			})
		})
	}
}

// Each step is on disk before it is taken: where the ledger fails, nothing after it happens.
func TestLedgerFails(t *testing.T) {
	calls := map[ledger.PurchaseState][2]int{
		ledger.Creating: {0, 0}, ledger.Quoted: {1, 0}, ledger.Prepared: {1, 0}, ledger.Paying: {1, 0},
		ledger.Proven: {1, 0}, ledger.Completing: {1, 0}, ledger.Granted: {1, 1},
	}
	for state, want := range calls {
		t.Run(string(state), func(t *testing.T) {
			m := new(fakeMethod)
			set := func(b *bench) { b.method, b.journal.fail = m, state }
			trade(t, set, func(t *testing.T, b *bench) {
				b.refusedLease(1, errJournal)
				b.wantCalls(want[0], want[1])
				if paid := slices.Index(strings.Fields(wholeWay), string(state)) > 3; (m.paid == 1) != paid {
					t.Errorf("paid %d times", m.paid)
				}
				if state != ledger.Creating {
					b.refusedLease(1, ErrInDoubt)
				}
			})
		})
	}
}

// Closing the desk leaves the purchase as it is on disk.
func TestCloseWhileBuying(t *testing.T) {
	set := func(b *bench) { b.seller.delay = 5 * time.Second }
	trade(t, set, func(t *testing.T, b *bench) {
		go func() {
			time.Sleep(time.Second)
			b.desk.Close()
		}()
		b.refusedLease(1, ErrClosed)
		if got := b.journal.states(); got != "creating" {
			t.Errorf("states %q", got)
		}
		b.refusedLease(1, ErrClosed)
	})
}

// A seller that nobody listens for is given up at the first try: the next one is quicker.
func TestNobodyThere(t *testing.T) {
	method := new(fakeMethod)
	set := func(b *bench) {
		b.method = method
		b.seller.fail = &net.OpError{Op: "dial", Err: errors.New("refused")}
	}
	trade(t, set, func(t *testing.T, b *bench) {
		begun := time.Now()
		b.refusedLease(1, ErrUnreached)
		if took := time.Since(begun); took != 0 {
			t.Errorf("it took %s to see that nobody is there", took)
		}
		if got := b.journal.states(); got != "creating failed" {
			t.Errorf("states %q", got)
		}
	})
}

// What is paid just before its order is over, by a human or by a program, is shown to the seller while that takes it.
func TestPaidJustInTime(t *testing.T) {
	for name, waits := range map[string]payment.Outcome{"for a human": needsHuman, "for a program": payment.Pending()} {
		t.Run(name, func(t *testing.T) {
			var paid time.Time
			m := &fakeMethod{pay: func(int) (payment.Outcome, error) { return waits, nil }}
			m.track = func(int) (payment.Outcome, error) {
				if time.Now().Before(paid) {
					return waits, nil
				}
				return payment.Proven(json.RawMessage(`{"hash":"h"}`)), nil
			}
			trade(t, func(b *bench) { b.method = m }, func(t *testing.T, b *bench) {
				expires := time.Now().Add(15 * time.Minute)
				paid = expires.Add(-30 * time.Second)
				b.seller.answer = func(_ int, a asked) *http.Response {
					switch {
					case strings.HasSuffix(a.path, wire.PurchaseCreatePath):
						return reply(200, fmt.Sprintf(`{"orderId":"o_1","amountMicros":5000000,"currency":"USD","payment":{},"expiresAt":%q}`,
							expires.UTC().Format(time.RFC3339)))
					case !time.Now().Before(expires):
						return reply(410, `{"error":{"code":"order_expired"}}`)
					}
					return own()
				}
				go func() { _, _ = b.desk.Lease(t.Context(), b.want(1)) }()
				<-time.After(20 * time.Minute)
				if got := b.journal.lastStep(); got.State != ledger.Granted || got.UpdatedAt.After(paid.Add(trackAgain+time.Second)) {
					t.Errorf("%s at %s, paid at %s: %s", got.State, got.UpdatedAt, paid, got.Failure)
				}
				if n := m.tracked(); n > 200 {
					t.Errorf("tracked %d times in a quarter of an hour", n)
				}
			})
		})
	}
}
