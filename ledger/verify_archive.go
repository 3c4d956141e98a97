package ledger

import (
	"errors"
	"fmt"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/archive"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// archivedEntries checks the archive files and the entries in them, as those in the store.
func (c *checker) archivedEntries() error {
	for i := range c.archives {
		a := &c.archives[i]
		if a.First != c.entriesRead+1 || a.PreviousHash != c.previous {
			return store.Damaged("the record of the archive file %s does not follow what is before it", a.File)
		}
		err := c.archiveFile(a)
		if c.mayLack && errors.Is(err, ErrArchive) {
			c.missing = append(c.missing, a.File)
			c.entriesRead, c.previous, c.last = a.Last, a.Hash, nil
			clear(c.day)
			continue
		}
		if err != nil {
			return err
		}
	}
	return c.stubCount()
}

func (c *checker) archiveFile(a *Archive) error {
	if err := c.ledger.checkArchive(a); err != nil {
		return err
	}
	in, err := c.ledger.openArchive(a)
	if err != nil {
		return err
	}
	defer in.Close()
	moved := map[string]money.Micros{}
	err = c.archived(a, a.First, func(seq uint64, raw []byte) error {
		e, err := readEntry(seq, raw)
		if err != nil {
			return err
		}
		if err := c.entry(seq, e, raw); err != nil {
			return err
		}
		for _, p := range e.Postings {
			moved[p.Account] += p.AmountMicros
		}
		return c.stub(seq, e)
	})
	if err != nil {
		return err
	}
	bad := func(format string, v ...any) error {
		return &archive.Error{Path: in.Path(), Problem: fmt.Sprintf(format, v...)}
	}
	if c.entriesRead != a.Last || c.previous != a.Hash {
		return bad("ends with another entry than its record says")
	}
	if len(moved) != len(in.Accounts) {
		return bad("names %d accounts at its end, its entries name %d", len(in.Accounts), len(moved))
	}
	for _, sum := range in.Accounts {
		if moved[sum.Account] != sum.AmountMicros {
			return bad("says that %s has moved in %s, its entries sum to %s", sum.AmountMicros, sum.Account, moved[sum.Account])
		}
	}
	return nil
}

// removed tells whether an entry has left the store.
func (c *checker) removed(seq uint64) bool {
	for i := range c.archives {
		if a := &c.archives[i]; seq >= a.First && seq <= a.Last {
			return seq <= a.Removed
		}
	}
	return false
}

// stub compares what is left in the store of an entry with the entry.
func (c *checker) stub(seq uint64, e *Entry) error {
	id := e.settlementID()
	if id == "" || !c.removed(seq) {
		return nil
	}
	c.stubs++
	have, err := getStub(c.txn, seq)
	if err != nil || have != newStub(e.Seller, id, e.idempotencyKey()) {
		return store.Damaged("what is left in the store of entry %d, which is in an archive file, is not of that entry", seq)
	}
	return nil
}

func (c *checker) stubCount() error {
	if len(c.missing) > 0 {
		return nil
	}
	var n uint64
	err := scan(c.txn, stubPrefix, stubPrefix, func(_, _ []byte) error { n++; return c.alive() })
	if err == nil && n != c.stubs {
		return store.Damaged("something is left in the store of %d entries that are in archive files, there are %d to which that belongs", n, c.stubs)
	}
	return err
}
