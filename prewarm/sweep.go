package prewarm

import (
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	maxAtOnce  = 16 // probes
	sampleSize = 8  // candidates beside the pool, of each model over each protocol
)

// Result is what a sweep found.
type Result struct {
	Entries int   `json:"entries"` // that were to be warmed
	Probed  int   `json:"probed"`  // sellers
	Healthy int   `json:"healthy"`
	Failed  int   `json:"failed"`
	TookMs  int64 `json:"tookMs"`
	// NetworkDown says that so many failed at once that it is taken for the gateway's own network: none of the failures
	// counts.
	NetworkDown bool `json:"networkDown,omitempty"`
}

// sweep is one round of probes.
type sweep struct {
	warmer   *Warmer
	sites    []*Site
	interval time.Duration
	started  time.Time
	lazy     bool // only what was touched for the first time
	all      bool // also what is backing off
	asked    []chan Result

	order   []*target
	targets map[sellerKey]*target
	members map[*entry]*membership
	turned  []*membership // whose entries have become warm
}

// target is a seller in a sweep.
type target struct {
	seller Seller
	site   *Site   // over whose connections it is probed
	others []*Site // that have it too: one may reach what another may not
	known  bool    // from a sweep just before: it is not probed again
	found  health
}

// membership is who can make an entry warm.
type membership struct {
	key     entryKey
	sellers []sellerKey
	pool    int // how many of them are in the pool
	due     bool
	healthy int // once the sweep has ended
}

// offer is what one site has for one use.
type offer struct {
	site         *Site
	use          use
	pool, sample []Seller
}

// run makes the sweep and tells all that wait for it.
func (s *sweep) run() {
	w := s.warmer
	offers := s.gather()
	s.enlist(offers)
	s.probe()
	r := s.judge()
	w.mu.Lock()
	s.conclude(&r)
	w.mu.Unlock()
	s.tellWarm()
	s.tellStart(offers)
	w.log.Debug("prewarm.sweep.finished", zap.Bool("lazy", s.lazy), zap.Int("entries", r.Entries), zap.Int("probed", r.Probed),
		zap.Int("failed", r.Failed), zap.Int64("tookMs", r.TookMs))
	for _, done := range s.asked {
		done <- r
	}
	w.look()
}

// gather asks the sites what there is to be warmed.
func (s *sweep) gather() (offers []offer) {
	from := int(s.warmer.sweepCount()) * sampleSize
	for _, site := range s.sites {
		if site.o.Ready != nil {
			_ = site.o.Ready(site.ctx) // without them there is nothing to be warmed; the next sweep may find some
		}
		uses := site.inUse(s.started, maxBackoff*s.interval)
		if !s.lazy {
			focus, err := site.focus(s.started)
			if err != nil && s.warmer.ctx.Err() == nil {
				event := "prewarm.focus.failed"
				if !site.begun {
					event, site.begun = "prewarm.startup.failed", true
				}
				s.warmer.log.Warn(event, zap.Error(err))
			}
			uses = append(focus, slices.DeleteFunc(uses, func(k use) bool { return slices.Contains(focus, k) })...)
		}
		for _, k := range uses {
			offers = append(offers, offer{
				site: site, use: k, pool: site.o.Catalogue.Pool(k.model, k.protocol),
				sample: site.o.Catalogue.Sample(k.model, k.protocol, from, sampleSize),
			})
		}
	}
	return offers
}

// enlist makes the entries of the offers and the list of sellers to be probed, each once.
func (s *sweep) enlist(offers []offer) {
	w := s.warmer
	s.targets, s.members = make(map[sellerKey]*target), make(map[*entry]*membership)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range offers {
		for i, seller := range slices.Concat(o.pool, o.sample) {
			for _, method := range seller.Methods {
				key := entryKey{o.use, method}
				if e := w.entry(key); e != nil && !seller.Account {
					s.add(o.site, e, key, seller, i < len(o.pool))
				}
			}
		}
	}
	for e, m := range s.members {
		e.candidates = m.pool
		if m.due {
			e.begin(s.started)
		}
	}
	if !s.lazy {
		for k, e := range w.entries {
			if s.members[e] == nil {
				delete(w.entries, k)
			}
		}
	}
}

// entry gives the entry of a key, and makes it where there is none. There is none where there are too many. w.mu is held.
func (w *Warmer) entry(k entryKey) *entry {
	e := w.entries[k]
	if e == nil && len(w.entries) < maxEntries {
		e = &entry{state: Cold}
		w.entries[k] = e
	}
	return e
}

// add makes a seller a member of the entry, to be probed if the entry's time has come. The warmer's mu is held.
func (s *sweep) add(site *Site, e *entry, of entryKey, seller Seller, inPool bool) {
	key := sellerKey{seller.ID, seller.Origin}
	m := s.members[e]
	if m == nil {
		m = &membership{key: of, due: s.all || !s.lazy && !s.started.Before(e.due) || s.lazy && e.state == Cold}
		s.members[e] = m
	}
	if !slices.Contains(m.sellers, key) {
		m.sellers = append(m.sellers, key)
		if inPool {
			m.pool++
		}
	}
	if !m.due {
		return
	}
	t := s.targets[key]
	switch {
	case t == nil:
		t = &target{seller: seller, site: site}
		if s.lazy {
			t.found, t.known = s.warmer.found[key]
		}
		s.targets[key] = t
		s.order = append(s.order, t)
	case t.site != site && !slices.Contains(t.others, site):
		t.others = append(t.others, site)
	}
}

// probe asks all sellers, so many at once. What is healthy is reported as it comes.
func (s *sweep) probe() {
	var all sync.WaitGroup
	places := make(chan struct{}, maxAtOnce)
	for _, t := range s.order {
		if t.known {
			continue
		}
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			t.found = t.site.probe(t.seller)
			for ; t.found.forbidden && len(t.others) > 0; t.others = t.others[1:] {
				t.site = t.others[0]
				t.found = t.site.probe(t.seller)
			}
			if t.found.probed && t.found.healthy {
				t.site.o.Catalogue.Probed(t.seller, true, t.found.took)
			}
		})
	}
	all.Wait()
}
