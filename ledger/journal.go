package ledger

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// clock gives the time for a batch: it does not go back behind the newest entry.
func (s *state) clock(now time.Time) time.Time {
	now = now.UTC().Truncate(time.Millisecond)
	if now.Before(s.last) {
		return s.last
	}
	return now
}

// book appends an entry: it gives it its id, time and hash, and moves the balances. It can't be refused.
func (b *batch) book(e *Entry) {
	e.Time, e.ID, e.PreviousHash = b.now, b.id.next(b.now), b.head.Hash
	if b.today != dayOf(e.Time) { // the clock was ahead, and has come back
		e.Day = b.today
	}
	if e.Postings == nil {
		e.Postings = []Posting{}
	}
	room, begins, err := e.encode(b.room)
	b.note(err)
	b.room = room
	b.last = e.Time
	b.head.Sequence++
	b.head.Hash = e.Hash
	b.set(b.keys.of(b.head.Sequence), room[begins:len(room):len(room)])
	for _, p := range e.Postings {
		sum := b.accounts[p.Account]
		if sum == nil {
			sum = new(money.Micros)
			b.accounts[p.Account] = sum
		}
		*sum += p.AmountMicros
		b.put(accountPrefix+p.Account, sum)
	}
}

// idClock makes ids of UUID version 7 that strictly increase: milliseconds, then a counter, then random bits.
type idClock struct {
	ms    int64
	count uint16 // 12 bits
}

func (c *idClock) next(now time.Time) string {
	if ms := now.UnixMilli(); ms > c.ms {
		c.ms, c.count = ms, 0
	} else if c.count++; c.count > 0xfff {
		c.ms, c.count = c.ms+1, 0
	}
	id := uuid.New() // for its random bits and its variant
	for i := range 6 {
		id[i] = byte(c.ms >> (40 - 8*i))
	}
	id[6], id[7] = 0x70|byte(c.count>>8), byte(c.count)
	return id.String()
}

// resume goes on after an id that next has given.
func (c *idClock) resume(id string) error {
	u, err := uuid.Parse(id)
	if err != nil {
		return errors.New("an entry's id can't be read")
	}
	c.ms = 0
	for i := range 6 {
		c.ms = c.ms<<8 | int64(u[i])
	}
	c.count = uint16(u[6]&0x0f)<<8 | uint16(u[7])
	return nil
}
