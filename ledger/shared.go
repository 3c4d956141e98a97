package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// shared is what a ledger in a fleet knows of what it has spent, by holder and by the periods in which requests have begun: the fleet is told that, and
// a restart has to know it to the micro. It is written in the transaction of the entry.
type shared struct {
	known    sync.Map                 // holder → Share
	calendar atomic.Pointer[Calendar] // that entries count by, as far as nothing else is kept beside them; never nil

	marked uint64 // the newest entry that the mark says the records know of; the committer's alone

	mu      sync.Mutex // protects the following; taken by the committer too, so nobody waits under it
	shares  Shares     // nil: not yet
	anew    bool       // the records were made by this process, and no share was given yet that has been told of them
	records map[holder]*sharedSpent
}

// openShared reads the records; where a process that was in no fleet, or knew of none, has had the books since, or none was in one before, they are made
// anew of what was spent in the days, weeks and months of now. It gives the epoch that begins with this process.
func (l *Ledger) openShared() (epoch uint64, err error) {
	l.shared = &shared{records: make(map[holder]*sharedSpent)}
	whole := false
	err = l.db.View(func(txn *badger.Txn) error {
		_, err := getJSON(txn, metaEpoch, &epoch)
		if err == nil {
			_, err = getJSON(txn, metaRestored, &l.restored)
		}
		if err != nil {
			return err
		}
		if err := errors.Join(l.loadRetracts(txn), l.shared.loadCalendar(txn)); err != nil {
			return err
		}
		mark, err := get(txn, metaShared)
		if err != nil && !errors.Is(err, badger.ErrKeyNotFound) {
			return err
		}
		whole = err == nil && string(mark) == l.sharedMark() // an older release leaves it as it was
		return eachShared(txn, func(h holder, r *sharedSpent) error {
			l.shared.records[h] = r
			return nil
		})
	})
	epoch++
	if err == nil {
		err = l.write(func(b *direct) { b.set(metaEpoch, fmt.Append(nil, epoch)) })
	}
	l.shared.marked = l.state.head.Sequence
	if err == nil && !whole {
		err = l.rebuildShared()
	}
	return epoch, err
}

// rebuildShared makes the records of what meters know.
func (l *Ledger) rebuildShared() error {
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	old := l.shared.records
	l.shared.records, l.shared.anew = make(map[holder]*sharedSpent), true
	l.state.spending.meters.Range(func(k, v any) bool {
		m := v.(*meter)
		m.mu.Lock()
		defer m.mu.Unlock()
		r := new(sharedSpent)
		for i, all := range m.sums {
			r.spent[i] = make(map[string]money.Micros)
			for _, one := range slices.Backward(all) {
				if one.amount != 0 && len(r.spent[i]) < keptShared[i] {
					r.spent[i][one.period] = one.amount
				}
			}
		}
		l.shared.records[k.(holder)] = r
		return true
	})
	return l.write(func(b *direct) {
		for h := range old {
			if l.shared.records[h] == nil {
				b.delete(sharedKey(h))
			}
		}
		for h, r := range l.shared.records {
			raw, err := json.Marshal(r)
			b.note(err)
			b.set(sharedKey(h), raw)
		}
		b.set(metaShared, []byte(l.sharedMark())) // last: what is before it is whole then
	})
}

// sharedMark is what the mark says where the records know of all entries: the number of the newest.
func (l *Ledger) sharedMark() string { return strconv.FormatUint(l.state.head.Sequence, 10) }

// markShared says, in the transaction of entries, that the records know of them.
func (b *batch) markShared() {
	if s := b.ledger.shared; s != nil && s.marked != b.head.Sequence {
		s.marked = b.head.Sequence
		b.set([]byte(metaShared), []byte(b.ledger.sharedMark()))
	}
}

// leaveShared says that from now on what is spent is not in the records.
func (l *Ledger) leaveShared() error {
	marked := false
	err := l.db.View(func(txn *badger.Txn) error {
		_, err := get(txn, metaShared)
		marked = err == nil
		return nil // mostly there was never a fleet
	})
	if err != nil || !marked {
		return err
	}
	return l.write(func(b *direct) { b.delete(metaShared) })
}

// follow makes the records by the calendar that is in force now, if nobody was told of them by another: the one that budgets go by may
// be known only after the ledger was opened. The committer calls.
func (s *shared) follow(l *Ledger) error {
	s.mu.Lock()
	anew := s.anew
	s.mu.Unlock()
	if !anew {
		return nil
	}
	return l.rebuildShared()
}

func (s *shared) attach(shares Shares) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shares = shares
}

func (s *shared) attached() Shares {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shares
}

// of gives a holder's share. What is booked meanwhile is in what it begins with, or told to it: never both, never neither.
func (s *shared) of(l *Ledger, h holder, m *meter) Share {
	if found, ok := s.known.Load(h); ok {
		return found.(Share)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shares == nil {
		return m // nothing is served yet
	}
	r := s.record(h)
	if r.share == nil {
		r.share, s.anew = s.shares.Of(h.group, h.name, r.told(m, s.calendar.Load().Periods(l.now()))), false
		s.known.Store(h, r.share)
	}
	return r.share
}

// record gives that of a holder. s is locked.
func (s *shared) record(h holder) *sharedSpent {
	r := s.records[h]
	if r == nil {
		r = new(sharedSpent)
		s.records[h] = r
	}
	return r
}

// share counts what was booked of a holder now, and in a fleet in the periods in which its request has begun; nil: those of now.
func (b *batch) share(h holder, begun *Periods, cost money.Micros) {
	s := b.ledger.shared
	if s == nil || cost == 0 {
		b.spending.add(h, b.wall, cost)
		return
	}
	now := &b.spending.on(b.wall).keys
	if begun == nil {
		begun = now
	}
	s.mu.Lock()
	b.spending.add(h, b.wall, cost) // with s locked, as what a share begins with is made of both
	r := s.record(h)
	r.add(*begun, *now, cost)
	told := r.share
	s.mu.Unlock()
	if r.key == "" {
		r.key = sharedKey(h)
	}
	b.put(r.key, r)
	if told != nil {
		told.Settle(*begun, cost)
	}
}

// begun gives the periods in which a request has begun, as its reservation or its hold knows; nil: they are not known.
func (b *batch) begun(in *Inference) *Periods {
	if b.ledger.shared == nil {
		return nil
	}
	if r := in.Budget; r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.pinned {
			p := r.periods
			return &p
		}
	}
	if h := b.holds[in.HoldID]; h != nil && h.Periods != nil {
		return h.Periods
	}
	return nil
}

// shared checks what was spent as a fleet is told, as far as that can be known: entries don't say in which periods their requests began.
func (c *checker) shared() error {
	return eachShared(c.txn, func(h holder, r *sharedSpent) error {
		if err := r.sound(h.name); err != nil {
			return err
		}
		return c.alive()
	})
}

// openFleet begins an epoch of a ledger that is in a fleet, durably, before anybody hears of it.
func (l *Ledger) openFleet(o Options) (err error) {
	switch {
	case o.ReadOnly:
		return nil
	case o.Shared:
		l.epoch, err = l.openShared()
	default:
		err = l.leaveShared()
	}
	if err != nil {
		return err
	}
	return l.sync()
}

// Epoch is how often the ledger was opened in a fleet, this time included; 0: it is in none.
func (l *Ledger) Epoch() uint64 { return l.epoch }

// Restored is the epoch of the last process before the ledger was made from a backup and what its fleet had; 0: it was not.
func (l *Ledger) Restored() uint64 { return l.restored }
