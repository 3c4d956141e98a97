package ledger_test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// makeOlder makes a closed ledger be as a version before has written it: each entry by itself.
func makeOlder(t *testing.T, dir, format, prefix string) {
	t.Helper()
	moved := map[uint64][]byte{}
	tamper(t, dir, func(txn *badger.Txn) error {
		r := store.ReadNumbered(txn, "\x01/", 0)
		defer r.Close()
		for {
			seq, raw, err := r.Next()
			if err != nil || raw == nil {
				return err
			}
			moved[seq] = bytes.Clone(raw)
		}
	})
	tamper(t, dir, func(txn *badger.Txn) error {
		return store.EachNumberedKey(txn, "\x01/", 0, func(key []byte, _, _ uint64) error { return txn.Delete(bytes.Clone(key)) })
	})
	tamper(t, dir, func(txn *badger.Txn) error {
		for seq, value := range moved {
			if err := txn.Set(store.NumberedKey(prefix, seq), value); err != nil {
				return err
			}
		}
		return txn.Set([]byte("m/format"), []byte(format))
	})
}

// TestOlderFormat goes on with a ledger that an older version has written: its entries stay where they are, and those to come are with them,
// so that the older version can go on with it too, until it is archived. A backup of it restores into the newest format.
func TestOlderFormat(t *testing.T) {
	t.Run("1", func(t *testing.T) { testOlderFormat(t, "1", "2", "e/") })
	t.Run("3", func(t *testing.T) { testOlderFormat(t, "3", "3", "\x01/") })
}

func testOlderFormat(t *testing.T, older, archived, prefix string) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := months(t, ledger.Options{Dir: dir}, 20)
	before := show(t, l)
	closed(t, l)
	makeOlder(t, dir, older, prefix)

	l = open(t, ledger.Options{Dir: dir})
	if after := show(t, l); !maps.Equal(after.exports, before.exports) || fmt.Sprint(after.summaries) != fmt.Sprint(before.summaries) {
		t.Error("the books are others than they were")
	}
	buy(t, l, "t", "acme", 10*money.USD)
	settleMany(t, l, 50)
	mustVerify(t, l)
	before = show(t, l)
	format := func(want string) {
		t.Helper()
		tamper(t, dir, func(txn *badger.Txn) error {
			item, err := txn.Get([]byte("m/format"))
			if err != nil {
				return err
			}
			return item.Value(func(is []byte) error {
				if string(is) != want {
					t.Errorf("its format is %s, want %s", is, want)
				}
				return nil
			})
		})
	}
	closed(t, l)
	format(older)
	if entries := int(before.report.Entries); stored(t, dir, prefix) != entries {
		t.Errorf("%d records, of %d entries", stored(t, dir, prefix), entries)
	}

	l = open(t, ledger.Options{Dir: dir})
	done := mustArchive(t, l, "2026-03-15")
	kept := backup(t, l)
	if after := show(t, l); !maps.Equal(after.exports, before.exports) {
		t.Error("with an archive the books are others than they were")
	}
	mustVerify(t, l)
	closed(t, l)
	format(archived)

	elsewhere := filepath.Join(filepath.Dir(dir), "restored")
	o := ledger.Options{Dir: elsewhere, Key: testKey, Archives: dir + ".archive"}
	r, err := ledger.Restore(t.Context(), o, bytes.NewReader(kept))
	if err != nil || !r.OK {
		t.Fatalf("restore: %+v, %v", r, err)
	}
	dir = elsewhere
	format("4")
	if stored(t, dir, "e/") != 0 || storedEntries(t, dir, "\x01/", done.Entries+1) != int(r.Entries-done.Entries) {
		t.Errorf("%d and %d records", stored(t, dir, "e/"), stored(t, dir, "\x01/"))
	}
}
