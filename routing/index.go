package routing

import (
	"iter"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

// Index is what requests look things up in: one config's view of the sellers. It never changes, and its lookups neither
// allocate nor depend on how many sellers there are.
type Index struct {
	o             *TableOptions
	doc           *Document
	defaultSeller string
	defaultRank   int32 // -1: it is not among the sellers
	pinned        []*Seller
	pinnedRank    map[string]int32
	served        map[string]string // every name a client may ask for -> the model id that is served
	models        map[string]*offers
	idle          map[string]idle // by model id: what sellers have that get no requests; nil: all get some
	names         []string
}

// offers are the candidates of one model, a list for each protocol.
type offers struct {
	count      int
	candidates []Candidate
	protocols  []*Candidates // in the order of dialect.Protocols; the same where the same sellers speak them
}

// newIndex builds an index in time proportional to the offers of all sellers.
func newIndex(o *TableOptions, doc *Document) *Index {
	x := &Index{
		o: o, doc: doc, defaultSeller: o.DefaultSeller, pinned: o.Pinned,
		pinnedRank: make(map[string]int32, len(o.Pinned)),
		served:     make(map[string]string), models: make(map[string]*offers),
	}
	if x.defaultSeller == "" && doc != nil {
		x.defaultSeller = doc.DefaultSeller
	}
	for i, s := range o.Pinned {
		x.pinnedRank[s.ID] = int32(i)
	}
	x.defaultRank = -1
	if rank, ok := x.rank(x.defaultSeller); ok {
		x.defaultRank = rank
	}
	off := make(map[*Seller]bool)
	x.eachSeller(func(s *Seller, _ int32) {
		if o.off(s.ID) { // asked once: it may change meanwhile
			off[s] = true
		}
	})
	x.addOffers(off)
	x.nameModels(off)
	x.addIdle(off)
	x.addAliases(o.Aliases)
	for name := range x.served {
		if x.listed(name) {
			x.names = append(x.names, name)
		}
	}
	slices.Sort(x.names)
	return x
}

// addOffers gives the models their candidates. It goes over all sellers once to count, so that those of a model are allocated in one
// piece, and once to fill in.
func (x *Index) addOffers(off map[*Seller]bool) {
	methods := newMethodMatch(x.o.Methods)
	each := func(visit func(Candidate)) {
		x.eachSeller(func(s *Seller, rank int32) {
			if off[s] || !methods.trades(s) {
				return
			}
			shared := methods.shared(s)
			for i := range s.Models {
				visit(Candidate{Seller: s, Model: s.Models[i].ID, Price: s.Models[i].Price, Methods: shared, rank: rank})
			}
		})
	}
	each(func(c Candidate) {
		m := x.models[c.Model]
		if m == nil {
			m = new(offers)
			x.models[c.Model] = m
		}
		m.count++
	})
	each(func(c Candidate) {
		m := x.models[c.Model]
		if m.candidates == nil {
			m.candidates = make([]Candidate, 0, m.count)
		}
		m.candidates = append(m.candidates, c)
	})
	for _, m := range x.models {
		m.split(x)
	}
}

// nameModels finds which model each name means that a client may ask for. What the pinned sellers and the default one call
// their models and aliases is theirs: no other seller's model or alias takes a name from them. Of the names of either kind the
// ids are stronger than aliases, and the first seller's alias is stronger than the next one's. Who is paused keeps a name that is
// theirs: what goes by it is to wait, or to be served elsewhere as the same model, and not as a stranger's of that name.
func (x *Index) nameModels(off map[*Seller]bool) {
	ours := func(rank int32) bool { return int(rank) < len(x.pinned) || rank == x.defaultRank }
	for _, of := range []func(s *Seller, rank int32) bool{
		func(s *Seller, rank int32) bool { return ours(rank) && !x.o.Excluded[s.ID] },
		func(s *Seller, rank int32) bool { return !ours(rank) && !off[s] },
	} {
		x.eachOffer(of, func(m *Model) { x.name(m.ID, m.ID) })
		x.eachOffer(of, func(m *Model) {
			for _, alias := range m.Aliases {
				x.name(alias, m.ID)
			}
		})
	}
}

// name gives a name to a model, unless another one has it.
func (x *Index) name(name, id string) {
	if _, taken := x.served[name]; !taken {
		x.served[name] = id
	}
}

// eachOffer calls for the models of some sellers, in order, that can be traded with.
func (x *Index) eachOffer(of func(s *Seller, rank int32) bool, visit func(*Model)) {
	methods := newMethodMatch(x.o.Methods)
	x.eachSeller(func(s *Seller, rank int32) {
		if !of(s, rank) || !methods.trades(s) {
			return
		}
		for i := range s.Models {
			visit(&s.Models[i])
		}
	})
}

// addAliases adds the config's aliases, which are stronger than everything else. They take one step: the target is a
// model's id or a seller's alias, not another alias of the config.
func (x *Index) addAliases(aliases map[string]string) {
	targets := make(map[string]string, len(aliases))
	for requested, target := range aliases {
		targets[requested] = x.served[target] // "" when nobody serves it
	}
	for requested, id := range targets {
		if id == "" {
			delete(x.served, requested)
		} else {
			x.served[requested] = id
		}
	}
}

// eachSeller calls for every seller in order of rank: the pinned ones, then those of the registry without the ids that are
// pinned.
func (x *Index) eachSeller(visit func(s *Seller, rank int32)) {
	for i, s := range x.pinned {
		visit(s, int32(i))
	}
	if x.doc == nil {
		return
	}
	for i, s := range x.doc.Sellers {
		if _, pinned := x.pinnedRank[s.ID]; !pinned {
			visit(s, int32(len(x.pinned)+i))
		}
	}
}

// Sellers calls for every seller, in order of rank.
func (x *Index) Sellers(visit func(*Seller)) {
	x.eachSeller(func(s *Seller, _ int32) { visit(s) })
}

// split makes the lists for each protocol. Protocols that the same sellers speak share one.
func (o *offers) split(x *Index) {
	o.protocols = make([]*Candidates, len(dialect.Protocols))
next:
	for i := range o.protocols {
		for j := range i {
			if o.alike(i, j) {
				o.protocols[i] = o.protocols[j]
				continue next
			}
		}
		var list []*Candidate
		for k := range o.candidates {
			if c := &o.candidates[k]; c.Seller.Protocols.at(i) {
				list = append(list, c)
			}
		}
		o.protocols[i] = &Candidates{list: slices.Clip(list), index: x}
	}
}

// lists gives each list once, with the place of the first protocol that has it.
func (o *offers) lists() iter.Seq2[int, *Candidates] {
	return func(yield func(int, *Candidates) bool) {
		for i, c := range o.protocols {
			if slices.Index(o.protocols, c) == i && !yield(i, c) {
				return
			}
		}
	}
}

// alike tells whether the same sellers speak both protocols.
func (o *offers) alike(i, j int) bool {
	for k := range o.candidates {
		if s := o.candidates[k].Seller.Protocols; s.at(i) != s.at(j) {
			return false
		}
	}
	return true
}

// Resolve gives the id of the model that is served when a client asks for a name: what the config's alias says, else what the
// pinned sellers and the default one mean by it, else the model of that id, else the model that the first seller with such an
// alias means. ok is false when nobody serves it.
func (x *Index) Resolve(requested string) (served string, ok bool) {
	served, ok = x.served[requested]
	return served, ok
}

// Pins tells whether a name that a client may ask for means a model of a pinned seller.
func (x *Index) Pins(requested string) bool {
	served, ok := x.served[requested]
	return ok && slices.ContainsFunc(x.pinned, func(s *Seller) bool {
		return slices.ContainsFunc(s.Models, func(m Model) bool { return m.ID == served })
	})
}

// Candidates gives those that can serve the model, named by its own id, over the protocol; nil when there is none.
func (x *Index) Candidates(served string, p dialect.Protocol) *Candidates {
	m, i := x.models[served], protocolIndex(p)
	if m == nil || i < 0 || len(m.protocols[i].list) == 0 {
		return nil
	}
	return m.protocols[i]
}

// Models gives every name that a client may ask for, sorted: the ids of models and the aliases of them, each with at least
// one candidate, or with a price and with sellers that are paused or excluded. Not to be changed.
func (x *Index) Models() []string { return x.names }

// DefaultSeller is the id of the config's default seller, else of the registry's; empty when neither names one.
func (x *Index) DefaultSeller() string { return x.defaultSeller }

// Seller gives the seller with the id, nil when there is none. It need not be a candidate for anything.
func (x *Index) Seller(id string) *Seller {
	if i, ok := x.pinnedRank[id]; ok {
		return x.pinned[i]
	}
	return x.doc.Seller(id)
}

func (x *Index) rank(id string) (int32, bool) {
	if i, ok := x.pinnedRank[id]; ok {
		return i, true
	}
	if x.doc == nil {
		return 0, false
	}
	i, ok := x.doc.position[id]
	return int32(len(x.pinned)) + i, ok
}

// methodMatch finds the payment methods that a seller shares with us. Few lists are different among many sellers, and a
// parsed document keeps each list once, so the answer is remembered by the list itself.
type methodMatch struct {
	ours  []string
	known map[*string][]string // by the list's first item
}

func newMethodMatch(ours []string) methodMatch {
	return methodMatch{ours: ours, known: make(map[*string][]string)}
}

// trades tells whether a seller can be traded with: it takes a payment method of ours, or the operator has an account there.
func (m methodMatch) trades(s *Seller) bool { return s.Account || len(m.shared(s)) > 0 }

func (m methodMatch) shared(s *Seller) []string {
	if len(s.Methods) == 0 {
		return nil
	}
	shared, ok := m.known[&s.Methods[0]]
	if !ok {
		for _, name := range m.ours {
			if slices.Contains(s.Methods, name) {
				shared = append(shared, name)
			}
		}
		m.known[&s.Methods[0]] = shared
	}
	return shared
}
