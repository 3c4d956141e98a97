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
	wanted, err := q.texts()
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
		left := q.Limit
		return unstop(v.raw(first, func(seq uint64, raw []byte) error {
			if !q.To.IsZero() {
				if at, err := timeOf(raw); err != nil {
					return &entryError{seq, "", err.Error()}
				} else if !at.Before(q.To) {
					return errStop
				}
			}
			e, err := q.choose(raw, wanted)
			switch {
			case err != nil:
				return &entryError{seq, "", err.Error()}
			case e == nil && len(wanted) > 0:
				return nil
			case e == nil && read:
				if e, err = decodeEntry(raw); err != nil {
					return &entryError{seq, "", err.Error()}
				}
			}
			if err := yield(e, raw); err != nil {
				return err
			}
			if left--; left == 0 {
				return errStop
			}
			return nil
		}))
	})
}

// texts are what stands in the JSON of every entry that q chooses; none: it chooses by time alone.
func (q *Query) texts() (all [][]byte, err error) {
	for _, name := range []string{q.Member, q.Model, q.Seller} {
		if name == "" {
			continue
		}
		text, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

// choose gives the entry if q chooses it by what it says, where q does so at all. Most of those that it does not choose are known by
// what they have not in them.
func (q *Query) choose(raw []byte, wanted [][]byte) (*Entry, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	for _, text := range wanted {
		if !bytes.Contains(raw, text) {
			return nil, nil
		}
	}
	e, err := decodeEntry(raw)
	if err != nil || !q.chooses(e) {
		return nil, err
	}
	return e, nil
}

func (q *Query) chooses(e *Entry) bool {
	return (q.Member == "" || q.Member == e.member()) && (q.Model == "" || q.Model == e.model()) &&
		(q.Seller == "" || q.Seller == e.Seller)
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
		e, err := decodeEntry(raw)
		if err != nil {
			return &entryError{seq, "", err.Error()}
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
func (v *view) search(after uint64, good func(seq uint64, raw []byte) (bool, error)) (uint64, error) {
	var fault error
	n := sort.Search(int(v.head.Sequence-after), func(i int) bool {
		seq := after + uint64(i) + 1
		raw, err := v.keys().get(v.txn, seq)
		ok := false
		if err == nil {
			ok, err = good(seq, raw)
		}
		if err != nil {
			fault = &entryError{seq, "", "it can't be read"}
			return true
		}
		return ok
	})
	return after + uint64(n) + 1, fault
}
