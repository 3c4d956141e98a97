package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Shipped is what a fleet has of a ledger: Restore completes a backup with it.
type Shipped interface {
	// Epoch is how often the ledger was opened in the fleet, as far as that knows. An error says why nothing can be taken from there.
	Epoch(ctx context.Context, ledger string) (uint64, error)
	// Spent gives what the ledger has told the fleet that was spent, to be held against the entries.
	Spent(ctx context.Context, ledger string) ([]ShippedSpent, error)
	// Rows calls yield with the entries after a sequence number, in order. An error of yield ends it and is given back.
	Rows(ctx context.Context, ledger string, after uint64, yield func(ShippedRow) error) error
}

// ShippedRow is an entry that was shipped.
type ShippedRow struct {
	Sequence uint64
	Entry    []byte   // its JSON, as it was stored
	Begun    *Periods // that it counts in; nil: it is not known
	Beside   []byte   // as Rows has given it
}

// errShipped is in front of what is wrong with shipped entries.
var errShipped = errors.New("the backup can't be completed by what the fleet has")

// completion makes of a backup what the ledger was when it has shipped its last entry. It reads the backup as it was, and writes what has
// changed at the end.
type completion struct {
	txn      *badger.Txn
	out      *badger.WriteBatch
	head     store.Head
	last     time.Time // of the newest entry
	calendar Calendar
	now      Periods // as it is restored
	again    bool    // it was restored before, after the backup: what it had told until then is in no entry, and has counted since
	completed
	accounts  map[string]money.Micros
	rollups   map[string]*Rollup
	tokens    map[string]*token    // by the purchase that has brought them
	touched   map[string]bool      // of those, by the same
	corrected map[string]bool      // those that have ended, by the same, and whose estimates were put right since
	purchases map[string]*purchase // that were read or have changed
	origins   map[string]string    // of sellers, where something was bought last
	spent     map[string]money.Micros
	wallets   map[string]*Wallet
	holds     map[string][]*Hold // by request
	shared    map[holder]*sharedSpent
}

// completed is what has come of it.
type completed struct {
	entries uint64       // that were added
	whole   bool         // what is spent, as a fleet is told, is known from before the backup on
	lost    money.Micros // of what the fleet was told: by members, in entries that were not shipped
}

// complete adds to a store that a backup was written into the entries that the fleet has after those, and changes all records as they have.
func complete(ctx context.Context, db *store.Store, header BackupHeader, from Shipped) (completed, error) {
	epoch, err := from.Epoch(ctx, header.Ledger)
	if err != nil {
		return completed{}, err
	}
	told, err := from.Spent(ctx, header.Ledger)
	if err != nil {
		return completed{}, err
	}
	c := &completion{
		out: db.NewWriteBatch(), accounts: map[string]money.Micros{}, rollups: map[string]*Rollup{}, tokens: map[string]*token{}, touched: map[string]bool{}, corrected: map[string]bool{},
		purchases: map[string]*purchase{}, origins: map[string]string{}, spent: map[string]money.Micros{}, wallets: map[string]*Wallet{},
		holds: map[string][]*Hold{}, shared: map[holder]*sharedSpent{},
	}
	defer c.out.Cancel()
	err = db.View(func(txn *badger.Txn) error {
		c.txn = txn
		if err := c.load(); err != nil {
			return err
		}
		after := c.head.Sequence - min(1, c.head.Sequence) // the backup's newest entry comes once more, to be compared
		if err := from.Rows(ctx, header.Ledger, after, c.row); err != nil {
			return err
		}
		c.tell(told)
		return c.write(epoch)
	})
	if err != nil {
		return completed{}, err
	}
	return c.completed, c.out.Flush()
}

// load reads what entries refer to.
func (c *completion) load() error {
	if _, err := getJSON(c.txn, metaHead, &c.head); err != nil {
		return err
	}
	var mark uint64
	found, err := getJSON(c.txn, metaShared, &mark)
	if err != nil {
		return err
	}
	c.whole = found && mark == c.head.Sequence
	s := new(shared)
	if err := s.loadCalendar(c.txn); err != nil {
		return err
	}
	c.calendar = *s.calendar.Load()
	c.now = c.calendar.Periods(time.Now())
	if raw, err := entriesFirst.get(c.txn, c.head.Sequence); err == nil {
		c.last, _ = timeOf(raw)
	}
	return errors.Join(
		eachToken(c.txn, nil, func(t *token) { c.tokens[t.PurchaseID] = t }),
		each(c.txn, purchasePrefix, func(_ string, p *purchase) error {
			c.origins[p.Seller] = p.Origin
			return nil
		}),
		each(c.txn, holdPrefix, func(_ string, h *Hold) error {
			c.holds[h.RequestID] = append(c.holds[h.RequestID], h)
			return nil
		}),
		eachShared(c.txn, func(h holder, r *sharedSpent) error {
			c.shared[h] = r
			return nil
		}),
	)
}

// row takes the next entry, which must follow the one before.
func (c *completion) row(r ShippedRow) error {
	e, err := decodeEntry(r.Entry)
	bad := func(format string, v ...any) error {
		return fmt.Errorf("%w: entry %d: %s", errShipped, r.Sequence, fmt.Sprintf(format, v...))
	}
	switch {
	case err != nil:
		return bad("%v", err)
	case !e.checkHash(r.Entry):
		return bad("it was changed: its hash is another")
	case r.Sequence == c.head.Sequence && e.Hash == c.head.Hash:
		return nil
	case r.Sequence == c.head.Sequence:
		return bad("it is another one than the backup has: a copy of the directory has shipped there")
	case r.Sequence != c.head.Sequence+1:
		return bad("it comes after entry %d", c.head.Sequence)
	case e.PreviousHash != c.head.Hash:
		return bad("it does not follow the entry before it")
	}
	c.head.Sequence, c.head.Hash, c.last = r.Sequence, e.Hash, e.Time
	c.entries++
	c.again = c.again || e.creditMove().Restored
	if err := c.out.Set(entriesFirst.of(r.Sequence), r.Entry); err != nil {
		return err
	}
	if err := c.beside(e, &r); err != nil {
		return bad("%v", err)
	}
	if err := c.count(e, r.Begun); err != nil {
		return bad("%v", err)
	}
	return nil
}

// beside puts what was kept beside an entry: there must be something where the entry does not say all of it.
func (c *completion) beside(e *Entry, r *ShippedRow) error {
	var is Beside
	if r.Beside != nil {
		if err := json.Unmarshal(r.Beside, &is); err != nil {
			return errors.New("what was shipped beside it can't be read")
		}
		if err := c.out.Set(besideKey(r.Sequence), r.Beside); err != nil {
			return err
		}
	}
	lacks := ""
	switch {
	case e.Order != nil:
		lacks = e.Order.record(e.Seller)
	case e.PurchaseID != "" && (e.Kind == KindPurchase || e.Kind == KindDispute):
		lacks = purchasePrefix + e.PurchaseID
	}
	for _, record := range is.Records {
		if record.Key == lacks {
			lacks = ""
		}
		if err := c.record(e, record); err != nil {
			return err
		}
	}
	if lacks != "" {
		return errors.New("what its ledger has kept beside it was not shipped, as the gateway was in no fleet then, or ran an older release: " +
			"take a newer backup, or restore it with --new-identity")
	}
	return nil
}

// record puts a record as it was since the entry.
func (c *completion) record(e *Entry, r BesideRecord) error {
	prefix := r.Key[:min(len(r.Key), len(purchasePrefix))]
	switch {
	case prefix == purchasePrefix && r.Key == purchasePrefix+e.PurchaseID && r.Value != nil:
		before, err := c.purchase(e.PurchaseID)
		if err != nil {
			return err
		}
		p := new(purchase)
		if err := json.Unmarshal(r.Value, p); err != nil {
			return errors.New("the purchase that was shipped beside it can't be read")
		}
		c.spent[before.CountedDay] -= before.CountedMicros
		c.spent[p.CountedDay] += p.CountedMicros
		c.purchases[e.PurchaseID], c.origins[p.Seller] = p, p.Origin
	case prefix == tokenPrefix && e.PurchaseID != "" && r.Value != nil:
		t := new(token)
		if err := json.Unmarshal(r.Value, t); err != nil || t.PurchaseID != e.PurchaseID || r.Key != tokenPrefix+t.ID {
			return errors.New("the token that was shipped beside it can't be read")
		}
		if had := c.tokens[t.PurchaseID]; had == nil || had.ID != t.ID { // its balance is what postings give
			c.tokens[t.PurchaseID] = t
		}
	case e.Order == nil || r.Key != e.Order.record(e.Seller):
		return fmt.Errorf("what was shipped beside it is no record of it: %q", r.Key)
	case r.Value == nil:
		return c.out.Delete([]byte(r.Key))
	}
	return c.out.Set([]byte(r.Key), r.Value)
}

// purchase gives that of an id, an empty one where there is none.
func (c *completion) purchase(id string) (*purchase, error) {
	p := c.purchases[id]
	if p == nil {
		p = new(purchase)
		if _, err := getJSON(c.txn, purchasePrefix+id, p); err != nil {
			return nil, err
		}
		c.purchases[id] = p
	}
	return p, nil
}

// bought tells whether the ledger has bought a token itself.
func (c *completion) bought(t *token) bool {
	p, err := c.purchase(t.PurchaseID)
	return err == nil && p.ID != ""
}
