package purchase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// unruly is a method that misbehaves on command: in each step as it is told, else it pays.
type unruly struct {
	mu    sync.Mutex
	how   map[string]string // step: what it does
	asked map[string]int
	let   chan struct{} // lets go what blocks
}

func newUnruly(how ...string) *unruly {
	u := &unruly{how: make(map[string]string), asked: make(map[string]int)}
	for i := 0; i < len(how); i += 2 {
		u.how[how[i]] = how[i+1]
	}
	return u
}

// here has what blocks belong to the bubble of the test.
func (u *unruly) here() *unruly {
	u.let = make(chan struct{})
	return u
}

func (u *unruly) behave(step string) error {
	u.mu.Lock()
	u.asked[step]++
	how := u.how[step]
	u.mu.Unlock()
	switch how {
	case "panic":
		panic(secretText)
	case "panic nil":
		none := map[string]*unruly{}[step]
		none.how["x"] = "y"
	case "exit":
		runtime.Goexit()
	case "nil error":
		var none *unreadable
		return none
	case "block":
		<-u.let
	case "error":
		return errors.New("the wallet\x1b[2J is locked\n" + strings.Repeat("x", 2*maxText))
	}
	return nil
}

// unreadable is an error whose text can't be had of a nil pointer, which is an error all the same.
type unreadable struct{ text string }

func (e *unreadable) Error() string { return e.text }
func (e *unreadable) Unwrap() error { return errors.New(e.text) }

func (u *unruly) set(step, how string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.how[step] = how
}

func (u *unruly) count(step string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked[step]
}

func (u *unruly) Check(payment.Quote, money.Micros) error { return u.behave("check") }

func (u *unruly) Prepare(context.Context, payment.Quote) (json.RawMessage, error) {
	return json.RawMessage(`{"nonce":1}`), u.behave("prepare")
}

func (u *unruly) Pay(context.Context, payment.Quote, json.RawMessage) (payment.Outcome, error) {
	return payment.Proven(json.RawMessage(`{"hash":"h"}`)), u.behave("pay")
}

func (u *unruly) Track(context.Context, payment.Quote, json.RawMessage) (payment.Outcome, error) {
	return payment.Proven(json.RawMessage(`{"hash":"h"}`)), u.behave("track")
}

func (u *unruly) Fate(context.Context, payment.Quote, json.RawMessage) (payment.Outcome, error) {
	return payment.Pending(), u.behave("fate")
}

func (u *unruly) Patience(payment.Quote, json.RawMessage) time.Duration {
	_ = u.behave("patience")
	return 0
}

func (u *unruly) Present(json.RawMessage) http.Header {
	_ = u.behave("present")
	return http.Header{"X-Proof": {"h"}}
}

func (u *unruly) Ended(payment.Quote, json.RawMessage) { _ = u.behave("ended") }

// A method that panics or exits before it has paid has failed, and nothing is paid; later, the fate of the money is not known,
// and the doubt names the method. Either way the house stands, and what it says when it panics is not repeated.
func TestGuestsThatPanic(t *testing.T) {
	for _, how := range []string{"panic", "panic nil", "exit", "nil error"} {
		for step, doubt := range map[string]bool{
			"check": false, "prepare": false, "pay": true, "track": true, "fate": true, "patience": false, "present": false, "ended": false,
		} {
			if how == "nil error" && slices.Contains([]string{"patience", "present", "ended"}, step) {
				continue // they give none
			}
			t.Run(how+" in "+step, func(t *testing.T) {
				u := newUnruly(step, how)
				set := func(b *bench) {
					b.method = u
					switch step {
					case "track":
						u.set("pay", "error")
					case "fate":
						b.seller.answer = at(wire.PurchaseCompletePath, refusing(2))
					}
				}
				trade(t, set, func(t *testing.T, b *bench) {
					fault := new(GuestError)
					switch {
					case step == "check" || step == "prepare":
						l, err := b.desk.Lease(t.Context(), b.want(1))
						if l != nil || !errors.As(err, &fault) || fault.Method != "fake" || fault.Step != step {
							t.Errorf("it got %v, %v", l, err)
						}
						if p := b.journal.lastStep(); p.State != ledger.Failed || !p.Unpaid || u.count("pay") > 0 {
							t.Errorf("ended as %+v", p)
						}
						u.set(step, "")
						b.lease(1).Return(0)
					case doubt:
						if err := b.refusedLease(1, ErrInDoubt); !errors.As(err, &fault) || fault.Step != step {
							t.Errorf("the doubt does not name the method: %v", err)
						}
						if open := b.desk.Credit().Sellers[0].Open; open == nil || !strings.Contains(open.Doubt, "fake") {
							t.Errorf("open: %+v", open)
						}
						u.set(step, "")
						time.Sleep(time.Minute)
						b.lease(1).Return(0)
						if u.count("pay") != 1 {
							t.Errorf("paid %d times", u.count("pay"))
						}
						b.wantCalls(1, map[bool]int{false: 1, true: 3}[step == "fate"])
					default:
						b.lease(1).Return(0)
					}
					synctest.Wait()
					if b.faulty("fake "+step) == 0 || b.logged("payment.method.misbehaved") != 1 {
						t.Errorf("observed %v, logged %d times", b.faults, b.logged("payment.method.misbehaved"))
					}
				})
			})
		}
	}
}

// wordy is a method that gives more than can be written down.
type wordy struct {
	*unruly
	intent, proof bool
}

var tooMuch = json.RawMessage(`"` + strings.Repeat("x", maxGuestJSON) + `"`)

func (w *wordy) Prepare(ctx context.Context, q payment.Quote) (json.RawMessage, error) {
	if w.intent {
		w.intent = false
		return tooMuch, nil
	}
	return w.unruly.Prepare(ctx, q)
}

func (w *wordy) Pay(ctx context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	if w.proof {
		_ = w.behave("pay")
		return payment.Proven(tooMuch), nil
	}
	return w.unruly.Pay(ctx, q, intent)
}

// What a method gives is no longer than can be written down: with an intent that is, nothing is paid, and of a proof that is the method is asked again.
func TestGuestsThatSayTooMuch(t *testing.T) {
	w := &wordy{unruly: newUnruly(), intent: true}
	trade(t, func(b *bench) { b.method = w }, func(t *testing.T, b *bench) {
		if l, err := b.desk.Lease(t.Context(), b.want(1)); l != nil || !errors.Is(err, ErrRefused) {
			t.Errorf("it got %v, %v", l, err)
		}
		if p := b.journal.lastStep(); p.State != ledger.Failed || !p.Unpaid || w.count("pay") > 0 {
			t.Errorf("ended as %+v", p.State)
		}
		b.lease(1).Return(0)
	})
	w = &wordy{unruly: newUnruly(), proof: true}
	trade(t, func(b *bench) { b.method = w }, func(t *testing.T, b *bench) {
		fault := new(GuestError)
		if err := b.refusedLease(1, ErrInDoubt); !errors.As(err, &fault) || fault.Step != "pay" {
			t.Errorf("the doubt does not name the method: %v", err)
		}
		<-time.After(time.Minute)
		b.lease(1).Return(0)
		if w.count("pay") != 1 || w.count("track") != 1 {
			t.Errorf("paid %d times, tracked %d times", w.count("pay"), w.count("track"))
		}
	})
}

// signs is a method whose proof has signs in it that stand for something in HTML.
type signs struct{ payment.Mock }

func (signs) Pay(context.Context, payment.Quote, json.RawMessage) (payment.Outcome, error) {
	return payment.Proven(json.RawMessage(`{"sig":"<a&b>\u0026"}`)), nil
}

// A proof reaches the seller as the method has written it: a rail's signature may be over its bytes.
func TestProofAsItIs(t *testing.T) {
	trade(t, func(b *bench) { b.method = signs{} }, func(t *testing.T, b *bench) {
		var told []byte
		b.seller.heard = func(r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(err)
			}
			if r.Body = io.NopCloser(bytes.NewReader(body)); strings.HasSuffix(r.URL.Path, wire.PurchaseCompletePath) {
				told = body
			}
		}
		b.lease(1).Return(0)
		if !bytes.Contains(told, []byte(`"proof":{"sig":"<a&b>\u0026"}`)) {
			t.Errorf("the seller was told %s", told)
		}
	})
}

// A method that blocks, heedless of its context, holds up nothing but its purchase, and that one goes on without the call.
func TestGuestsThatBlock(t *testing.T) {
	for _, step := range []string{"check", "prepare", "pay", "track", "fate", "ended"} {
		t.Run(step, func(t *testing.T) {
			u := newUnruly(step, "block")
			set := func(b *bench) {
				b.method = u.here()
				switch step {
				case "track":
					u.set("pay", "error")
				case "fate":
					b.seller.answer = at(wire.PurchaseCompletePath, refusing(1000))
				}
			}
			trade(t, set, func(t *testing.T, b *bench) {
				defer func() { close(u.let); synctest.Wait() }()
				if step == "ended" {
					b.lease(1).Return(0)
				} else {
					b.refusedLease(1, ErrTooSlow)
				}
				time.Sleep(stepTime + 2*guestGrace)
				if b.logged("payment.method.misbehaved") == 0 {
					t.Error("not a word")
				}
				time.Sleep(time.Hour)
				switch step {
				case "check", "prepare":
					if p := b.journal.lastStep(); p.State != ledger.Failed || !p.Unpaid {
						t.Errorf("ended as %s", p.State)
					}
				case "pay", "track", "fate":
					b.refusedLease(1, ErrInDoubt)
					if n := u.count(step); n != 1 {
						t.Errorf("%d calls block at once", n)
					}
				}
				// The rest of the house lives.
				other := b.want(1)
				other.SellerID, other.Methods = "other", []NamedMethod{{"mock", payment.Mock{}}}
				b.seller.answer = nil
				b.leaseFor(other).Return(0)
				begun := time.Now()
				if b.desk.Close(); time.Since(begun) > 2*guestGrace {
					t.Errorf("closing took %s", time.Since(begun))
				}
			})
		})
	}
}

// What comes back late is asked for again, not lost.
func TestAGuestThatComesBack(t *testing.T) {
	u := newUnruly("pay", "block")
	trade(t, func(b *bench) { b.method = u.here() }, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrTooSlow)
		time.Sleep(10 * time.Minute)
		close(u.let)
		time.Sleep(lastRetry)
		b.lease(1).Return(0)
		if u.count("pay") != 1 || u.count("track") != 1 {
			t.Errorf("asked %v", u.asked)
		}
	})
}

// The log has one line a minute of a method that never stops.
func TestGuestsAreLoggedOnceAMinute(t *testing.T) {
	u := newUnruly("pay", "error", "track", "panic")
	trade(t, func(b *bench) { b.method = u.here() }, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrInDoubt)
		time.Sleep(time.Hour)
		faults, lines := b.faulty("fake track"), b.logged("payment.method.misbehaved")
		if faults < lines || lines < 10 || lines > 61 {
			t.Errorf("%d faults, %d lines", faults, lines)
		}
		if open := b.desk.Credit().Sellers[0].Open; open == nil {
			t.Error("it is not shown")
		}
	})
}

// What a method says is shown as far as it can be printed.
func TestWhatGuestsSay(t *testing.T) {
	u := newUnruly("prepare", "error")
	trade(t, func(b *bench) { b.method = u.here() }, func(t *testing.T, b *bench) {
		_, err := b.desk.Lease(t.Context(), b.want(1))
		if text := err.Error(); strings.ContainsAny(text, "\x1b\n") || !strings.Contains(text, "is locked") || len(text) > 2*maxText {
			t.Errorf("error %q", text)
		}
	})
	for link, ok := range map[string]bool{
		"https://pay.example/x?y=1": true, "http://pay.example": false, "javascript:alert(1)": false, "https://": false, "": false,
		"https://me:secret@pay.example": false, "https://pay.example/\x1b[2J": false, "https://pаy.example": false, "https:pay.example": false,
		"https://pay.example/" + strings.Repeat("x", maxLink): false, "HTTPS://pay.example": true, "data:text/html,x": false,
	} {
		if got := secureLink(link); (got == link) != ok && link != "" || !ok && got != "" {
			t.Errorf("link %q is shown as %q", link, got)
		}
	}
	for said, shown := range map[string]string{
		"scan it": "scan it", "a\nb\x00c\x1b[31m": "a b c [31m", "right\u202eleft": "right left", "\xff": " ", "Schönen Tag, 你好": "Schönen Tag, 你好",
	} {
		if got := legible(said, maxText); got != shown {
			t.Errorf("%q is shown as %q", said, got)
		}
	}
	if got := legible(strings.Repeat("ö", maxText), maxText); len(got) > maxText || !strings.HasSuffix(got, "ö") {
		t.Errorf("cut to %q", got)
	}
	m := &fakeMethod{
		pay: func(int) (payment.Outcome, error) {
			return payment.NeedsHuman("javascript:alert(1)", "scan\x1b[2J").As("tx\n1"), nil
		},
		track: func(int) (payment.Outcome, error) { return payment.Outcome{Kind: 77}, nil },
	}
	trade(t, func(b *bench) { b.method = m }, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrInDoubt)
		open := b.desk.Purchases()
		if len(open) != 1 || open[0].Link != "" || open[0].Hint != "scan [2J" {
			t.Errorf("open %+v", open)
		}
		time.Sleep(time.Second)
		if b.faulty("fake track") == 0 {
			t.Error("an outcome that there is none of passes")
		}
	})
}

// The newest instance of a name is asked, whatever was begun with; Cleanup comes once nothing uses the old one.
func TestTheNewestInstance(t *testing.T) {
	pending := func() *fakeMethod {
		return &fakeMethod{pay: says(payment.Pending()), track: says(payment.Pending())}
	}
	first, second := pending(), new(fakeMethod)
	trade(t, func(b *bench) { b.method = first }, func(t *testing.T, b *bench) {
		var cleaned, last atomic.Bool
		withdraw := b.desk.Offer(NamedMethod{"fake", first}, func() {
			cleaned.Store(true)
			panic("at the end")
		})
		b.refusedLease(1, ErrTooSlow)
		withdraw()
		time.Sleep(lastRetry)
		if asked := first.tracked(); asked == 0 || cleaned.Load() {
			t.Fatalf("asked %d times, cleaned up: %v, while a purchase needs it", asked, cleaned.Load())
		}
		withdraw = b.desk.Offer(NamedMethod{"fake", second}, func() { last.Store(true) })
		if !cleaned.Load() {
			t.Error("not cleaned up though a newer one is there")
		}
		asked := first.tracked()
		time.Sleep(2 * lastRetry)
		if first.tracked() != asked || second.tracked() != 1 {
			t.Errorf("the old one was asked %d times more, the new one %d times", first.tracked()-asked, second.tracked())
		}
		b.lease(1).Return(0)
		if last.Load() {
			t.Error("cleaned up in force")
		}
		if withdraw(); !last.Load() {
			t.Error("not cleaned up at the end")
		}
		if b.faulty("fake cleanup") != 1 {
			t.Errorf("observed %v", b.faults)
		}
		if n := len(b.desk.methods.names); n != 0 {
			t.Errorf("%d names are kept", n)
		}
	})
	// A call that is out keeps its instance.
	u := newUnruly("check", "block")
	trade(t, func(b *bench) { b.method = u.here() }, func(t *testing.T, b *bench) {
		var cleaned atomic.Bool
		withdraw := b.desk.Offer(NamedMethod{"fake", u}, func() { cleaned.Store(true) })
		b.refusedLease(1, ErrTooSlow)
		withdraw()
		time.Sleep(time.Hour)
		if cleaned.Load() {
			t.Error("cleaned up under a call")
		}
		close(u.let)
		if synctest.Wait(); !cleaned.Load() {
			t.Error("not cleaned up after it")
		}
	})
}

// A method hears of the end of a purchase before its Cleanup, where that purchase was the last that needed it.
func TestTheEndBeforeTheCleanup(t *testing.T) {
	u := newUnruly("pay", "block")
	trade(t, func(b *bench) { b.method = u.here() }, func(t *testing.T, b *bench) {
		told := make(chan int, 1)
		withdraw := b.desk.Offer(NamedMethod{"fake", u}, func() { told <- u.count("ended") })
		got := make(chan *Lease)
		go func() { got <- b.lease(1) }()
		synctest.Wait() // it is being paid
		withdraw()
		close(u.let)
		(<-got).Return(0)
		if n := <-told; n != 1 {
			t.Errorf("it had heard of %d ends when it was cleaned up", n)
		}
	})
}

// boundless is a method that says it may pay less than nothing on a day.
type boundless struct{ fakeMethod }

func (*boundless) MostPerDay() money.Micros { return -money.USD }

// A limit below zero is none that there is: the least there is holds, and not none.
func TestADayOfLessThanNothing(t *testing.T) {
	trade(t, func(b *bench) { b.method = new(boundless) }, func(t *testing.T, b *bench) {
		b.lease(1).Return(0)
		for _, p := range b.journal.steps {
			if (p.State == ledger.Prepared || p.State == ledger.Paying) && p.PerDayMicros != 1 {
				t.Errorf("%s with a limit of %d micros a day", p.State, int64(p.PerDayMicros))
			}
		}
	})
}
