package routing

import (
	"slices"
	"strings"
	"time"
)

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
	look, found := t.lookForObstacles(now), make(map[string]*Unserved)
	look.index.eachSeller(func(s *Seller, rank int32) {
		for i := range s.Models {
			id := s.Models[i].ID
			if look.isServed(id) {
				continue
			}
			if found[id] == nil {
				found[id] = &Unserved{Model: id}
			}
			found[id].add(look.obstacle(s, rank, id))
		}
	})
	for requested, target := range t.o.Aliases {
		if _, ok := look.index.served[requested]; !ok {
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

// obstacleLook is one look at what keeps sellers from serving models.
type obstacleLook struct {
	table   *Table
	index   *Index
	now     time.Time
	methods methodMatch
	manual  *Manual // the policy in force, where it is that one
	ranking ranking
	served  map[string]bool // whether somebody can serve a model, of those that were asked for
}

func (t *Table) lookForObstacles(now time.Time) *obstacleLook {
	look := &obstacleLook{table: t, index: t.index.Load(), now: now, served: make(map[string]bool)}
	look.methods = newMethodMatch(look.index.o.Methods)
	look.manual, _ = t.Policy().(*Manual)
	look.ranking.begin(&Query{Now: now}, &Candidates{index: look.index})
	return look
}

// isServed tells whether somebody can serve a model now.
func (l *obstacleLook) isServed(model string) bool {
	served, known := l.served[model]
	if !known {
		m := l.index.models[model]
		served = m != nil && slices.ContainsFunc(m.candidates, func(c Candidate) bool { return l.obstructs(&c) == "" })
		l.served[model] = served
	}
	return served
}

// obstacle says why a seller can't serve a model that nobody can serve.
func (l *obstacleLook) obstacle(s *Seller, rank int32, model string) Obstacle {
	o := Obstacle{SellerID: s.ID}
	switch {
	case l.index.o.Excluded[s.ID]:
		o.Why = ObstructionExcluded
	case l.index.o.off(s.ID):
		o.Why = ObstructionPaused
	case !l.methods.trades(s):
		o.Why, o.Methods = ObstructionMethod, s.Methods
	default:
		o.Why = l.obstructs(&Candidate{Seller: s, Model: model, rank: rank})
	}
	return o
}

// obstructs says why a candidate can't serve now; empty: it can.
func (l *obstacleLook) obstructs(c *Candidate) Obstruction {
	if l.manual != nil && c.Seller.ID != l.manual.keepsTo(l.index.defaultSeller) {
		return ObstructionNotSelected
	}
	if l.table.forbidden.has(c.Seller.Key(), l.now) {
		return ObstructionAddress
	}
	ready := l.index.ready(c)
	switch class, _ := l.ranking.classify(&ready); class {
	case openCircuit:
		return ObstructionCircuit
	case noFunds:
		return ObstructionNoFunds
	case lacksModel:
		return ObstructionNotFound
	}
	return ""
}
