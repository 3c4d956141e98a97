package ledger_test

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// model is the ledger said in the simplest way: sums in maps, without a journal, a disk or a queue. Only what a request
// costs is asked of billing.Bill, which has tests of its own.
type model struct {
	accounts map[string]money.Micros
	tokens   map[string]*modelToken
	ended    []*modelToken // that are gone, for what a next try takes back
	holds    map[string]ledger.Hold
	charged  map[string]bool // holds whose attempt was booked as waste
	settled  map[string]string
	billed   map[string]tried        // by seller and try
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
	untold         bool // a backup was restored, and no balance was told since
	guesses        []guess
	served         int64
}

// guess is a cost that was booked by estimate.
type guess struct {
	account, member, try string
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

// tried is what a seller has billed of a request that may be tried again.
type tried struct {
	at     time.Time
	billed money.Micros
}

// memberBudget is what each member may spend in a day.
const memberBudget money.Micros = 12_000

func newModel(now time.Time) *model {
	return &model{
		accounts: map[string]money.Micros{}, tokens: map[string]*modelToken{}, holds: map[string]ledger.Hold{},
		charged: map[string]bool{}, settled: map[string]string{}, billed: map[string]tried{}, expenses: map[string]money.Micros{}, now: now,
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
	m.empty(h.TokenID)
}

func (m *model) drop(id string) {
	m.tokens[id].dropped = true
	m.empty(id)
}

func (m *model) empty(id string) {
	t := m.tokens[id]
	if t.dropped && t.holds == 0 {
		m.move("credit:"+t.seller, "waste:"+t.seller, t.balance)
		delete(m.tokens, id)
		t.balance, m.ended = 0, append(m.ended, t)
	}
}

func (m *model) charge(in ledger.Inference) billing.Charge {
	f := billing.Facts{
		Shape: in.Shape, AnswerText: in.AnswerText, Answered: in.Answered,
		Whole: isWhole(in), Usage: in.Usage, Settlement: in.Settlement, Price: in.Price,
		Paid: m.tokens[in.TokenID].paid, Borne: m.tokens[in.TokenID].borne,
		Credit: m.tokens[in.TokenID].balance, Guessed: m.tokens[in.TokenID].guessed(),
	}
	if in.Settlement != nil {
		var key string
		key, f.Replayed = m.settled[in.Seller+" "+in.Settlement.SettlementID]
		f.Covered = f.Replayed && key != "" && key == in.IdempotencyKey
	}
	f.Before = m.before(in)
	return billing.Bill(f)
}

// before is what earlier tries of the same request were billed at, within a day.
func (m *model) before(in ledger.Inference) money.Micros {
	t, ok := m.billed[in.Seller+" "+tryOf(in)]
	if !ok || tryOf(in) == "" || m.now.Sub(t.at) >= 24*time.Hour {
		return 0
	}
	return t.billed
}

// note keeps what a try was billed at, where another may follow. A seller that bills each of two will bill the third.
func (m *model) note(in ledger.Inference, c billing.Charge, wasted bool) {
	if c.Settled == nil || c.Billed == 0 || tryOf(in) == "" || !in.Repeatable && !wasted {
		return
	}
	key, t := in.Seller+" "+tryOf(in), tried{m.now, c.Billed}
	if before, again := m.billed[key]; again && m.now.Sub(before.at) < 24*time.Hour {
		t.billed = 0
	}
	m.billed[key] = t
}

// book is Settle, and Waste where wasted.
func (m *model) book(in ledger.Inference, wasted bool) {
	c, t := m.charge(in), m.tokens[in.TokenID]
	most := m.holds[in.HoldID].AmountMicros
	m.note(in, c, wasted)
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
	if c.Settled != nil && (!wasted || c.Billed > 0) {
		m.settled[in.Seller+" "+c.Settled.SettlementID] = in.IdempotencyKey
	}
	if c.Source == billing.SourceSettlement {
		m.cover(t, tryOf(in), func(g guess) bool { return c.Settled == nil && g.told })
		for _, other := range m.tokens {
			if other != t && other.seller == t.seller && in.Repeatable {
				m.cover(other, tryOf(in), func(g guess) bool { return g.told })
			}
		}
		for _, other := range m.ended {
			if other.seller == t.seller && in.Repeatable {
				m.cover(other, tryOf(in), func(guess) bool { return true })
			}
		}
		if c.Settled != nil && c.Settled.BalanceMicros != nil && in.Exclusive {
			m.reconcile(t, *c.Settled.BalanceMicros)
		}
	}
	cut := in.Status == ledger.StatusInterrupted && !wasted && (in.Asked || in.Answered)
	doubt, inDoubt := 0, c.Source == billing.SourceEstimate && (in.InDoubt || cut) && most > c.Billed
	if r, ok := m.reserved[in.HoldID]; ok && inDoubt {
		doubt = m.inDoubt(in.Member, min(most-c.Billed, memberBudget-m.counted(in.Member)-m.held(in.Member)+r.amount), m.now.Add(time.Minute))
	}
	if r, ok := m.reserved[in.HoldID]; ok { // what is booked next under the hold has none
		m.reserved[in.HoldID] = reserved{member: r.member}
	}
	unheard := c.Source == billing.SourceUsage && in.Status != ledger.StatusOK
	certain := c.Source == billing.SourceUsage && in.Repeatable && !unheard
	if (c.Source == billing.SourceEstimate || certain || unheard) && (in.Answered || in.Asked) && max(c.Billed, most) > 0 {
		t.guesses = append(t.guesses, guess{
			account, in.Member, tryOf(in), c.Billed, max(c.Billed, most), m.now, false, in.Status == ledger.StatusOK, certain, doubt, inDoubt,
		})
		if len(t.guesses) > 16 {
			first := slices.IndexFunc(t.guesses, func(g guess) bool { return g.certain })
			t.guesses = slices.Delete(t.guesses, max(0, first), max(0, first)+1)
		}
	}
	if !wasted {
		if in.Answered {
			t.served++
			t.doubt = t.doubt && in.Left
		}
		m.release(in.HoldID)
	}
}

// isWhole tells whether the answer is, or says so.
func isWhole(in ledger.Inference) bool { return in.Status == ledger.StatusOK || in.Done }

// tryOf is what tries of one request have in common; empty: nothing tells.
func tryOf(in ledger.Inference) string {
	if in.IdempotencyKey == "" {
		return ""
	}
	return in.IdempotencyKey + " " + in.Path + " " + in.PromptHash
}

// cover takes back what earlier tries have cost; gone tells of which the credit stays gone.
func (m *model) cover(t *modelToken, try string, gone func(guess) bool) {
	t.guesses = slices.DeleteFunc(t.guesses, func(g guess) bool {
		if try == "" || g.try != try {
			return false
		}
		delete(m.doubts, g.doubt)
		if gone(g) {
			m.move("adjustment:"+t.seller, "credit:"+t.seller, -g.booked)
			t.balance -= g.booked
		}
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
	if taken := t.balance - balance; taken < 0 || !t.untold {
		m.share(t, taken)
	}
	t.untold = false
	for i := range t.guesses {
		t.guesses[i].told = true
		delete(m.doubts, t.guesses[i].doubt)
	}
	m.move("credit:"+t.seller, "adjustment:"+t.seller, t.balance-balance)
	t.balance = balance
}

// share lets estimates bear what was taken more, or less where it is below zero: first those that no balance has told of. All tries of a request are one
// charge: together they have cost no more than one can, and all but one of them were booked in vain.
func (m *model) share(t *modelToken, taken money.Micros) {
	tries := func(g guess) (all []int) {
		for i, o := range t.guesses {
			if g.try != "" && o.try == g.try {
				all = append(all, i)
			}
		}
		return all
	}
	for _, told := range []bool{false, true} {
		for _, vain := range []bool{true, false} {
			rooms := make([]money.Micros, len(t.guesses))
			var all money.Micros
			for i, g := range t.guesses {
				same := tries(g)
				switch {
				case g.told != told || g.certain || vain && (taken >= 0 || len(same) == 0):
				case vain:
					good := slices.MaxFunc(same, func(a, b int) int {
						one, two := t.guesses[a], t.guesses[b]
						sure := func(g guess) bool { return g.booked > 0 && (g.told || g.certain) }
						if sure(one) != sure(two) {
							return map[bool]int{true: 1, false: -1}[sure(one)]
						}
						return cmp.Or(cmp.Compare(one.booked, two.booked), cmp.Compare(a, b))
					})
					if good != i {
						rooms[i] = g.booked
					}
				case taken < 0:
					rooms[i] = g.booked
				default:
					most, has := g.most, money.Micros(0)
					for _, o := range same {
						most, has = max(most, t.guesses[o].most), has+t.guesses[o].booked+rooms[o]
					}
					if rooms[i] = g.most - g.booked; len(same) > 0 {
						rooms[i] = max(0, min(rooms[i], most-has))
					}
				}
				all += rooms[i]
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
			Answered: !m.charged[h.ID], Left: true,
		}, false)
	}
	for id, t := range m.tokens {
		if t.balance == 0 || t.dropped { // and nothing can be taken from it any more
			m.drop(id)
		}
	}
	for _, t := range append(slices.Collect(maps.Values(m.tokens)), m.ended...) {
		for i := range t.guesses {
			if g := &t.guesses[i]; g.inDoubt && !g.told && m.now.Sub(g.at) < time.Minute {
				g.doubt = m.inDoubt(g.member, g.most-g.booked, g.at.Add(time.Minute))
			}
		}
	}
}
