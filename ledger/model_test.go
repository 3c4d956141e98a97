package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
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

// model is the ledger said in the simplest way: sums in maps, without a journal, a disk or a queue. Only what a request
// costs is asked of billing.Bill, which has tests of its own.
type model struct {
	accounts map[string]money.Micros
	tokens   map[string]*modelToken
	holds    map[string]ledger.Hold
	charged  map[string]bool // holds whose attempt was booked as waste
	settled  map[string]string
	expenses map[string]money.Micros // by member, as summaries say
	wasted   map[string]money.Micros // by member: what failed attempts have cost
	reserved map[string]reserved     // by hold
	doubts   map[int]reserved        // of requests that have ended
	n        int
	spent    money.Micros
	now      time.Time
}

type modelToken struct {
	seller         string
	balance, paid  money.Micros
	holds          int
	borne          money.Micros
	dropped, doubt bool
	guesses        []guess
	served         int64
}

// guess is a cost that was booked by estimate.
type guess struct {
	account, member, key string
	booked, most         money.Micros
	at                   time.Time
	told, whole, certain bool
	doubt                int  // in doubts; zero: none
	inDoubt              bool // what may be held for it again
}

// reserved is what is held of a member's budget.
type reserved struct {
	member string
	amount money.Micros
	until  time.Time // of a doubt
}

// memberBudget is what each member may spend in a day.
const memberBudget money.Micros = 12_000

func newModel(now time.Time) *model {
	return &model{
		accounts: map[string]money.Micros{}, tokens: map[string]*modelToken{}, holds: map[string]ledger.Hold{},
		charged: map[string]bool{}, settled: map[string]string{}, expenses: map[string]money.Micros{}, now: now,
		wasted: map[string]money.Micros{}, reserved: map[string]reserved{}, doubts: map[int]reserved{},
	}
}

func (m *model) move(from, to string, amount money.Micros) {
	if amount != 0 {
		m.accounts[from] -= amount
		m.accounts[to] += amount
	}
}

// bought takes a purchase through its states, to a token or to a failure.
func (m *model) bought(p ledger.Purchase, granted bool) {
	m.spent += p.AmountMicros
	m.move("wallet:mock", "pending:"+p.Seller, p.AmountMicros)
	if !granted {
		m.move("pending:"+p.Seller, "disputed:"+p.Seller, p.AmountMicros)
		return
	}
	credit := p.Token.CreditMicros
	m.move("pending:"+p.Seller, "credit:"+p.Seller, min(credit, p.AmountMicros))
	m.move("pending:"+p.Seller, "disputed:"+p.Seller, max(0, p.AmountMicros-credit))
	m.move("adjustment:"+p.Seller, "credit:"+p.Seller, max(0, credit-p.AmountMicros))
	m.tokens[p.ID] = &modelToken{seller: p.Seller, balance: credit, paid: p.AmountMicros}
}

// held is what is held of a member's budget.
func (m *model) held(member string) (sum money.Micros) {
	maps.DeleteFunc(m.doubts, func(_ int, r reserved) bool { return !r.until.After(m.now) })
	for _, all := range []iter.Seq[reserved]{maps.Values(m.reserved), maps.Values(m.doubts)} {
		for r := range all {
			if r.member == member {
				sum += r.amount
			}
		}
	}
	return sum
}

func (m *model) counted(member string) money.Micros { return m.expenses[member] + m.wasted[member] }

// inDoubt keeps held what a request may still cost, as far as the budget bears it.
func (m *model) inDoubt(member string, amount money.Micros, until time.Time) int {
	if amount <= 0 {
		return 0
	}
	m.n++
	m.doubts[m.n] = reserved{member, amount, until}
	return m.n
}

func (m *model) hold(h ledger.Hold) {
	m.tokens[h.TokenID].holds++
	m.holds[h.ID] = h
	m.release(h.Replaces)
}

func (m *model) release(id string) {
	h, ok := m.holds[id]
	if !ok {
		return
	}
	delete(m.holds, id)
	delete(m.reserved, id)
	t := m.tokens[h.TokenID]
	t.holds--
	m.reap(h.TokenID)
}

func (m *model) drop(id string) {
	m.tokens[id].dropped = true
	m.reap(id)
}

func (m *model) reap(id string) {
	t := m.tokens[id]
	if t.dropped && t.holds == 0 {
		m.move("credit:"+t.seller, "waste:"+t.seller, t.balance)
		delete(m.tokens, id)
	}
}

func (m *model) charge(in ledger.Inference) billing.Charge {
	f := billing.Facts{
		RequestID: in.RequestID, Shape: in.Shape, AnswerText: in.AnswerText, Answered: in.Answered,
		Whole: in.Status == ledger.StatusOK, Usage: in.Usage, Settlement: in.Settlement, Price: in.Price,
		Paid: m.tokens[in.TokenID].paid, Borne: m.tokens[in.TokenID].borne,
		Credit: m.tokens[in.TokenID].balance, Guessed: m.tokens[in.TokenID].guessed(),
	}
	if in.Settlement != nil {
		var key string
		key, f.Replayed = m.settled[in.Seller+" "+in.Settlement.SettlementID]
		f.Covered = f.Replayed && key != "" && key == in.IdempotencyKey
	}
	return billing.Bill(f)
}

// book is Settle, and Waste where wasted.
func (m *model) book(in ledger.Inference, wasted bool) {
	c, t := m.charge(in), m.tokens[in.TokenID]
	expense := "expense:" + in.Member + ":" + in.Model
	account := expense
	if wasted {
		account, m.charged[in.HoldID] = "waste:"+in.Seller, true
	}
	m.move("credit:"+in.Seller, account, c.Expense)
	m.move("credit:"+in.Seller, "disputed:"+in.Seller, c.Disputed)
	if wasted {
		m.wasted[in.Member] += c.Expense
	} else {
		m.expenses[in.Member] += c.Expense
	}
	m.share(t, min(0, t.balance-c.Billed))
	t.balance -= c.Billed
	if !wasted {
		t.borne += c.Expense
	}
	if c.Settled != nil {
		if !wasted || c.Billed > 0 {
			m.settled[in.Seller+" "+c.Settled.SettlementID] = in.IdempotencyKey
		}
		m.cover(t, in.IdempotencyKey)
		if c.Settled.BalanceMicros != nil && in.Exclusive {
			m.reconcile(t, *c.Settled.BalanceMicros)
		}
	}
	held := m.holds[in.HoldID].AmountMicros
	cut := in.Status == ledger.StatusInterrupted && !wasted && (in.Asked || in.Answered)
	doubt, inDoubt := 0, c.Source == billing.SourceEstimate && (in.InDoubt || cut) && held > c.Billed
	if r, ok := m.reserved[in.HoldID]; ok && inDoubt {
		doubt = m.inDoubt(in.Member, min(held-c.Billed, memberBudget-m.counted(in.Member)-m.held(in.Member)+r.amount), m.now.Add(time.Minute))
	}
	certain := c.Source == billing.SourceUsage && in.Repeatable
	if (c.Source == billing.SourceEstimate || certain) && (in.Answered || in.Asked) {
		t.guesses = append(t.guesses, guess{
			account, in.Member, in.IdempotencyKey, c.Billed, max(c.Billed, held), m.now, false, in.Status == ledger.StatusOK, certain, doubt, inDoubt,
		})
		if len(t.guesses) > 16 {
			first := max(0, slices.IndexFunc(t.guesses[:16], func(g guess) bool { return g.certain }))
			t.guesses = slices.Delete(t.guesses, first, first+1)
		}
	}
	if !wasted {
		if in.Answered {
			t.served++
			t.doubt = false
		}
		m.release(in.HoldID)
	}
}

func (m *model) cover(t *modelToken, key string) {
	t.guesses = slices.DeleteFunc(t.guesses, func(g guess) bool {
		if key == "" || g.key != key {
			return false
		}
		delete(m.doubts, g.doubt)
		m.correct(t, &g, -g.booked)
		return true
	})
}

// reconcile follows a balance: up to what was paid, not below nothing, and the estimates first.
func (m *model) reconcile(t *modelToken, balance money.Micros) {
	if balance > t.balance {
		balance = max(t.balance, min(balance, t.paid))
	}
	balance = max(balance, 0)
	t.guesses = slices.DeleteFunc(t.guesses, func(g guess) bool { return g.told && (g.whole || m.now.Sub(g.at) >= time.Minute) })
	m.share(t, t.balance-balance)
	for i := range t.guesses {
		t.guesses[i].told = true
		delete(m.doubts, t.guesses[i].doubt)
	}
	m.move("credit:"+t.seller, "adjustment:"+t.seller, t.balance-balance)
	t.balance = balance
}

// share lets estimates bear what was taken more, or less where it is below zero: first those that no balance has told of.
func (m *model) share(t *modelToken, taken money.Micros) {
	for _, told := range []bool{false, true} {
		var rooms []money.Micros
		var all money.Micros
		for _, g := range t.guesses {
			room := g.most - g.booked
			if taken < 0 {
				room = g.booked
			}
			if g.told != told || g.certain {
				room = 0
			}
			rooms = append(rooms, room)
			all += room
		}
		sign, left := money.Micros(1), min(taken, all)
		if taken < 0 {
			sign, left = -1, min(-taken, all)
		}
		taken -= sign * left
		for i := range t.guesses {
			part := money.Micros(0)
			if all > 0 {
				part = left * rooms[i] / all
			}
			left, all = left-part, all-rooms[i]
			m.correct(t, &t.guesses[i], sign*part)
		}
	}
}

func (t *modelToken) guessed() (sum money.Micros) {
	for _, g := range t.guesses {
		if !g.certain {
			sum += g.booked
		}
	}
	return sum
}

func (m *model) correct(t *modelToken, g *guess, by money.Micros) {
	m.move("credit:"+t.seller, g.account, by)
	t.balance -= by
	g.booked += by
	if g.account == "waste:"+t.seller {
		m.wasted[g.member] += by
		return
	}
	m.expenses[g.member] += by
	t.borne += by
}

// restart books what is left open, and removes what nobody can use.
func (m *model) restart() {
	clear(m.reserved)
	clear(m.doubts)
	left := slices.Collect(maps.Values(m.holds))
	slices.SortFunc(left, func(a, b ledger.Hold) int { return a.PlacedAt.Compare(b.PlacedAt) })
	for _, h := range left {
		m.book(ledger.Inference{
			Request: h.Request, HoldID: h.ID, Seller: h.Seller, TokenID: h.TokenID, Status: ledger.StatusInterrupted, Price: h.Price,
			Answered: !m.charged[h.ID],
		}, false)
	}
	for id, t := range m.tokens {
		if t.balance == 0 || t.dropped { // and nothing can be taken from it any more
			m.drop(id)
			continue
		}
		for i := range t.guesses {
			if g := &t.guesses[i]; g.inDoubt && !g.told && m.now.Sub(g.at) < time.Minute {
				g.doubt = m.inDoubt(g.member, g.most-g.booked, g.at.Add(time.Minute))
			}
		}
	}
}

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
	r := p.l.Reserve(h.Member, ledger.Budget{Daily: memberBudget, Monthly: -1})
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
	in.Repeatable = rapid.Bool().Draw(t, "repeatable")
	in.Answered, in.Asked = rapid.Bool().Draw(t, "answered"), rapid.Bool().Draw(t, "asked")
	in.AnswerText = rapid.Int64Range(0, 4_000).Draw(t, "answer")
	in.Usage = billing.Known(money.Tokens{Prompt: rapid.Int64Range(0, 500).Draw(t, "prompt"), Completion: rapid.Int64Range(0, 500).Draw(t, "completion")})
	in.Usage.PromptKnown, in.Usage.CompletionKnown, in.Exclusive = !often(t, "no usage"), rapid.Bool().Draw(t, "all of it"), often(t, "exclusive")
	in.InDoubt, in.Budget = rapid.Bool().Draw(t, "in doubt"), p.budgets[id]
	p.m.now = p.now
	in.Status = rapid.SampledFrom([]ledger.Status{ledger.StatusOK, ledger.StatusInterrupted, ledger.StatusFailed}).Draw(t, "status")
	in.Settlement.SettlementID = fmt.Sprint(rapid.IntRange(0, 300).Draw(t, "settlement"))
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
		token.doubt = token.doubt || kept != nil
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
		day, month, held := p.l.Spending(member)
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
