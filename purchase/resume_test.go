package purchase

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// leftAt is a purchase that a process has left in each state it can die in.
func leftAt(t *testing.T) map[ledger.PurchaseState]ledger.Purchase {
	t.Helper()
	left := make(map[ledger.PurchaseState]ledger.Purchase)
	human := func(n int) (payment.Outcome, error) {
		if n == 1 {
			return payment.NeedsHuman("https://pay.example", "scan"), nil
		}
		return payment.Proven(json.RawMessage(`{"hash":"h"}`)), nil
	}
	m := &fakeMethod{pay: human, track: func(int) (payment.Outcome, error) { return human(2) }}
	trade(t, func(b *bench) { b.method = m }, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrInDoubt)
		time.Sleep(time.Minute)
		b.journal.mu.Lock()
		defer b.journal.mu.Unlock()
		for _, p := range b.journal.steps {
			if !p.State.Ended() {
				left[p.State] = p
			}
		}
	})
	if len(left) != 7 {
		t.Fatalf("%d states that a process can die in", len(left))
	}
	return left
}

// From every state that a dead process may have left, the purchase goes on by itself or, where it is not known how to reach
// the seller, with the first request: with the same key, never paid twice, and its token serves.
func TestCrashPoints(t *testing.T) {
	for state, p := range leftAt(t) {
		for _, itself := range []bool{true, false} {
			name := string(state)
			if itself {
				name += ", by itself"
			}
			t.Run(name, func(t *testing.T) {
				m := new(fakeMethod)
				set := func(b *bench) { b.method, b.itself, b.journal.open = m, itself, []ledger.Purchase{p} }
				trade(t, set, func(t *testing.T, b *bench) {
					if synctest.Wait(); has(b.desk, b.want(1)) != itself {
						t.Errorf("its token is there before any request: %v, want %v", !itself, itself)
					}
					l := b.lease(1)
					defer l.Return(0)
					if l.TokenID() != p.ID {
						t.Errorf("another purchase was made: %s, not %s", l.TokenID(), p.ID)
					}
					create, pay, track := 0, 0, 0
					way := wholeWay[strings.Index(wholeWay, "paying"):]
					switch state {
					case ledger.Creating:
						create, pay = 1, 1
					case ledger.Quoted, ledger.Prepared:
						pay = 1
					case ledger.Paying, ledger.NeedsHuman:
						track = 1
					}
					if state != ledger.NeedsHuman {
						way = wholeWay[strings.Index(wholeWay, name[:len(state)]):]
					}
					if _, rest, _ := strings.Cut(way, " "); b.journal.states() != rest {
						t.Errorf("went on as %q, want %q", b.journal.states(), rest)
					}
					b.wantCalls(create, 1)
					if m.paid != pay || m.traced != track {
						t.Errorf("paid %d times and tracked %d times, want %d and %d", m.paid, m.traced, pay, track)
					}
					for _, a := range b.seller.calls {
						if a.key != p.ID {
							t.Errorf("key %s, want %s", a.key, p.ID)
						}
					}
				})
			})
		}
	}
}

// What follows when seller or rail do not play along after a restart: nothing is paid that another process may have paid, and
// what has certainly not been paid can be bought anew.
func TestCrashThenTrouble(t *testing.T) {
	left := leftAt(t)
	outcome := func(o payment.Outcome, err error) func(int) (payment.Outcome, error) {
		return func(int) (payment.Outcome, error) { return o, err }
	}
	for name, c := range map[string]struct {
		state  ledger.PurchaseState
		track  func(int) (payment.Outcome, error)
		seller func(int, asked) *http.Response
		fail   error                // of every call of the seller
		over   ledger.PurchaseState // which passes a limit
		ends   ledger.PurchaseState // empty: it stays open
		unpaid bool                 // the money is back
		err    error                // of a request that comes then; nil: it buys anew
	}{
		"an order of that key is there":   {state: ledger.Creating, seller: at(wire.PurchaseCreatePath, onceThen(409)), ends: ledger.Failed, unpaid: true},
		"the seller is gone":              {state: ledger.Creating, fail: &net.OpError{Op: "dial", Err: errors.New("refused")}, ends: ledger.Failed, unpaid: true, err: ErrUnreached},
		"the limits are lower now":        {state: ledger.Prepared, over: ledger.Paying, ends: ledger.Failed, unpaid: true, err: new(LimitError)},
		"the payment was never reached":   {state: ledger.Paying, track: outcome(payment.Failed(true), nil), ends: ledger.Failed, unpaid: true},
		"the payment failed, and is gone": {state: ledger.Paying, track: outcome(payment.Failed(false), nil), ends: ledger.Failed},
		"nobody knows of the payment":     {state: ledger.Paying, track: outcome(payment.Outcome{}, errors.New("lost")), err: ErrTooSlow},
		"the payment is still pending":    {state: ledger.Paying, track: outcome(payment.Pending(), nil), err: ErrTooSlow},
		"the payment waits for a human":   {state: ledger.NeedsHuman, track: outcome(payment.NeedsHuman("https://pay.example", "scan"), nil), err: ErrInDoubt},
		"a human has called it off":       {state: ledger.NeedsHuman, track: outcome(payment.Failed(true), nil), ends: ledger.Failed, unpaid: true},
		"the key was used otherwise":      {state: ledger.Completing, seller: at(wire.PurchaseCompletePath, onceRefused("idempotency_conflict")), ends: ledger.Disputed},
		"the seller has lost its memory":  {state: ledger.Proven, seller: at(wire.PurchaseCompletePath, onceRefused("order_unknown")), ends: ledger.Disputed},
		"the seller can't say":            {state: ledger.Completing, seller: at(wire.PurchaseCompletePath, always(503, "")), err: ErrInDoubt},
	} {
		t.Run(name, func(t *testing.T) {
			m := &fakeMethod{track: c.track}
			set := func(b *bench) {
				b.method, b.itself, b.journal.open, b.journal.over = m, true, []ledger.Purchase{left[c.state]}, c.over
				b.seller.answer, b.seller.fail = c.seller, c.fail
			}
			trade(t, set, func(t *testing.T, b *bench) {
				time.Sleep(11 * time.Second) // more than a request waits for a purchase
				open := b.desk.Credit().Sellers[0].Open
				if m.paid != 0 {
					t.Errorf("paid %d times", m.paid)
				}
				if c.ends == "" {
					if open == nil || open.PurchaseID != left[c.state].ID || open.State != string(c.state) {
						t.Errorf("open: %+v", open)
					}
				} else if p := b.journal.lastStep(); p.State != c.ends || p.Unpaid != c.unpaid || open != nil {
					t.Errorf("ended as %+v; open: %+v", p, open)
				}
				asked, steps := len(b.seller.calls), len(b.journal.steps)
				begun := time.Now()
				l, err := b.desk.Lease(t.Context(), b.want(1))
				if time.Since(begun) > time.Second {
					t.Errorf("a request waited %s", time.Since(begun))
				}
				if c.err != nil && !errors.Is(err, c.err) && !errors.As(err, new(*LimitError)) {
					t.Errorf("a request got %v, want %v", err, c.err)
				}
				if c.ends == "" && (len(b.seller.calls) != asked || len(b.journal.steps) != steps) {
					t.Error("another purchase was begun beside the open one")
				}
				if c.err != nil {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if l.TokenID() == left[c.state].ID || m.paid != 1 {
					t.Errorf("the next request has token %s, and %d payments were made", l.TokenID(), m.paid)
				}
				l.Return(0)
			})
		})
	}
}

// onceThen refuses the first call, and lets the seller answer all others.
func onceThen(status int) func(int) *http.Response {
	return func(n int) *http.Response {
		if n == 1 {
			return reply(status, secretText)
		}
		return own()
	}
}

// onceRefused is onceThen for a refusal of the protocol.
func onceRefused(code string) func(int) *http.Response {
	return func(n int) *http.Response {
		if n == 1 {
			return reply(404, `{"error":{"code":"`+code+`"}}`)
		}
		return own()
	}
}

// A process that starts after a weekend, when its network is not up yet, does not give up what was paid at the first try; but
// it does not ask for ever.
func TestCrashThenWeekend(t *testing.T) {
	p := leftAt(t)[ledger.Completing]
	p.UpdatedAt = p.UpdatedAt.Add(-2 * giveUpAfter)
	set := func(b *bench) {
		b.method, b.itself, b.journal.open = new(fakeMethod), true, []ledger.Purchase{p}
		b.seller.answer = at(wire.PurchaseCompletePath, always(503, ""))
	}
	trade(t, set, func(t *testing.T, b *bench) {
		time.Sleep(askFor - time.Minute)
		if got := b.journal.states(); got != "" {
			t.Errorf("states %q before an hour was over", got)
		}
		time.Sleep(lastRetry + 2*time.Minute)
		if got := b.journal.states(); got != "disputed" {
			t.Errorf("states %q", got)
		}
	})
}

// A token that names no expiry serves one request. Where nobody is there when it comes, it waits for the first one, also over
// another restart.
func TestUnclaimedToken(t *testing.T) {
	p := leftAt(t)[ledger.Proven]
	set := func(b *bench) {
		b.method, b.itself, b.journal.open, b.seller.validFor = new(fakeMethod), true, []ledger.Purchase{p}, 0
	}
	trade(t, set, func(t *testing.T, b *bench) {
		for range 2 {
			time.Sleep(2 * sweepEvery)
			if got := b.journal.reasons(); len(got) > 0 || b.desk.Credit().LeftMicros == 0 {
				t.Fatalf("dropped: %q", got)
			}
			b.desk.Close()
			b.journal.open = nil
			b.open(b.journal)
		}
		l := b.lease(1)
		if l.TokenID() != p.ID {
			t.Error("another token was bought")
		}
		l.Return(-1)
		synctest.Wait()
		if got := b.journal.reasons(); !slices.Equal(got, []string{noExpiry}) {
			t.Errorf("dropped: %q", got)
		}
	})
}

// Where nothing may be bought, such a token is credit that is there.
func TestUnclaimedTokenWithoutPurchase(t *testing.T) {
	p := leftAt(t)[ledger.Proven]
	set := func(b *bench) {
		b.method, b.itself, b.journal.open, b.seller.validFor = new(fakeMethod), true, []ledger.Purchase{p}, 0
	}
	trade(t, set, func(t *testing.T, b *bench) {
		synctest.Wait()
		w := b.want(1)
		w.NoPurchase = true
		free := b.want(0)
		free.NoPurchase = true
		if b.desk.Covers(free) {
			t.Error("it is there for what costs nothing")
		}
		if _, err := b.desk.Lease(t.Context(), free); !errors.Is(err, ErrNoCredit) {
			t.Errorf("what costs nothing has used it up: %v", err)
		}
		if !b.desk.Covers(w) {
			t.Error("no token is there")
		}
		l, err := b.desk.Lease(t.Context(), w)
		if err != nil || l.TokenID() != p.ID {
			t.Fatalf("no token, or another: %v", err)
		}
		l.Return(-1)
		if b.desk.Covers(w) {
			t.Error("it is there once more")
		}
		if _, err := b.desk.Lease(t.Context(), w); !errors.Is(err, ErrNoCredit) {
			t.Errorf("it serves twice: %v", err)
		}
	})
}

// A prepared order that has expired while nobody was there is not paid.
func TestCrashThenExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, seller: newSeller(), journal: newJournal(), method: new(fakeMethod), terms: testTerms, lacks: make(map[Lack]int), faults: make(map[string]int)}
		b.journal.fail = ledger.Paying
		b.open(b.journal)
		if _, err := b.desk.Lease(t.Context(), b.want(1)); err == nil {
			t.Fatal("bought with a broken ledger")
		}
		b.desk.Close()
		b.journal.open, b.journal.fail = []ledger.Purchase{b.journal.lastStep()}, ""
		if s := b.journal.open[0].State; s != ledger.Prepared {
			t.Fatalf("left as %s", s)
		}
		time.Sleep(2 * time.Minute)
		b.open(b.journal)
		defer b.desk.Close()
		b.refusedLease(1, ErrRefused)
		if p := b.journal.lastStep(); p.State != ledger.Expired || b.method.(*fakeMethod).paid != 0 {
			t.Errorf("ended as %s", p.State)
		}
	})
}

// A purchase left open blocks new ones while nobody knows how to go on with it.
func TestCrashThenOtherConfig(t *testing.T) {
	p := leftAt(t)[ledger.Completing]
	p.Method = "gone"
	set := func(b *bench) { b.itself, b.journal.open = true, []ledger.Purchase{p} }
	trade(t, set, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrInDoubt)
		b.wantCalls(0, 0)
		if open := b.desk.Credit().Sellers[0].Open; open == nil || !strings.Contains(open.Doubt, "not configured") {
			t.Errorf("open: %+v", open)
		}
	})
}

// remembers is a method that has more to say of a payment than the books of a backup.
type remembers struct {
	*fakeMethod
	says  payment.Outcome
	asked atomic.Int32
}

func (r *remembers) TrackRestored(context.Context, payment.Quote, json.RawMessage) (payment.Outcome, error) {
	r.asked.Add(1)
	return r.says, nil
}

// Of a purchase that was open in a backup the method is asked as of one of which it is not known how far it has gone.
func TestCrashThenRestored(t *testing.T) {
	for _, restored := range []bool{false, true} {
		p := leftAt(t)[ledger.Paying]
		p.Restored = restored
		m := &remembers{fakeMethod: &fakeMethod{track: says(payment.Failed(true))}, says: payment.Failed(false)}
		trade(t, func(b *bench) { b.method, b.itself, b.journal.open = m, true, []ledger.Purchase{p} }, func(t *testing.T, b *bench) {
			time.Sleep(time.Minute)
			if p := b.journal.lastStep(); p.State != ledger.Failed || p.Unpaid == restored || m.asked.Load() > 0 != restored {
				t.Errorf("restored %v: %s, unpaid %v, asked %d times", restored, p.State, p.Unpaid, m.asked.Load())
			}
		})
	}
}

// Nor is it cancelled as one that was not paid, on a word that rests on the books.
func TestCancelRestored(t *testing.T) {
	p := leftAt(t)[ledger.Paying]
	p.Restored = true
	m := &remembers{fakeMethod: &fakeMethod{track: says(payment.Failed(true))}, says: payment.Pending()}
	trade(t, func(b *bench) { b.method, b.itself, b.journal.open = m, true, []ledger.Purchase{p} }, func(t *testing.T, b *bench) {
		if err := b.desk.Cancel(t.Context(), p.ID, "ada"); !errors.Is(err, ErrMayHaveLeft) || m.asked.Load() == 0 {
			t.Errorf("%v, asked %d times", err, m.asked.Load())
		}
	})
}

// It goes on by itself once the seller and the terms are known, whichever comes last.
func TestResume(t *testing.T) {
	for _, termsLast := range []bool{true, false} {
		p := leftAt(t)[ledger.Completing]
		synctest.Test(t, func(t *testing.T) {
			b := &bench{t: t, seller: newSeller(), journal: newJournal(), method: new(fakeMethod)}
			b.journal.open = []ledger.Purchase{p}
			var known atomic.Bool
			d := NewDesk(b.journal, DeskOptions{Resolve: func(ledger.Purchase) (Want, bool) { return b.want(0), known.Load() }})
			d.Start(t.Context())
			defer d.Close()
			steps := []func(){func() { d.SetTerms(testTerms) }, func() { known.Store(true); d.SellersChanged() }}
			if termsLast {
				slices.Reverse(steps)
			}
			steps[0]()
			synctest.Wait()
			b.wantCalls(0, 0)
			steps[1]()
			synctest.Wait()
			b.wantCalls(0, 1)
			if !has(d, b.want(1)) {
				t.Error("the purchase was not taken up by itself")
			}
		})
	}
}
