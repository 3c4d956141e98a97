package ledger

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// ShippedSpent is what a ledger has told its fleet that was spent of one budget in one period.
type ShippedSpent struct {
	Group  bool   // of a group's budget; else of a member's
	Name   string // of either
	Kind   int    // 0: a day's, 1: a week's, 2: a month's
	Period string // as in Periods
	Micros money.Micros
	Seen   time.Time // when it has told it, by its own clock
	// Entries is how many it had then, at least those that say so; 0: an earlier release has told it.
	Entries uint64
}

// clockSlack is how long such a word may have been on its way.
const clockSlack = 5 * time.Second

// tell has count in budgets what the ledger had told its fleet, where its entries do not have all of it: those of the last moment were not
// shipped. Where an entry was shipped that is surely newer than the word, so was all that the word was about. An earlier release does not say how many
// entries there were: then it goes by the times of both, which tell nothing for as long as the entries' stand still, as the clock was put back.
func (c *completion) tell(told []ShippedSpent) {
	if !c.whole {
		return // it is made anew of what the entries have
	}
	slices.SortStableFunc(told, func(a, b ShippedSpent) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Period, b.Period))
	})
	now := c.calendar.Periods(c.last)
	for _, s := range told {
		h := holder{s.Group, s.Name}
		r := c.shared[h]
		if r == nil {
			r = new(sharedSpent)
		}
		have, known := r.spent[s.Kind][s.Period]
		if c.has(s) || !known && s.Period < now[s.Kind] || s.Micros <= have {
			continue
		}
		begun := c.calendar.Periods(r.dayIn(s.Kind, s.Period, c.calendar))
		begun[s.Kind] = s.Period
		r.add(begun, c.now, s.Micros-have)
		c.shared[h] = r
		if !s.Group {
			c.lost += s.Micros - have
		}
	}
}

// has tells whether all was shipped that a word is about. Of a ledger that was restored before, by an older backup than that, nobody knows: its words are of
// what it had told until then as well, of which there are no entries.
func (c *completion) has(s ShippedSpent) bool {
	switch {
	case c.again:
		return false
	case s.Entries > 0:
		return s.Entries <= c.head.Sequence
	}
	return c.last.After(s.Seen.Add(clockSlack))
}

// dayIn gives the noon of a day in a period: the last on which something was spent, or the first that there is.
func (r *sharedSpent) dayIn(kind int, period string, c Calendar) time.Time {
	noon := func(day string) time.Time {
		t, _ := time.ParseInLocation(dayFormat, day, c.zone())
		return t.Add(dayLength / 2)
	}
	day := period
	if kind == monthly {
		day += "-01"
	}
	if kind != daily {
		for _, one := range slices.Sorted(maps.Keys(r.spent[daily])) {
			if kind == monthly && strings.HasPrefix(one, period) || kind == weekly && c.Periods(noon(one))[weekly] == period {
				day = one
			}
		}
	}
	return noon(day)
}
