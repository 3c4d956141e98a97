package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// book is a ledger that scripts write into, with a clock that stands still.
type book struct {
	t   *testing.T
	dir string
	now time.Time
	l   *ledger.Ledger

	shared bool // in a fleet
}

// TestScripts replays bookings and shows the entries they make. After each command the books must hold.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/bookings", func(t *testing.T, path string) {
		b := &book{t: t, dir: t.TempDir(), now: time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC)}
		b.open()
		defer func() { b.l.Close() }()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			before := b.count()
			out := b.run(d)
			if r, err := b.l.Verify(t.Context()); err != nil || !r.OK {
				d.Fatalf(t, "the books do not hold: %+v, %v", r, err)
			}
			return out + b.entries(before)
		})
	})
}

func (b *book) open() {
	b.t.Helper()
	l, err := ledger.Open(ledger.Options{Dir: b.dir, Key: testKey, Now: func() time.Time { return b.now }, Shared: b.shared})
	if err != nil {
		b.t.Fatal(err)
	}
	b.l = l
}

func (b *book) count() int {
	r, err := b.l.Verify(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return int(r.Entries)
}

// entries shows those after the first n: ids and hashes are left out.
func (b *book) entries(n int) string {
	var s strings.Builder
	err := b.l.Entries(b.t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
		if n--; n >= 0 {
			return nil
		}
		fmt.Fprintf(&s, "%s %s", e.Kind, e.Seller)
		if v := e.Served; v != nil {
			fmt.Fprintf(&s, " %s %s by %s: billed %d, expense %d, %s, tokens %d+%d (%d cached)", v.RequestID, v.Status, v.Member,
				v.BilledMicros, v.ExpenseMicros, v.BilledSource, v.PromptTokens, v.CompletionTokens, v.CacheReadTokens)
			if len(v.Flags) > 0 {
				fmt.Fprintf(&s, " %v", v.Flags)
			}
		}
		if a := e.Attempt; a != nil {
			fmt.Fprintf(&s, " %s by %s: billed %d, %s", a.RequestID, a.Member, a.BilledMicros, a.BilledSource)
		}
		if c := e.Correction; c != nil {
			fmt.Fprintf(&s, " of %s by %s: %+d", c.RequestID, c.Member, c.BilledMicros)
			if c.BilledMicros < 0 && c.Entry == "" {
				s.WriteString(", booked by no entry")
			}
		}
		if e.State != "" {
			fmt.Fprintf(&s, " %s", e.State)
		}
		if e.Note != "" {
			fmt.Fprintf(&s, " (%s)", e.Note)
		}
		s.WriteByte('\n')
		for _, p := range e.Postings {
			fmt.Fprintf(&s, "  %+d %s\n", p.AmountMicros, p.Account)
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return s.String()
}

func (b *book) run(d *datadriven.TestData) string {
	a := args{d}
	switch ctx := b.t.Context(); d.Cmd {
	case "clock":
		b.now = b.now.Add(a.duration("add"))
		return b.now.Format(time.RFC3339) + "\n"
	case "reopen":
		if err := b.l.Close(); err != nil {
			return said(err)
		}
		b.open()
		return ""
	case "advance":
		return said(b.l.Advance(ctx, a.purchase(), ledger.Limits{Daily: a.money("daily", -1), Session: a.money("session", -1), Seller: -1}))
	case "buy":
		return b.buy(a)
	case "hold":
		return said(b.l.PlaceHold(ledger.Hold{
			ID: a.text("id"), Request: a.request(), Seller: a.text("seller"), Origin: origin, TokenID: a.text("token"), Price: a.price(),
			Attempt: 1, AmountMicros: a.money("amount", 0), Replaces: a.text("replaces"),
		}).Wait(ctx))
	case "release":
		return said(b.l.ReleaseHold(a.text("id")).Wait(ctx))
	case "settle":
		return booked(b.l.Settle(a.inference()).Wait(ctx))
	case "waste":
		return booked(b.l.Waste(a.inference()).Wait(ctx))
	case "drop":
		return said(b.l.DropToken(ctx, a.text("token"), a.text("reason")))
	}
	return b.look(d)
}

func (b *book) look(d *datadriven.TestData) string {
	a, s := args{d}, new(strings.Builder)
	switch d.Cmd {
	case "accounts":
		accounts, err := b.l.Accounts()
		if err != nil {
			return said(err)
		}
		for _, x := range accounts {
			fmt.Fprintf(s, "%s %d\n", x.Account, x.BalanceMicros)
		}
	case "summary":
		rows, err := b.l.Summary(b.t.Context(), time.Time{}, time.Time{}, a.text("by"))
		if err != nil {
			return said(err)
		}
		for _, r := range rows {
			raw, _ := json.Marshal(r)
			fmt.Fprintf(s, "%s\n", raw)
		}
	case "tokens":
		for _, x := range b.l.Tokens() {
			fmt.Fprintf(s, "%s %s: %d of %d, used %d, bearer %s\n", x.ID, x.Seller, x.BalanceMicros, x.CreditMicros, x.Used, x.Secret)
		}
	case "purchases":
		for _, p := range b.l.OpenPurchases() {
			fmt.Fprintf(s, "%s %s %s: %d by %s, intent %s\n", p.ID, p.Seller, p.State, p.AmountMicros, p.Method, p.Intent)
		}
	case "spent":
		day, session := b.l.Spent()
		fmt.Fprintf(s, "today %d, session %d\n", day, session)
	default:
		d.Fatalf(b.t, "unknown command %s", d.Cmd)
	}
	return s.String()
}

// buy takes a purchase through all its states.
func (b *book) buy(a args) string {
	p := a.purchase()
	p.Token = &ledger.Token{Secret: "bearer-" + p.ID, CreditMicros: a.money("credit", p.AmountMicros)}
	for _, p.State = range wayToGranted {
		if err := b.l.Advance(b.t.Context(), p, noLimits); err != nil {
			return said(err)
		}
	}
	return ""
}

var (
	noLimits     = ledger.Limits{Daily: -1, Session: -1, Seller: -1}
	wayToGranted = []ledger.PurchaseState{
		ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Proven, ledger.Completing, ledger.Granted,
	}
)

const origin = "https://seller.example"

func said(err error) string {
	var limit *ledger.LimitError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &limit):
		return fmt.Sprintf("refused by %s: %s\n", limit.Limit, err)
	}
	return "refused: " + err.Error() + "\n"
}

func booked(b ledger.Booked, err error) string {
	if err != nil {
		return said(err)
	}
	if b.Entry == nil {
		return "nothing booked\n"
	}
	said := fmt.Sprintf("token %+d\n", b.TokenDelta)
	for _, back := range b.Back {
		said += fmt.Sprintf("token %s %+d\n", back.ID, back.Micros)
	}
	return said
}

// args are the arguments of a command; those that are not there are empty.
type args struct{ *datadriven.TestData }

func (a args) has(key string) bool { return a.HasArg(key) }

func (a args) text(key string) string {
	for _, arg := range a.CmdArgs {
		if arg.Key == key && len(arg.Vals) > 0 {
			return arg.Vals[0]
		}
	}
	return ""
}

func (a args) number(key string, none int64) int64 {
	if a.text(key) == "" {
		return none
	}
	n, err := strconv.ParseInt(a.text(key), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (a args) money(key string, none money.Micros) money.Micros {
	return money.Micros(a.number(key, int64(none)))
}

func (a args) duration(key string) time.Duration {
	d, err := time.ParseDuration(a.text(key))
	if err != nil {
		panic(err)
	}
	return d
}

func (a args) request() ledger.Request {
	return ledger.Request{
		RequestID: a.text("request"), IdempotencyKey: a.text("key"), Repeatable: a.has("repeatable"), Member: a.text("member"), Model: "gpt:5",
		RequestedModel: "gpt", Protocol: "responses", Path: a.text("path"), PromptHash: a.text("body"), Shape: billing.Shape{
			BodyBytes: a.number("prompt", 400), PromptWhole: true, Free: a.has("free"), NoCompletion: a.has("embeddings"),
		},
	}
}

func (a args) purchase() ledger.Purchase {
	p := ledger.Purchase{
		ID: a.text("id"), State: ledger.PurchaseState(a.text("state")), Seller: a.text("seller"), Origin: origin, Method: "mock",
		AskedMicros: a.money("amount", 0), AmountMicros: a.money("amount", 0), Currency: "USD",
		Failure: a.text("failure"), Unpaid: a.has("unpaid"),
	}
	if a.has("intent") {
		p.Intent = json.RawMessage(a.text("intent"))
	}
	if p.State == ledger.Granted {
		p.Token = &ledger.Token{Secret: a.text("bearer"), CreditMicros: a.money("credit", 0)}
	}
	return p
}

func (a args) price() money.Price {
	switch {
	case a.has("unpriced"):
		return money.NoPrice
	case a.has("embeddings"):
		return money.Price{Input: price.Input, Output: money.Unknown, CacheRead: money.Unknown, CacheWrite: money.Unknown}
	}
	return price
}

func (a args) inference() ledger.Inference {
	in := ledger.Inference{
		Request: a.request(), HoldID: a.text("hold"), Seller: a.text("seller"), Origin: origin, TokenID: a.text("token"),
		Attempts: 1, Status: ledger.Status(a.text("status")), Price: a.price(), AnswerText: a.number("answer", 0),
		Answered: a.has("answer"), Asked: a.has("asked"), Exclusive: a.has("exclusive"),
	}
	if in.Status == "" {
		in.Status = ledger.StatusOK
	}
	if a.has("usage") {
		p, c, _ := strings.Cut(a.text("usage"), "+")
		prompt, _ := strconv.ParseInt(p, 10, 64)
		completion, _ := strconv.ParseInt(c, 10, 64)
		in.Usage = billing.Usage{Tokens: money.Tokens{Prompt: prompt, Completion: completion}, PromptKnown: true, CompletionKnown: true}
	}
	if a.has("billed") {
		in.Settlement = &wire.Settlement{SettlementID: a.text("settlement"), BilledMicros: new(a.money("billed", 0))}
		if a.has("balance") {
			in.Settlement.BalanceMicros = new(a.money("balance", 0))
		}
	}
	return in
}
