package routing

import "github.com/tokenbuddy/caddy-tokenbuddy/dialect"

// idle is what sellers offer of a model that get no requests themselves, as they are paused or excluded.
type idle struct {
	speak  ProtocolSet
	priced bool
	by     map[string]ProtocolSet // seller's id -> what that one speaks
}

// addIdle adds the models of sellers that get no requests, and their names where nobody else has them: who asks for one is told that it is
// away for now, and not that there is none.
func (x *Index) addIdle(off map[*Seller]bool) {
	if len(off) == 0 {
		return
	}
	x.idle = make(map[string]idle)
	methods := newMethodMatch(x.o.Methods)
	x.eachSeller(func(s *Seller, _ int32) {
		if !off[s] || !methods.trades(s) {
			return
		}
		for i := range s.Models {
			m := &s.Models[i]
			known := x.idle[m.ID]
			if known.by == nil {
				known.by = make(map[string]ProtocolSet)
			}
			known.by[s.ID] |= s.Protocols
			x.idle[m.ID] = idle{known.speak | s.Protocols, known.priced || m.Priced(), known.by}
			x.name(m.ID, m.ID)
			for _, alias := range m.Aliases {
				x.name(alias, m.ID)
			}
		}
	})
}

// listed tells whether a name is shown to clients: somebody serves it, or it is away for now and its price is known.
func (x *Index) listed(name string) bool {
	id := x.served[name]
	return x.models[id] != nil || x.idle[id].priced
}

// onlyIdle tells whether only sellers that get no requests, as they are paused or excluded, serve the model over the protocol.
func (x *Index) onlyIdle(served string, p dialect.Protocol) bool {
	i := protocolIndex(p)
	return i >= 0 && x.idle[served].speak.at(i) && x.Candidates(served, p) == nil
}

// idleAt tells whether a seller that gets no requests serves the model over the protocol.
func (x *Index) idleAt(seller, served string, p dialect.Protocol) bool {
	i := protocolIndex(p)
	return i >= 0 && x.idle[served].by[seller].at(i)
}
