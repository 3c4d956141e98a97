package purchase

import (
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// dealings is what there is to know of a seller's id, whatever its origin, before it gets more money: a seller that moves is
// no better for it.
type dealings struct {
	sellerID string
	desk     *Desk

	mu       sync.Mutex   // protects all following fields; taken after a shelf's
	started  [3]time.Time // the last purchases, the newest first
	last     [2]*life     // of the last two tokens that have ended or were refused for no reason, the newest first
	withheld string       // the purchase that was paid, as the rail knows, and not granted: no money comes before a human has looked
	braked   bool         // it was said that it gets no more money
}

// dealingsWith gives those of a seller's id. d.mu is held.
func (d *Desk) dealingsWith(sellerID string) *dealings {
	g := d.sellers[sellerID]
	if g == nil {
		g = &dealings{sellerID: sellerID, desk: d}
		d.sellers[sellerID] = g
	}
	return g
}

// countPurchase counts a purchase, or tells when the seller may have the next one.
func (g *dealings) countPurchase(now time.Time) (next time.Time, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if oldest := g.started[len(g.started)-1]; !oldest.IsZero() && now.Sub(oldest) < time.Minute {
		return oldest.Add(time.Minute), false
	}
	g.judge()
	copy(g.started[1:], g.started[:])
	g.started[0] = now
	return time.Time{}, true
}

// uncount takes a purchase back that was counted then, and was never begun.
func (g *dealings) uncount(then time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.IndexFunc(g.started[:], then.Equal); i >= 0 {
		copy(g.started[i:], g.started[i+1:])
		g.started[len(g.started)-1] = time.Time{} // what was there before is older than a minute
	}
}

// twoOfThisMinute tells whether one purchase of this minute is left at the most.
func (g *dealings) twoOfThisMinute(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	second := g.started[1]
	return !second.IsZero() && now.Sub(second) < time.Minute
}

// count puts a token's life among the last two, once. What it has served counts up to the moment when money is wanted.
func (g *dealings) count(l *life) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.told || l.old {
		return
	}
	l.told = true
	g.last[0], g.last[1] = l, g.last[0]
	g.judge()
	g.warn()
}

// judges is a Journal that tells other gateways what sellers' tokens have brought. Its methods do not wait.
type judges interface {
	// Judge tells what was paid for the token of a purchase, and how much of that has served. It may grow.
	Judge(sellerID, purchaseID string, paid, booked money.Micros)
	Forgive(sellerID string)
}

// judge has other gateways know what the last two have brought. g.mu is held.
func (g *dealings) judge() {
	j, ok := g.desk.journal.(judges)
	if !ok {
		return
	}
	for _, l := range [...]*life{g.last[1], g.last[0]} {
		if l != nil {
			j.Judge(g.sellerID, l.id, l.paid, money.Micros(l.booked.Load()))
		}
	}
}

// withhold has the seller get no more money, as it was paid for a token that never came.
func (g *dealings) withhold(purchaseID string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.withheld = purchaseID
}

// brake says how much the seller's last two tokens have taken for nothing, and why it gets no more money, if so.
func (g *dealings) brake() (lost money.Micros, why error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.on():
		g.warn()
		return g.lost(), ErrUseless
	case g.withheld != "":
		return 0, ErrWithheld
	}
	return 0, nil
}

// suspects tells whether this one, which does not count yet, may be the second token in a row to have served next to nothing; gone
// says that another one's credit is spent, too.
func (g *dealings) suspects(l *life, gone bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return (gone || g.last[0].bad()) && !l.told && !l.old && l.bad()
}

// on tells whether the last two served next to nothing. g.mu is held.
func (g *dealings) on() bool { return g.last[0].bad() && g.last[1].bad() }

// lost is what the last two have taken. g.mu is held.
func (g *dealings) lost() (sum money.Micros) {
	for _, l := range g.last {
		sum += l.paid - money.Micros(l.booked.Load())
	}
	return sum
}

// warn says once that the brake is on. g.mu is held.
func (g *dealings) warn() {
	if on := g.on(); on == g.braked || !on {
		g.braked = on
		return
	}
	g.braked = true
	lost := g.lost()
	g.desk.log.Warn("purchase.seller.braked", zap.String("seller", g.sellerID), zap.Int64("lostMicros", int64(lost)),
		zap.String("hint", "its last two tokens served less than a tenth of what was paid for them, "+lost.String()+
			" dollars are gone: it gets no more money until it is forgiven (caddy tokenbuddy sellers forgive "+g.sellerID+") or the process starts again"))
	if g.desk.observer.Braked != nil {
		g.desk.observer.Braked(g.sellerID, lost)
	}
}

// Forgive lets a seller that gets no more money have some again, whatever its origin. It tells whether the seller is known.
func (d *Desk) Forgive(sellerID string) bool {
	if j, ok := d.journal.(judges); ok {
		j.Forgive(sellerID)
	}
	return d.Forgiven(sellerID)
}

// Forgiven is Forgive by the word of another gateway.
func (d *Desk) Forgiven(sellerID string) bool {
	d.mu.Lock()
	g := d.sellers[sellerID]
	d.mu.Unlock()
	if g == nil {
		return false
	}
	g.mu.Lock()
	g.last, g.withheld, g.braked = [2]*life{}, "", false
	g.mu.Unlock()
	for k, s := range *d.shelves.Load() {
		if k.id == sellerID {
			s.shut.Store(0)
		}
	}
	return true
}
