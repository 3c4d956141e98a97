package fleet

import (
	"context"
	"errors"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Aside is what all gateways have set aside of today's limits for when the store is away, as it was a moment ago. It is in Spent.
func (p *Purchases) Aside() (sum money.Micros) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tab == nil {
		return 0
	}
	for _, a := range p.tab.Ahead {
		if a.Day == today() {
			sum = sum.Add(a.Amount)
		}
	}
	return sum
}

// OwnAside is what is left of the part of Aside that is this gateway's: a purchase of its own may take it.
func (p *Purchases) OwnAside() money.Micros {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tab == nil {
		return 0
	}
	a := p.tab.Ahead[p.o.Gateway]
	if a == nil || a.Boot != p.boot() || a.Day != today() {
		return 0
	}
	left := a.Amount
	for _, u := range p.used {
		if u.day == a.Day {
			left -= u.Amount
		}
	}
	return max(0, left)
}

// take counts a purchase in the store. What is set aside for this gateway is for its purchases: where a limit has no other room, they take it
// while the store is there, too.
func (p *Purchases) take(ctx context.Context, id string, wants claim, l BuyLimits) error {
	over := p.change(ctx, func(t *tab) error { return t.take(id, wants, l) })
	if !errors.As(over, new(*LimitError)) {
		return over
	}
	done, err := p.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	p.mu.Lock()
	had := p.ahead
	if had == 0 || p.aheadDay != wants.Day {
		p.mu.Unlock()
		return over
	}
	p.ahead = 0 // nobody's to spend without the store meanwhile
	p.mu.Unlock()
	var given money.Micros // the most, should it not be known which try was the one
	err = p.change(ctx, func(t *tab) error {
		gave, err := t.takeAside(p.boot(), had, id, wants, l)
		given = max(given, gave)
		return err
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.speaks { // else the store has forgotten what was set aside
		p.ahead = had - given
	}
	return err
}

// takeAside is take, but that so much of what is set aside for the gateway makes room for the purchase. What that does not need stays set
// aside; it gives how much does not.
func (t *tab) takeAside(boot string, most money.Micros, id string, wants claim, l BuyLimits) (given money.Micros, err error) {
	err = t.take(id, wants, l)
	a := t.Ahead[wants.Gateway]
	if !errors.As(err, new(*LimitError)) || a == nil || a.Boot != boot || a.Day != wants.Day || a.Amount < most {
		return 0, err
	}
	had := a.Amount
	a.Amount -= most
	if err := t.take(id, wants, l); err != nil {
		a.Amount = had
		return 0, err
	}
	spent := t.sums(wants.Day, wants.Seller, wants.Method)
	for limit, bound := range l.each() {
		if bound >= 0 {
			most = min(most, bound-spent[limit])
		}
	}
	a.Amount += most
	return had - a.Amount, nil
}
