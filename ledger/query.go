package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sort"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/uuid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// Query chooses entries. What is zero does not choose.
type Query struct {
	From, To              time.Time // from inclusive, to exclusive
	Member, Model, Seller string
	Cursor                string // the id of the last entry seen: what follows it
	Limit                 int    // at most so many
}

// Entries calls yield with each entry that q chooses, oldest first, and in memory that does not grow with their number. It
// sees the books as they are when all that was queued before is durable. An error of yield ends it and is given back.
func (l *Ledger) Entries(ctx context.Context, q Query, yield func(*Entry) error) error {
	return l.lines(ctx, q, true, func(e *Entry, _ []byte) error { return yield(e) })
}

// Lines is Entries for the JSON of the entries as it is stored, of which it reads no more than it has to. The bytes are good during the
// call only.
func (l *Ledger) Lines(ctx context.Context, q Query, yield func(raw []byte) error) error {
	return l.lines(ctx, q, false, func(_ *Entry, raw []byte) error { return yield(raw) })
}

// Rows calls yield with each entry after the one of a sequence number, in order: its own number, its JSON as it is stored, and the JSON of
// what is kept beside it for a fleet, nil where that is nothing. It sees the books as they are when all that was queued before is durable. The bytes
// of an entry are good during the call only. An error of yield ends it and is given back.
func (l *Ledger) Rows(ctx context.Context, after uint64, yield func(seq uint64, raw, beside []byte) error) error {
	return l.view(ctx, func(v *view) error {
		all := v.beside(after + 1)
		defer all.it.Close()
		return v.raw(after+1, func(seq uint64, raw []byte) error {
			beside, err := all.of(seq)
			if err != nil {
				return err
			}
			return yield(seq, raw, beside)
		})
	})
}

// lines calls yield with what q chooses; without read the entry is nil where nobody had to read it.
func (l *Ledger) lines(ctx context.Context, q Query, read bool, yield func(e *Entry, raw []byte) error) error {
	if q.Cursor != "" {
		id, err := uuid.Parse(q.Cursor)
		if err != nil {
			return errors.New("ledger: the cursor is not the id of an entry")
		}
		q.Cursor = id.String()
	}
	c, err := q.choosing(read, yield)
	if err != nil {
		return err
	}
	return l.view(ctx, func(v *view) error {
		first, err := v.first(q)
		if err != nil {
			return err
		}
		if err := v.readable(first, q.To); err != nil { // before half of them are given
			return err
		}
		return unstop(v.raw(first, func(seq uint64, raw []byte) error {
			return c.see(raw, func(err error) error { return &entryError{seq, "", err.Error()} })
		}))
	})
}

// choosing goes through entries in the order of their times, and calls yield with those that a query chooses.
type choosing struct {
	Query
	texts [][]byte // what stands in the JSON of each of them; none: it chooses by time alone
	read  bool     // yield wants entries, and not their JSON alone
	yield func(e *Entry, raw []byte) error
}

func (q Query) choosing(read bool, yield func(e *Entry, raw []byte) error) (*choosing, error) {
	c := &choosing{Query: q, read: read, yield: yield}
	for _, name := range []string{q.Member, q.Model, q.Seller} {
		if name == "" {
			continue
		}
		text, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		c.texts = append(c.texts, text)
	}
	return c, nil
}

// see takes the next entry. errStop: none of those after it is chosen. bad says of which entry an error is.
func (c *choosing) see(raw []byte, bad func(error) error) error {
	at, err := timeOf(raw)
	switch {
	case err != nil:
		return bad(err)
	case !c.To.IsZero() && !at.Before(c.To):
		return errStop
	case at.Before(c.From):
		return nil
	}
	e, chosen, err := c.choose(raw)
	if err != nil {
		return bad(err)
	}
	if !chosen {
		return nil
	}
	if err := c.yield(e, raw); err != nil {
		return err
	}
	if c.Limit--; c.Limit == 0 {
		return errStop
	}
	return nil
}

// choose tells whether an entry of the time is chosen by what it says. Most of those that are not are known by what they have not in them.
func (c *choosing) choose(raw []byte) (e *Entry, chosen bool, err error) {
	for _, text := range c.texts {
		if !bytes.Contains(raw, text) {
			return nil, false, nil
		}
	}
	if len(c.texts) == 0 && !c.read {
		return nil, true, nil
	}
	if e, err = decodeEntry(raw); err != nil {
		return nil, false, err
	}
	return e, (c.Member == "" || c.Member == e.member()) && (c.Model == "" || c.Model == e.model()) &&
		(c.Seller == "" || c.Seller == e.Seller), nil
}

// beforeTime is how the JSON of an entry begins, but for its id.
const beforeTime = `{"id":"` + `00000000-0000-0000-0000-000000000000` + `","time":"`

// timeOf gives the time of an entry by its JSON, whose second member it is.
func timeOf(raw []byte) (time.Time, error) {
	if len(raw) > len(beforeTime) && string(raw[len(beforeTime)-10:len(beforeTime)]) == beforeTime[len(beforeTime)-10:] {
		text, _, _ := bytes.Cut(raw[len(beforeTime):min(len(raw), len(beforeTime)+40)], []byte(`"`))
		if t, err := time.Parse(time.RFC3339Nano, string(text)); err == nil {
			return t, nil
		}
	}
	e, err := decodeEntry(raw)
	if err != nil {
		return time.Time{}, err
	}
	return e.Time, nil
}

// IDOf and HashOf give the id and the hash of an entry by its JSON, as it is stored: its first and its last member.
func IDOf(raw []byte) string {
	const before, length = len(`{"id":"`), 36
	if len(raw) < before+length {
		return ""
	}
	return string(raw[before : before+length])
}

// HashOf is with IDOf.
func HashOf(raw []byte) string {
	const after, length = len(`"}`), 64
	if len(raw) < after+length {
		return ""
	}
	return string(raw[len(raw)-after-length : len(raw)-after])
}

// view is the books at one moment.
type view struct {
	ctx    context.Context
	ledger *Ledger
	txn    *badger.Txn
	head   store.Head

	archives []Archive // the files that the oldest entries are in, oldest first
}

// keys are those of the entries, which stay as they are while the ledger is open.
func (v *view) keys() entryKeys { return v.ledger.state.keys }

// view calls f with the books as they are once all that was queued before is durable.
func (l *Ledger) view(ctx context.Context, f func(*view) error) error {
	v := &view{ctx: ctx, ledger: l}
	var books *store.Snapshot
	ready := l.submit(0, func(b *batch) error { return nil }, func(err error) {
		if err == nil {
			l.readers.Add(1)
			v.head, books = l.state.head, l.db.Snapshot()
		}
	})
	<-ready.Done() // it is as quick as a commit, and what it has begun must be ended
	if ready.err != nil {
		return ready.err
	}
	defer l.readers.Done()
	var err error
	if v.txn, err = books.Wait(); err != nil {
		return err
	}
	defer v.txn.Discard()
	if err := v.alive(); err != nil {
		return err
	}
	if v.archives, err = loadArchives(v.txn); err != nil {
		return err
	}
	return f(v)
}

// viewCommitted calls f with the books as they were last committed: for who opens the ledger, or the committer between two batches.
func (l *Ledger) viewCommitted(f func(*view) error) error {
	return l.db.View(func(txn *badger.Txn) error {
		archives, err := loadArchives(txn)
		if err != nil {
			return err
		}
		return f(&view{ctx: l.reading, ledger: l, txn: txn, head: l.state.head, archives: archives})
	})
}

// alive is nil until the caller or the ledger goes.
func (v *view) alive() error {
	if v.ledger.reading.Err() != nil {
		return ErrClosed
	}
	return v.ctx.Err()
}

// errStop ends a scan that has seen enough.
var errStop = errors.New("enough")

func unstop(err error) error {
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// entries calls f with each entry from a sequence number on. The raw bytes are good during the call only.
func (v *view) entries(first uint64, f func(seq uint64, e *Entry, raw []byte) error) error {
	return v.raw(first, func(seq uint64, raw []byte) error {
		e, err := readEntry(seq, raw)
		if err != nil {
			return err
		}
		return f(seq, e, raw)
	})
}

// entryError says what is wrong with one entry.
type entryError struct {
	seq     uint64
	id      string
	problem string
}

func (e *entryError) Error() string { return store.Damaged("entry %d: %s", e.seq, e.problem).Error() }

// first finds the first entry that q can choose, by its id and time: both only grow with the sequence number.
func (v *view) first(q Query) (uint64, error) {
	if q.Cursor == "" && q.From.IsZero() {
		return 1, nil
	}
	return v.find(func(a *Archive) bool { return a.LastID > q.Cursor && !a.To.Before(q.From) },
		func(e *Entry) bool { return e.ID > q.Cursor && !e.Time.Before(q.From) })
}

// search finds the first good entry in the store after one, where those after a good one are so too.
func (v *view) search(after uint64, good func(*Entry) bool) (uint64, error) {
	var fault error
	n := sort.Search(int(v.head.Sequence-after), func(i int) bool {
		e, err := v.storedEntry(after + uint64(i) + 1)
		if err != nil {
			fault = err
			return true
		}
		return good(e)
	})
	return after + uint64(n) + 1, fault
}

// entryAt gives one, wherever it is; nil: there is none.
func (v *view) entryAt(seq uint64) (e *Entry, err error) {
	err = unstop(v.entries(seq, func(found uint64, one *Entry, _ []byte) error {
		if found == seq {
			e = one
		}
		return errStop
	}))
	return e, err
}

// storedEntry gives one that is in the store.
func (v *view) storedEntry(seq uint64) (*Entry, error) {
	raw, err := v.keys().get(v.txn, seq)
	if err != nil {
		return nil, &entryError{seq, "", "it can't be read"}
	}
	return readEntry(seq, raw)
}

func readEntry(seq uint64, raw []byte) (*Entry, error) {
	e, err := decodeEntry(raw)
	if err != nil {
		return nil, &entryError{seq, "", err.Error()}
	}
	return e, nil
}
