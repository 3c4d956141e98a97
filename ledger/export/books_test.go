package export_test

import (
	"context"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// books is a ledger with every kind of entry in it, on a clock of its own.
type books struct {
	t      testing.TB
	l      *ledger.Ledger
	passed time.Duration // since the start
}

const origin = "https://seller.example"

// step is the time between two entries.
const step = 20 * time.Minute

var price = money.Price{Input: 2_000_000, Output: 10_000_000, CacheRead: 1_000_000, CacheWrite: money.Unknown}

func newBooks(t testing.TB) *books {
	t.Helper()
	b := &books{t: t}
	start := time.Date(2026, 3, 1, 22, 0, 0, 0, time.UTC)
	l, err := ledger.Open(ledger.Options{
		InMemory: true, Key: store.KeyFromSecret("for tests"),
		Now: func() time.Time { return start.Add(b.passed) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	b.l = l
	return b
}

// purchase takes a purchase to its end: a token of that credit, or none.
func (b *books) purchase(id, seller, method string, paid, credit money.Micros) {
	b.t.Helper()
	b.passed += step
	p := ledger.Purchase{ID: id, Seller: seller, Origin: origin, Method: method, AmountMicros: paid, AskedMicros: paid, Currency: "USD"}
	states := []ledger.PurchaseState{ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Proven, ledger.Completing, ledger.Granted}
	if credit <= 0 {
		states[len(states)-1] = ledger.Disputed
		p.Failure = "no token within a day"
	}
	p.Token = &ledger.Token{Secret: "bearer", CreditMicros: credit}
	for _, p.State = range states {
		if p.State == ledger.Disputed {
			p.Token = nil
		}
		if err := b.l.Advance(context.Background(), p, ledger.Limits{Daily: -1, Session: -1, Seller: -1}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// request is one of a member, on a token.
func (b *books) request(id, member, model, seller, token string) ledger.Inference {
	return ledger.Inference{
		Request: ledger.Request{
			RequestID: id, IdempotencyKey: "k-" + id, Member: member, RequestedModel: model, Model: model, Protocol: "chat_completions",
			Shape: billing.Shape{BodyBytes: 400, PromptWhole: true}, PromptHash: "0d9c",
		},
		Seller: seller, Origin: origin, TokenID: token, Attempts: 1, Status: ledger.StatusOK, Price: price, Answered: true,
		AnswerText: 300, Usage: billing.Usage{Tokens: money.Tokens{Prompt: 100, Completion: 50}, PromptKnown: true, CompletionKnown: true},
		TimeToFirstByte: 212 * time.Millisecond, Duration: 5310 * time.Millisecond,
	}
}

func (b *books) book(s *ledger.Settling) {
	b.t.Helper()
	if _, err := s.Wait(context.Background()); err != nil {
		b.t.Fatal(err)
	}
	b.passed += step // the ledger looks at the clock while it books
}

// everything books one of all that there is, under these names.
func (b *books) everything(id, member, model, seller, method string) {
	b.t.Helper()
	settled := func(billed money.Micros) *wire.Settlement {
		return &wire.Settlement{SettlementID: "s_" + id, BilledMicros: &billed}
	}
	b.purchase(id+"-t1", seller, method, 5_000_000, 5_000_000)
	b.purchase(id+"-less", seller, method, 5_000_000, 4_000_000)
	b.purchase(id+"-more", seller, method, 5_000_000, 5_500_000)
	b.purchase(id+"-none", seller, method, 5_000_000, 0)

	in := b.request(id+"-ok", member, model, seller, id+"-t1")
	in.Settlement = settled(700)
	b.book(b.l.Settle(in))

	in = b.request(id+"-overbilled", member, model, seller, id+"-t1")
	in.RequestedModel = "alias of it"
	in.Settlement = settled(1_000_700)
	in.Settlement.SettlementID += "-2"
	balance := money.Micros(3_900_000)
	in.Settlement.BalanceMicros, in.Exclusive = &balance, true // less than ours: an adjustment
	b.book(b.l.Settle(in))

	in = b.request(id+"-free", member, model, seller, "")
	in.Answered, in.Status, in.AnswerText, in.Usage = false, ledger.StatusFailed, 0, billing.Usage{}
	b.book(b.l.Settle(in))

	in = b.request(id+"-estimate", member, model, seller, id+"-t1")
	in.Usage, in.Status = billing.Usage{}, ledger.StatusInterrupted
	b.book(b.l.Settle(in))

	in = b.request(id+"-right", member, model, seller, id+"-t1")
	in.Settlement = settled(100)
	in.Settlement.SettlementID += "-3"
	told := money.Micros(3_898_900) // more than is left by our books: the estimate was too high, and is put right
	in.Settlement.BalanceMicros, in.Exclusive = &told, true
	b.book(b.l.Settle(in))

	in = b.request(id+"-account", member, model, seller, "") // a provider where the operator has an account
	b.book(b.l.Settle(in))

	in = b.request(id+"-waste", member, model, seller, id+"-t1")
	in.Status = ledger.StatusFailed
	b.book(b.l.Waste(in))

	b.passed += step
	if err := b.l.DropToken(context.Background(), id+"-t1", "expired"); err != nil {
		b.t.Fatal(err)
	}
}

// read gives all entries and balances.
func (b *books) read() ([]*ledger.Entry, []ledger.Account) {
	b.t.Helper()
	var entries []*ledger.Entry
	if err := b.l.Entries(context.Background(), ledger.Query{}, func(e *ledger.Entry) error {
		entries = append(entries, e)
		return nil
	}); err != nil {
		b.t.Fatal(err)
	}
	accounts, err := b.l.Accounts()
	if err != nil {
		b.t.Fatal(err)
	}
	return entries, accounts
}

// strange are names that strangers may think of: what a format has a meaning for, what it can't say, and what differs from
// another by little.
var strange = []string{
	"ada", "Ada", "x", "X", "x-", "X-", "", " ", "  ", "a  b", "a b", "-", "--", "-X", "-x", "a-X2E", "a.", "4.1", "4-X2E1", "X41da",
	"meta-llama/llama-3:free", "meta-llama/llama-3%3Afree", "a:b:c", ":", "%", "%3A", "Zoë", "Zoe\u0301", "名前", "🤖", "\u202ecod",
	`"quoted"`, `back\slash`, "new\nline", "cr\rlf\n", "tab\tbed", "\x00", "\x7f", "a;b", "a ; b", "a|b", "(a)", "[2026-01-01]", "date:x, y:z",
	"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "'", "* a", "! a", "; a", "#tag ^link", "{1 USD}", "@ 2 USD", "= 5 USD", "end comment",
	"comment", "~ monthly", "include /etc/passwd", "\n2026-01-01 open Assets:X", "\n    assets:x  1 USD", "USD", "option", strings200,
}

const strings200 = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" +
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

// nasty is a ledger in which everything has such names.
func nasty(t testing.TB) *books {
	b := newBooks(t)
	for i, name := range strange {
		other, seller := strange[(i+7)%len(strange)], name
		if seller == "" {
			seller = "no name" // the one thing that the ledger refuses
		}
		b.everything("n"+string(rune('A'+i/26))+string(rune('a'+i%26)), name, other, seller, other)
	}
	return b
}
