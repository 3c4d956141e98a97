package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// speak has this process speak for its gateway from now on, once: of one before it nothing is taken any more.
func (p *Purchases) speak(ctx context.Context) error {
	p.mu.Lock()
	speaks := p.speaks
	p.mu.Unlock()
	if speaks {
		return nil
	}
	done, err := p.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	p.mu.Lock()
	speaks = p.speaks
	p.mu.Unlock()
	if speaks {
		return nil
	}
	if err := p.make(ctx, tabKey, func(at Moment, old []byte) ([]byte, error) {
		return changeTab(at, old, 0, func(t *tab) error {
			if _, err := t.hears(p.o.Gateway, p.o.Epoch, p.o.Boot, at.Line); err != nil {
				return err
			}
			t.Boots[p.o.Gateway] = p.boot() + "@" + at.Line
			return nil
		})
	}); err != nil {
		p.note(ctx.Err() == nil, err)
		return err
	}
	if err := p.lookBack(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	p.speaks = true
	p.mu.Unlock()
	return nil
}

// lookBack settles purchases that the store takes for open, and this gateway's ledger does not, and the other way round. What an
// earlier process had set aside counts as far as the ledger has spent more than the store knows of, or whole where the ledger was restored since. What may be paid, and the ledger has
// lost, counts as paid. So does, when a process begins to
// speak, what was bought today without the store, which has forgotten it or has never heard of it.
func (p *Purchases) lookBack(ctx context.Context) (err error) {
	for range tries {
		if err = p.lookBackOnce(ctx); !errors.Is(err, errMoved) {
			return err
		}
	}
	return err
}

// errMoved: the store has gone back, as in a failover, or the books have gone on since they were asked.
var errMoved = fmt.Errorf("%w: other purchases are under way than a moment ago", ErrAway)

func (p *Purchases) lookBackOnce(ctx context.Context) error {
	day := today()
	now, err := p.standing(ctx, day)
	if err != nil {
		return err
	}
	p.mu.Lock()
	speaks := p.speaks // the store has heard this process
	p.mu.Unlock()
	var bought []Buy
	if !speaks {
		if bought, err = p.o.Books.Ended(ctx, day); err != nil {
			return err
		}
	}
	p.learnSession(ctx)
	return p.change(ctx, func(t *tab) error {
		for id, c := range t.Open {
			if _, asked := now.fates[id]; !asked && !speaks && c.Gateway == p.o.Gateway { // it would be missing, and is there
				return errMoved
			}
		}
		ended := now.ended(t, p.o.Gateway, day)
		for id, fate := range now.fates {
			if fate != FateOpen && !p.isUsed(id) {
				t.endAs(id, fate)
			}
		}
		for _, b := range now.paying {
			if t.Open[b.ID] == nil && !p.isUsed(b.ID) {
				t.Open[b.ID] = &claim{p.o.Gateway, b.Seller, b.Method, b.Day, t.Session, b.Amount, true}
			}
		}
		if a := t.Ahead[p.o.Gateway]; a != nil && a.Boot != p.boot() {
			t.endAhead(p.o.Gateway, day, ended, p.o.Restored)
		}
		if missing := ended - t.ended(p.o.Gateway, day); !speaks && missing > 0 {
			t.learn(p.o.Gateway, day, missing, bought)
		}
		return nil
	})
}

// standing is what a gateway's books have of its purchases, all at one moment.
type standing struct {
	booked money.Micros            // of a day
	paying []Buy                   // that may be paid and have not ended: a part of that
	used   map[string]money.Micros // on that day of what is set aside, by purchase id, and the store may not know it
	fates  map[string]Fate         // of these, and of those that the store takes for open
}

// ended is what the books have of the day's purchases that have ended, but for those of which the tab will be told that they have.
func (s *standing) ended(t *tab, gateway, day string) money.Micros {
	ended := s.booked
	for id, amount := range s.used {
		if s.fates[id] == FatePaid && (t.Open[id] != nil || !t.wasTold(gateway, id)) {
			ended -= amount
		}
	}
	for _, b := range s.paying {
		if b.Day == day {
			ended -= b.Amount
		}
	}
	return ended
}

func (p *Purchases) standing(ctx context.Context, day string) (s standing, err error) {
	s.booked, s.paying = p.o.Books.Counted(day)
	open, err := p.open(ctx)
	if err != nil {
		return s, err
	}
	s.used = p.taken(day)
	s.fates = make(map[string]Fate, len(open)+len(s.used))
	for _, id := range slices.AppendSeq(open, maps.Keys(s.used)) {
		if s.fates[id], err = p.o.Books.Fate(ctx, id); err != nil {
			return s, err
		}
	}
	if booked, paying := p.o.Books.Counted(day); booked != s.booked || !maps.Equal(byID(paying), byID(s.paying)) {
		return s, errMoved
	}
	return s, nil
}

func byID(all []Buy) map[string]Buy {
	by := make(map[string]Buy, len(all))
	for _, b := range all {
		by[b.ID] = b
	}
	return by
}

// open gives those of this gateway's purchases that the store takes for open.
func (p *Purchases) open(ctx context.Context) (ids []string, err error) {
	err = p.o.Store.Load(ctx, func(_ string, value []byte) error {
		t := new(tab)
		if err := json.Unmarshal(value, t); err != nil {
			return err
		}
		for id, c := range t.Open {
			if c.Gateway == p.o.Gateway {
				ids = append(ids, id)
			}
		}
		return nil
	}, tabKey)
	return ids, err
}

// taken is what was taken on a day of what is set aside, by purchase id.
func (p *Purchases) taken(day string) map[string]money.Micros {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[string]money.Micros, len(p.used))
	for id, u := range p.used {
		if u.day == day {
			all[id] = u.Amount
		}
	}
	return all
}

func (p *Purchases) isUsed(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used[id] != nil
}

func (p *Purchases) boot() string { return tabBoot(p.o.Epoch, p.o.Boot) }

// forgetLimits ends what a gateway has of the limits of purchases, and of rates. What was set aside for its purchases counts as spent, and so
// do those that may be paid.
func forgetLimits(ctx context.Context, s Store, gateway string) error {
	err := s.Change(ctx, tabKey, func(at Moment, old []byte) ([]byte, error) {
		return changeTab(at, old, 0, func(t *tab) error {
			t.forget(gateway)
			return nil
		})
	})
	if err != nil {
		return err
	}
	return s.Change(ctx, presenceKey, func(at Moment, old []byte) ([]byte, error) {
		next, _, err := heard(at, old, gateway, present{}, true)
		return next, err
	})
}

// settle tells the store what it does not know yet, and sets aside what is wanted. Where there is nothing to tell it looks.
func (p *Purchases) settle(ctx context.Context) error {
	done, err := p.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	day := today()
	if p.isAway() {
		if err := p.look(ctx); err != nil {
			return err // what is set aside can be spent meanwhile
		}
	}
	p.learnSession(ctx)
	p.tellAll(ctx)
	n := p.untold(day)
	if n == nil {
		return p.look(ctx)
	}
	var got money.Micros
	err = p.change(ctx, func(t *tab) error {
		told := t.fromAhead(p.o.Gateway, n.used)
		for id, paid := range n.ends {
			t.end(id, paid)
		}
		got = t.setAside(p.o.Gateway, setAway{Boot: p.boot(), Day: day, Amount: n.want, Told: told}, n.limits)
		return nil
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.ahead, p.aheadDay = got, day
		p.noteTold(n)
	case p.speaks && !errors.Is(err, ErrUnknown): // else the store has forgotten what was set aside
		p.ahead = n.had
	}
	return err
}

// news is what the store does not know yet of a gateway's purchases, and what the gateway wants set aside.
type news struct {
	ends      map[string]bool  // by purchase id: whether it was paid
	used      map[string]taken // what was taken of what is set aside, by purchase id
	had, want money.Micros     // set aside
	limits    BuyLimits
}

// untold gives what there is to tell; nil: nothing. Until it was told, what is set aside is nobody's to spend.
func (p *Purchases) untold(day string) *news {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &news{ends: maps.Clone(p.ends), used: make(map[string]taken, len(p.used)), had: p.ahead}
	for id, u := range p.used {
		n.used[id] = *u
	}
	if p.limits != nil { // else it is not known what may be
		n.want, n.limits = p.o.Ahead, *p.limits
	}
	enough := n.had == n.want || n.had < n.want && time.Since(p.asked) < asideAgain
	stale := n.had > 0 && p.aheadDay != day
	if len(n.ends) > 0 || len(n.used) > 0 || !enough || stale {
		p.ahead = 0
		return n
	}
	if !p.speaks { // the store has forgotten what was set aside
		p.ahead = 0
	}
	return nil
}

// noteTold forgets what the store knows by now. p.mu is held.
func (p *Purchases) noteTold(n *news) {
	if p.asked = time.Now(); n.want == 0 {
		p.asked = time.Time{}
	}
	for id, paid := range n.ends {
		if now, there := p.ends[id]; there && now == paid {
			delete(p.ends, id)
		}
	}
	for id, u := range n.used {
		if now := p.used[id]; now != nil && now.paying == u.paying { // else it is told again
			delete(p.used, id)
		}
	}
}

// look learns what others have spent.
func (p *Purchases) look(ctx context.Context) error {
	day, there, heard := today(), false, false
	err := p.o.Store.Load(ctx, func(_ string, value []byte) error {
		t := new(tab)
		if err := json.Unmarshal(value, t); err != nil {
			return err
		}
		there = true
		var fenced error
		if heard, fenced = t.hears(p.o.Gateway, p.o.Epoch, p.o.Boot, t.Line); fenced != nil {
			heard = true // which is found out by a change
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if t.Session < p.session {
			t.Session, t.Closed = p.session, 0
		}
		p.day, p.spent, p.tab = day, t.sums(day, "", ""), t
		return nil
	}, tabKey)
	if err == nil && !there {
		p.mu.Lock()
		p.day, p.spent, p.tab = day, [4]money.Micros{}, new(tab)
		p.mu.Unlock()
	}
	if err == nil && !heard {
		p.unheard()
	}
	p.note(err != nil && ctx.Err() == nil, err)
	return err
}
