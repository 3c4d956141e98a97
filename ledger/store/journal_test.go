//go:build linux

package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

// books are records as they should be.
type books map[string]string

func (b books) String() string {
	var s strings.Builder
	for _, key := range slices.Sorted(maps.Keys(b)) {
		fmt.Fprintf(&s, "%s=%.20s ", key, b[key])
	}
	return s.String()
}

// write commits n random changes to a store, and to what it should hold. The witness counts them.
func (b books) write(t testing.TB, s *Store, n int) {
	t.Helper()
	for range n {
		if err := b.commit(s); err != nil {
			t.Fatal(err)
		}
	}
}

func (b books) commit(s *Store) error {
	if err := s.Prepare(64 << 10); err != nil {
		return err
	}
	return b.commitWith(s, func(books) {})
}

// commitWith is commit that tells what it will leave before it does.
func (b books) commitWith(s *Store, tell func(books)) error {
	batch := s.Begin()
	defer batch.Discard()
	next := maps.Clone(b)
	for range 1 + rand.IntN(5) {
		key := fmt.Sprint("k", rand.IntN(40))
		if got, err := batch.Get([]byte(key)); string(got) != next[key] || (err == nil) != has(next, key) {
			return fmt.Errorf("%s is %.20q, and should be %.20q: %w", key, got, next[key], err)
		}
		if rand.IntN(4) == 0 {
			batch.Delete([]byte(key))
			delete(next, key)
			continue
		}
		value := strings.Repeat(fmt.Sprint(rand.IntN(1000)), rand.IntN(50))
		batch.Set([]byte(key), []byte(value))
		next[key] = value
	}
	if err := next.number(batch, rand.IntN(12)); err != nil {
		return err
	}
	next.makeAndEnd(batch)
	next["head"] = fmt.Sprint(next.count("head") + 1)
	batch.Set([]byte("head"), []byte(next["head"]))
	tell(next)
	if err := batch.Commit(); err != nil {
		return err
	}
	clear(b)
	maps.Copy(b, next)
	return nil
}

func (b books) count(key string) (n uint64) {
	_, _ = fmt.Sscan(b[key], &n)
	return n
}

// number writes n numbered records, and looks for one that was written before.
func (b books) number(batch *Batch, n int) error {
	count := b.count("numbers")
	if count > 0 {
		i := 1 + rand.Uint64N(count)
		if got, err := batch.Numbered("n/", i); string(got) != b[string(NumberedKey("n/", i))] || err != nil {
			return fmt.Errorf("number %d of %d is %q: %w", i, count, got, err)
		}
	}
	if got, err := batch.Numbered("n/", count+1); !errors.Is(err, badger.ErrKeyNotFound) {
		return fmt.Errorf("number %d of %d is %q: %w", count+1, count, got, err)
	}
	for range n {
		count++
		key, value := NumberedKey("n/", count), fmt.Sprint(count, strings.Repeat("x", rand.IntN(60)))
		batch.Set(key, []byte(value))
		b[string(key)] = value
	}
	b["numbers"] = fmt.Sprint(count)
	batch.Set([]byte("numbers"), []byte(b["numbers"]))
	return nil
}

// makeAndEnd makes a record that was never there, ends some that were made so, and changes one.
func (b books) makeAndEnd(batch *Batch) {
	for key := range maps.Clone(b) {
		switch {
		case !strings.HasPrefix(key, "h") || key == "head":
		case rand.IntN(3) == 0:
			batch.Delete([]byte(key))
			delete(b, key)
		case rand.IntN(3) == 0:
			b[key] += "+"
			batch.Set([]byte(key), []byte(b[key]))
		}
	}
	key := "h" + b["head"]
	batch.Create([]byte(key), []byte("made"))
	b[key] = "made"
	if rand.IntN(4) == 0 {
		batch.Delete([]byte(key))
		delete(b, key)
	}
}

func has(b books, key string) bool { _, ok := b[key]; return ok }

func read(t testing.TB, s *Store) books {
	t.Helper()
	b := books{}
	if err := s.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if bytes.HasPrefix(it.Item().Key(), []byte("n/")) {
				continue
			}
			v, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			b[string(it.Item().Key())] = string(v)
		}
		numbers := ReadNumbered(txn, "n/", 0)
		defer numbers.Close()
		for {
			n, v, err := numbers.Next()
			if err != nil || v == nil {
				return err
			}
			b[string(NumberedKey("n/", n))] = string(v)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

func openAt(t testing.TB, dir string, step func(string) error) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Witness: "head", Step: step})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.PutTogether("n/")
	return s
}

// copyDir copies a store as a process that is killed now leaves it.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == "LOCK" || f.Name() == reserveName {
			continue
		}
		if err := copySparsely(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return to
}

func copySparsely(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	block := make([]byte, 64<<10)
	for at := int64(0); ; {
		n, err := io.ReadFull(src, block)
		if len(bytes.TrimRight(block[:n], "\x00")) > 0 {
			if _, err := dst.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if err != nil {
			return dst.Truncate(info.Size())
		}
	}
}

// TestJournalReplay: whatever was committed is there after a kill, at each step of the writing, and is what a reader and the one who
// commits see meanwhile.
func TestJournalReplay(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]int{}
	want := books{}
	var mu sync.Mutex
	var next books // what the commit under way leaves
	check := func(step string) error {
		mu.Lock()
		defer mu.Unlock()
		if seen[step]++; seen[step] > 6 {
			return nil
		}
		s := openAt(t, copyDir(t, dir), nil)
		got := read(t, s)
		if !maps.Equal(got, want) && !maps.Equal(got, next) {
			t.Errorf("killed at %q there is\n%v\nnot\n%v", step, got, want)
		}
		return s.Close()
	}
	s := openAt(t, dir, check)
	for i := range 120 {
		// The head of the books is known only when they are committed, so a step may be at either side of it.
		mu.Lock()
		was := maps.Clone(want)
		mu.Unlock()
		next = nil
		now := maps.Clone(was)
		if err := now.commitWith(s, func(b books) {
			mu.Lock()
			next = b
			mu.Unlock()
		}); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		want = now
		mu.Unlock()
		switch {
		case i%7 == 0:
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
		case i%11 == 0:
			if got := read(t, s); !maps.Equal(got, now) {
				t.Fatalf("a reader sees\n%v\nnot\n%v", got, now)
			}
		case i%50 == 0:
			if err := s.cut(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, journalName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a closed store has a journal: %v", err)
	}
	if got := read(t, openAt(t, dir, nil)); !maps.Equal(got, want) {
		t.Errorf("after a close there is\n%v\nnot\n%v", got, want)
	}
	for _, step := range []string{"appended", "synced", "flushed in part", "flushed", "synced what was flushed", "begun anew", "closing"} {
		if seen[step] == 0 {
			t.Errorf("no step is called %q: %v", step, seen)
		}
	}
}

// TestJournalBegunAnewByItself: it is cut when it is full, and what is in it is never lost by that.
func TestJournalBegunAnewByItself(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir, nil)
	want := books{}
	turn := s.pending.journal.turn
	for s.pending.journal.turn < turn+3 {
		if err := s.Prepare(600 << 10); err != nil {
			t.Fatal(err)
		}
		want.write(t, s, 3)
		batch := s.Begin()
		key := fmt.Sprint("large", rand.IntN(5))
		want[key] = strings.Repeat("x", rand.IntN(500<<10))
		batch.Set([]byte(key), []byte(want[key]))
		if err := batch.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil { // Badger may be at its tables: a copy of them as they are now would be of no one moment
		t.Fatal(err)
	}
	if got := read(t, openAt(t, dir, nil)); !maps.Equal(got, want) {
		t.Errorf("afterwards there is\n%v\nnot\n%v", got, want)
	}
}

// TestUpdatePastTheJournal: what is written past it is not taken back by what is in it.
func TestUpdatePastTheJournal(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir, nil)
	want := books{}
	want.write(t, s, 50)
	if err := s.Update(func(txn *badger.Txn) error { return txn.Set([]byte("k1"), []byte("mine")) }); err != nil {
		t.Fatal(err)
	}
	want["k1"] = "mine"
	if got := read(t, openAt(t, copyDir(t, dir), nil)); !maps.Equal(got, want) {
		t.Errorf("after a kill there is\n%v\nnot\n%v", got, want)
	}
}

// TestJournalFails: after a step that fails nothing is written any more, nor told, and what was committed before is there.
func TestJournalFails(t *testing.T) {
	for _, where := range []string{"appended", "synced", "flushed in part", "flushed", "synced what was flushed", "begun anew"} {
		t.Run(where, func(t *testing.T) {
			dir := t.TempDir()
			fails := false
			gone := errors.New("the disk is gone")
			var mu sync.Mutex
			s := openAt(t, dir, func(step string) error {
				mu.Lock()
				defer mu.Unlock()
				if fails && step == where {
					return gone
				}
				return nil
			})
			want := books{}
			want.write(t, s, 20)
			mu.Lock()
			fails = true
			mu.Unlock()
			err := want.commit(s)
			if err == nil {
				err = s.Sync()
			}
			if err == nil {
				err = s.cut()
			}
			if !errors.Is(err, gone) {
				t.Errorf("it says %v", err)
			}
			if err := want.commit(s); !errors.Is(err, gone) {
				t.Errorf("the next commit: %v", err)
			}
			if err := s.View(func(*badger.Txn) error { return nil }); !errors.Is(err, gone) {
				t.Errorf("a reader: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			mu.Lock()
			fails = false
			mu.Unlock()
			got := read(t, openAt(t, dir, nil))
			if got["head"] < want["head"] {
				t.Errorf("of %s there is %s", want["head"], got["head"])
			}
		})
	}
}

// TestJournalIsDurableFirst: nothing goes to Badger that the journal does not have on the disk, and no journal begins anew on what Badger
// does not have there. A kill shows neither, as what was written is there: only a power cut does.
func TestJournalIsDurableFirst(t *testing.T) {
	var s *Store
	flushed, anew := 0, 0
	s = openAt(t, t.TempDir(), func(step string) error {
		switch step {
		case "flushed in part":
			s.pending.mu.Lock()
			defer s.pending.mu.Unlock()
			if flushed++; s.pending.journal.unsynced() {
				t.Error("Badger gets what is not on the disk yet")
			}
		case "synced what was flushed":
			s.logs.Lock()
			defer s.logs.Unlock()
			if anew++; s.active.unsynced {
				t.Error("the journal begins anew, and Badger's log is not on the disk")
			}
		}
		return nil
	})
	want := books{}
	for range 3 {
		if err := want.commit(s); err != nil {
			t.Fatal(err)
		}
		if err := s.flush(); err != nil {
			t.Fatal(err)
		}
		if err := want.commit(s); err != nil {
			t.Fatal(err)
		}
		if err := s.cut(); err != nil {
			t.Fatal(err)
		}
	}
	if flushed == 0 || anew != 3 {
		t.Errorf("written to Badger %d times, begun anew %d times", flushed, anew)
	}
}

// TestJournalFits: a record that fits ends within the journal, and it is full once the next one would not.
func TestJournalFits(t *testing.T) {
	j := journal{at: journalSize - 64}
	for n := recordHead; n < 100; n++ {
		end := j.at + int64(n+recordAlign-1)/recordAlign*recordAlign
		if fits := j.fits(make([]byte, n)); fits && end > journalSize || !fits && end < journalSize-recordAlign {
			t.Errorf("a record of %d bytes before the last 64: %v", n, fits)
		}
	}
}
