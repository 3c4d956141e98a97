package ledger

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Beside is what a ledger in a fleet keeps beside an entry, so that the ledger can be made of entries again: what an entry does not say of
// records that were changed with it, and in which periods of budgets it counts. Most entries need none. What is secret in it is sealed.
type Beside struct {
	// Begun are the day, the week and the month that the entry counts in, where these are not those of its time.
	Begun *Periods `json:"begun,omitempty"`
	// Records are those that the entry is about, as they are since then.
	Records []BesideRecord `json:"records,omitempty"`
}

// BesideRecord is a record of the store.
type BesideRecord struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value,omitempty"` // none: there is no such record any more
}

func besideKey(seq uint64) []byte { return store.NumberedKey(besidePrefix, seq) }

// beside gives what is kept beside the newest entry, to be changed; nil: in no fleet nothing is.
func (b *batch) beside() *Beside {
	if b.ledger.shared == nil {
		return nil
	}
	key := string(besideKey(b.head.Sequence))
	is, _ := b.dirty[key].(*Beside)
	if is == nil {
		is = new(Beside)
		b.put(key, is)
	}
	return is
}

// keepBeside keeps a record beside the newest entry, as it is now; nil: it is gone.
func (b *batch) keepBeside(key string, record any) {
	is := b.beside()
	if is == nil {
		return
	}
	kept := BesideRecord{Key: key}
	if record != nil {
		raw, err := json.Marshal(record)
		b.note(err)
		kept.Value = raw
	}
	is.Records = append(is.Records, kept)
}

// keepBegun keeps in which periods the newest entry counts, where its time does not say it.
func (b *batch) keepBegun(e *Entry, begun *Periods) {
	if b.ledger.shared == nil {
		return
	}
	today := b.spending.on(b.wall)
	if begun == nil {
		begun = &today.keys
	}
	of := today.keys
	if c := b.ledger.shared.calendar.Load(); !today.has(e.Time) || !c.same(b.spending.calendar) {
		of = c.Periods(e.Time)
	}
	if *begun != of {
		p := *begun
		b.beside().Begun = &p
	}
}

// besideReader gives what is kept beside entries, read along with them.
type besideReader struct{ it *badger.Iterator }

func (v *view) beside(first uint64) besideReader {
	o := badger.DefaultIteratorOptions
	o.Prefix = []byte(besidePrefix)
	it := v.txn.NewIterator(o)
	it.Seek(besideKey(first))
	return besideReader{it}
}

// of gives what is kept beside an entry, nil where that is nothing. The numbers of entries that it is asked for only grow.
func (b besideReader) of(seq uint64) ([]byte, error) {
	for ; b.it.Valid(); b.it.Next() {
		item := b.it.Item()
		switch found, ok := sequence(item.Key()[len(besidePrefix):]); {
		case !ok || found < seq:
		case found > seq:
			return nil, nil
		default:
			return item.ValueCopy(nil)
		}
	}
	return nil, nil
}

// Bought is what is kept beside an entry of the purchase that it is about.
type Bought struct {
	ID, Seller string
	State      PurchaseState
	Micros     money.Micros // that count against the limits; 0: nothing was paid
	Day        string       // of UTC, on which they do
	CreatedAt  time.Time
}

// BoughtOf reads it; false: nothing is kept beside it of a purchase.
func BoughtOf(beside []byte) (b Bought, ok bool, err error) {
	if beside == nil {
		return b, false, nil
	}
	var is Beside
	if err := json.Unmarshal(beside, &is); err != nil {
		return b, false, errors.New("what is kept beside it can't be read")
	}
	for _, r := range is.Records {
		if !strings.HasPrefix(r.Key, purchasePrefix) {
			continue
		}
		p := new(purchase)
		if err := json.Unmarshal(r.Value, p); err != nil {
			return b, false, errors.New("the purchase that is kept beside it can't be read")
		}
		return Bought{p.ID, p.Seller, p.State, p.CountedMicros, p.CountedDay, p.CreatedAt}, true, nil
	}
	return b, false, nil
}
