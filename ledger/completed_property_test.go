package ledger_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// fleetWorld is a world whose ledger is that of a gateway of a fleet.
type fleetWorld struct {
	world
	paid []string // purchases that have ended
}

func (w *fleetWorld) open(t *rapid.T) {
	l, err := ledger.Open(ledger.Options{Dir: w.dir, Key: testKey, Now: w.now, Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	w.l = l
	w.l.SetShares(newFleet())
}

func (w *fleetWorld) purchase(t *rapid.T) {
	amount := money.Micros(rapid.Int64Range(2_000, 10_000).Draw(t, "amount"))
	p := ledger.Purchase{
		ID: w.name("t"), Seller: rapid.SampledFrom(sellers).Draw(t, "seller"), Origin: origin, Method: "mock", AmountMicros: amount,
		Token: &ledger.Token{Secret: "x", CreditMicros: amount + money.Micros(rapid.Int64Range(0, 100).Draw(t, "bonus")) - 50, ExpiresAt: w.now().Add(time.Hour)},
	}
	stop := len(wayToGranted)
	if p.Token.CreditMicros <= 0 || rapid.IntRange(0, 3).Draw(t, "ends") == 0 {
		stop = rapid.IntRange(1, len(wayToGranted)-1).Draw(t, "stop")
	}
	for _, p.State = range wayToGranted[:stop] {
		expect(t, w.l.Advance(context.Background(), p, noLimits))
	}
	if p.State == ledger.Granted {
		w.tokens = append(w.tokens, p.ID)
		w.paid = append(w.paid, p.ID)
		return
	}
	if p.State = rapid.SampledFrom([]ledger.PurchaseState{"", ledger.Failed, ledger.Expired, ledger.Disputed}).Draw(t, "end"); p.State != "" {
		p.Unpaid = rapid.Bool().Draw(t, "unpaid")
		if err := w.l.Advance(context.Background(), p, noLimits); err != nil && (p.State != ledger.Disputed || stop > 3) {
			t.Fatal(err)
		}
		w.paid = append(w.paid, p.ID)
	}
}

// serve has a request be settled by a token that can pay for it, or be wasted there, and may have taken back at once what that has booked.
func (w *fleetWorld) serve(t *rapid.T) {
	live := w.l.Tokens()
	if len(live) == 0 {
		return
	}
	token := rapid.SampledFrom(live).Draw(t, "token")
	h := hold(w.name("h"), token.Seller, token.ID)
	h.IdempotencyKey = h.ID
	expect(t, w.l.PlaceHold(h).Wait(context.Background()))
	in := inference(h, money.Micros(rapid.Int64Range(0, int64(token.BalanceMicros)/2).Draw(t, "billed")))
	book := w.l.Settle
	if rapid.IntRange(0, 3).Draw(t, "waste") == 0 {
		book, in.Status = w.l.Waste, ledger.StatusFailed
	}
	if _, err := book(in).Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if booked, _, _ := w.l.Head(context.Background()); rapid.Bool().Draw(t, "taken back") {
		w.takeBack(t, booked)
	}
}

// takeBack takes back what an entry has cost.
func (w *fleetWorld) takeBack(t *rapid.T, seq uint64) {
	key := ""
	err := w.l.Rows(context.Background(), seq-1, func(n uint64, raw, _ []byte) error {
		if n != seq {
			return nil
		}
		c, err := ledger.CostOf(raw)
		key = c.IdempotencyKey
		return err
	})
	if err == nil {
		err = w.l.Retract(context.Background(), seq, key, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *fleetWorld) retract(t *rapid.T) {
	newest, _, err := w.l.Head(context.Background())
	if err != nil || newest == 0 {
		t.Skip("nothing")
	}
	w.takeBack(t, rapid.Uint64Range(1, newest).Draw(t, "entry"))
}

func (w *fleetWorld) share(t *rapid.T) {
	id, _ := w.token(t)
	for _, token := range w.l.Tokens() {
		if token.ID == id {
			by := money.Micros(rapid.Int64Range(-6_000, 2_000).Draw(t, "by"))
			if !token.Shared {
				by = min(by, -1)
			}
			if _, _, err := w.l.MovePart(context.Background(), token, by); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (w *fleetWorld) take(t *rapid.T) {
	id := w.name("f")
	token := ledger.Token{
		ID: id, PurchaseID: id, Seller: "best", Origin: origin, Method: "mock", Secret: "y", PaidMicros: 5_000, CreditMicros: 5_000,
		BoughtAt: w.now(), ExpiresAt: w.now().Add(time.Hour),
	}
	if _, _, err := w.l.MovePart(context.Background(), token, money.Micros(rapid.Int64Range(1, 3_000).Draw(t, "by"))); err != nil {
		t.Fatal(err)
	}
	w.tokens = append(w.tokens, id)
}

func (w *fleetWorld) refund(t *rapid.T) {
	if len(w.paid) == 0 {
		t.Skip("nothing")
	}
	_ = w.l.Refund(context.Background(), rapid.SampledFrom(w.paid).Draw(t, "purchase"), ledger.Refund{
		AmountMicros: money.Micros(rapid.Int64Range(1, 4_000).Draw(t, "amount")), Reference: w.name("back"),
	}, "")
}

// TestBackupIsCompletedWhateverIsDone: a backup of any moment, completed by what was shipped, is the ledger that the last backup has, whatever was done, and by
// whatever clock. What became of requests that were under way in it is not known, and of purchases neither what was no entry.
func TestBackupIsCompletedWhateverIsDone(t *testing.T) {
	if testing.Short() {
		t.Skip("it restores some hundred ledgers, each with its syncs")
	}
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Date(2026, 3, 1, 22, 0, 0, 0, time.UTC)
		w := new(fleetWorld)
		w.now = func() time.Time { return now }
		var err error
		if w.dir, err = os.MkdirTemp("", "ledger"); err != nil {
			rt.Fatal(err)
		}
		w.open(rt)
		rt.Cleanup(func() {
			w.l.Close()
			os.RemoveAll(w.dir)
		})
		w.purchase(rt)
		kept := [][]byte{backup(t, w.l)}
		rt.Repeat(map[string]func(*rapid.T){
			"purchase": w.purchase, "hold": w.hold, "settle": w.settle, "serve": w.serve, "serve more": w.serve, "serve yet more": w.serve, "drop": w.drop, "release": w.release,
			"retract": w.retract, "share": w.share, "take": w.take, "refund": w.refund,
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(-1_500, 1_600).Draw(t, "minutes")) * time.Minute)
			},
			"keep": func(*rapid.T) {
				for _, h := range w.holds { // what became of one is an estimate in who is made of that, as after a crash
					_ = w.l.ReleaseHold(h.ID).Wait(context.Background())
				}
				if len(kept) < 2 {
					kept = append(kept, backup(t, w.l))
				}
			},
		})
		if err := w.l.Close(); err != nil {
			rt.Fatal(err)
		}
		w.open(rt) // books what is open
		from := ship(t, w.l)
		o := ledger.Options{Now: w.now}
		lasting := func(all map[string]string) map[string]string { // a part of a token that has come to its end may stay, empty, until the token is over for all
			for key, value := range all {
				if strings.HasPrefix(key, "b/") && strings.HasPrefix(value, "{0.00 ") {
					delete(all, key)
					delete(all, "t/"+key[2:])
				}
			}
			return all
		}
		want := lasting(compared(t, restoredFrom(t, o, backup(t, w.l), from), len(from.rows)))
		for _, one := range kept {
			got := lasting(compared(t, restoredFrom(t, o, one, from), len(from.rows)))
			for key, value := range want {
				if got[key] != value {
					rt.Fatalf("%q is\n%s\nwant\n%s", key, got[key], value)
				}
			}
			for key := range got {
				if _, there := want[key]; !there && key[:2] != "p/" { // steps that are no entries are not shipped
					rt.Fatalf("%q is there: %s", key, got[key])
				}
			}
		}
	})
}
