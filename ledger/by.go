package ledger

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// The keys that a summary may go by, as they stand in a rollup's key.
var summaryKeys = []string{"member", "model", "seller", "group", "project"}

// errKeys says what the rows of a statement or a summary may be of.
var errKeys = errors.New("one of member, model, seller, group, project, day, or several of them with commas between")

// ParseKeys reads what the rows of a statement or a summary are of: member, model, seller, group, project, day, or several of them with
// commas between, each once.
func ParseKeys(by string) ([]string, error) {
	keys := strings.Split(by, ",")
	for i, k := range keys {
		if k != "day" && !slices.Contains(summaryKeys, k) || slices.Contains(keys[:i], k) {
			return nil, errKeys
		}
	}
	return keys, nil
}

// RowKey is what a row of a statement or a summary is of. Where that is several things, Key has them with commas between, and Keys each by itself.
type RowKey struct {
	Key  string   `json:"key"`
	Keys []string `json:"keys,omitempty"`
}

func newRowKey(values []string) RowKey {
	if len(values) == 1 {
		return RowKey{Key: values[0]}
	}
	return RowKey{strings.Join(values, ","), values}
}

// rowsBy are rows under the values that they are of.
type rowsBy[R any] struct {
	rows map[string]*R
	keys map[string][]string
}

func newRowsBy[R any]() *rowsBy[R] {
	return &rowsBy[R]{make(map[string]*R), make(map[string][]string)}
}

// of gives the row of these values, which it keeps where begin has to make one.
func (b *rowsBy[R]) of(values []string, begin func(RowKey) *R) *R {
	key := values[0]
	if len(values) > 1 {
		key = strings.Join(values, "\x00") // sorts as the values do, and tells "a,b" and "c" from "a" and "b,c"
	}
	r := b.rows[key]
	if r == nil {
		values = slices.Clone(values)
		r = begin(newRowKey(values))
		b.rows[key], b.keys[key] = r, values
	}
	return r
}

// sorted gives the rows in the order of their values.
func (b *rowsBy[R]) sorted() []R {
	all := []R{}
	for _, key := range slices.SortedFunc(maps.Keys(b.rows), func(x, y string) int { return slices.Compare(b.keys[x], b.keys[y]) }) {
		all = append(all, *b.rows[key])
	}
	return all
}

// value is what an entry says under one of the keys; days are those of a zone.
func (e *Entry) value(key string, zone *time.Location) string {
	switch key {
	case "member":
		return e.member()
	case "model":
		return e.model()
	case "seller":
		return e.Seller
	case "group":
		return e.group()
	case "project":
		return e.project()
	}
	return e.dayIn(zone)
}

// dayIn is the day on which the entry counts, by a zone: where the wall clock said another one than the entry's time, that one.
func (e *Entry) dayIn(zone *time.Location) string {
	if e.Day != "" || zone == nil || zone == time.UTC {
		return e.day()
	}
	return e.Time.In(zone).Format(dayFormat)
}
