package purchase

import "maps"

// Past is what a desk has seen of sellers: it outlives the desk, as long as the process does.
type Past struct{ sellers map[string]*dealings }

// Past gives it once the desk is closed, for the next one.
func (d *Desk) Past() Past {
	d.mu.Lock()
	known := maps.Clone(d.sellers)
	d.mu.Unlock()
	p := Past{make(map[string]*dealings, len(known))}
	for id, g := range known {
		g.mu.Lock()
		p.sellers[id] = &dealings{sellerID: id, started: g.started, last: g.last, withheld: g.withheld, braked: g.braked}
		g.mu.Unlock()
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

// lifeOf gives what is known of a token's life where it counts already, else the one that is given.
func (g *dealings) lifeOf(l *life) *life {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, known := range g.last {
		if known != nil && known.id == l.id {
			known.bring(l.booked.Load())
			return known
		}
	}
	return l
}
