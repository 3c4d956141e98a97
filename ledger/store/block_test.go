//go:build linux

package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/klauspost/compress/s2"
)

// keysOf are the keys under a prefix, each once, as Badger has them, deleted ones as well.
func keysOf(t *testing.T, s *Store, prefix string) (keys []string) {
	t.Helper()
	if err := s.View(func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.Prefix, o.AllVersions = []byte(prefix), true
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			keys = append(keys, string(it.Item().KeyCopy(nil)))
		}
		keys = slices.Compact(keys)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return keys
}

func commitAll(t *testing.T, s *Store, write func(*Batch)) {
	t.Helper()
	batch := s.Begin()
	defer batch.Discard()
	write(batch)
	if err := batch.Commit(); err != nil {
		t.Fatal(err)
	}
}

func numberAll(t *testing.T, s *Store, from, to uint64) {
	t.Helper()
	commitAll(t, s, func(b *Batch) {
		for n := from; n <= to; n++ {
			b.Set(NumberedKey("n/", n), []byte(strings.Repeat(fmt.Sprint("record ", n, " "), 100)))
		}
	})
}

// TestBlocks: numbered records that are handed over together stand in blocks, and few of them by themselves; each is read alone, and
// all of them in order from each of them, with those that a crash has handed over twice, once.
func TestBlocks(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir, nil)
	numberAll(t, s, 1, 100)
	if keys := keysOf(t, s, "n/"); len(keys) != 2 || len(keys[0]) != 18 || len(keys[1]) != 18 {
		t.Errorf("100 records stand under %q", keys)
	}
	numberAll(t, s, 101, 103)
	if keys := keysOf(t, s, "n/"); len(keys) != 5 {
		t.Errorf("103 records stand under %q", keys)
	}
	left := copyDir(t, dir) // its journal has all of them
	numberAll(t, s, 104, 200)
	s = openAt(t, left, nil)
	if keys := keysOf(t, s, "n/"); len(keys) != 105 {
		t.Errorf("after a crash there are %d keys", len(keys))
	}
	numberAll(t, s, 104, 150)
	if err := s.View(func(txn *badger.Txn) error {
		for from := uint64(1); from <= 151; from++ {
			r := ReadNumbered(txn, "n/", from)
			defer r.Close()
			for n := from; ; n++ {
				is, value, err := r.Next()
				if err != nil {
					return err
				}
				if value == nil {
					if n != 151 {
						t.Errorf("from %d on there are those to %d", from, n-1)
					}
					break
				}
				if is != n || !bytes.HasPrefix(value, fmt.Append(nil, "record ", n, " ")) {
					t.Fatalf("%d is %d: %.20q", n, is, value)
				}
			}
			value, err := Numbered(txn, "n/", from)
			if from < 151 && !bytes.HasPrefix(value, fmt.Append(nil, "record ", from, " ")) || (from == 151) != errors.Is(err, badger.ErrKeyNotFound) {
				t.Errorf("%d is %.20q, %v", from, value, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedBlock: what is no block is no record either, and nothing is made of it.
func TestDamagedBlock(t *testing.T) {
	two := s2.Encode(nil, []byte("\x01a\x01b"))
	for name, one := range map[string]struct {
		key   []byte
		value []byte
	}{
		"a record too few":        {blockKey("n/", 1, 3), two},
		"a record too many":       {blockKey("n/", 2, 2), two},
		"not compressed":          {blockKey("n/", 1, 2), []byte("\x01a\x01b")},
		"nothing":                 {blockKey("n/", 1, 2), nil},
		"a record that is cut":    {blockKey("n/", 1, 2), s2.Encode(nil, []byte("\x01a\x02b"))},
		"a length without an end": {blockKey("n/", 1, 2), s2.Encode(nil, bytes.Repeat([]byte{0xff}, 20))},
		"a length beyond all":     {blockKey("n/", 1, 1), s2.Encode(nil, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a"))},
		"larger than any":         {blockKey("n/", 1, 1), s2.Encode(nil, make([]byte, 4*MaxRecord))},
		"numbers that go back":    {blockKey("n/", 3, 2), two},
		"another key":             {[]byte("n/1"), two},
	} {
		t.Run(name, func(t *testing.T) {
			s := openAt(t, t.TempDir(), nil)
			if err := s.Update(func(txn *badger.Txn) error { return txn.Set(one.key, one.value) }); err != nil {
				t.Fatal(err)
			}
			err := s.View(func(txn *badger.Txn) error {
				_, err := Numbered(txn, "n/", 1)
				return err
			})
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("reading it says %v", err)
			}
		})
	}
}

// TestMadeAndEnded: what is made and deleted before it is handed over leaves nothing in Badger, and what has been there is deleted there.
func TestMadeAndEnded(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir, nil)
	commitAll(t, s, func(b *Batch) {
		b.Create([]byte("h1"), []byte("short"))
		b.Create([]byte("h2"), []byte("long"))
		b.Create([]byte("h3"), []byte("shorter"))
		b.Delete([]byte("h3"))
	})
	commitAll(t, s, func(b *Batch) { b.Set([]byte("h1"), []byte("changed")) })
	commitAll(t, s, func(b *Batch) { b.Delete([]byte("h1")) })
	if keys := keysOf(t, s, "h"); fmt.Sprint(keys) != "[h2]" {
		t.Errorf("Badger has %v", keys)
	}
	commitAll(t, s, func(b *Batch) { b.Set([]byte("h2"), []byte("longer")) })
	commitAll(t, s, func(b *Batch) { b.Delete([]byte("h2")) })
	commitAll(t, s, func(b *Batch) { b.Create([]byte("h2"), []byte("again")) })
	commitAll(t, s, func(b *Batch) { b.Delete([]byte("h2")) })
	if got := read(t, s); len(got) != 0 {
		t.Errorf("there is %v", got)
	}
	if got := read(t, openAt(t, copyDir(t, dir), nil)); len(got) != 0 {
		t.Errorf("after a kill there is %v", got)
	}
}

// TestLargeRecordBesideBlocks: the largest records stand by themselves, among small ones that are in blocks; nothing goes to Badger's
// value log.
func TestLargeRecordBesideBlocks(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir, nil)
	large := make([]byte, MaxRecord-len(NumberedKey("n/", 1)))
	_, _ = rand.NewChaCha8([32]byte{}).Read(large) // never fails
	want := map[uint64][]byte{}
	n := uint64(0)
	add := func(value []byte) {
		n++
		want[n] = value
		if err := s.Prepare(len(value)); err != nil {
			t.Fatal(err)
		}
		commitAll(t, s, func(b *Batch) { b.Set(NumberedKey("n/", n), value) })
	}
	for range 3 {
		for range fewest + 1 {
			add(fmt.Append(nil, "small ", n))
		}
		add(large)
	}
	check := func(s *Store) {
		t.Helper()
		if err := s.View(func(txn *badger.Txn) error {
			for i := range n {
				if got, err := Numbered(txn, "n/", i+1); err != nil || !bytes.Equal(got, want[i+1]) {
					t.Errorf("record %d has %d bytes, not %d: %v", i+1, len(got), len(want[i+1]), err)
				}
			}
			return EachNumberedKey(txn, "n/", 0, func(key []byte, _, _ uint64) error {
				item, err := txn.Get(key)
				if err == nil && item.ValueSize() >= MaxRecord {
					t.Errorf("%x has %d bytes", key, item.ValueSize())
				}
				return err
			})
		}); err != nil {
			t.Fatal(err)
		}
	}
	check(s)
	check(openAt(t, copyDir(t, dir), nil))
}

// TestOnlyWhatHasEnded: commits that leave nothing at all are handed over like others, and whoever commits does not wait for ever.
func TestOnlyWhatHasEnded(t *testing.T) {
	s := openAt(t, t.TempDir(), nil)
	value := make([]byte, MaxRecord/2)
	for i := range 20 {
		commitAll(t, s, func(b *Batch) {
			key := fmt.Append(nil, "h", i)
			b.Create(key, value)
			b.Delete(key)
		})
	}
	if got := read(t, s); len(got) != 0 {
		t.Errorf("there is %v", got)
	}
}

// TestSmallCommits: what is pending takes little more memory than it says, and each value is what it was while what it was in is used again.
func TestSmallCommits(t *testing.T) {
	s := openAt(t, t.TempDir(), nil)
	for round := range 40 {
		for i := range 100 {
			key, value := fmt.Append(nil, "k", i%50), fmt.Append(nil, round, i, strings.Repeat("x", 300))
			batch := s.Begin()
			if was, err := batch.Get(key); err == nil {
				batch.Set(fmt.Append(nil, "was", i%50), was)
			}
			batch.Set(key, value)
			if err := batch.Commit(); err != nil {
				t.Fatal(err)
			}
			batch.Discard()
			batch = s.Begin()
			if got, err := batch.Get(key); err != nil || !bytes.Equal(got, value) {
				t.Errorf("it is %.20q, not %.20q: %v", got, value, err)
			}
			batch.Discard()
		}
		p := s.pending
		p.mu.Lock()
		held := 0
		for _, one := range p.buffers.used {
			held += cap(one)
		}
		if held > 2*p.weight+usualBuffer {
			t.Errorf("%d bytes take %d of memory", p.weight, held)
		}
		if round%3 == 0 {
			s.freeze()
		}
		p.mu.Unlock()
	}
}

// FuzzBlock: of what is no block nothing is made, and it takes no more memory than a block does.
func FuzzBlock(f *testing.F) {
	f.Add(s2.Encode(nil, []byte("\x01a\x01b")), uint64(1), uint64(2))
	f.Add([]byte{0xff, 0xff, 0xff, 0x7f}, uint64(0), uint64(1<<20))
	f.Fuzz(func(t *testing.T, block []byte, first, last uint64) {
		first, last, _, err := numbersIn(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, last), first))
		if err != nil {
			return
		}
		raw, records, err := splitBlock(nil, nil, block, first, last)
		if cap(raw) > 4*MaxRecord || err != nil && !errors.Is(err, ErrDamaged) || err == nil && uint64(len(records)) != last-first+1 {
			t.Errorf("%d bytes, %d records, %v", cap(raw), len(records), err)
		}
	})
}
