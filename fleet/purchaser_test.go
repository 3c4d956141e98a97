package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// fakeBooks are a ledger's purchases.
type fakeBooks struct {
	starts   uint64
	mu       sync.Mutex // held for what the gateway may look at meanwhile
	spent    money.Micros
	forgiven []string
	fates    map[string]bool // of purchases that have ended: whether they were paid
	open     map[string]bool // of those that have not: whether they may be paid
	asked    func()          // called after a fate was told; nil: nothing is
	before   string          // is the day on which those count that may be paid; empty: the one that is asked for
}

func (b *fakeBooks) Fate(_ context.Context, id string) (Fate, error) {
	if b.asked != nil {
		defer b.asked()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, open := b.open[id]; open {
		return FateOpen, nil
	}
	switch paid, ended := b.fates[id]; {
	case !ended:
		return FateUnknown, nil
	case paid:
		return FatePaid, nil
	}
	return FateUnpaid, nil
}

func (b *fakeBooks) Counted(day string) (spent money.Micros, paying []Buy) {
	b.mu.Lock()
	defer b.mu.Unlock()
	spent = b.spent
	for id, pays := range b.open {
		if pays {
			p := buyOf(id, 4)
			p.Day = cmp.Or(b.before, day)
			paying = append(paying, p)
		} else {
			spent -= 4
		}
	}
	return spent, paying
}

func (b *fakeBooks) Ended(context.Context, string) (bought []Buy, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, paid := range b.fates {
		if paid {
			bought = append(bought, buyOf(id, 4))
		}
	}
	return bought, nil
}

// note has the books say something else from now on.
func (b *fakeBooks) note(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// buyOf is a purchase at acme; of one whose name is an odd number, at another seller, by another method.
func buyOf(id string, amount money.Micros) Buy {
	if n, err := strconv.Atoi(id); err == nil && n%2 == 1 {
		return Buy{ID: id, Seller: "other", Origin: "https://other.example", Method: "card", Amount: amount}
	}
	return Buy{ID: id, Seller: "acme", Origin: "https://acme.example", Method: "mock", Amount: amount}
}

var unlimited = BuyLimits{-1, -1, -1, -1}

// purchaser is one gateway that buys.
type purchaser struct {
	*Purchases
	*link
	books *fakeBooks
}

func newPurchaser(l *link, id, boot string, ahead money.Micros, books *fakeBooks) *purchaser {
	books.starts++
	p := NewPurchases(PurchasesOptions{Store: l, Gateway: id, Boot: boot, Epoch: books.starts, Ahead: ahead, Books: books, Forgiven: func(seller string) {
		books.forgiven = append(books.forgiven, seller)
	}})
	p.Start()
	synctest.Wait()
	return &purchaser{p, l, books}
}

// purchasers runs f with so many gateways.
func purchasers(t *testing.T, n int, ahead money.Micros, f func(t *testing.T, all []*purchaser)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		var all []*purchaser
		for i := range n {
			g := newPurchaser(store.link(), fmt.Sprintf("g%d", i), "b", ahead, &fakeBooks{fates: make(map[string]bool), open: make(map[string]bool)})
			all = append(all, g)
		}
		f(t, all)
		for _, g := range all {
			g.cut(false)
			g.Close()
		}
		for _, g := range all {
			if err := g.look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// wantSpent wants all gateways to know of the same sums, soon.
func wantSpent(t *testing.T, all []*purchaser, day, session money.Micros) {
	t.Helper()
	time.Sleep(3*tabEvery + time.Second)
	for i, g := range all {
		if d, s := g.Spent(); d != day || s != session {
			t.Errorf("gateway %d: %d and %d are spent, want %d and %d", i, d, s, day, session)
		}
	}
}

func wantLimit(t *testing.T, err error, limit int, spent money.Micros) {
	t.Helper()
	if e, ok := errors.AsType[*LimitError](err); !ok || e.Limit != limit || e.Spent != spent {
		t.Errorf("%v, want limit %d with %d spent", err, limit, spent)
	}
}

// claims are the purchases that have not ended, as the store has them.
func (g *purchaser) claims(t *testing.T) map[string]*claim {
	t.Helper()
	if err := g.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g.tab.Open
}
