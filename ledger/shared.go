package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
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

// sharedSpent is the record of one holder.
type sharedSpent struct {
	spent [periods]map[string]money.Micros // by the period's name; the committer alone writes, with shared locked
	share Share
	key   string // of the record; empty: not made yet
}

// keptShared is how many days, weeks and months are remembered: what is booked late belongs to the period in which it began.
var keptShared = [periods]int{10, 4, 3}

// MarshalJSON writes days, weeks and months.
func (r *sharedSpent) MarshalJSON() ([]byte, error) { return r.appendJSON(nil), nil }

// appendJSON is what MarshalJSON writes: an array of three objects, or null where there is nothing. Names of periods need no escapes.
func (r *sharedSpent) appendJSON(room []byte) []byte {
	for i, all := range r.spent {
		room = append(room, "[,,"[i])
		if all == nil {
			room = append(room, "null"...)
			continue
		}
		begin := byte('{')
		for period, spent := range all {
			room = append(append(append(room, begin, '"'), period...), '"', ':')
			room = strconv.AppendInt(room, int64(spent), 10)
			begin = ','
		}
		if begin == '{' {
			room = append(room, '{')
		}
		room = append(room, '}')
	}
	return append(room, ']')
}

// UnmarshalJSON reads what MarshalJSON has written.
func (r *sharedSpent) UnmarshalJSON(raw []byte) error { return json.Unmarshal(raw, &r.spent) }

// add counts a cost in its periods. now are those by the clock: where there are too many, the one that is furthest from that is forgotten, so that it is
// never the one in which requests are held, whatever the clock has said before.
func (r *sharedSpent) add(p, now Periods, cost money.Micros) {
	for i, period := range p {
		if r.spent[i] == nil {
			r.spent[i] = make(map[string]money.Micros)
		}
		r.spent[i][period] += cost
		for len(r.spent[i]) > keptShared[i] {
			delete(r.spent[i], furthest(i, now[i], r.spent[i]))
		}
	}
}

// furthest gives the period of a kind that is furthest from another one; of two that are as far, the older one.
func furthest(kind int, from string, all map[string]money.Micros) (name string) {
	at, _ := time.Parse(periodFormats[kind], from)
	most := time.Duration(-1)
	for period := range all {
		t, _ := time.Parse(periodFormats[kind], period)
		if far := t.Sub(at).Abs(); far > most || far == most && period < name {
			name, most = period, far
		}
	}
	return name
}

// sharedKey is the key of a holder's record.
func sharedKey(h holder) string {
	kind := "m"
	if h.group {
		kind = "g"
	}
	return names(sharedPrefix+kind+"/", h.name)
}

// eachShared calls f with each record.
func eachShared(txn *badger.Txn, f func(holder, *sharedSpent) error) error {
	return each(txn, sharedPrefix, func(rest string, r *sharedSpent) error {
		kind, name, ok := strings.Cut(rest, "/")
		parts := splitNames(name)
		if !ok || len(parts) != 1 || kind != "m" && kind != "g" {
			return store.Damaged("the key of what was spent in a fleet can't be read")
		}
		return f(holder{kind == "g", parts[0]}, r)
	})
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

// sound tells whether the record can be what was written: each cost is in a day, a week and a month, so those sum to the same where none
// was forgotten yet.
func (r *sharedSpent) sound(name string) error {
	var sums []money.Micros
	for i, all := range r.spent {
		var sum money.Micros
		for period, amount := range all {
			if _, err := time.Parse(periodFormats[i], period); err != nil {
				return store.Damaged("what %s has spent as a fleet is told is of no period that there is: %q", name, period)
			}
			sum += amount
		}
		if len(all) < keptShared[i] {
			sums = append(sums, sum)
		}
	}
	for _, sum := range sums {
		if sum != sums[0] {
			return store.Damaged("what %s has spent as a fleet is told is not the same by days, weeks and months", name)
		}
	}
	return nil
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

// told is what a share begins with. now are the periods by the clock. Where a clock that was ahead has filled the record with later ones, what was spent in
// one of now may have been forgotten before the clock came back: the holder's meter, which goes by entries, knows that. s is locked.
func (r *sharedSpent) told(m *meter, now Periods) (spent [periods]map[string]money.Micros) {
	entries, _ := m.Standing(now)
	for i, all := range r.spent {
		spent[i] = maps.Clone(all)
		if len(all) >= keptShared[i] && slices.Max(slices.Collect(maps.Keys(all))) > now[i] {
			spent[i][now[i]] = max(all[now[i]], entries[i])
		}
	}
	return spent
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
