package purchase

import (
	"maps"
	"slices"
)

// Past is what a desk has seen of sellers: it outlives the desk, as long as the process does.
type Past struct {
	sellers map[string]*dealings
	tokens  map[string]seen // that have not ended or count already, by their purchases
}

// seen is what a desk has seen of a token.
type seen struct {
	life   *life
	usedAt int64
}

// Past gives it once the desk is closed, for the next one.
func (d *Desk) Past() Past {
	d.mu.Lock()
	known := maps.Clone(d.sellers)
	d.mu.Unlock()
	p := Past{make(map[string]*dealings, len(known)), make(map[string]seen)}
	for id, g := range known {
		g.mu.Lock()
		p.sellers[id] = &dealings{sellerID: id, started: g.started, last: g.last, withheld: g.withheld, braked: g.braked}
		for _, l := range g.last { // whose end may not be booked, as the desk was closed before
			if l != nil {
				p.tokens[l.id] = seen{life: l}
			}
		}
		g.mu.Unlock()
	}
	for _, s := range *d.shelves.Load() {
		s.mu.Lock()
		for _, t := range slices.Concat(s.retired, *s.tokens.Load()) {
			p.tokens[t.life.id] = seen{t.life, t.usedAt.Load()}
		}
		s.mu.Unlock()
	}
	return p
}

// takeOver goes on with what an earlier desk has seen.
func (d *Desk) takeOver(p Past) {
	for id, g := range p.sellers {
		g.desk = d
		d.sellers[id] = g
	}
}

// takeOver goes on with the token's life as an earlier desk has seen it: whether it counts already, and whether a request has had the token.
func (t *token) takeOver(s seen) {
	if s.life == nil {
		return
	}
	s.life.anew(t.life.booked.Load())
	s.life.old = s.life.old || t.life.old
	t.life = s.life
	t.usedAt.Store(s.usedAt)
}
