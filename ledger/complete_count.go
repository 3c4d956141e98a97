package ledger

import (
	"errors"
	"fmt"
)

// count changes what is summed up as the entry says.
func (c *completion) count(e *Entry, begun *Periods) error {
	for _, p := range e.Postings {
		if err := c.posting(e, p); err != nil {
			return err
		}
	}
	c.borne(e)
	if err := c.held(e); err != nil {
		return err
	}
	if id := e.takenBack(); id != "" {
		if err := c.out.Set([]byte(retractedPrefix+id), fmt.Append(nil, c.head.Sequence)); err != nil {
			return err
		}
	}
	return errors.Join(c.settlement(e), c.refund(e), c.rollUp(e, begun))
}

// posting moves what the entry moves in an account, and on the token that it is about.
func (c *completion) posting(e *Entry, p Posting) error {
	c.accounts[p.Account] += p.AmountMicros
	if kind, _ := SplitAccount(p.Account); kind != "credit" {
		return nil
	}
	t := c.tokens[e.PurchaseID]
	if t == nil || creditOf(t.Seller) != p.Account {
		return errors.New("it is about a token that nobody knows")
	}
	if e.Kind == KindShare {
		if !t.Shared {
			t.Shared = true
			if c.bought(t) {
				t.GrantedMicros = max(t.CreditMicros, t.BalanceMicros)
			}
		}
		t.GrantedMicros += p.AmountMicros
	}
	t.BalanceMicros += p.AmountMicros
	c.touched[e.PurchaseID] = true
	return nil
}

// borne counts what members bear of the token that the entry is about, and whom it has served.
func (c *completion) borne(e *Entry) {
	if e.Correction != nil {
		c.corrected[e.PurchaseID] = true
	}
	t := c.tokens[e.PurchaseID]
	if t == nil || e.Served == nil && e.Correction == nil {
		return
	}
	c.touched[e.PurchaseID] = true
	switch {
	case e.Served != nil:
		t.BorneMicros += e.ExpenseMicros
		if e.Status != StatusFailed {
			t.Used++
		}
	case !e.Correction.Wasted:
		t.BorneMicros += e.Correction.BilledMicros
	}
}

// held ends the holds of a request that the entry has booked, or notes that an attempt of it was.
func (c *completion) held(e *Entry) error {
	if e.Attempt != nil {
		for _, h := range c.holds[e.Attempt.RequestID] {
			h.Charged = true
		}
	}
	if e.Served == nil {
		return nil
	}
	for _, h := range c.holds[e.RequestID] {
		if err := c.out.Delete([]byte(holdPrefix + h.ID)); err != nil {
			return err
		}
	}
	delete(c.holds, e.RequestID)
	return nil
}

// settlement has the seller's settlement be booked by the entry.
func (c *completion) settlement(e *Entry) error {
	id := e.settlementID()
	if id == "" {
		return nil
	}
	origin := c.origins[e.Seller] // of a token that was gone
	if t := c.tokens[e.PurchaseID]; t != nil {
		origin = t.Origin
	} else if e.PurchaseID != "" {
		p, err := c.purchase(e.PurchaseID)
		if err != nil {
			return err
		}
		if p.ID != "" {
			origin = p.Origin
		}
	}
	if origin == "" {
		return errors.New("nobody knows where its seller is")
	}
	return c.out.Set([]byte(settlementKey(e.Seller, origin, id)), fmt.Append(nil, c.head.Sequence))
}

// refund takes what came back out of what is known to have been put into the wallet.
func (c *completion) refund(e *Entry) error {
	back := e.refunds()
	if back == 0 {
		return nil
	}
	p, err := c.purchase(e.PurchaseID)
	if err != nil {
		return err
	}
	w := c.wallets[p.Method]
	if w == nil {
		w = new(Wallet)
		if _, err := getJSON(c.txn, names(walletPrefix, p.Method), w); err != nil {
			return err
		}
		c.wallets[p.Method] = w
	}
	if *w != (Wallet{}) {
		w.FilledMicros -= back
	}
	return nil
}

// rollUp adds the entry to its day, and to what is spent as the fleet is told.
func (c *completion) rollUp(e *Entry, begun *Periods) error {
	key, add := e.rollup()
	if key == "" {
		return nil
	}
	r := c.rollups[key]
	if r == nil {
		r = new(Rollup)
		if _, err := getJSON(c.txn, key, r); err != nil {
			return err
		}
		c.rollups[key] = r
	}
	r.add(add)
	if add.counted() == 0 || !c.whole {
		return nil
	}
	if begun == nil {
		return errors.New("in which periods of budgets it counts was not shipped, as the gateway ran an older release: take a newer backup, or restore it with --new-identity")
	}
	for _, h := range holdersOf(e.member(), e.group()) {
		if c.shared[h] == nil {
			c.shared[h] = new(sharedSpent)
		}
		c.shared[h].add(*begun, c.now, add.counted())
	}
	return nil
}
