package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// bankBooks is what the ledger of the gateway says, read entry by entry, and held against what clients, sellers and rail know.
type bankBooks struct {
	bank   *bank
	cursor string // the last entry read

	requests  map[string]*entry
	keys      map[string]*keyBooks
	purchases map[string]*purchaseBooks
	unlike    map[string]int64 // by why the seller's books and ours may differ: by how much they do
	alike     int              // keys for which they don't
	recovered int              // holds that a dead process has left
	righted   int              // estimates that a balance has put right
	dirty     map[string]bool  // keys to be compared
}

// keyBooks is what was booked of the requests under an idempotency key.
type keyBooks struct {
	took    map[string]int64 // by purchase: what its token has paid
	entries []*entry
	unsure  string // why that need not be what the seller took; empty: it has to be
}

// purchaseBooks is what was booked of a purchase and its token.
type purchaseBooks struct {
	seller  string
	wallet  int64 // what it has cost
	credit  int64 // what is left
	granted int64
	states  []string
	dropped bool
}

func newBankBooks(b *bank) *bankBooks {
	return &bankBooks{
		bank: b, requests: map[string]*entry{}, keys: map[string]*keyBooks{}, purchases: map[string]*purchaseBooks{},
		unlike: map[string]int64{}, dirty: map[string]bool{},
	}
}

func (k *bankBooks) key(key string) *keyBooks {
	k.dirty[key] = true
	if k.keys[key] == nil {
		k.keys[key] = &keyBooks{took: map[string]int64{}}
	}
	return k.keys[key]
}

// read takes in the entries that came since the last time.
func (k *bankBooks) read() {
	for _, e := range k.bank.caddy.entriesAfter(k.cursor) {
		k.cursor = e.ID
		p := k.purchases[e.PurchaseID]
		if p == nil {
			p = &purchaseBooks{seller: e.Seller}
			k.purchases[e.PurchaseID] = p
		}
		if e.Correction.RequestID != "" {
			k.righted++
		}
		var paid int64 // by the token
		for _, posting := range e.Postings {
			switch kind, _, _ := strings.Cut(posting.Account, ":"); kind {
			case "wallet":
				p.wallet -= posting.AmountMicros
			case "credit":
				p.credit += posting.AmountMicros
				paid -= posting.AmountMicros
			}
		}
		switch {
		case e.State != "":
			p.states = append(p.states, e.State)
			p.granted -= paid
		case e.Kind == "inference":
			k.inference(&e, paid)
		case e.Attempt != nil:
			k.attempt(&e, paid)
		case e.Kind == "waste":
			p.dropped = true
		}
	}
}

func (k *bankBooks) inference(e *entry, paid int64) {
	if twice := k.requests[e.RequestID]; twice != nil {
		k.bank.wrong(violation, "request %s has two entries: %+v and %+v", e.RequestID, twice, e)
	}
	k.requests[e.RequestID] = e
	s := k.bank.clients.sent[e.RequestID]
	if s == nil {
		k.bank.wrong(violation, "an entry of a request that nobody made: %+v", e)
		return
	}
	of := k.key(e.IdempotencyKey)
	of.took[e.PurchaseID] += paid
	of.entries = append(of.entries, e)
	recovered := slices.Contains(e.Flags, "recovered")
	switch {
	case recovered:
		k.recovered++
		of.unsure = "killed, and estimated at the next start"
		if e.Status != "interrupted" && e.Status != "failed" || e.BilledSource != "estimate" {
			k.bank.wrong(violation, "a hold that was left behind is booked as %+v", e)
		}
	case slices.Contains(e.Flags, "capped"):
		of.unsure = "more than the credit in our books, from which an estimate had taken too much"
	case e.BilledSource == "estimate" && (e.Status != "failed" || e.BilledMicros > 0):
		of.unsure = "estimated, as no settlement came"
	}
	for _, try := range e.Trace {
		switch try.Kind {
		case "ok", "auth_invalid", "insufficient_funds", "purchase_failed", "budget_exceeded":
		default:
			of.unsure = "an attempt that got no answer"
		}
	}
	if s.whole && e.Status != "ok" && !recovered {
		k.bank.wrong(violation, "the answer to %s came whole, and is booked as %+v", e.RequestID, e)
	}
}

func (k *bankBooks) attempt(e *entry, paid int64) {
	of := k.key(e.Attempt.IdempotencyKey)
	of.took[e.PurchaseID] += paid
	of.entries = append(of.entries, e)
	if e.Attempt.BilledSource == "estimate" {
		of.unsure = "a failed attempt that was estimated"
	}
}

// check holds the books against what everybody knows, while no request is going on and no purchase is open.
func (k *bankBooks) check(ended int) {
	k.read()
	k.checkRequests(ended)
	k.checkKeys()
	k.checkPurchases()
}

// checkRequests looks at the requests of the rounds that are over and were not looked at yet.
func (k *bankBooks) checkRequests(ended int) {
	for _, s := range k.bank.clients.sent {
		if s.round != ended {
			continue
		}
		e := k.requests[s.id]
		if strings.HasPrefix(s.id, hungPrefix) && s.bytes > 0 && (e == nil || !slices.Contains(e.Flags, "recovered")) {
			k.bank.wrong(violation, "the stream %s that the kill cut is booked as %+v", s.id, e)
		}
		if e != nil {
			continue
		}
		if key := k.bank.keyOf(s.id); key != "" {
			k.key(key).unsure = "killed before anything reached the client"
		}
		if s.status == 200 && s.bytes > 0 {
			k.bank.wrong(violation, "%d bytes of the answer to %s (whole: %v) came, and it is not booked", s.bytes, s.id, s.whole)
		}
	}
}

// checkKeys compares what the sellers have taken with what was booked for it, by token.
func (k *bankBooks) checkKeys() {
	for key := range k.dirty {
		of, differ := k.keys[key], map[string]int64{}
		for purchase, paid := range of.took {
			differ[purchase] -= paid
		}
		for _, s := range k.bank.sellers {
			s.mu.Lock()
			if len(s.charges[key]) > 1 {
				k.bank.wrong(paidTwice, "seller %s has charged request key %s %d times", s.id, key, len(s.charges[key]))
			}
			for _, c := range s.charges[key] {
				differ[c.account.purchase] += c.billed
			}
			s.mu.Unlock()
		}
		maps.DeleteFunc(differ, func(_ string, micros int64) bool { return micros == 0 })
		if of.unsure == "" && k.bank.lostAnswer(key) {
			// The HTTP client of the gateway asks again by itself where a connection breaks before there is an answer, and the
			// other answer may be a refusal.
			of.unsure = "an attempt that got no answer"
		}
		if of.unsure == "" && len(of.entries) > 1 && slices.ContainsFunc(of.entries, func(e *entry) bool { return e.BilledSource == "usage" }) {
			of.unsure = "a retry that was paid for before, as far as its seller knows, and one of both came without a settlement"
		}
		switch {
		case len(differ) == 0:
			k.alike++
		case of.unsure == "":
			k.bank.wrong(violation, "key %s: the sellers have taken so much more than was booked, by purchase: %v; booked %s", key, differ, jsonOf(of.entries))
		default:
			for _, micros := range differ {
				k.unlike[of.unsure] += micros
			}
		}
	}
	clear(k.dirty)
}

func jsonOf(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// checkPurchases holds the purchases against what the rail has paid and the sellers have sold.
func (k *bankBooks) checkPurchases() {
	b, paid := k.bank, int64(0)
	b.rail.mu.Lock()
	for key, p := range b.rail.payments {
		cost := p.micros * int64(p.paid)
		paid += cost
		if p.paid > 1 {
			b.wrong(paidTwice, "the rail has paid purchase %s %d times", key, p.paid)
		}
		if ours := k.purchases[key]; cost > 0 && ours == nil || ours != nil && ours.wallet != cost {
			b.wrong(violation, "the rail has paid %d for purchase %s, and booked is %+v", cost, key, ours)
		}
	}
	b.rail.mu.Unlock()
	for _, s := range b.sellers {
		s.mu.Lock()
		for key, sold := range s.accounts {
			if len(sold) > 1 {
				b.wrong(paidTwice, "seller %s has sold %d tokens for purchase %s", s.id, len(sold), key)
			}
			if ours := k.purchases[key]; ours == nil || !slices.Contains(ours.states, "granted") || ours.granted != sold[0].credit {
				b.wrong(violation, "seller %s has sold a token of %d for purchase %s, and it is lost: %+v", s.id, sold[0].credit, key, ours)
			}
		}
		s.mu.Unlock()
	}
	accounts := b.caddy.balances()
	if have := -accounts["wallet:bank"]; have != paid {
		b.wrong(violation, "the rail has paid %d, and the wallet is %d", paid, have)
	}
	for name, micros := range accounts {
		if strings.HasPrefix(name, "pending:") && micros != 0 {
			b.wrong(violation, "account %s is %d, and no purchase is open", name, micros)
		}
	}
}
