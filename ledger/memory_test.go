package ledger_test

import (
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestTypicalCompletion: by model, once ten were seen, over a restart; what was cut is not seen.
func TestTypicalCompletion(t *testing.T) {
	o := ledger.Options{Dir: t.TempDir()}
	l := open(t, o)
	buy(t, l, "t1", "acme", 10*money.USD)
	answer := func(tokens int64, change func(*ledger.Inference)) {
		t.Helper()
		in := inference(hold("", "acme", "t1"), 10)
		in.Settlement.SettlementID, in.Usage = "", billing.Usage{Tokens: money.Tokens{Prompt: 1, Completion: tokens}, PromptKnown: true, CompletionKnown: true}
		if change != nil {
			change(&in)
		}
		if _, err := l.Settle(in).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	usual := func(model string, want int64) {
		t.Helper()
		if got := l.TypicalCompletion(model); got != want {
			t.Errorf("of %s %d are usual, want %d", model, got, want)
		}
	}
	for range 9 {
		answer(700, nil)
	}
	answer(5_000, func(in *ledger.Inference) { in.Status = ledger.StatusInterrupted })
	answer(5_000, func(in *ledger.Inference) { in.Model = "other" })
	usual("m", billing.NotSeen)
	answer(2_800, func(in *ledger.Inference) { in.Answers = 4 })
	usual("m", 768)
	usual("other", billing.NotSeen)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, o)
	usual("m", 768)
	usual("nobody's", billing.NotSeen)
	if allocs := testing.AllocsPerRun(100, func() { l.TypicalCompletion("m") }); allocs > 0 {
		t.Errorf("it allocates %v times", allocs)
	}
	mustVerify(t, l)
}

func responseKey(n int) (key ledger.ResponseKey) {
	binary.BigEndian.PutUint64(key[:], uint64(n))
	return key
}

// TestResponses: who made one is known over a restart, while its time is not over, and no longer than there is room.
func TestResponses(t *testing.T) {
	c := &clock{now: moment("2026-03-01T12:00:00Z")}
	o := ledger.Options{Dir: t.TempDir(), Now: c.read}
	l := open(t, o)
	made := ledger.Response{Member: 7, Seller: "acme", Origin: origin, Model: "m", Tokens: 1_234, Until: c.now.Add(time.Hour)}
	after := func(want map[int]ledger.Response) {
		t.Helper()
		mustVerify(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, o)
		got := map[int]ledger.Response{}
		if err := l.EachResponse(func(key ledger.ResponseKey, r ledger.Response) {
			got[int(binary.BigEndian.Uint64(key[:]))] = r
		}); err != nil || !maps.Equal(got, want) {
			t.Errorf("kept are %+v, %v, want %+v", got, err, want)
		}
	}
	l.PutResponse(responseKey(1), made)
	l.PutResponse(responseKey(2), made)
	l.DropResponse(responseKey(2))
	after(map[int]ledger.Response{1: made})
	later := made
	later.Tokens, later.Until = 9, made.Until.Add(time.Hour)
	c.set(made.Until.Add(-time.Second))
	l.PutResponse(responseKey(3), later)
	after(map[int]ledger.Response{1: made, 3: later})
	l.PutResponse(responseKey(1), later) // another time is up for it
	l.PutResponse(responseKey(4), made)
	c.set(made.Until.Add(time.Second))
	l.PutResponse(responseKey(5), later)
	l.PutResponse(responseKey(6), later) // sweeps
	c.set(later.Until)
	newest := later
	newest.Until = later.Until.Add(time.Hour)
	l.PutResponse(responseKey(7), newest)
	l.PutResponse(responseKey(8), newest)
	after(map[int]ledger.Response{7: newest, 8: newest})
}

func TestResponsesAreBounded(t *testing.T) {
	l := open(t, ledger.Options{InMemory: true})
	const most = 100_000
	for n := range most + 10 {
		l.PutResponse(responseKey(n), ledger.Response{Seller: "acme", Origin: origin, Until: time.Now().Add(time.Hour)})
	}
	if _, err := l.Stand(t.Context()); err != nil { // what was queued is durable
		t.Fatal(err)
	}
	kept := map[uint64]bool{}
	if err := l.EachResponse(func(key ledger.ResponseKey, _ ledger.Response) { kept[binary.BigEndian.Uint64(key[:])] = true }); err != nil {
		t.Fatal(err)
	}
	if len(kept) != most || kept[9] || !kept[10] || !kept[most+9] {
		t.Errorf("%d responses are kept, the ninth: %t", len(kept), kept[9])
	}
}

// TestLedgerOfThePreviousVersion opens, holds, and goes on: its holds say less of their requests, and its failed attempts did not count.
func TestLedgerOfThePreviousVersion(t *testing.T) {
	kept, err := os.Open("testdata/previous.backup")
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	c := &clock{now: moment("2026-03-02T13:00:30Z")}
	o := ledger.Options{Dir: filepath.Join(t.TempDir(), "books"), Key: testKey, Now: c.read}
	if r, err := ledger.Restore(t.Context(), o, kept); err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	l := open(t, o)
	mustVerify(t, l)
	accounts, err := l.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	balances := map[string]money.Micros{}
	for _, a := range accounts {
		balances[a.Account] = a.BalanceMicros
	}
	// 400 is an estimate of the open hold: a quarter of 800 bytes.
	if balances["credit:acme"] != 95_000 || balances["waste:acme"] != 1_440 || balances["expense:ann:m"] != 4_760+400 {
		t.Errorf("accounts %+v", accounts)
	}
	for _, token := range l.Tokens() {
		if want := map[string]money.Micros{"t1": 5_000, "t2": 1_600}[token.ID]; token.BorneMicros != want {
			t.Errorf("of token %s %d are borne, want %d", token.ID, token.BorneMicros, want)
		}
	}
	h := hold("new", "best", "t2")
	h.AmountMicros, h.BodyBytes = 3_000, 400
	if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	in := inference(h, 100)
	in.Exclusive, in.Settlement.BalanceMicros = true, new(money.Micros(97_000)) // puts the old estimates right
	if b, err := l.Settle(in).Wait(t.Context()); err != nil || b.TokenDelta != 97_000-98_400 {
		t.Errorf("booked %+v, %v", b, err)
	}
	mustVerify(t, l)
}
