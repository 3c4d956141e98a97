package ledger

import (
	"cmp"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// reconcile follows the balance that a seller reports. What it has taken more or less than was booked belongs to what was
// booked by estimate, shared out by how far each can be wrong; what is beyond that is an adjustment. An estimate that has had
// its time has no part in it, and none has one in what the first balance after a backup was restored says is missing: who has spent that is in no book.
func (b *batch) reconcile(t *token, balance money.Micros) {
	t.estimates = slices.DeleteFunc(t.estimates, func(e estimate) bool { return e.over(b.now) })
	if taken := t.BalanceMicros - balance; taken < 0 || !t.untold {
		b.spread(t, taken, "the balance that the seller reported")
	}
	t.untold = false
	for i := range t.estimates {
		t.estimates[i].Told = true
		t.estimates[i].doubts.end()
	}
	b.adjust(t, balance)
}

// spread has the open estimates bear what the seller has taken more than the books say, or less where it is below zero.
func (b *batch) spread(t *token, taken money.Micros, why string) {
	for i, part := range t.borneOf(taken) {
		b.correct(t, &t.estimates[i], part, why)
	}
}

// borneOf is what each of the estimates bears of that, as far as they can have been wrong by it: first those of which no balance has told yet, and of
// those what is surely wrong, as one charge was booked twice.
func (t *token) borneOf(taken money.Micros) []money.Micros {
	if taken == 0 || len(t.estimates) == 0 {
		return nil
	}
	is := *t // as it becomes
	is.estimates = slices.Clone(t.estimates)
	for _, told := range [...]bool{false, true} {
		if taken > 0 {
			taken -= is.bearWithin(is.roomsForMore(told), taken)
			continue
		}
		taken -= is.bearWithin(is.twice(told), taken)
		taken -= is.bearWithin(is.roomsForLess(told), taken)
	}
	parts := make([]money.Micros, len(t.estimates))
	for i := range parts {
		parts[i] = is.estimates[i].Booked - t.estimates[i].Booked
	}
	return parts
}

// bearWithin has the estimates bear it, each by its part of what all can have been wrong by, and gives what they could.
func (t *token) bearWithin(rooms []money.Micros, taken money.Micros) money.Micros {
	var all money.Micros
	for _, room := range rooms {
		all += room
	}
	borne := max(-all, min(taken, all))
	left := borne
	for i := range t.estimates {
		part := left.Part(rooms[i], all)
		left, all = left-part, all-rooms[i]
		t.bear(&t.estimates[i], part)
		t.BalanceMicros -= part
	}
	return borne
}

// returned is what members get back of what they have borne of the token, where a settlement takes more than there is.
func (t *token) returned(billed money.Micros) (sum money.Micros) {
	for i, part := range t.borneOf(min(t.BalanceMicros-billed, 0)) {
		if !t.estimates[i].Wasted {
			sum -= part
		}
	}
	return sum
}

// roomsForLess are what each of the estimates that a balance has, or has not, told of can have cost less.
func (t *token) roomsForLess(told bool) []money.Micros {
	rooms := make([]money.Micros, len(t.estimates))
	for i := range t.estimates {
		if e := &t.estimates[i]; e.Told == told && !e.Certain {
			rooms[i] = e.Booked
		}
	}
	return rooms
}

// roomsForMore are what each of them can have cost more.
func (t *token) roomsForMore(told bool) []money.Micros {
	rooms := make([]money.Micros, len(t.estimates))
	paid, unpriced := max(min(t.BalanceMicros, t.PaidMicros-t.BorneMicros), 0), t.unpriced(told) // that all of these together can have cost
	for i := range t.estimates {
		switch e := &t.estimates[i]; {
		case e.Told != told, e.Certain:
		case e.Unpriced:
			if rooms[i] = paid / unpriced; e.Told {
				rooms[i] = min(rooms[i], e.Most-e.Booked)
			}
			paid, unpriced = paid-rooms[i], unpriced-1
		default:
			rooms[i] = max(0, min(e.Most-e.Booked, t.leftOf(e, rooms)))
		}
	}
	return rooms
}

// leftOf is how much more all tries of a request can have cost than they are booked at and have room for: together they are one charge.
func (t *token) leftOf(e *estimate, rooms []money.Micros) money.Micros {
	most, has := e.Most, e.Booked
	for i := range t.estimates {
		if o := &t.estimates[i]; o != e && o.isTryOf(e) {
			most, has = max(most, o.Most), has+o.Booked+rooms[i]
		}
	}
	return most - has
}

// twice is what is booked of the estimates that a balance has, or has not, told of beside another try of the same request: that of which
// most is known, else what is booked at most.
func (t *token) twice(told bool) []money.Micros {
	rooms := make([]money.Micros, len(t.estimates))
	for i := range t.estimates {
		e := &t.estimates[i]
		if e.Told != told || e.Certain {
			continue
		}
		for j := range t.estimates {
			o := &t.estimates[j]
			if i != j && o.isTryOf(e) && cmp.Or(o.known()-e.known(), cmp.Compare(o.Booked, e.Booked), cmp.Compare(j, i)) > 0 {
				rooms[i] = e.Booked
			}
		}
	}
	return rooms
}

// known is how much is known of what it has cost, to be compared.
func (e *estimate) known() int {
	if e.Booked > 0 && (e.Certain || e.Told) {
		return 1
	}
	return 0
}

// unpriced is how many of the estimates that a balance has, or has not, told of may have cost what was paid for the token, as no price says better.
func (t *token) unpriced(told bool) (n money.Micros) {
	for i := range t.estimates {
		if e := &t.estimates[i]; e.Unpriced && !e.Certain && e.Told == told {
			n++
		}
	}
	return n
}
