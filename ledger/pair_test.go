package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// pair is the ledger and its model.
type pair struct {
	dir string
	l   *ledger.Ledger
	m   *model
	n   int
	now time.Time

	budgets map[string]*ledger.Reservation // by hold
}

func (p *pair) options() ledger.Options {
	return ledger.Options{Dir: p.dir, InMemory: p.dir == "", Key: testKey, Now: func() time.Time { return p.now }}
}

func (p *pair) open(t *rapid.T) {
	l, err := ledger.Open(p.options())
	if err != nil {
		t.Fatal(err)
	}
	p.l = l
}

func (p *pair) name() string {
	p.n++
	return fmt.Sprint("n", p.n)
}

func (p *pair) purchase(t *rapid.T) {
	amount := money.Micros(rapid.Int64Range(20_000, 60_000).Draw(t, "amount"))
	b := ledger.Purchase{
		ID: p.name(), Seller: "acme", Method: "mock", AmountMicros: amount,
		Token: &ledger.Token{Secret: "x", CreditMicros: max(1, amount+money.Micros(rapid.Int64Range(-50, 50).Draw(t, "bonus")))},
	}
	granted := rapid.IntRange(0, 5).Draw(t, "granted") > 0
	way := slices.Clone(wayToGranted)
	if !granted {
		way[len(way)-1] = ledger.Disputed
	}
	for _, b.State = range way {
		if err := p.l.Advance(context.Background(), b, noLimits); err != nil {
			t.Fatal(err)
		}
	}
	p.m.bought(b, granted)
}

// token draws one that requests may use.
func (p *pair) token(t *rapid.T) string {
	var live []string
	for id, token := range p.m.tokens {
		if !token.dropped {
			live = append(live, id)
		}
	}
	if len(live) == 0 {
		t.Skip("no token")
	}
	slices.Sort(live)
	return rapid.SampledFrom(live).Draw(t, "token")
}

func (p *pair) hold(t *rapid.T) { p.placeHold(t) }

func (p *pair) placeHold(t *rapid.T) (id string) {
	id = p.token(t)
	p.now = p.now.Add(time.Millisecond) // holds that are left are booked in their order
	h := hold(p.name(), p.m.tokens[id].seller, id)
	h.Member = rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "member")
	h.IdempotencyKey = rapid.SampledFrom([]string{"", "k1", "k2"}).Draw(t, "key")
	h.Path = rapid.SampledFrom([]string{"/p", "/p", "/p", "/q"}).Draw(t, "path")
	h.PromptHash = rapid.SampledFrom([]string{"a", "a", "a", "b"}).Draw(t, "body")
	h.AmountMicros = money.Micros(rapid.Int64Range(0, 3_000).Draw(t, "held"))
	h.BodyBytes, h.PromptWhole, h.PlacedAt = rapid.Int64Range(0, 4_000).Draw(t, "prompt"), true, p.now
	p.reserve(t, &h)
	if open := p.openHolds(); len(open) > 0 && rapid.IntRange(0, 3).Draw(t, "again") == 0 {
		h.Replaces = rapid.SampledFrom(open).Draw(t, "replaces")
	}
	if err := p.l.PlaceHold(h).Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	p.m.hold(h)
	if h.Replaces != "" {
		p.budgets[h.Replaces].Release()
	}
	return h.ID
}

// reserve holds the member's budget, and expects a refusal exactly where what is spent, what is held, and what the request may cost
// pass it: then it is not sent.
func (p *pair) reserve(t *rapid.T, h *ledger.Hold) {
	p.m.now = p.now
	r := p.l.Reserve(h.Member, ledger.Budget{Daily: memberBudget, Weekly: -1, Monthly: -1})
	spent, held := p.m.counted(h.Member), p.m.held(h.Member)
	err := r.Hold(context.Background(), h.AmountMicros)
	var refused *ledger.BudgetError
	switch {
	case err != nil && !errors.As(err, &refused):
		t.Fatal(err)
	case (err != nil) != (h.AmountMicros > 0 && spent+held+h.AmountMicros > memberBudget):
		t.Fatalf("%d are spent, %d held, %d asked: %v", spent, held, h.AmountMicros, err)
	case err != nil:
		t.Skip("the budget is spent")
	}
	p.budgets[h.ID] = r
	p.m.reserved[h.ID] = reserved{member: h.Member, amount: h.AmountMicros}
}

// request is what most requests are: a hold, and soon its booking.
func (p *pair) request(t *rapid.T) { p.settle(t, p.placeHold(t)) }

func (p *pair) openHolds() []string { return slices.Sorted(maps.Keys(p.m.holds)) }

func (p *pair) book(t *rapid.T) {
	open := p.openHolds()
	if len(open) == 0 {
		t.Skip("no hold")
	}
	p.settle(t, rapid.SampledFrom(open).Draw(t, "hold"))
}

// often is true two times in three.
func often(t *rapid.T, label string) bool { return rapid.IntRange(0, 2).Draw(t, label) > 0 }

func (p *pair) settle(t *rapid.T, id string) {
	h := p.m.holds[id]
	in := inference(h, money.Micros(rapid.Int64Range(-5, 4_000).Draw(t, "billed")))
	in.Origin = h.Origin
	in.Repeatable, in.Done = rapid.Bool().Draw(t, "repeatable"), rapid.Bool().Draw(t, "done")
	in.Answered, in.Asked = rapid.Bool().Draw(t, "answered"), rapid.Bool().Draw(t, "asked")
	in.AnswerText = rapid.Int64Range(0, 4_000).Draw(t, "answer")
	in.Usage = billing.Usage{Tokens: money.Tokens{Prompt: rapid.Int64Range(0, 500).Draw(t, "prompt"), Completion: rapid.Int64Range(0, 500).Draw(t, "completion")}, PromptKnown: true, CompletionKnown: true}
	in.Usage.PromptKnown, in.Usage.CompletionKnown, in.Exclusive = !often(t, "no usage"), rapid.Bool().Draw(t, "all of it"), often(t, "exclusive")
	in.InDoubt, in.Budget = rapid.Bool().Draw(t, "in doubt"), p.budgets[id]
	p.m.now = p.now
	in.Status = rapid.SampledFrom([]ledger.Status{ledger.StatusOK, ledger.StatusInterrupted, ledger.StatusFailed}).Draw(t, "status")
	in.Settlement.SettlementID = fmt.Sprint(rapid.IntRange(0, 60).Draw(t, "settlement"))
	if often(t, "told") {
		in.Settlement.BalanceMicros = new(money.Micros(rapid.Int64Range(0, 60_000).Draw(t, "balance")))
	}
	if rapid.Bool().Draw(t, "silent") {
		in.Settlement = nil
	}
	wasted, write := rapid.IntRange(0, 3).Draw(t, "wasted") == 0, p.l.Settle
	if wasted {
		write = p.l.Waste
	}
	if _, err := write(in).Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	p.m.book(in, wasted)
}

func (p *pair) drop(t *rapid.T) {
	id := p.token(t)
	if err := p.l.DropToken(context.Background(), id, "drawn"); err != nil {
		t.Fatal(err)
	}
	p.m.drop(id)
}

func (p *pair) release(t *rapid.T) {
	open := p.openHolds()
	if len(open) == 0 {
		t.Skip("no hold")
	}
	id := rapid.SampledFrom(open).Draw(t, "hold")
	if err := p.l.ReleaseHold(id).Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	p.m.release(id)
	p.budgets[id].Release()
}

func (p *pair) wait(t *rapid.T) {
	p.now = p.now.Add(time.Duration(rapid.IntRange(20, 90).Draw(t, "seconds")) * time.Second)
}

// reopen ends the process and starts it again, or restores it from a backup.
func (p *pair) reopen(t *rapid.T) {
	if p.dir == "" {
		t.Skip("in memory")
	}
	var kept *bytes.Buffer
	if rapid.Bool().Draw(t, "restore") {
		kept = new(bytes.Buffer)
		if err := p.l.Backup(context.Background(), kept); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.l.Close(); err != nil {
		t.Fatal(err)
	}
	if kept != nil {
		p.dir = filepath.Join(filepath.Dir(p.dir), p.name())
		if r, err := ledger.Restore(context.Background(), p.options(), kept); err != nil || !r.OK {
			t.Fatalf("restore: %+v, %v", r, err)
		}
	}
	p.open(t)
	p.m.now, p.budgets = p.now, map[string]*ledger.Reservation{}
	p.m.restart()
	for _, token := range p.m.tokens {
		token.doubt, token.untold = token.doubt || kept != nil, token.untold || kept != nil
		for i := range token.guesses {
			token.guesses[i].certain = token.guesses[i].certain || kept != nil // the next balance tells of what was spent since, too
		}
	}
}

// agree compares all that the two know.
func (p *pair) agree(t *rapid.T) {
	p.m.now = p.now
	if r, err := p.l.Verify(context.Background()); err != nil || !r.OK {
		t.Fatalf("verify: %+v, %v", r, err)
	}
	accounts, err := p.l.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]money.Micros{}
	for _, a := range accounts {
		have[a.Account] = a.BalanceMicros
	}
	for _, name := range slices.Sorted(maps.Keys(p.m.accounts)) {
		if have[name] != p.m.accounts[name] {
			t.Fatalf("%s is at %d, the model says %d", name, have[name], p.m.accounts[name])
		}
		delete(have, name)
	}
	for name, balance := range have {
		if balance != 0 {
			t.Fatalf("%s is at %d, and the model has no such account", name, balance)
		}
	}
	live := 0
	for _, token := range p.m.tokens {
		if !token.dropped {
			live++
		}
	}
	tokens := p.l.Tokens()
	if len(tokens) != live {
		t.Fatalf("%d tokens, the model has %d", len(tokens), live)
	}
	for _, token := range tokens {
		if want := p.m.tokens[token.ID]; token.BalanceMicros != want.balance || token.Used != want.served || token.Unconfirmed != want.doubt ||
			token.BorneMicros != want.borne {
			t.Fatalf("token %+v, the model says %+v", token, want)
		}
	}
	rows, err := p.l.Summary(context.Background(), time.Time{}, time.Time{}, "member")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.ExpenseMicros != p.m.expenses[row.Key] || row.WasteMicros != p.m.wasted[row.Key] {
			t.Fatalf("%s has spent %d and wasted %d, the model says %d and %d", row.Key, row.ExpenseMicros, row.WasteMicros, p.m.expenses[row.Key],
				p.m.wasted[row.Key])
		}
	}
	for _, member := range []string{"ann", "bob"} {
		day, month, held := spending(t, p.l, member)
		if day != p.m.counted(member) || month != day || held != p.m.held(member) {
			t.Fatalf("of %s's budget %d is spent and %d held, the model says %d and %d", member, day, held, p.m.counted(member), p.m.held(member))
		}
	}
	if day, _ := p.l.Spent(); day != p.m.spent {
		t.Fatalf("%d count as spent, the model says %d", day, p.m.spent)
	}
}

// TestModel does the same to the ledger and its model, whatever comes, and one time in four on a disk with restarts and
// restored backups.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &pair{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
		p.m, p.budgets = newModel(p.now), map[string]*ledger.Reservation{}
		if rapid.IntRange(0, 3).Draw(t, "disk") == 3 {
			base, err := os.MkdirTemp("", "ledger")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(base) })
			p.dir = filepath.Join(base, "books")
		}
		p.open(t)
		t.Cleanup(func() {
			if err := p.l.Close(); err != nil && !errors.Is(err, ledger.ErrClosed) {
				t.Error(err)
			}
		})
		t.Repeat(map[string]func(*rapid.T){
			"purchase": p.purchase, "request": p.request, "another": p.request, "one more": p.request, "hold": p.hold, "book": p.book,
			"drop": p.drop, "release": p.release, "wait": p.wait, "reopen": p.reopen, "": p.agree,
		})
	})
}
