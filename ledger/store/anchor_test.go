package store

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// TestAnchorIsWrittenEachSecond: once a second while the books move, at the end at once, and not at all while they rest.
func TestAnchorIsWrittenEachSecond(t *testing.T) {
	path := filepath.Join(t.TempDir(), "anchor")
	synctest.Test(t, func(t *testing.T) {
		a, err := StartAnchor(path, Point{Ledger: "i"}, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		expect := func(when string, turn, sequence uint64) {
			t.Helper()
			synctest.Wait()
			if s, err := readAnchor(path); err != nil || s.Turn != turn || s.Sequence != sequence || s.Ledger != "i" {
				t.Errorf("%s: %+v, %v; want turn %d, entry %d", when, s, err, turn, sequence)
			}
		}
		expect("at the start", 1, 0)
		for n := range uint64(10) {
			a.Move(Head{n + 1, "h", n + 1})
		}
		expect("at once", 1, 0)
		time.Sleep(anchorEvery)
		expect("a second later", 2, 10)
		time.Sleep(time.Hour)
		expect("an hour later", 2, 10)
		a.Move(Head{11, "h", 12})
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		expect("at the end", 3, 11)
	})
}

// TestAnchorErr tells of an anchor file that can't be written, until it can.
func TestAnchorErr(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.anchor")
	a := &Anchor{path: path, log: zap.NewNop(), newest: Point{Ledger: "a"}}
	if err := os.Mkdir(path, 0o700); err != nil { // something is in its place
		t.Fatal(err)
	}
	a.writeOrSay()
	if a.Err() == nil {
		t.Error("with a directory in its place it is well")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	a.writeOrSay()
	if err := a.Err(); err != nil {
		t.Errorf("once it can be written: %v", err)
	}
}
