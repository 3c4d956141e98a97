package fleettest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// gateway gives a name that no other check has.
func (b *bench) gateway(name string) string { return b.place + name }

// rows makes a gateway's first rows, as a ledger chains them. of makes another chain of each word.
func (b *bench) rows(gateway, of string, n int, settlements ...string) (rows []fleet.Row) {
	previous := ""
	for i := range n {
		settlement := ""
		if i < len(settlements) {
			settlement = settlements[i]
		}
		sum := sha256.Sum256([]byte(previous + of + gateway + settlement + fmt.Sprint(i)))
		hash := hex.EncodeToString(sum[:])
		rows = append(rows, fleet.Row{
			Seq: uint64(i + 1), ID: fmt.Sprint(gateway, "-", i), At: time.Date(2026, 3, 2, 23, 59, i%60, 123456000, time.UTC), Kind: "inference", Member: "ärger",
			Model: "toy", Seller: b.place + "acme", SettlementID: settlement, IdempotencyKey: fmt.Sprint("key", i), Hash: hash, Previous: previous,
			Entry: []byte(`{ "note":"as it is: \u0000 <ö> 1.0",  "hash":"` + hash + `"}`),
		})
		if i%3 == 0 {
			rows[i].Begun, rows[i].Beside = "2026-03-02 2026-03-02 2026-03", []byte(`{ "records":["\u0000 <ö>"]}`)
		}
		previous = hash
	}
	return rows
}

func (b *bench) add(ctx context.Context, gateway string, rows []fleet.Row, last int, all []fleet.Row) error {
	got, err := b.Append(ctx, gateway, rows)
	want := fleet.Appended{}
	if last > 0 {
		want = fleet.Appended{Last: uint64(last), LastHash: all[last-1].Hash}
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		err = fmt.Errorf("appending gives %+v, want %+v", got, want)
	}
	return err
}

// journal reads a gateway's rows, and compares them.
func (b *bench) journal(ctx context.Context, gateway string, after int, want []fleet.Row) error {
	n := 0
	err := b.Journal(ctx, gateway, uint64(after), func(r fleet.Row) error {
		if n >= len(want) {
			return fmt.Errorf("there is row %d", r.Seq)
		}
		if r.At.Equal(want[n].At) {
			r.At = want[n].At // in whatever zone
		}
		if !reflect.DeepEqual(r, want[n]) {
			return fmt.Errorf("a row is\n%+v, want\n%+v", r, want[n])
		}
		n++
		return nil
	})
	if err == nil && n != len(want) {
		err = fmt.Errorf("%d rows after %d, want %d", n, after, len(want))
	}
	return err
}

func appends(ctx context.Context, b *bench) error {
	g, h := b.gateway("g"), b.gateway("h")
	rows, others := b.rows(g, "", 600), b.rows(h, "", 3)
	return errors.Join(b.add(ctx, g, nil, 0, nil), b.add(ctx, g, rows[:1], 1, rows), b.add(ctx, g, rows[1:300], 300, rows),
		b.add(ctx, h, others, 3, others), b.add(ctx, g, rows[300:], 600, rows), b.add(ctx, g, nil, 600, rows), b.journal(ctx, g, 0, rows),
		b.journal(ctx, h, 0, others))
}

// appendsAgain: rows that are there are left as they are, alone and with those that follow.
func appendsAgain(ctx context.Context, b *bench) error {
	g := b.gateway("g")
	rows := b.rows(g, "", 20)
	return errors.Join(b.add(ctx, g, rows[:10], 10, rows), b.add(ctx, g, rows[:10], 10, rows), b.add(ctx, g, rows[3:5], 10, rows),
		b.add(ctx, g, rows[5:15], 15, rows), b.add(ctx, g, rows, 20, rows), b.journal(ctx, g, 0, rows))
}

// forks: another row in the place of one, or after another one than is there, is told, and nothing of it is added.
func forks(ctx context.Context, b *bench) error {
	g := b.gateway("g")
	rows, others := b.rows(g, "", 9), b.rows(g, "a copy", 9)
	if err := b.add(ctx, g, rows[:5], 5, rows); err != nil {
		return err
	}
	mixed := append(append([]fleet.Row{}, rows[5:7]...), others[7:]...)
	mixed[2].Previous = mixed[1].Hash
	mixed[2].Seq = 5 // the third is none of the chain
	for what, fork := range map[string][]fleet.Row{
		"others from the first": others, "others in the middle": others[2:4], "another last": others[4:5], "others that follow others": others[5:],
		"more than are there": others[4:],
	} {
		if _, err := b.Append(ctx, g, fork); !errors.Is(err, fleet.ErrFork) {
			return fmt.Errorf("%s: want ErrFork, got %w", what, err)
		} else if errors.Is(err, fleet.ErrAway) || errors.Is(err, fleet.ErrUnknown) {
			return fmt.Errorf("%s: a fork is certain, and came as %w", what, err)
		}
	}
	if _, err := b.Append(ctx, g, mixed); err == nil {
		return errors.New("rows were added that do not follow each other")
	}
	return errors.Join(b.journal(ctx, g, 0, rows[:5]), b.add(ctx, g, rows[5:], 9, rows))
}

// gaps: no row is left out, at the beginning, before the first of a call, or within.
func gaps(ctx context.Context, b *bench) error {
	g := b.gateway("g")
	rows := b.rows(g, "", 9)
	for _, first := range []int{0, 5} {
		if first > 0 {
			if err := b.add(ctx, g, rows[:first], first, rows); err != nil {
				return err
			}
		}
		within := append(append([]fleet.Row{}, rows[first:first+1]...), rows[first+2:]...)
		for what, gap := range map[string][]fleet.Row{"before": rows[first+1:], "within": within} {
			if _, err := b.Append(ctx, g, gap); err == nil {
				return fmt.Errorf("a gap %s was taken", what)
			}
		}
		if err := b.journal(ctx, g, 0, rows[:first]); err != nil {
			return err
		}
	}
	return nil
}

// appendsAtOnce: two shippers of one gateway don't harm each other.
func appendsAtOnce(ctx context.Context, b *bench) error {
	g := b.gateway("g")
	rows := b.rows(g, "", 120)
	err := b.parallel(1, func(s fleet.Store, n int) error {
		for from := 0; from < len(rows); from += 10 + n {
			if _, err := s.Append(ctx, g, rows[from:min(from+10+n, len(rows))]); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, b.add(ctx, g, nil, len(rows), rows), b.journal(ctx, g, 0, rows))
}

// twins: a settlement is the gateway's that was first to book it, whoever asks how often.
func twins(ctx context.Context, b *bench) error {
	g, h, i := b.gateway("g"), b.gateway("h"), b.gateway("i")
	first, second, third := b.rows(g, "", 4, "", "s1", "s2", "s2"), b.rows(h, "", 3, "s2", "s3", "s1"), b.rows(i, "", 3, "s1", "s2", "s3")
	want := []fleet.Twin{{Seq: 1, Gateway: g, Other: 3, IdempotencyKey: "key2"}, {Seq: 3, Gateway: g, Other: 2, IdempotencyKey: "key1"}}
	for range 2 {
		for _, c := range []struct {
			gateway string
			rows    []fleet.Row
			want    []fleet.Twin
		}{{g, first, nil}, {h, second, want}} {
			got, err := b.Append(ctx, c.gateway, c.rows)
			if err != nil {
				return err
			}
			if len(got.Twins) != len(c.want) || len(c.want) > 0 && !reflect.DeepEqual(got.Twins, c.want) {
				return fmt.Errorf("twins of %s are %+v, want %+v", strings.TrimPrefix(c.gateway, b.place), got.Twins, c.want)
			}
		}
	}
	for n := range third {
		third[n].Seller = b.place + "another"
	}
	got, err := b.Append(ctx, i, third)
	if err == nil && len(got.Twins) > 0 {
		err = fmt.Errorf("what another seller has settled is a twin: %+v", got.Twins)
	}
	return err
}

// twinsAtOnce: of several that book the same at once, each settlement has one owner, and all the others are told.
func twinsAtOnce(ctx context.Context, b *bench) error {
	const n, each = 60, 10
	var mu sync.Mutex
	told := map[string]string{} // whose each settlement is
	count := 0
	err := b.parallel(1, func(s fleet.Store, k int) error {
		g := b.gateway(fmt.Sprint("g", k))
		settlements := make([]string, n)
		for i := range settlements {
			settlements[i] = fmt.Sprint("s", i)
			if k%2 == 1 {
				settlements[i] = fmt.Sprint("s", n-1-i)
			}
		}
		rows := b.rows(g, "", n, settlements...)
		for from := 0; from < n; from += each {
			got, err := s.Append(ctx, g, rows[from:from+each])
			if err != nil {
				return err
			}
			mu.Lock()
			for _, t := range got.Twins {
				id := rows[t.Seq-1].SettlementID
				if owner := told[id]; owner != "" && owner != t.Gateway || t.Gateway == g {
					err = fmt.Errorf("%s is of %q, and of %q", id, owner, t.Gateway)
				}
				told[id] = t.Gateway
				count++
			}
			mu.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	})
	if want := n * (len(b.stores) - 1); err == nil && count != want {
		err = fmt.Errorf("%d twins were told, want %d", count, want)
	}
	return err
}

// journals: all rows after a number, however many, in order.
func journals(ctx context.Context, b *bench) error {
	g := b.gateway("g")
	rows := b.rows(g, "", 1500)
	for from := 0; from < len(rows); from += 250 {
		if err := b.add(ctx, g, rows[from:from+250], from+250, rows); err != nil {
			return err
		}
	}
	for _, after := range []int{0, 1, 511, 512, 513, 1024, 1499, 1500} {
		if err := b.journal(ctx, g, after, rows[after:]); err != nil {
			return err
		}
	}
	calls := 0
	err := b.Journal(ctx, g, 0, func(fleet.Row) error {
		calls++
		if calls == 3 {
			return errMine
		}
		return nil
	})
	if !errors.Is(err, errMine) || calls != 3 {
		return fmt.Errorf("%d calls up to an error, which came back as %w", calls, err)
	}
	return errors.Join(b.journal(ctx, g, 1501, nil), b.journal(ctx, b.gateway("nobody"), 0, nil))
}
