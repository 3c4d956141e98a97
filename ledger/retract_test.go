package ledger_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// What another gateway has booked is taken back once, from whoever bears it, to the token that has paid, and the books hold.
func TestRetract(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := open(t, ledger.Options{Dir: dir})
	buy(t, l, "t1", "acme", 10_000)
	for _, id := range []string{"t2", "t3", "t4"} { // which have paid nothing
		buy(t, l, id, "acme", 5_000)
	}
	book := func(id string, wasted bool) uint64 {
		t.Helper()
		h := hold("", "acme", "t1")
		h.RequestID = "r-" + id
		in := inference(h, 40)
		in.IdempotencyKey, in.Repeatable, in.Settlement = "k-"+id, true, settlement("s-"+id, 40)
		settle := l.Settle
		if wasted {
			in.Status, settle = ledger.StatusFailed, l.Waste
		}
		if _, err := settle(in).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		seq, _, err := l.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	served, wasted, other := book("served", false), book("wasted", true), book("other", false)
	before, _, _ := l.Head(t.Context())
	var told []ledger.Retraction
	tell := func(r ledger.Retraction) { told = append(told, r) }
	for range 2 {
		for _, r := range []struct {
			seq uint64
			key string
		}{{served, "k-served"}, {wasted, "k-wasted"}, {other, "another"}, {other, ""}, {1, "k"}, {before + 100, "k"}} {
			if err := l.Retract(t.Context(), r.seq, r.key, tell); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, ledger.Options{Dir: dir})
	}
	if after, _, _ := l.Head(t.Context()); after != before+2 {
		t.Errorf("%d entries were booked, want 2", after-before)
	}
	if len(told) != 2 || told[0].Wasted || told[0].TakenMicros() != -40 || !told[1].Wasted || told[1].CountedMicros != -40 {
		t.Errorf("told of %+v", told)
	}
	for _, r := range told {
		if !r.Ours || r.Given == nil || r.Given.Micros != 40 || r.Seller != "acme" {
			t.Errorf("told of %+v", r)
		}
	}
	mustVerify(t, l)
	rows, err := l.Summary(t.Context(), moment("0001-01-01T00:00:00Z"), moment("9000-01-01T00:00:00Z"), "member")
	if err != nil || len(rows) != 1 || rows[0].ExpenseMicros != 40 || rows[0].WasteMicros != 0 {
		t.Errorf("%+v, %v", rows, err)
	}
	for _, token := range l.Tokens() {
		paid := token.ID == "t1"
		if paid && (token.BalanceMicros != 10_000-40 || token.BorneMicros != 40) || !paid && (token.BalanceMicros != 5_000 || token.BorneMicros != 0) {
			t.Errorf("%+v", token)
		}
	}
	// Without its token, what comes back is nobody's credit.
	if err := l.DropToken(t.Context(), "t1", "expired"); err != nil {
		t.Fatal(err)
	}
	if err := l.Retract(t.Context(), other, "k-other", tell); err != nil {
		t.Fatal(err)
	}
	if last := told[len(told)-1]; len(told) != 3 || last.Ours || last.Given != nil || last.TakenMicros() != -40 { // an earlier process has booked it
		t.Errorf("told of %+v", last)
	}
	mustVerify(t, l)
	accounts, err := l.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		if strings.HasPrefix(a.Account, "expense:") && a.BalanceMicros != 0 || a.Account == "adjustment:acme" && a.BalanceMicros != 40 {
			t.Errorf("%+v", a)
		}
	}
}

// Where the seller has told the token's balance between a booking and its taking back, that had the cost on it: it comes back once, also where
// the process has started again meanwhile. One that was booked after it comes back to the token.
func TestRetractOnceTheBalanceIsTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := open(t, ledger.Options{Dir: dir})
	buy(t, l, "t1", "acme", 10_000)
	book := func(id string, billed money.Micros, balance *money.Micros) uint64 {
		t.Helper()
		h := hold("", "acme", "t1")
		h.RequestID = "r-" + id
		in := inference(h, billed)
		in.IdempotencyKey, in.Settlement, in.Exclusive = "k-"+id, settlement("s-"+id, billed), true
		in.Settlement.BalanceMicros = balance
		if _, err := l.Settle(in).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		seq, _, err := l.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	first := book("first", 40, nil)
	book("other", 7, new(money.Micros(10_000-7))) // the seller has charged the first elsewhere
	later := book("later", 300, nil)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, ledger.Options{Dir: dir})
	for key, seq := range map[string]uint64{"k-first": first, "k-later": later} {
		if err := l.Retract(t.Context(), seq, key, nil); err != nil {
			t.Fatal(err)
		}
	}
	mustVerify(t, l)
	if tokens := l.Tokens(); len(tokens) != 1 || tokens[0].BalanceMicros != 10_000-7 || tokens[0].BorneMicros != 7 {
		t.Errorf("%+v", tokens)
	}
	accounts, err := l.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		if a.Account == "expense:ann:m" && a.BalanceMicros != 7 || a.Account == "adjustment:acme" && a.BalanceMicros != 0 {
			t.Errorf("%+v", a)
		}
	}
}

// Entries of several ledgers make one statement, which is the sum of theirs, and are chosen as those of one.
func TestStream(t *testing.T) {
	var all [][]byte
	var paid, spent money.Micros
	for _, name := range []string{"one", "two"} {
		l := open(t, ledger.Options{Dir: filepath.Join(t.TempDir(), name)})
		buy(t, l, "t-"+name, "acme", 10_000)
		for i := range 3 {
			h := hold("", "acme", "t-"+name)
			h.RequestID, h.Member = "r-"+name+string(rune('0'+i)), name
			if _, err := l.Settle(inference(h, 5)).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Lines(t.Context(), ledger.Query{}, func(raw []byte) error {
			all = append(all, slices.Clone(raw))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		s, err := l.Statement(t.Context(), ledger.Period{}, "seller", nil)
		if err != nil || len(s.Rows) != 1 {
			t.Fatalf("%+v, %v", s, err)
		}
		paid, spent = paid+s.Rows[0].PaidMicros, spent+s.Rows[0].ExpenseMicros
	}
	stream := ledger.Stream(func(_ context.Context, yield func([]byte) error) error {
		for _, raw := range all {
			if err := yield(raw); err != nil {
				return err
			}
		}
		return nil
	})
	s, err := stream.Statement(t.Context(), ledger.Period{}, "seller", uint64(len(all)), nil)
	if err != nil || len(s.Rows) != 1 || s.Entries != uint64(len(all)) || s.Rows[0].PaidMicros != paid || s.Rows[0].ExpenseMicros != spent || s.Rows[0].Requests != 6 {
		t.Errorf("%+v, %v", s, err)
	}
	var sum money.Micros
	for _, a := range s.Accounts {
		sum += a.ClosingMicros
		if a.OpeningMicros != 0 || a.MovedMicros != a.ClosingMicros {
			t.Errorf("%+v", a)
		}
	}
	if sum != 0 || len(s.Accounts) < 4 {
		t.Errorf("the accounts sum to %s: %+v", sum, s.Accounts)
	}
	var cursor string
	count := func(q ledger.Query) (n int) {
		t.Helper()
		if err := stream.Entries(t.Context(), q, func(e *ledger.Entry) error {
			cursor = e.ID
			n++
			return nil
		}); err != nil {
			t.Error(err)
		}
		return n
	}
	if n := count(ledger.Query{Member: "two"}); n != 3 {
		t.Errorf("%d entries of member two", n)
	}
	if n := count(ledger.Query{Limit: 5}); n != 5 {
		t.Errorf("%d entries, want 5", n)
	}
	if n := count(ledger.Query{Cursor: cursor}); n != len(all)-5 {
		t.Errorf("%d entries after 5 of %d", n, len(all))
	}
	if err := stream.Lines(t.Context(), ledger.Query{Cursor: ledger.NewID()}, func([]byte) error { return nil }); err == nil {
		t.Error("a cursor that is no entry's is taken")
	}
	found, err := stream.EntriesOf(t.Context(), "r-two1", s.From, s.To)
	if err != nil || len(found) != 1 || found[0].Member != "two" {
		t.Errorf("%+v, %v", found, err)
	}
}

// A ledger that is restored with an identity of its own takes nothing back of what it had before, and is as good as any.
func TestRestoreWithNewIdentity(t *testing.T) {
	l := open(t, ledger.Options{Dir: filepath.Join(t.TempDir(), "ledger"), Shared: true})
	buy(t, l, "t1", "acme", 10_000)
	in := inference(hold("", "acme", "t1"), 40)
	in.IdempotencyKey = "k"
	if _, err := l.Settle(in).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	seq, _, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept, dir := backup(t, l), filepath.Join(t.TempDir(), "restored")
	for _, anew := range []bool{false, true} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		r, err := ledger.Restore(t.Context(), ledger.Options{Dir: dir, Key: testKey, NewIdentity: anew}, bytes.NewReader(kept))
		if err != nil || !r.OK {
			t.Fatalf("%+v, %v", r, err)
		}
		restored := open(t, ledger.Options{Dir: dir, Shared: true})
		if same := restored.Identity() == l.Identity(); same == anew || anew && restored.Epoch() != 1 {
			t.Errorf("new %t: identity %s, of old %s, epoch %d", anew, restored.Identity(), l.Identity(), restored.Epoch())
		}
		before, _, _ := restored.Head(t.Context())
		if err := restored.Retract(t.Context(), seq, "k", nil); err != nil {
			t.Fatal(err)
		}
		if after, _, _ := restored.Head(t.Context()); (after == before) != anew {
			t.Errorf("new %t: %d entries were booked", anew, after-before)
		}
		mustVerify(t, restored)
		if err := restored.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What was granted for nothing is not believed to be there once more: a balance that is told above what was paid is not followed, and what was booked
// in vain comes back.
func TestRetractOnceABalanceWasNotFollowed(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir()})
	p := ledger.Purchase{
		ID: "t1", Seller: "acme", Origin: origin, Method: "mock", AmountMicros: 10_000, Token: &ledger.Token{Secret: "bearer", CreditMicros: 12_000},
	}
	for _, p.State = range wayToGranted {
		if err := l.Advance(t.Context(), p, noLimits); err != nil {
			t.Fatal(err)
		}
	}
	var vain uint64
	for id, billed := range []money.Micros{40, 7} {
		h := hold("", "acme", "t1")
		h.RequestID = strconv.Itoa(id)
		in := inference(h, billed)
		in.Exclusive, in.IdempotencyKey, in.Settlement = true, "k-"+h.RequestID, settlement("s-"+h.RequestID, billed)
		if billed == 7 {
			in.Settlement.BalanceMicros = new(money.Micros(12_000 - 7))
		}
		if _, err := l.Settle(in).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if seq, _, err := l.Head(t.Context()); err != nil {
			t.Fatal(err)
		} else if billed == 40 {
			vain = seq
		}
	}
	if err := l.Retract(t.Context(), vain, "k-0", nil); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, l)
	if tokens := l.Tokens(); len(tokens) != 1 || tokens[0].BalanceMicros != 12_000-7 {
		t.Errorf("%+v", tokens)
	}
}

// A bill beyond belief that is taken back leaves nothing in the sums, and what its seller has refunded of it meanwhile is not taken out of dispute once
// more, where other disputes with that seller are.
func TestRetractOfADispute(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir()})
	buy(t, l, "t1", "acme", 10_000)
	h := hold("", "acme", "t1")
	h.RequestID = "r"
	in := inference(h, 9_000)
	in.IdempotencyKey, in.Settlement = "k", settlement("s", 9_000)
	in.Usage = billing.Usage{Tokens: money.Tokens{Prompt: 100, Completion: 5}, PromptKnown: true, CompletionKnown: true}
	booked, err := l.Settle(in).Wait(t.Context())
	if err != nil || booked.Disputed < 1_000 || booked.Entry.ExpenseMicros == 0 {
		t.Fatalf("%+v, %v", booked, err)
	}
	seq, _, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Refund(t.Context(), "t1", ledger.Refund{AmountMicros: booked.Disputed - 300, Reference: "back"}, "they said sorry"); err != nil {
		t.Fatal(err)
	}
	if err := l.Retract(t.Context(), seq, "k", nil); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, l)
	for _, by := range []string{"member", "seller", "day"} {
		rows, err := l.Summary(t.Context(), time.Time{}, time.Time{}, by)
		if err != nil || len(rows) != 1 || rows[0].BilledMicros != 0 || rows[0].ExpenseMicros != 0 {
			t.Errorf("by %s: %+v, %v", by, rows, err)
		}
	}
	accounts, err := l.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		if strings.HasPrefix(a.Account, "disputed:") && a.BalanceMicros != 0 {
			t.Errorf("%+v", a)
		}
	}
}
