package ledger_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/klauspost/compress/s2"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// inBlocks makes a ledger of a purchase and sixty requests of ann's, puts all of their entries into one block, and closes it.
func inBlocks(t *testing.T, dir string) {
	t.Helper()
	l := open(t, ledger.Options{Dir: dir})
	buy(t, l, "t1", "acme", money.USD)
	for i := range 60 {
		h := hold(fmt.Sprint(i), "acme", "t1")
		h.IdempotencyKey = "key of " + h.ID
		l.PlaceHold(h)
		if _, err := l.Settle(inference(h, 100)).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mustVerify(t, l)
	closed(t, l)
	tamper(t, dir, func(txn *badger.Txn) error {
		r := store.ReadNumbered(txn, "\x01/", 1)
		defer r.Close()
		var block, key []byte
		for {
			seq, raw, err := r.Next()
			switch {
			case err != nil:
				return err
			case raw != nil:
				block = append(binary.AppendUvarint(block, uint64(len(raw))), raw...)
				key = binary.BigEndian.AppendUint64(store.NumberedKey("\x01/", seq), 1)
				continue
			}
			if err := store.EachNumberedKey(txn, "\x01/", 1, func(key []byte, _, _ uint64) error { return txn.Delete(bytes.Clone(key)) }); err != nil {
				return err
			}
			return txn.Set(key, s2.Encode(nil, block))
		}
	})
}

// TestBooksInBlocks: a settlement whose entry is in a block is known when it comes again, and every entry is where it is looked for.
func TestBooksInBlocks(t *testing.T) {
	dir := t.TempDir()
	inBlocks(t, dir)
	l := open(t, ledger.Options{Dir: dir})
	again := func(key string) ledger.Booked {
		t.Helper()
		h := hold("again "+key, "acme", "t1")
		h.IdempotencyKey = key
		in := inference(h, 100)
		in.HoldID, in.Settlement.SettlementID = "", "s-7"
		booked, err := l.Settle(in).Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return booked
	}
	if same := again("key of 7"); same.Entry.BilledMicros != 0 {
		t.Errorf("under the same key it is booked as %s once more", same.Entry.BilledMicros)
	}
	if other := again("another"); !slices.Contains(other.Entry.Flags, "settlement_replayed") {
		t.Errorf("under another key its flags are %v", other.Entry.Flags)
	}
	var all []*ledger.Entry
	if err := l.Entries(t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
		all = append(all, e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i, e := range all {
		var next string
		if err := l.Entries(t.Context(), ledger.Query{Cursor: e.ID, Limit: 1}, func(e *ledger.Entry) error {
			next = e.ID
			return nil
		}); err != nil || i+1 < len(all) && next != all[i+1].ID || i+1 == len(all) && next != "" {
			t.Errorf("after entry %d of %d comes %q, %v", i, len(all), next, err)
		}
	}
	mustVerify(t, l)
}

// TestVerifyNamesWhatWasChangedInABlock changes an entry in a block, and the block itself.
func TestVerifyNamesWhatWasChangedInABlock(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(raw []byte) []byte // what is in the block; nil: it goes
		open   string                  // what the error of Open says
		entry  uint64                  // which entry Verify names
		verify string
	}{
		{"an amount", func(raw []byte) []byte {
			return bytes.Replace(raw, []byte(`"requestId":"r-7"`), []byte(`"requestId":"r-8"`), 1)
		}, "", 10, "it was changed"},
		{"the newest entry", func(raw []byte) []byte { return bytes.Replace(raw, []byte("r-59"), []byte("r-58"), 1) }, "the newest entry, 62", 0, ""},
		{"a record less", func(raw []byte) []byte { return raw[:len(raw)-len(`x`)] }, "the newest entry, 62", 0, ""},
		{"all of it", func([]byte) []byte { return nil }, "the newest entry, 62", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			inBlocks(t, dir)
			tamper(t, dir, func(txn *badger.Txn) error {
				o := badger.DefaultIteratorOptions
				o.Prefix = []byte("\x01/")
				it := txn.NewIterator(o)
				defer it.Close()
				it.Rewind()
				key := it.Item().KeyCopy(nil)
				return it.Item().Value(func(block []byte) error {
					raw, err := s2.Decode(nil, block)
					if err != nil {
						return err
					}
					if raw = tt.change(raw); raw == nil {
						return txn.Delete(key)
					}
					return txn.Set(key, s2.Encode(nil, raw))
				})
			})
			wantDamage(t, dir, tt.open, tt.entry, tt.verify)
		})
	}
}

// TestHoldOfAnIDThatEndsWithIt: a hold that ends and is placed again in one commit, and then ends before it is handed over, does not come
// back.
func TestHoldOfAnIDThatEndsWithIt(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Options{Dir: dir})
	buy(t, l, "t1", "acme", money.USD)
	again, other := hold("again", "acme", "t1"), hold("other", "acme", "t1")
	for _, h := range []ledger.Hold{again, other} {
		if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mustVerify(t, l) // what was committed is handed over
	in := inference(other, 100)
	queued, told := make(chan struct{}), make(chan struct{})
	in.Told = func(ledger.Booked, error) {
		close(told)
		<-queued
	}
	l.Settle(in)
	<-told // the committer takes at once what is queued now
	l.ReleaseHold(again.ID)
	placed := l.PlaceHold(again)
	close(queued)
	if err := placed.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.ReleaseHold(again.ID).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, _, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	l = open(t, ledger.Options{Dir: dir})
	if after, _, err := l.Head(t.Context()); err != nil || after != before {
		t.Errorf("there were %d entries, and are %d: %v", before, after, err)
	}
	mustVerify(t, l)
}
