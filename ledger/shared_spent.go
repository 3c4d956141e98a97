package ledger

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

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
