package fleet

import (
	"strconv"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// What a tab knows of the process that speaks for a gateway, and what it makes of what that says of the gateway's books.

// tabBoot names a process: a later start of a gateway speaks for it, and of a copy of its directory, which starts as often, not the
// second.
func tabBoot(epoch uint64, boot string) string { return strconv.FormatUint(epoch, 10) + "." + boot }

// epochOf is the start that a process's name tells; 0: it tells none.
func epochOf(boot string) uint64 {
	number, _, _ := strings.Cut(boot, ".")
	epoch, _ := strconv.ParseUint(number, 10, 64)
	return epoch
}

// hears tells whether the tab knows that this process speaks for its gateway, and what it has bought by this history of the store (empty: by any);
// ErrFenced: another one does.
func (t *tab) hears(gateway string, epoch uint64, boot, line string) (known bool, err error) {
	before, heard, _ := strings.Cut(t.Boots[gateway], "@")
	started := epochOf(before) // 0: none has spoken yet
	switch {
	case before == tabBoot(epoch, boot):
		return line == "" || line == heard, nil
	case before == tabForgotten, started > 0 && started >= epoch:
		return false, ErrFenced
	}
	return false, nil
}

// tabForgotten stands for the process of a gateway that was forgotten.
const tabForgotten = "forgotten"

// endAs ends a purchase as its gateway's books have it. What may be paid, and is in no books, counts.
func (t *tab) endAs(id string, fate Fate) {
	if c := t.Open[id]; c != nil && c.Paying && fate == FateUnknown {
		c.Gateway = inNoBooks
		t.end(id, true)
		return
	}
	t.end(id, fate == FatePaid)
}

// endAhead has what an earlier process of a gateway had set aside count as far as it is spent: ended is what its books have of purchases of the day that have
// ended. Of another day, or where the ledger was restored since the process of that number, nobody knows what of it is.
func (t *tab) endAhead(gateway, day string, ended money.Micros, restored uint64) {
	a := t.Ahead[gateway]
	delete(t.Ahead, gateway)
	spent := a.Amount
	if a.Day == day {
		spent = min(spent, max(0, ended-t.ended(gateway, day)))
	}
	if spent > 0 {
		t.close(&claim{gateway, anySeller, anySeller, a.Day, a.Session, spent, true})
	}
	if lost := a.Amount - spent; lost > 0 && restored > 0 && epochOf(a.Boot) <= restored {
		t.close(&claim{inNoBooks, anySeller, anySeller, a.Day, a.Session, lost, true})
	}
}

// inNoBooks stands for the gateway of what may be paid and is in no books any more, as of a ledger that was restored: it counts, as nobody can
// tell whether the money has left, and not as what its gateway's books have.
const inNoBooks = ""

// learn counts what a gateway has bought on a day and is not known here: all of what it has bought there, or else nobody can tell which of it.
func (t *tab) learn(gateway, day string, missing money.Micros, bought []Buy) {
	var sum money.Micros
	for _, b := range bought {
		sum = sum.Add(b.Amount)
	}
	if sum != missing || t.ended(gateway, day) > 0 {
		bought = []Buy{{Seller: anySeller, Method: anySeller, Amount: missing}}
	}
	for _, b := range bought {
		t.close(&claim{gateway, b.Seller, b.Method, day, t.Session, b.Amount, true})
	}
}

func (t *tab) forget(gateway string) {
	for id, c := range t.Open {
		if c.Gateway == gateway {
			t.end(id, c.Paying)
		}
	}
	if a := t.Ahead[gateway]; a != nil && a.Amount > 0 {
		t.close(&claim{gateway, anySeller, anySeller, a.Day, a.Session, a.Amount, true})
	}
	delete(t.Ahead, gateway)
	t.Boots[gateway] = tabForgotten
}
