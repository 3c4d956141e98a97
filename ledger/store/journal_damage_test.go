//go:build linux

package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestJournalDamage flips a bit of each byte of a journal, and cuts it at each. What a later record knows to have been synced is there, or
// the store is refused.
func TestJournalDamage(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir, nil)
	want := books{}
	for i := range 12 {
		want.write(t, s, 1)
		if i < 10 {
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	left := copyDir(t, dir)
	raw, err := os.ReadFile(filepath.Join(left, journalName))
	if err != nil {
		t.Fatal(err)
	}
	end := int(s.pending.journal.at)
	raw = raw[:end]
	try := func(what string, changed []byte) {
		t.Helper()
		scratch := t.TempDir()
		if err := os.WriteFile(filepath.Join(scratch, journalName), changed, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readJournal(scratch)
		_ = os.RemoveAll(scratch)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: no hint: %v", what, err)
			}
			return
		}
		if n := len(got.records); n < 10 && n != 0 || n == 0 && len(changed) > recordsAt {
			t.Errorf("%s: %d of 12 records are left", what, n)
		}
	}
	for at := range end {
		changed := bytes.Clone(raw)
		changed[at] ^= 1 << (at % 8)
		try(fmt.Sprintf("byte %d of %d", at, end), changed)
	}
	for at := recordsAt; at < end; at++ { // what is cut off at its end can't be told from what was never written: the anchor does
		scratch := t.TempDir()
		if err := os.WriteFile(filepath.Join(scratch, journalName), raw[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readJournal(scratch)
		_ = os.RemoveAll(scratch)
		if err != nil {
			t.Errorf("cut at %d: %v", at, err)
			continue
		}
		for i, r := range got.records {
			if !bytes.Contains(raw, r) {
				t.Errorf("cut at %d: record %d is another", at, i)
			}
		}
	}
}

// TestJournalOfAnother: a journal beside tables that somebody else has written to since is refused.
func TestJournalOfAnother(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir, nil)
	want := books{}
	want.write(t, s, 5)
	left := copyDir(t, dir)
	kept, err := os.ReadFile(filepath.Join(left, journalName))
	if err != nil {
		t.Fatal(err)
	}
	o := openAt(t, left, nil)
	want.write(t, o, 5)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, journalName), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: left, Witness: "head"}); !errors.Is(err, ErrDamaged) {
		t.Errorf("it opens: %v", err)
	}
}
