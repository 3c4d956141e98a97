package ledger

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/archive"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Report is what Verify has found. When the books don't hold, Problem says what is wrong first, and Entry and Sequence
// name the entry, if it is one.
type Report struct {
	OK       bool   `json:"ok"`
	Entries  uint64 `json:"entries"` // read, all of them when OK
	Head     string `json:"head"`    // hash of the newest
	Problem  string `json:"problem,omitempty"`
	Entry    string `json:"entry,omitempty"`
	Sequence uint64 `json:"sequence,omitempty"`
	// Archive is the path of the archive file that is the problem: it is missing, or was changed.
	Archive string `json:"archive,omitempty"`
	// Completed are the entries that a fleet had after those of a backup that was restored.
	Completed uint64 `json:"completed,omitempty"`
	// LostMicros is what members have spent beside, as the fleet was told, by entries that were not shipped: it counts in their budgets.
	LostMicros money.Micros `json:"lostMicros,omitempty"`
	// Missing are the archive files that a restored ledger needs and that are not there yet: what is in them, and whether balances and day
	// sums are the sums of all entries, was not looked into.
	Missing []string `json:"missing,omitempty"`
}

// Verify reads every entry and record, and checks that the chain is whole, that ids only grow, that the postings of each
// entry sum to zero, and that balances, day rollups, tokens, purchases, holds and booked settlements are what the entries
// say. It works on the books of one moment, while others write on. An error says that it could not be carried through;
// what does not hold is in the report.
func (l *Ledger) Verify(ctx context.Context) (Report, error) { return l.VerifyWithProgress(ctx, nil) }

// VerifyWithProgress is Verify that says how far it is. Progress may be nil.
func (l *Ledger) VerifyWithProgress(ctx context.Context, progress Progress) (Report, error) {
	return l.verify(ctx, progress, false)
}

// verify leaves out archive files that are missing where the books may lack some, and says which.
func (l *Ledger) verify(ctx context.Context, progress Progress, mayLack bool) (Report, error) {
	var r Report
	err := l.view(ctx, func(v *view) error {
		c := newChecker(v)
		c.progress, c.mayLack = progress, mayLack
		err := c.run()
		r = Report{OK: true, Entries: c.entriesRead, Head: c.previous, Missing: c.missing}
		var entry *entryError
		var file *archive.Error
		switch {
		case errors.As(err, &file):
			r.OK, r.Problem, r.Archive = false, file.Error(), file.Path
		case errors.As(err, &entry):
			r.OK, r.Problem, r.Entry, r.Sequence = false, entry.problem, entry.id, entry.seq
		case errors.Is(err, store.ErrDamaged):
			r.OK, r.Problem = false, err.Error()
		default:
			return err
		}
		return nil
	})
	return r, err
}

// checker goes once through the books.
type checker struct {
	*view
	progress    Progress // may be nil
	mayLack     bool     // archive files may be missing
	missing     []string // those that are
	entriesRead uint64
	previous    string // hash
	last        *Entry
	settled     uint64   // entries that book a settlement with an id
	settles     []uint64 // by entry in the store, of those that are read: the hash of the settlement that it books, 0 for none
	first       uint64   // the first of them
	seed        maphash.Seed
	stubs       uint64 // entries in archive files of which something is left in the store

	accounts map[string]money.Micros // by the entries so far
	today    string                  // the day of the newest entry so far
	day      map[string]Rollup       // by the entries of that day so far
	rollups  uint64                  // of the days before it
	astray   map[string]Rollup       // by entries that count on another day than that of their time: the clock had been ahead
	off      map[string]Rollup       // rollups that are not the sum of the other entries of their day
	nothing  map[string]bool         // rollups to which those sum up to nothing, and that are there
	live     map[string]bool         // ids of tokens
	refunds  map[string]money.Micros // by purchase
	bought   map[string]bought       // by purchase, as the entries so far say
	nameless map[string]bool         // accounts of credit in which something moved of which an early entry does not say whose token it was
	orders   map[string]string       // by the record that they are about: its hash by the last one; empty: it is gone

	retracted map[string]bool // the ids of entries that others have taken back
}

func newChecker(v *view) *checker {
	return &checker{
		view: v, seed: maphash.MakeSeed(), accounts: map[string]money.Micros{}, day: map[string]Rollup{}, astray: map[string]Rollup{},
		off: map[string]Rollup{}, nothing: map[string]bool{}, live: map[string]bool{}, refunds: map[string]money.Micros{},
		bought: map[string]bought{}, nameless: map[string]bool{}, orders: map[string]string{}, retracted: map[string]bool{},
	}
}

func (c *checker) run() error {
	if err := c.archivedEntries(); err != nil {
		return err
	}
	if err := c.entries(archivedTo(c.archives)+1, c.entry); err != nil {
		return err
	}
	if err := c.endDay(); err != nil {
		return err
	}
	if c.entriesRead != c.head.Sequence || c.previous != c.head.Hash {
		return store.Damaged("there are %d entries, and there have been %d: the end is missing", c.entriesRead, c.head.Sequence)
	}
	checks := []func() error{c.balances, c.strayRollups, c.rollupCount, c.tokens, c.holds, c.purchases, c.settlements, c.takenBack, c.ordered, c.shared}
	if len(c.missing) > 0 { // what is left does not add up to them
		checks = []func() error{c.holds, c.shared}
		if err := eachToken(c.txn, c.ledger.seal, func(t *token) { c.live[t.ID] = true }); err != nil {
			return err
		}
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// entry checks one entry against the one before it, and adds it up.
func (c *checker) entry(seq uint64, e *Entry, raw []byte) error {
	if c.progress != nil && c.entriesRead%progressStep == 0 {
		c.progress(c.entriesRead, c.head.Sequence)
	}
	bad := func(format string, v ...any) error { return &entryError{seq, e.ID, fmt.Sprintf(format, v...)} }
	switch {
	case seq != c.entriesRead+1:
		return bad("entry %d is missing before it", c.entriesRead+1)
	case e.PreviousHash != c.previous:
		return bad("it does not follow the entry before it: its previous hash is another")
	case !e.checkHash(raw):
		return bad("it was changed: its hash is another")
	case c.last != nil && e.ID <= c.last.ID:
		return bad("its id does not come after that of the entry before it")
	case c.last != nil && e.Time.Before(c.last.Time):
		return bad("its time is before that of the entry before it")
	}
	if day := dayOf(e.Time); day != c.today {
		if err := c.endDay(); err != nil {
			return err
		}
		c.today = day
	}
	var sum money.Micros
	for _, p := range e.Postings {
		sum += p.AmountMicros
		c.accounts[p.Account] += p.AmountMicros
		c.move(e.PurchaseID, p)
	}
	if sum != 0 {
		return bad("its postings sum to %s, not to zero", sum)
	}
	if key, add := e.rollup(); key != "" {
		sums := c.day
		if e.Day != "" {
			sums = c.astray
		}
		r := sums[key]
		r.add(add)
		sums[key] = r
	}
	c.settle(seq, e)
	if o := e.Order; o != nil {
		c.orders[o.record(e.Seller)] = o.Record
	}
	if back := e.refunds(); back != 0 {
		c.refunds[e.PurchaseID] += back
	}
	if id := e.takenBack(); id != "" {
		if c.retracted[id] {
			return bad("it takes entry %s back, as one before it has", id)
		}
		c.retracted[id] = true
	}
	c.entriesRead, c.previous, c.last = seq, e.Hash, e
	return nil
}

// settle keeps which settlement an entry has booked: to look entries up by settlement takes as long as all else.
func (c *checker) settle(seq uint64, e *Entry) {
	id, of := e.settlementID(), uint64(0)
	if id != "" {
		c.settled++
		of = c.settlement(e.Seller, id)
	}
	if c.removed(seq) {
		return
	}
	if len(c.settles) == 0 {
		c.first = seq
	}
	c.settles = append(c.settles, of)
}

// settlement is a hash.
func (c *checker) settlement(seller, id string) uint64 {
	return maphash.Comparable(c.seed, [2]string{seller, id})
}

// endDay compares the rollups of a day that is over with what is stored.
func (c *checker) endDay() error {
	for key, want := range c.day {
		var have Rollup
		if _, err := getJSON(c.txn, key, &have); err != nil {
			return err
		}
		if have != want { // unless entries come yet that count on that day
			c.off[key] = want
		} else if want == (Rollup{}) {
			c.nothing[key] = true
		}
	}
	c.rollups += uint64(len(c.day))
	clear(c.day)
	return nil
}

// strayRollups compares those that entries count in whose time is of another day.
func (c *checker) strayRollups() error {
	wrong := func(key string) error {
		return store.Damaged("the rollup %s is not the sum of its entries", key[len(rollupPrefix):])
	}
	for key, add := range c.astray {
		var have Rollup
		if _, err := getJSON(c.txn, key, &have); err != nil {
			return err
		}
		want, counted := c.off[key]
		if want.add(add); have == want {
			delete(c.off, key)
			if !counted && !c.nothing[key] {
				c.rollups++
			}
		} else if counted || add != (Rollup{}) { // where it is nothing, the rest of the day was found right
			return wrong(key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.off)) {
		return wrong(key)
	}
	return nil
}

func (c *checker) rollupCount() error {
	var n uint64
	err := each(c.txn, rollupPrefix, func(string, *Rollup) error { n++; return c.alive() })
	if err == nil && n != c.rollups {
		return store.Damaged("there are %d rollups, the entries make %d", n, c.rollups)
	}
	return err
}

func (c *checker) balances() error {
	seen := 0
	err := each(c.txn, accountPrefix, func(name string, have *money.Micros) error {
		want, ok := c.accounts[name]
		if !ok || *have != want {
			return store.Damaged("account %s is %s, its entries sum to %s", name, *have, want)
		}
		seen++
		return nil
	})
	if err == nil && seen != len(c.accounts) {
		return store.Damaged("there are %d accounts, the entries name %d", seen, len(c.accounts))
	}
	return err
}

func (c *checker) holds() error {
	return each(c.txn, holdPrefix, func(id string, h *Hold) error {
		if h.ID != id || h.RequestID == "" && h.Member == "" {
			return store.Damaged("hold %s has no owner", id)
		}
		if h.TokenID != "" && !c.live[h.TokenID] {
			return store.Damaged("hold %s is on a token that is not there", id)
		}
		return nil
	})
}

// settlements checks that each booked settlement is one of an entry, and of one only.
func (c *checker) settlements() error {
	var n uint64
	err := scan(c.txn, settlementPrefix, settlementPrefix, func(rest, value []byte) error {
		n++
		parts := splitNames(string(rest))
		seq, err := strconv.ParseUint(string(value), 10, 64)
		if err != nil || len(parts) != 3 {
			return store.Damaged("the record of settlement %q can't be read", rest)
		}
		if c.removed(seq) {
			s, err := getStub(c.txn, seq)
			if err != nil || !s.books(parts[0], parts[2]) {
				return store.Damaged("settlement %q was booked by entry %d, which is in an archive file and does not say so", rest, seq)
			}
			return c.alive()
		}
		switch i := seq - c.first; {
		case seq < c.first || i >= uint64(len(c.settles)):
			return store.Damaged("settlement %q was booked by entry %d, which is not there", rest, seq)
		case c.settles[i] != c.settlement(parts[0], parts[2]):
			return &entryError{seq, "", fmt.Sprintf("it does not book settlement %q", rest)}
		}
		return c.alive()
	})
	if err == nil && n != c.settled {
		return store.Damaged("%d settlements are booked, the entries name %d: one was booked twice", n, c.settled)
	}
	return err
}
