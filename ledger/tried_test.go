package ledger_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// keyed is a try of a client's request under a key of its own, settled at that. Cut, it is booked at 150.
func keyed(token string, billed money.Micros) ledger.Inference {
	h := hold("", "acme", token)
	h.RequestID, h.IdempotencyKey, h.Path, h.PromptHash = ledger.NewID(), "k", "/v1/chat/completions", "a"
	h.BodyBytes, h.PromptWhole, h.MaxOutput = 300, true, 100
	in := inference(h, billed)
	in.Repeatable, in.Settlement.SettlementID = true, in.RequestID
	return in
}

func cutTry(token string) ledger.Inference {
	in := keyed(token, 0)
	in.Settlement, in.Status = nil, ledger.StatusInterrupted
	return in
}

// borneOf is what members bear by now of all tokens that are there.
func borneOf(l *ledger.Ledger) (sum money.Micros) {
	for _, token := range l.Tokens() {
		sum += token.BorneMicros
	}
	return sum
}

// TestCutAfterSettled: what is cut after an earlier try was settled is that charge, and costs nothing beyond it but what it has been more. Another request
// under the key is not, nor what comes when the seller may have forgotten the key. A seller that settles two tries takes no heed of it.
func TestCutAfterSettled(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		first  []money.Micros // what the tries before were settled at, each with a settlement of its own
		try    func(first, cut *ledger.Inference)
		wasted bool // the first one had failed
		later  time.Duration
		want   money.Micros // of all of them
	}{
		"less than it was settled at":    {first: []money.Micros{400}, want: 400},
		"as much":                        {first: []money.Micros{150}, want: 150},
		"more":                           {first: []money.Micros{40}, want: 150},
		"nothing was billed":             {first: []money.Micros{0}, want: 150},
		"two were settled":               {first: []money.Micros{400, 300}, want: 850},
		"three were":                     {first: []money.Micros{400, 300, 200}, want: 1050},
		"almost a day later":             {first: []money.Micros{400}, later: day - time.Second, want: 400},
		"a day later":                    {first: []money.Micros{400}, later: day, want: 550},
		"another key":                    {first: []money.Micros{400}, try: func(_, cut *ledger.Inference) { cut.IdempotencyKey = "k2" }, want: 550},
		"no key":                         {first: []money.Micros{400}, try: func(first, cut *ledger.Inference) { first.IdempotencyKey, cut.IdempotencyKey = "", "" }, want: 550},
		"another path":                   {first: []money.Micros{400}, try: func(_, cut *ledger.Inference) { cut.Path = "/v1/responses" }, want: 550},
		"another body":                   {first: []money.Micros{400}, try: func(_, cut *ledger.Inference) { cut.PromptHash = "b" }, want: 550},
		"another token":                  {first: []money.Micros{400}, try: func(_, cut *ledger.Inference) { cut.TokenID = "t2" }, want: 400},
		"another seller":                 {first: []money.Micros{400}, try: func(_, cut *ledger.Inference) { cut.TokenID, cut.Seller = "t3", "best" }, want: 550},
		"by its usage":                   {first: []money.Micros{400}, try: byUsage, want: 400},
		"by more usage":                  {first: []money.Micros{40}, try: byUsage, want: 140},
		"a settlement that can't be":     {first: []money.Micros{400}, try: func(_, cut *ledger.Inference) { cut.Settlement = settlement("x", 2*money.USD) }, want: 400},
		"a key that is the gateway's":    {first: []money.Micros{400}, try: func(first, cut *ledger.Inference) { first.Repeatable, cut.Repeatable = false, false }, want: 550},
		"another attempt, after failure": {first: []money.Micros{400}, try: func(first, cut *ledger.Inference) { first.Repeatable, cut.Repeatable = false, false }, wasted: true, want: 400},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			o := ledger.Options{Dir: filepath.Join(t.TempDir(), "books"), Now: func() time.Time { return now }, Key: testKey}
			l := open(t, o)
			buy(t, l, "t1", "acme", money.USD)
			buy(t, l, "t2", "acme", money.USD)
			buy(t, l, "t3", "best", money.USD)
			cut := cutTry("t1")
			for _, billed := range c.first {
				first, book := keyed("t1", billed), l.Settle
				if c.try != nil {
					c.try(&first, &cut)
				}
				if c.wasted {
					first.Status, book = ledger.StatusFailed, l.Waste
				}
				if _, err := book(first).Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(c.later)
			l = again(t, l, o)
			b, err := l.Settle(cut).Wait(t.Context())
			if err != nil || b.Entry.BilledSource != billing.SourceEstimate {
				t.Fatalf("%+v, %v", b.Entry, err)
			}
			var wasted money.Micros
			if c.wasted {
				wasted = c.first[0]
			}
			if got := borneOf(l) + wasted; got != c.want {
				t.Errorf("members bear %d, want %d", got, c.want)
			}
			var settled money.Micros
			for _, billed := range c.first {
				settled += billed
			}
			if got := slices.Contains(b.Entry.Flags, billing.FlagSettledBefore); got != (c.want < settled+150) {
				t.Errorf("flags %v", b.Entry.Flags)
			}
			mustVerify(t, l)
		})
	}
}

// byUsage has it whole, and worth 140.
func byUsage(_, cut *ledger.Inference) {
	cut.Status = ledger.StatusOK
	cut.Usage = billing.Usage{Tokens: money.Tokens{Prompt: 50, Completion: 4}, PromptKnown: true, CompletionKnown: true}
}

// again closes the ledger, and opens it from a backup.
func again(t *testing.T, l *ledger.Ledger, o ledger.Options) *ledger.Ledger {
	t.Helper()
	var kept bytes.Buffer
	if err := l.Backup(t.Context(), &kept); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		t.Fatal(err)
	}
	if r, err := ledger.Restore(t.Context(), o, &kept); err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	return open(t, o)
}

// TestCutAfterSettledIsTold: that the seller heeds the key is a guess, which its next balance puts right, however near to all that one can cost the first
// try has come.
func TestCutAfterSettledIsTold(t *testing.T) {
	for _, c := range []struct{ first, taken money.Micros }{{400, 0}, {400, 100}, {400, 800}, {1_200, 0}, {1_200, 1_200}} {
		t.Run(fmt.Sprint(c.first, c.taken), func(t *testing.T) {
			l := open(t, ledger.Options{Dir: t.TempDir()})
			buy(t, l, "t1", "acme", money.USD)
			next := keyed("t1", 40)
			next.IdempotencyKey, next.Exclusive, next.Settlement.BalanceMicros = "k2", true, new(money.USD-c.first-c.taken-40)
			for _, in := range []ledger.Inference{keyed("t1", c.first), cutTry("t1"), next} {
				if _, err := l.Settle(in).Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := borneOf(l), c.first+c.taken+40; got != want {
				t.Errorf("members bear %d, want %d", got, want)
			}
			mustVerify(t, l)
		})
	}
}

// TestTriesAreOneCharge: however the tries of one request end at a seller that heeds its key, in whichever order, failed ones among them, and over restarts: once
// one is settled, that is what all of them have cost.
func TestTriesAreOneCharge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		w := &world{now: func() time.Time { return now }}
		w.begin(t)
		p := ledger.Purchase{
			ID: "t1", Seller: "acme", Origin: origin, Method: "mock", AmountMicros: money.USD, Token: &ledger.Token{Secret: "x", CreditMicros: money.USD},
		}
		for _, p.State = range wayToGranted {
			if err := w.l.Advance(context.Background(), p, noLimits); err != nil {
				t.Fatal(err)
			}
		}
		const billed = 1_500 // more than any of them can be taken to have cost
		settled, tries := false, 0
		t.Repeat(map[string]func(*rapid.T){
			"try": func(t *rapid.T) {
				in, book := cutTry("t1"), w.l.Settle
				in.AnswerText = rapid.Int64Range(0, 400).Draw(t, "text")
				if rapid.Bool().Draw(t, "whole") {
					byUsage(nil, &in)
				}
				// A token remembers sixteen that are not settled.
				if tries++; rapid.IntRange(0, 3).Draw(t, "settled") == 0 || tries > 16 && !settled {
					in.Settlement, settled = settlement("s", billed), true
				}
				if in.Status != ledger.StatusOK && rapid.Bool().Draw(t, "failed") {
					in.Status, book = ledger.StatusFailed, w.l.Waste
				}
				if _, err := book(in).Wait(context.Background()); err != nil {
					t.Fatal(err)
				}
			},
			"wait": func(*rapid.T) { now = now.Add(time.Minute) },
			"restart": func(t *rapid.T) {
				if w.dir == "" {
					t.Skip("in memory")
				}
				if err := w.l.Close(); err != nil {
					t.Fatal(err)
				}
				w.open(t)
			},
			"": func(t *rapid.T) {
				w.check(t)
				if token := w.l.Tokens()[0]; settled && token.BalanceMicros != money.USD-billed {
					t.Fatalf("they have cost %d, want %d", money.USD-token.BalanceMicros, billed)
				}
			},
		})
	})
}

// TestKilledBetweenTries kills the process while a client tries again what was settled: what is left of it is booked at the next start, as a try of the same.
func TestKilledBetweenTries(t *testing.T) {
	const variable = "LEDGER_TO_BE_KILLED_BETWEEN_TRIES_IN"
	second := cutTry("t1")
	h := ledger.Hold{ID: "h", Request: second.Request, Seller: "acme", Origin: origin, TokenID: "t1", Price: price, Attempt: 1, AmountMicros: 1_200}
	if dir := os.Getenv(variable); dir != "" {
		l := open(t, ledger.Options{Dir: dir})
		buy(t, l, "t1", "acme", money.USD)
		if _, err := l.Settle(keyed("t1", 400)).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		fmt.Println("held")
		select {} // until it is killed
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledBetweenTries$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", variable, dir))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	held := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "held" {
			held = true
			_ = cmd.Process.Kill()
		}
	}
	if cmd.Wait() == nil || !held {
		t.Fatal("the process ended by itself")
	}
	l := open(t, ledger.Options{Dir: dir})
	if got := borneOf(l); got != 400 {
		t.Errorf("members bear %d, want 400", got)
	}
	mustVerify(t, l)
}

// TestTriedByTheClock: what a clock that was weeks ahead has booked has no key known for weeks, nor has other gateways be told what is to be kept for longer
// than they keep anything.
func TestTriedByTheClock(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ahead := 40 * 24 * time.Hour
	l := open(t, ledger.Options{Dir: t.TempDir(), Now: func() time.Time { return now.Add(ahead) }})
	buy(t, l, "t1", "acme", money.USD)
	shareToken(t, l, "t1")
	ahead = 0
	if _, err := l.Settle(keyed("t1", 400)).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	settled, _, err := l.SharedTries(t.Context())
	if err != nil || len(settled) != 1 || settled[0].Until.Sub(now) > 24*time.Hour {
		t.Errorf("told is %+v, %v", settled, err)
	}
	now = now.Add(25 * time.Hour)
	if _, err := l.Settle(cutTry("t1")).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := borneOf(l); got != 550 {
		t.Errorf("members bear %d, want 550", got)
	}
}
