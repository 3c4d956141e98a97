package routing

import (
	"slices"
	"strings"
	"time"
)

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
		if !off[s] || len(methods.shared(s)) == 0 && !s.Account {
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

// Obstruction is why a seller can't serve a model now.
type Obstruction string

// Why a seller can't serve a model.
const (
	ObstructionPaused      Obstruction = "paused"       // by an operator
	ObstructionExcluded    Obstruction = "excluded"     // by the config
	ObstructionMethod      Obstruction = "no_method"    // it wants payment methods that are not configured
	ObstructionNotSelected Obstruction = "not_selected" // the policy in force is manual, and names another
	ObstructionCircuit     Obstruction = "circuit"      // it fails, or rests
	ObstructionNoFunds     Obstruction = "no_funds"     // no credit is left there, and none can be bought
	ObstructionNotFound    Obstruction = "not_found"    // it says that it has not the model
	ObstructionAddress     Obstruction = "address"      // the config keeps it from being reached
)

// Obstacle is what keeps one seller from serving a model.
type Obstacle struct {
	SellerID string      `json:"sellerId"`
	Why      Obstruction `json:"why"`
	Methods  []string    `json:"methods,omitempty"` // that it wants, where none of them is configured
}

// Unserved is a model that somebody offers, and nobody can serve now.
type Unserved struct {
	Model string `json:"model"`
	// AliasOf is the model that an alias of the config stands for, which nobody offers; empty: it is no such alias.
	AliasOf string     `json:"aliasOf,omitempty"`
	Sellers []Obstacle `json:"sellers"`        // the first of them; none: nobody offers it
	More    int        `json:"more,omitempty"` // how many others
}

// maxObstacles is how many sellers of a model are told of.
const maxObstacles = 5

// Unserved gives the models that nobody can serve now, in order. It looks at all sellers, and is for the background.
func (t *Table) Unserved(now time.Time) []Unserved {
	x := t.index.Load()
	var r ranking
	r.begin(&Query{Now: now}, &Candidates{index: x})
	only, manual := t.inForce().policy.(*Manual)
	obstructed := func(c *Candidate) Obstruction {
		if manual && c.Seller.ID != only.keepsTo(x.defaultSeller) {
			return ObstructionNotSelected
		}
		if t.forbidden.has(c.Seller.Key(), now) {
			return ObstructionAddress
		}
		ready := x.ready(c)
		switch class, _ := r.classify(&ready); class {
		case openCircuit:
			return ObstructionCircuit
		case noFunds:
			return ObstructionNoFunds
		case excluded:
			return ObstructionNotFound
		}
		return ""
	}
	served := func(id string) bool {
		m := x.models[id]
		return m != nil && slices.ContainsFunc(m.candidates, func(c Candidate) bool { return obstructed(&c) == "" })
	}
	methods, known, found := newMethodMatch(x.o.Methods), make(map[string]bool), make(map[string]*Unserved)
	x.eachSeller(func(s *Seller, rank int32) {
		for i := range s.Models {
			id := s.Models[i].ID
			there, ok := known[id]
			if !ok {
				there = served(id)
				known[id] = there
			}
			if there {
				continue
			}
			u := found[id]
			if u == nil {
				u = &Unserved{Model: id}
				found[id] = u
			}
			u.add(x.obstacle(s, rank, id, methods, obstructed))
		}
	})
	for requested, target := range t.o.Aliases {
		if _, ok := x.served[requested]; !ok {
			found["\x00"+requested] = &Unserved{Model: requested, AliasOf: target, Sellers: []Obstacle{}}
		}
	}
	all := make([]Unserved, 0, len(found))
	for _, u := range found {
		all = append(all, *u)
	}
	slices.SortFunc(all, func(a, b Unserved) int { return strings.Compare(a.Model, b.Model) })
	return all
}

func (u *Unserved) add(o Obstacle) {
	if len(u.Sellers) == maxObstacles {
		u.More++
		return
	}
	u.Sellers = append(u.Sellers, o)
}

// obstacle says why a seller can't serve a model.
func (x *Index) obstacle(s *Seller, rank int32, model string, methods methodMatch, obstructed func(*Candidate) Obstruction) Obstacle {
	o := Obstacle{SellerID: s.ID}
	switch {
	case x.o.Excluded[s.ID]:
		o.Why = ObstructionExcluded
	case x.o.off(s.ID):
		o.Why = ObstructionPaused
	case len(methods.shared(s)) == 0 && !s.Account:
		o.Why, o.Methods = ObstructionMethod, s.Methods
	default:
		o.Why = obstructed(&Candidate{Seller: s, Model: model, rank: rank})
	}
	return o
}
