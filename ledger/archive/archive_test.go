package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/archive"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

var begin = time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)

func line(seq uint64) string {
	return fmt.Sprintf(`{"seq":%08d,"text":"%s"}`, seq, strings.Repeat("x", int(seq%700)))
}

func sealer(t *testing.T, key byte) *store.Sealer {
	t.Helper()
	s, err := store.NewSealer(bytes.Repeat([]byte{key}, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// makeFile writes a file with the entries first to last.
func makeFile(t *testing.T, first, last uint64) (string, archive.Written) {
	t.Helper()
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, archive.Header{Ledger: "L", Month: "2026-01", First: first, PreviousHash: "before"})
	if err != nil {
		t.Fatal(err)
	}
	for seq := first; seq <= last; seq++ {
		if _, err := w.Add(archive.Entry{Hash: fmt.Sprint("hash", seq), Time: begin.Add(time.Duration(seq)), Raw: []byte(line(seq))}); err != nil {
			t.Fatal(err)
		}
		w.Moved("credit:acme", -1)
		w.Moved("expense:ada:large", 1)
	}
	written, err := w.Close(sealer(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "2026-01.jsonl.zst")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, written
}

func TestFileGivesWhatWasWritten(t *testing.T) {
	path, written := makeFile(t, 11, 5010)
	f, err := archive.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if size, sum, err := archive.SumFile(path); err != nil || size != written.Bytes || sum != written.SHA256 {
		t.Errorf("it has %d bytes and the sum %s, %v; want %d and %s", size, sum, err, written.Bytes, written.SHA256)
	}
	if f.TrailerSum != written.TrailerSum || f.Entries(0, func(uint64, []byte) error { return nil }) != nil || len(f.Blocks) < 3 {
		t.Errorf("it has %d blocks, the trailer's sum is %s, want %s", len(f.Blocks), f.TrailerSum, written.TrailerSum)
	}
	if f.Hash != "hash5010" || f.PreviousHash != "before" || f.Trailer.Entries != 5000 || f.Accounts[0] != (archive.Sum{Account: "credit:acme", AmountMicros: -5000}) {
		t.Errorf("the trailer says %+v", f.Trailer)
	}
	if !f.Sealed(sealer(t, 1)) || f.Sealed(sealer(t, 2)) {
		t.Error("the seal is not that of the key")
	}
	for _, from := range []uint64{0, 11, 12, 900, 5010, 5011} {
		next := max(from, 11)
		err := f.Entries(from, func(seq uint64, raw []byte) error {
			if seq != next || string(raw) != line(seq) {
				t.Fatalf("from %d: got entry %d %.40s, want %d", from, seq, raw, next)
			}
			next++
			return nil
		})
		if err != nil || next != 5011 {
			t.Errorf("from %d: %v, it ended before %d", from, err, next)
		}
	}
	for _, want := range []uint64{11, 12, 700, 3333, 5010, 5011} {
		got, err := f.Find(func(raw []byte) (bool, error) { return string(raw[:16]) >= line(want)[:16], nil })
		if err != nil || got != want {
			t.Errorf("the first from %d on is %d, %v", want, got, err)
		}
	}
	again, second := makeFile(t, 11, 5010)
	a, _ := os.ReadFile(path)
	b, _ := os.ReadFile(again)
	if !bytes.Equal(a, b) || second.SHA256 != written.SHA256 {
		t.Error("the same entries have made two files")
	}
}

// Whatever is changed in a file or cut from it, it is either noticed or the entries are those that were written.
func TestDamageIsNoticed(t *testing.T) {
	path, written := makeFile(t, 1, 3000)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := func(raw []byte) error {
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := archive.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if f.TrailerSum != written.TrailerSum || !f.Sealed(sealer(t, 1)) {
			return fmt.Errorf("%w: another trailer", archive.ErrUnusable)
		}
		return f.Entries(0, func(seq uint64, raw []byte) error {
			if string(raw) != line(seq) {
				t.Fatalf("entry %d is %.40s", seq, raw)
			}
			return nil
		})
	}
	for at := 0; at < len(whole); at += 1 + len(whole)/300 {
		bad := bytes.Clone(whole)
		bad[at] ^= 0x10
		if err := read(bad); err != nil && !errors.Is(err, archive.ErrUnusable) {
			t.Errorf("byte %d changed: %v", at, err)
		}
		if _, sum, err := archive.SumFile(path); err != nil || sum == written.SHA256 {
			t.Errorf("byte %d changed: the sum is the same (%v)", at, err)
		}
		if err := read(whole[:at]); !errors.Is(err, archive.ErrUnusable) || !strings.Contains(err.Error(), path) {
			t.Errorf("cut to %d bytes: %v", at, err)
		}
	}
	if err := read(append(bytes.Clone(whole), 0)); !errors.Is(err, archive.ErrUnusable) {
		t.Errorf("with a byte more: %v", err)
	}
	if err := read(whole); err != nil {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Open(path); !errors.Is(err, archive.ErrUnusable) || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("where there is none: %v", err)
	}
}

// Everybody can read one with the program zstd.
func TestZstdReadsIt(t *testing.T) {
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		t.Skip("there is no zstd here")
	}
	path, _ := makeFile(t, 1, 2000)
	out, err := exec.CommandContext(t.Context(), zstd, "-dc", path).Output()
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if err != nil || len(lines) != 2002 || lines[1] != line(1) || lines[2000] != line(2000) || !strings.HasPrefix(lines[0], `{"archive":1,`) {
		t.Fatalf("%v, %d lines", err, len(lines))
	}
}
