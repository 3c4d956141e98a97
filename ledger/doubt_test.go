package ledger_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// clock is one that a test turns, while the ledger reads it.
type clock struct {
	mu  sync.Mutex
	now time.Time // written by the test's own goroutine alone, which may read it without the lock
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

var forTen = ledger.Budget{Daily: 10_000, Weekly: -1, Monthly: -1}

// giveUp places a hold of a thousand micros of ann's budget, if that bears it, and has the client go before any header came.
func giveUp(t *testing.T, l *ledger.Ledger, token string) (b ledger.Booked, sent bool) {
	t.Helper()
	r := l.Reserve("ann", forTen)
	if err := r.Hold(t.Context(), 1_000); err != nil {
		if !errors.As(err, new(*ledger.BudgetError)) {
			t.Fatal(err)
		}
		return b, false
	}
	h := hold(ledger.NewID(), "acme", token)
	h.AmountMicros, h.BodyBytes, h.PromptWhole = 1_000, 300, true
	if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	in := inference(h, 0)
	in.Settlement, in.Status, in.Answered, in.Asked, in.Budget = nil, ledger.StatusClientGone, false, true, r
	b, err := l.Settle(in).Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b, true
}

// TestGivenUpStaysHeld: sixty requests that are given up before their headers are no more than the budget bears: what they may
// have cost stays held for a minute, over a restart, too, or until a balance tells.
func TestGivenUpStaysHeld(t *testing.T) {
	for _, payer := range []string{"t1", ""} {
		c := &clock{now: moment("2026-03-01T12:00:00Z")}
		o := ledger.Options{Dir: t.TempDir(), Now: c.read}
		l := open(t, o)
		buy(t, l, "t1", "acme", money.USD)
		try := func(when string, want int) {
			t.Helper()
			sent := 0
			for range 60 {
				b, ok := giveUp(t, l, payer)
				if !ok {
					continue
				}
				if sent++; b.Entry.BilledMicros != 0 || b.InDoubt != 1_000 || !b.DoubtEnds.Equal(c.now.Add(time.Minute)) {
					t.Errorf("it is booked as %+v", b)
				}
			}
			if sent != want {
				t.Errorf("%s %d of 60 are sent, want %d (paid by %q)", when, sent, want, payer)
			}
		}
		try("at first", 10)
		c.set(c.now.Add(59 * time.Second))
		try("before the minute is over", 0)
		c.set(c.now.Add(time.Second))
		try("after it", 10)
		if payer == "" {
			continue // no balance tells, and nobody remembers
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, o)
		try("after a restart", 0)
		told := inference(hold("", "acme", "t1"), 100)
		told.Member, told.Exclusive, told.Settlement.BalanceMicros = "bob", true, new(money.USD-100-3_000)
		if b, err := l.Settle(told).Wait(t.Context()); err != nil || !b.Told {
			t.Fatalf("%+v, %v", b, err)
		}
		if day, _, held := spending(t, l, "ann"); day != 3_000 || held != 0 {
			t.Errorf("a balance has told: %d spent, %d held", day, held)
		}
		try("once a balance has told", 7)
		mustVerify(t, l)
	}
}

// TestDoubtOfACutAnswer: what was booked by estimate counts, and what it may have cost beside that is held.
func TestDoubtOfACutAnswer(t *testing.T) {
	c := &clock{now: moment("2026-03-01T12:00:00Z")}
	l := open(t, ledger.Options{InMemory: true, Now: c.read})
	in := inference(hold("", "mine", ""), 0)
	in.Shape = billing.Shape{BodyBytes: 400, PromptWhole: true, MaxOutput: 100} // 268 and 1,000 are the bound
	in.Settlement, in.Status, in.AnswerText = nil, ledger.StatusInterrupted, 40
	in.Budget = l.Reserve("ann", forTen)
	if err := in.Budget.Hold(t.Context(), 1_268); err != nil {
		t.Fatal(err)
	}
	b, err := l.Settle(in).Wait(t.Context())
	if err != nil || b.Entry.ExpenseMicros != 300 || b.InDoubt != 968 {
		t.Errorf("booked %+v, %v", b, err)
	}
	if day, _, held := spending(t, l, "ann"); day != 300 || held != 968 {
		t.Errorf("%d spent, %d held", day, held)
	}
	shown := func() money.Micros { return l.Reserve("ann", forTen).States()[0].HeldMicros }
	if held := shown(); held != 968 {
		t.Errorf("%d is shown as held", held)
	}
	c.set(c.now.Add(time.Minute))
	if held := shown(); held != 0 { // though nobody has asked for anything since
		t.Errorf("a minute later %d is shown as held", held)
	}
	if day, _, held := spending(t, l, "ann"); day != 300 || held != 0 {
		t.Errorf("a minute later %d spent, %d held", day, held)
	}
}

// TestFailedAttemptsCount in the budget of whoever has asked, though nobody bears them, over a restart, too.
func TestFailedAttemptsCount(t *testing.T) {
	c := &clock{now: moment("2026-03-01T12:00:00Z")}
	o := ledger.Options{Dir: t.TempDir(), Now: c.read}
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	h := hold("h1", "acme", "t1")
	h.AmountMicros, h.BodyBytes, h.PromptWhole, h.MaxOutput = 1_200, 300, true, 100
	if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	in := inference(h, 9_000) // the bound is 1,200: the rest is in dispute
	in.Status = ledger.StatusFailed
	b, err := l.Waste(in).Wait(t.Context())
	if err != nil || b.Entry.Attempt.BilledMicros != 9_000 || b.Entry.Attempt.CountedMicros != 1_200 || b.Disputed != 7_800 {
		t.Fatalf("booked %+v, %v", b, err)
	}
	cut := in
	cut.Settlement, cut.InDoubt, cut.Budget = nil, true, l.Reserve("ann", forTen) // 75 tokens of prompt, and perhaps all
	if err := cut.Budget.Hold(t.Context(), 1_200); err != nil {
		t.Fatal(err)
	}
	if b, err := l.Waste(cut).Wait(t.Context()); err != nil || b.Entry.Attempt.CountedMicros != 150 || b.InDoubt != 1_050 {
		t.Fatalf("booked %+v, %v", b, err)
	}
	if day, month, held := spending(t, l, "ann"); day != 1_350 || month != 1_350 || held != 1_050 {
		t.Errorf("%d and %d spent, %d held", day, month, held)
	}
	if _, err := l.Settle(ledger.Inference{Request: h.Request, HoldID: h.ID, Seller: "acme", Status: ledger.StatusFailed, Budget: cut.Budget}).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if losses, err := l.Losses(t.Context()); err != nil || losses["acme"] != (ledger.Losses{WasteMicros: 1_350, DisputedMicros: 7_800}) {
		t.Errorf("losses %+v, %v", losses, err)
	}
	mustVerify(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, o)
	if day, _, held := spending(t, l, "ann"); day != 1_350 || held != 1_050 {
		t.Errorf("after a restart %d spent, %d held", day, held)
	}
	told := inference(hold("", "acme", "t1"), 0)
	told.Member, told.Exclusive, told.Settlement.BalanceMicros = "bob", true, new(money.USD-9_000-1_200)
	if _, err := l.Settle(told).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if day, _, held := spending(t, l, "ann"); day != 1_200+1_200 || held != 0 {
		t.Errorf("once a balance has told %d are spent, %d held", day, held)
	}
	mustVerify(t, l)
}

// TestRewastedBefore: what an earlier process has wasted is in no count since the start, and what a balance puts right of it is neither.
func TestRewastedBefore(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Options{Dir: dir})
	buy(t, l, "t1", "acme", money.USD)
	h := hold("h1", "acme", "t1")
	h.AmountMicros, h.BodyBytes, h.PromptWhole, h.MaxOutput = 1_200, 300, true, 100
	if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	cut := inference(h, 0)
	cut.Status, cut.Settlement, cut.InDoubt = ledger.StatusFailed, nil, true
	if b, err := l.Waste(cut).Wait(t.Context()); err != nil || b.Entry.Attempt.CountedMicros != 150 {
		t.Fatalf("booked %+v, %v", b, err)
	}
	if b, err := l.Settle(cut).Wait(t.Context()); err != nil {
		t.Fatalf("booked %+v, %v", b, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, ledger.Options{Dir: dir})
	told := inference(hold("", "acme", "t1"), 0)
	told.Exclusive, told.Settlement.BalanceMicros = true, new(money.USD)
	if b, err := l.Settle(told).Wait(t.Context()); err != nil || b.TokenDelta <= 0 || b.Rewasted() != 0 {
		t.Errorf("booked %+v, %v", b, err)
	}
	if losses, err := l.Losses(t.Context()); err != nil || losses["acme"].WasteMicros != 0 {
		t.Errorf("losses %+v, %v", losses, err)
	}
	mustVerify(t, l)
}

// TestCorrectedServed: what a booking tells of earlier requests, with the corrections that it brings, is what their member's account has; but of those
// that a dead process has left nobody has counted anything.
func TestCorrectedServed(t *testing.T) {
	for name, c := range map[string]struct {
		again bool         // the ledger is opened again before the balance is told
		left  bool         // the process has died before it was booked
		key   string       // the client's, of the next request
		gone  bool         // the token has ended by then, and the next request has another
		has   money.Micros // what is left on the token
		want  money.Micros // what the correction tells; 0: it tells nothing
	}{
		"more was taken":                     {has: money.USD - 1_100, want: 950},
		"less was taken":                     {has: money.USD - 100, want: -50},
		"so it was":                          {has: money.USD - 150},
		"it was a try of the next request":   {key: "k", has: money.USD, want: -150},
		"so it was, on a token that is gone": {key: "k", gone: true, has: money.USD, want: -150},
		"before the start":                   {again: true, has: money.USD},
		"left behind at the start":           {left: true, has: money.USD},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, ledger.Options{Dir: dir})
			buy(t, l, "t1", "acme", money.USD)
			h := hold("h1", "acme", "t1")
			h.AmountMicros, h.BodyBytes, h.PromptWhole, h.MaxOutput, h.IdempotencyKey = 1_200, 300, true, 100, "k"
			if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !c.left {
				cut := inference(h, 0)
				cut.Status, cut.Settlement = ledger.StatusInterrupted, nil
				if b, err := l.Settle(cut).Wait(t.Context()); err != nil || b.Entry.BilledMicros != 150 || len(b.Corrected) != 0 {
					t.Fatalf("booked %+v, %v", b, err)
				}
			}
			if c.again || c.left {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = open(t, ledger.Options{Dir: dir})
			}
			on := "t1"
			if c.gone {
				on = "t2"
				buy(t, l, on, "acme", money.USD)
				if err := l.DropToken(t.Context(), "t1", "expired"); err != nil {
					t.Fatal(err)
				}
			}
			told := inference(hold("", "acme", on), 0)
			told.IdempotencyKey, told.Repeatable, told.Exclusive, told.Settlement.BalanceMicros = c.key, true, true, new(c.has)
			told.PromptHash, told.Path = h.PromptHash, h.Path
			b, err := l.Settle(told).Wait(t.Context())
			if err != nil || b.Rewasted() != 0 {
				t.Fatalf("booked %+v, %v", b, err)
			}
			var sum money.Micros
			for _, r := range b.Corrected {
				if r.Member != h.Member || r.Model != h.Model || r.Wasted {
					t.Errorf("it tells %+v", r)
				}
				sum += r.TakenMicros()
			}
			if sum != c.want || len(b.Corrected) > 1 {
				t.Errorf("it tells %+v, want %d", b.Corrected, c.want)
			}
			mustVerify(t, l)
		})
	}
}

// TestManyEstimates: of more estimates than a token remembers the oldest is forgotten, but for nothing that was booked by usage, which no balance puts
// right.
func TestManyEstimates(t *testing.T) {
	for name, c := range map[string]struct{ cut, whole, forgotten int }{
		"as many as there is room for": {16, 0, 0},
		"one more":                     {17, 0, 1},
		"then some by usage":           {16, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, ledger.Options{Dir: t.TempDir()})
			buy(t, l, "t1", "acme", money.USD)
			book := func(id string, status ledger.Status) (borne money.Micros) {
				h := hold("", "acme", "t1")
				h.RequestID, h.IdempotencyKey, h.BodyBytes, h.PromptWhole, h.MaxOutput = id, id, 300, true, 100
				in := inference(h, 0)
				in.Repeatable, in.Settlement, in.Status, in.AnswerText = true, nil, status, 0
				in.Usage = billing.Usage{Tokens: money.Tokens{Prompt: 20}, PromptKnown: true, CompletionKnown: status == ledger.StatusOK}
				b, err := l.Settle(in).Wait(t.Context())
				if err != nil || (b.Entry.BilledSource == billing.SourceUsage) != (status == ledger.StatusOK) {
					t.Fatalf("%+v, %v", b.Entry, err)
				}
				return b.Entry.ExpenseMicros
			}
			var estimate, used money.Micros
			for i := range c.cut {
				estimate = book(fmt.Sprint("cut", i), ledger.StatusInterrupted)
			}
			for i := range c.whole {
				used += book(fmt.Sprint("whole", i), ledger.StatusOK)
			}
			told := inference(hold("", "acme", "t1"), 0)
			told.Exclusive, told.Settlement.BalanceMicros = true, new(money.USD-used) // nothing was taken for what was cut
			if _, err := l.Settle(told).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, want := l.Tokens()[0].BorneMicros, used+estimate*money.Micros(c.forgotten); got != want {
				t.Errorf("members bear %d, want %d: %d were used, and each estimate is %d", got, want, used, estimate)
			}
			mustVerify(t, l)
		})
	}
}

// TestManyEstimatesOfAShared: no balance puts right what is booked on a token that gateways share. What was booked by usage is as good there as
// what was by estimate, and the oldest of all is forgotten.
func TestManyEstimatesOfAShared(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir()})
	id := ledger.NewID()
	buy(t, l, id, "acme", money.USD)
	bought, _, err := l.Token(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.MovePart(t.Context(), bought, 0); err != nil {
		t.Fatal(err)
	}
	var borne money.Micros
	book := func(key string, status ledger.Status, s *wire.Settlement) money.Micros {
		h := hold("", "acme", id)
		h.RequestID, h.IdempotencyKey, h.BodyBytes, h.PromptWhole, h.MaxOutput = ledger.NewID(), key, 300, true, 100
		in := inference(h, 0)
		in.Repeatable, in.Settlement, in.Status = true, s, status
		in.Usage = billing.Usage{Tokens: money.Tokens{Prompt: int64(20 + len(key)), Completion: 10}, PromptKnown: true, CompletionKnown: true}
		b, err := l.Settle(in).Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return b.Entry.ExpenseMicros
	}
	for i := range 16 {
		borne += book(fmt.Sprint("cut", i), ledger.StatusInterrupted, nil)
	}
	book("whole", ledger.StatusOK, nil)
	borne += book("whole", ledger.StatusOK, settlement("s", 40)) // which was the same charge
	borne += book("cut0", ledger.StatusOK, settlement("t", 40))  // which nobody knows any more
	if got := l.Tokens()[0].BorneMicros; got != borne {
		t.Errorf("members bear %d, want %d", got, borne)
	}
	mustVerify(t, l)
}

// TestCutAndSettledLate: sellers settle late. What an answer has cost whose client has left once it was done may be on no balance yet that another
// request brings a moment later; the next one has it, and the member bears it all the same.
func TestCutAndSettledLate(t *testing.T) {
	for name, c := range map[string]struct {
		done bool
		want billing.Source
	}{
		"done":         {true, billing.SourceUsage},
		"not done yet": {false, billing.SourceEstimate},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, ledger.Options{Dir: t.TempDir()})
			buy(t, l, "t1", "acme", money.USD)
			h := hold("", "acme", "t1")
			h.RequestID, h.BodyBytes, h.PromptWhole, h.MaxOutput = "cut", 300, true, 100
			cut := inference(h, 0)
			cut.Settlement, cut.Status, cut.Done = nil, ledger.StatusClientGone, c.done
			cut.Usage = billing.Usage{Tokens: money.Tokens{Prompt: 20, Completion: 10}, PromptKnown: true, CompletionKnown: true}
			b, err := l.Settle(cut).Wait(t.Context())
			if err != nil || b.Entry.BilledSource != c.want || b.Entry.ExpenseMicros <= 0 {
				t.Fatalf("%+v, %v", b.Entry, err)
			}
			cost, balance := b.Entry.ExpenseMicros, money.USD
			for _, taken := range []money.Micros{40, 40, 40 + cost} { // the third has what was cut on it
				balance -= taken
				next := inference(hold("", "acme", "t1"), 40)
				next.Settlement.SettlementID, next.Settlement.BalanceMicros, next.Exclusive = ledger.NewID(), new(balance), true
				if _, err := l.Settle(next).Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := l.Tokens()[0].BorneMicros, 3*40+cost; got != want {
				t.Errorf("members bear %d, want %d", got, want)
			}
			mustVerify(t, l)
		})
	}
}

// TestReplayTakesBack: a try that is cut after an earlier one was settled is the same charge. That is known once another try brings that settlement again, and the
// member gets back what was booked of it, but not what is another request's, or another member's key.
func TestReplayTakesBack(t *testing.T) {
	for name, c := range map[string]struct {
		key, path string // of the try that is cut
		want      money.Micros
	}{
		"the same":      {"k", "/v1/chat/completions", 40},
		"another key":   {"k2", "/v1/chat/completions", 190},
		"another path":  {"k", "/v1/responses", 190},
		"no key at all": {"", "/v1/chat/completions", 190},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, ledger.Options{Dir: t.TempDir()})
			buy(t, l, "t1", "acme", money.USD)
			try := func(id string) ledger.Inference {
				h := hold("", "acme", "t1")
				h.RequestID, h.IdempotencyKey, h.Path, h.BodyBytes, h.PromptWhole, h.MaxOutput = id, "k", "/v1/chat/completions", 300, true, 100
				in := inference(h, 40)
				in.Repeatable, in.Settlement = true, settlement("s", 40)
				return in
			}
			cut := try("second")
			cut.IdempotencyKey, cut.Path, cut.Status, cut.Settlement = c.key, c.path, ledger.StatusInterrupted, nil
			for _, in := range []ledger.Inference{try("first"), cut, try("third")} {
				if _, err := l.Settle(in).Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			tokens := l.Tokens()
			if len(tokens) != 1 || tokens[0].BorneMicros != c.want || tokens[0].BalanceMicros != money.USD-c.want {
				t.Errorf("%+v, want %d", tokens, c.want)
			}
			mustVerify(t, l)
		})
	}
}

// TestRewasted: what a booking tells of failed attempts, with the corrections that it brings, is what the account of waste has.
func TestRewasted(t *testing.T) {
	for name, c := range map[string]struct {
		key  string // the client's, of the next request
		left money.Micros
		want money.Micros // what the correction tells
	}{
		"more was taken":                   {"", money.USD - 1_100, 950},
		"less was taken":                   {"", money.USD - 100, -50},
		"nothing was taken":                {"", money.USD, -150},
		"so it was":                        {"", money.USD - 150, 0},
		"it was a try of the next request": {"k", money.USD, -150},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, ledger.Options{Dir: t.TempDir()})
			buy(t, l, "t1", "acme", money.USD)
			h := hold("h1", "acme", "t1")
			h.AmountMicros, h.BodyBytes, h.PromptWhole, h.MaxOutput, h.IdempotencyKey = 1_200, 300, true, 100, "k"
			if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			cut := inference(h, 0)
			cut.Status, cut.Settlement, cut.InDoubt = ledger.StatusFailed, nil, true
			b, err := l.Waste(cut).Wait(t.Context())
			if err != nil || b.Entry.Attempt.CountedMicros != 150 || !b.Failed || b.Rewasted() != 0 {
				t.Fatalf("booked %+v, %v", b, err)
			}
			told := inference(hold("", "acme", "t1"), 0)
			told.IdempotencyKey, told.Repeatable, told.Exclusive, told.Settlement.BalanceMicros = c.key, true, true, new(c.left)
			told.PromptHash, told.Path = cut.PromptHash, cut.Path
			if b, err = l.Settle(told).Wait(t.Context()); err != nil || b.Failed || b.Rewasted() != c.want {
				t.Errorf("booked %+v, %v", b, err)
			}
			if losses, err := l.Losses(t.Context()); err != nil || losses["acme"].WasteMicros != 150+c.want {
				t.Errorf("losses %+v, %v", losses, err)
			}
			none := told
			none.Status, none.Settlement = ledger.StatusFailed, &wire.Settlement{BilledMicros: new(money.Micros(0)), BalanceMicros: new(c.left - 7)}
			if b, err := l.Waste(none).Wait(t.Context()); err != nil || !b.Failed || b.Entry != nil || b.TokenDelta != -7 {
				t.Errorf("a failed attempt for nothing that brings a lower balance: %+v, %v", b, err)
			}
			mustVerify(t, l)
		})
	}
}
