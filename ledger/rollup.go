package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Rollup sums the inferences of a day, member, model and seller, and of a group and a project where there are some. Where the cost of one was put right later, that counts on the
// day when it was known.
type Rollup struct {
	Requests         int64        `json:"requests"`
	PromptTokens     int64        `json:"promptTokens"`
	CompletionTokens int64        `json:"completionTokens"`
	CacheReadTokens  int64        `json:"cacheReadTokens"`
	BilledMicros     money.Micros `json:"billedMicros"`
	ExpenseMicros    money.Micros `json:"expenseMicros"`
	WasteMicros      money.Micros `json:"wasteMicros,omitempty"` // what failed attempts have cost: nobody bears it, and it counts in budgets
}

func (r *Rollup) add(o Rollup) {
	r.Requests += o.Requests
	r.PromptTokens += o.PromptTokens
	r.CompletionTokens += o.CompletionTokens
	r.CacheReadTokens += o.CacheReadTokens
	r.BilledMicros += o.BilledMicros
	r.ExpenseMicros += o.ExpenseMicros
	r.WasteMicros += o.WasteMicros
}

func (r *Rollup) negative() Rollup {
	return Rollup{-r.Requests, -r.PromptTokens, -r.CompletionTokens, -r.CacheReadTokens, -r.BilledMicros, -r.ExpenseMicros, -r.WasteMicros}
}

// rollup is what the entry adds, and where: nowhere, if it is neither an inference, nor an attempt that failed, nor puts the cost of
// one right. Failed attempts of before their cost counted in budgets have nothing to add.
func (e *Entry) rollup() (key string, r Rollup) {
	switch c := e.Correction; {
	case e.Served != nil:
		r = Rollup{1, e.PromptTokens, e.CompletionTokens, e.CacheReadTokens, e.BilledMicros, e.ExpenseMicros, 0}
	case e.Attempt != nil && e.Attempt.CountedMicros != 0:
		r.WasteMicros = e.Attempt.CountedMicros
	case c != nil && c.Wasted && c.CountedMicros != 0:
		r.WasteMicros = c.CountedMicros
	case c != nil && !c.Wasted:
		r.BilledMicros, r.ExpenseMicros = c.TakenMicros(), c.BilledMicros
	default:
		return "", r
	}
	return rollupKey(e.day(), e.member(), e.model(), e.Seller, e.group(), e.project()), r
}

// rollUp adds the entry to its day. Rollups of the current day stay in memory once they were touched.
// begun are the periods of budgets that its request began in; nil: those of now.
func (b *batch) rollUp(e *Entry, begun *Periods) {
	if day := e.day(); day != b.day {
		b.day = day
		clear(b.rollups)
	}
	key, add := e.rollup()
	if key == "" {
		return
	}
	r := b.rollups[key]
	if r == nil {
		r = new(Rollup)
		_, err := b.getJSON(key, r)
		b.note(err)
		b.rollups[key] = r
	}
	r.add(add)
	b.put(key, r)
	if add.counted() != 0 {
		b.keepBegun(e, begun)
	}
	b.share(holder{name: e.member()}, begun, add.counted())
	if group := e.group(); group != "" {
		b.share(holder{true, group}, begun, add.counted())
	}
}

// counted is what of it counts in the member's budget.
func (r *Rollup) counted() money.Micros { return r.ExpenseMicros + r.WasteMicros }

// Row is a line of a summary: what the inferences of one member, model, seller, group, project or day sum to.
type Row struct {
	RowKey
	Rollup
}

// Summary sums inferences by "member", "model", "seller", "group", "project", "day" (of UTC, as 2006-01-02), or several of them with
// commas between, sorted by key, from a time (inclusive) to another (exclusive); a zero time is no bound. Whole UTC days come from their
// rollups; of a day that the period only begins or ends in, entries are read. What a clock that had been ahead has booked with a time of
// another day than it counts on is at the beginning of its day.
func (l *Ledger) Summary(ctx context.Context, from, to time.Time, by string) ([]Row, error) {
	rows, err := newRowSet(by)
	if err != nil {
		return nil, err
	}
	add := rows.add
	err = l.view(ctx, func(v *view) error {
		first, last := midnight(from.Add(dayLength-1)), midnight(to) // the whole days
		switch {
		case from.IsZero() && to.IsZero():
			return v.addRollups(from, to, add)
		case to.IsZero():
			return errors.Join(v.addEntries(from, first, add), v.addRollups(first, to, add))
		case from.IsZero():
			return errors.Join(v.addRollups(from, last, add), v.addUntil(last, to, add))
		case first.After(last): // there are none
			return v.addEntries(from, to, add)
		}
		return errors.Join(v.addEntries(from, first, add), v.addRollups(first, last, add), v.addUntil(last, to, add))
	})
	if err != nil {
		return nil, err
	}
	return rows.sorted(), nil
}

// UsageOf sums the inferences of one member by each of these keys, as Summary does, in whole UTC days from that of a time on. It reads
// what is the member's alone.
func (l *Ledger) UsageOf(ctx context.Context, member string, from time.Time, by ...string) (map[string][]Row, error) {
	sets := make(map[string]*rowSet, len(by))
	for _, key := range by {
		var err error
		if sets[key], err = newRowSet(key); err != nil {
			return nil, err
		}
	}
	err := l.view(ctx, func(v *view) error {
		for day := midnight(from); !day.After(l.now()); day = day.Add(dayLength) {
			err := each(v.txn, names(rollupPrefix+dayOf(day)+"/", member)+":", func(rest string, r *Rollup) error {
				_, parts, err := splitRollup(names(dayOf(day)+"/", member) + ":" + rest)
				for _, set := range sets {
					if err == nil {
						set.add(dayOf(day), parts, *r)
					}
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows := make(map[string][]Row, len(by))
	for key, set := range sets {
		rows[key] = set.sorted()
	}
	return rows, nil
}

// rowSet adds rollups up to the rows of a summary.
type rowSet struct {
	*rowsBy[Row]
	keys   []string
	values []string
}

func newRowSet(by string) (*rowSet, error) {
	keys, err := ParseKeys(by)
	if err != nil {
		return nil, fmt.Errorf("ledger: a summary goes by %w, not by %q", err, by)
	}
	return &rowSet{newRowsBy[Row](), keys, make([]string, len(keys))}, nil
}

func (s *rowSet) add(day string, parts []string, r Rollup) {
	for i, k := range s.keys {
		s.values[i] = day
		if field := slices.Index(summaryKeys, k); field >= 0 {
			s.values[i] = parts[field]
		}
	}
	s.of(s.values, func(k RowKey) *Row { return &Row{RowKey: k} }).add(r)
}

// addUntil adds up a day until a time in it: its rollups, but for what the entries from then on have added.
func (v *view) addUntil(day, to time.Time, add func(day string, parts []string, r Rollup)) error {
	if !day.Before(to) {
		return nil
	}
	type sum struct {
		parts []string
		Rollup
	}
	sums := map[string]*sum{}
	of := func(parts []string) *sum {
		key := strings.Join(parts, "\x00")
		if sums[key] == nil {
			sums[key] = &sum{parts: parts}
		}
		return sums[key]
	}
	end := day.Add(dayLength)
	err := errors.Join(
		v.addRollups(day, end, func(_ string, parts []string, r Rollup) { of(parts).add(r) }),
		v.addEntries(to, end, func(_ string, parts []string, r Rollup) { of(parts).add(r.negative()) }),
	)
	for _, s := range sums {
		if err == nil && s.Rollup != (Rollup{}) {
			add(dayOf(day), s.parts, s.Rollup)
		}
	}
	return err
}

// addEntries adds up what the entries of a period that lies in one day, or two, add to rollups, but for those that count on another day.
func (v *view) addEntries(from, to time.Time, add func(day string, parts []string, r Rollup)) error {
	if !from.Before(to) {
		return nil
	}
	first, err := v.first(Query{From: from})
	if err != nil {
		return err
	}
	return unstop(v.entries(first, func(_ uint64, e *Entry, _ []byte) error {
		if !e.Time.Before(to) {
			return errStop
		}
		key, r := e.rollup()
		if key == "" || e.Day != "" {
			return nil
		}
		day, parts, err := splitRollup(key[len(rollupPrefix):])
		if err == nil {
			add(day, parts, r)
		}
		return err
	}))
}

// addRollups adds up the rollups of whole days.
func (v *view) addRollups(from, to time.Time, add func(day string, parts []string, r Rollup)) error {
	first, end := "", "9999-99-99"
	if !from.IsZero() {
		first = dayOf(from)
	}
	if !to.IsZero() {
		end = dayOf(to)
	}
	return unstop(eachFrom(v.txn, rollupPrefix, rollupPrefix+first, func(rest string, r *Rollup) error {
		day, parts, err := splitRollup(rest)
		if err != nil {
			return err
		}
		if day >= end {
			return errStop
		}
		add(day, parts, *r)
		return v.alive()
	}))
}

// topDays is how far back TopModels looks, today not counted.
const topDays = 7

// TopModels gives the n models (served ids) that were requested most since then, the most requested first, and by name where
// they are equal. It counts in whole UTC days, and looks no further back than seven days before today, so that it stays cheap.
func (l *Ledger) TopModels(ctx context.Context, since time.Time, n int) ([]string, error) {
	if oldest := l.now().Add(-topDays * 24 * time.Hour); since.Before(oldest) {
		since = oldest
	}
	rows, err := l.Summary(ctx, midnight(since), time.Time{}, "model")
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.Requests, a.Requests) }) // they come by name
	var models []string
	for _, r := range rows[:min(max(n, 0), len(rows))] {
		models = append(models, r.Key)
	}
	return models, nil
}

// splitRollup gives the day and the names that stand in the key of a rollup, as summaryKeys says.
func splitRollup(rest string) (day string, parts []string, err error) {
	if len(rest) > len(dayFormat) {
		day, parts = rest[:len(dayFormat)], splitNames(rest[len(dayFormat)+1:])
	}
	for len(parts) >= 3 && len(parts) < len(summaryKeys) {
		parts = append(parts, "")
	}
	if len(parts) != len(summaryKeys) {
		return "", nil, store.Damaged("the key of a rollup can't be read")
	}
	return day, parts, nil
}

// Accounts gives every account and its balance, sorted by name.
func (l *Ledger) Accounts() ([]Account, error) {
	b, err := l.Balances(context.Background())
	return b.Accounts, err
}
