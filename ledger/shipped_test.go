package ledger_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// shippedRows are what a fleet has of a ledger.
type shippedRows struct {
	rows  []ledger.ShippedRow
	epoch uint64
	spent []ledger.ShippedSpent
}

func (s shippedRows) Spent(context.Context, string) ([]ledger.ShippedSpent, error) {
	return s.spent, nil
}

func (s shippedRows) Epoch(context.Context, string) (uint64, error) { return s.epoch, nil }

func (s shippedRows) Rows(_ context.Context, _ string, after uint64, yield func(ledger.ShippedRow) error) error {
	for _, r := range s.rows[min(after, uint64(len(s.rows))):] {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

// ship gives all of a ledger's entries as a fleet has them.
func ship(t testing.TB, l *ledger.Ledger) (s shippedRows) {
	t.Helper()
	err := l.Rows(context.Background(), 0, func(seq uint64, raw, beside []byte) error {
		var e ledger.Entry
		var is ledger.Beside
		err := json.Unmarshal(raw, &e)
		if beside != nil {
			err = errors.Join(err, json.Unmarshal(beside, &is))
		}
		begun := l.PeriodsOf(e.Time)
		if is.Begun != nil {
			begun = *is.Begun
		}
		s.rows = append(s.rows, ledger.ShippedRow{Sequence: seq, Entry: bytes.Clone(raw), Begun: &begun, Beside: bytes.Clone(beside)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.epoch = l.Epoch()
	return s
}

// forked is the second entry of another ledger.
func forked(t *testing.T) ledger.ShippedRow {
	l := open(t, ledger.Options{Dir: t.TempDir(), Shared: true})
	buy(t, l, "t1", "other", money.USD)
	return ship(t, l).rows[1]
}

// records are those of a backup.
func records(t testing.TB, kept []byte) map[string]string {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(kept))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	b := bufio.NewReader(z)
	if _, err := b.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	part := func() string {
		n, err := binary.ReadUvarint(b)
		raw := make([]byte, n)
		if err == nil {
			_, err = io.ReadFull(b, raw)
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	all := map[string]string{}
	for {
		if _, err := b.Peek(1); err != nil {
			return all
		}
		key := part()
		all[key] = part()
	}
}

// restoredFrom restores a backup, completed by what the fleet has, and gives the records of what comes of it, opened as the gateway opens it.
func restoredFrom(t *testing.T, o ledger.Options, kept []byte, from shippedRows) map[string]string {
	t.Helper()
	o.Dir, o.Key, o.Shipped = filepath.Join(t.TempDir(), "restored"), testKey, from
	r, err := ledger.Restore(t.Context(), o, bytes.NewReader(kept))
	if err != nil || !r.OK {
		t.Fatalf("restore: %+v, %v", r, err)
	}
	o.Shipped, o.Shared = nil, true
	l, err := ledger.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Epoch() <= from.epoch {
		t.Errorf("it is in its epoch %d, and the fleet knows of %d", l.Epoch(), from.epoch)
	}
	return records(t, backup(t, l))
}

// compared are the records by what they are the same in, of those that entries tell of.
func compared(t testing.TB, all map[string]string, entries int) map[string]string {
	t.Helper()
	same := map[string]string{}
	for key, value := range all {
		switch prefix := key[:2]; prefix {
		case "\x01/", "j/":
			if binary.BigEndian.Uint64([]byte(key[2:])) <= uint64(entries) {
				same[key] = value
			}
		case "b/":
			var b struct{ BalanceMicros, BorneMicros, GrantedMicros money.Micros }
			if err := json.Unmarshal([]byte(value), &b); err != nil {
				t.Fatal(err)
			}
			same[key] = fmt.Sprint(b)
		case "p/":
			var p struct{ State ledger.PurchaseState }
			if err := json.Unmarshal([]byte(value), &p); err != nil {
				t.Fatal(err)
			}
			if p.State == ledger.Granted || p.State == ledger.Disputed || p.State == ledger.Paying { // at each of which there was an entry
				same[key] = value
			}
		case "f/":
			var f any // the order of the periods is nobody's
			if err := json.Unmarshal([]byte(value), &f); err != nil {
				t.Fatal(err)
			}
			same[key] = fmt.Sprint(f)
		case "a/", "r/", "s/", "t/", "n/", "x/", "v/", "w/", "h/":
			same[key] = value
		}
	}
	return same
}

func differing(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Errorf("%q is\n%s\nwant\n%s", key, got[key], want[key])
		}
	}
	for key := range got {
		if _, there := want[key]; !there {
			t.Errorf("%q is there: %s", key, got[key])
		}
	}
}
