package ledger

import (
	"cmp"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// bought is what has moved of a purchase: out of the wallet, and on its token.
type bought struct{ paid, credit money.Micros }

// move adds up what has moved of a purchase.
func (c *checker) move(purchase string, p Posting) {
	credit, wallet := strings.HasPrefix(p.Account, "credit:"), strings.HasPrefix(p.Account, "wallet:")
	switch {
	case !credit && !wallet:
	case purchase != "":
		b := c.bought[purchase]
		if credit {
			b.credit += p.AmountMicros
		} else {
			b.paid -= p.AmountMicros
		}
		c.bought[purchase] = b
	case credit:
		c.nameless[p.Account] = true
	}
}

func (c *checker) tokens() error {
	credit := map[string]money.Micros{}
	var wrong error
	err := eachToken(c.txn, c.ledger.seal, func(t *token) {
		c.live[t.ID] = true
		account := creditOf(t.Seller)
		credit[account] += t.BalanceMicros
		if sum := c.bought[t.PurchaseID].credit; wrong == nil && sum != t.BalanceMicros && !c.nameless[account] {
			wrong = store.Damaged("token %s is worth %s, its entries sum to %s", t.ID, t.BalanceMicros, sum)
		}
	})
	if err == nil {
		err = c.sums("tokens", "credit:", credit)
	}
	return cmp.Or(err, wrong)
}

// purchases checks what is pending and what counts as spent.
func (c *checker) purchases() error {
	pending, spent := map[string]money.Micros{}, map[string]money.Micros{}
	err := each(c.txn, purchasePrefix, func(id string, p *purchase) error {
		if err := p.sound(id, c.ledger.seal); err != nil {
			return err
		}
		if p.PendingMicros != 0 {
			pending[pendingOf(p.Seller)] += p.PendingMicros
		}
		if p.CountedMicros != 0 {
			spent[p.CountedDay] += p.CountedMicros
		}
		if back := p.RefundedMicros(); back != c.refunds[id] {
			return store.Damaged("purchase %s was refunded %s, its entries sum to %s", id, back, c.refunds[id])
		}
		delete(c.refunds, id)
		want := -p.RefundedMicros()
		if p.mayBePaid() {
			want += p.AmountMicros
		}
		if paid := c.bought[id].paid; paid != want {
			return store.Damaged("%s was paid for purchase %s, its entries sum to %s", want, id, paid)
		}
		return c.alive()
	})
	if err == nil && len(c.refunds) > 0 {
		return store.Damaged("there are refunds of purchases that are not there")
	}
	if err != nil {
		return err
	}
	err = each(c.txn, spentPrefix, func(day string, have *money.Micros) error {
		if *have != spent[day] {
			return store.Damaged("%s counts as spent on %s, the purchases of that day sum to %s", *have, day, spent[day])
		}
		delete(spent, day)
		return nil
	})
	if err == nil && len(spent) > 0 {
		return store.Damaged("there are purchases on days on which nothing counts as spent")
	}
	if err != nil {
		return err
	}
	return c.sums("purchases", "pending:", pending)
}

// sums compares what records add up to, per account, with the accounts of that kind.
func (c *checker) sums(what, kind string, have map[string]money.Micros) error {
	for name, balance := range c.accounts {
		if len(name) > len(kind) && name[:len(kind)] == kind && have[name] != balance {
			return store.Damaged("account %s is %s, its %s sum to %s", name, balance, what, have[name])
		}
	}
	for name, sum := range have {
		if c.accounts[name] != sum {
			return store.Damaged("account %s is %s, its %s sum to %s", name, c.accounts[name], what, sum)
		}
	}
	return nil
}
