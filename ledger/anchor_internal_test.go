package ledger

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
		l := &Ledger{log: zap.NewNop(), state: newState()}
		l.state.identity = "i"
		if err := l.startAnchor(path); err != nil {
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
			l.anchor.move(head{n + 1, "h", n + 1})
		}
		expect("at once", 1, 0)
		time.Sleep(anchorEvery)
		expect("a second later", 2, 10)
		time.Sleep(time.Hour)
		expect("an hour later", 2, 10)
		l.anchor.move(head{11, "h", 12})
		if err := l.anchor.close(); err != nil {
			t.Fatal(err)
		}
		expect("at the end", 3, 11)
	})
}

// TestAnchored tells of an anchor file that can't be written, until it can.
func TestAnchored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.anchor")
	l := &Ledger{anchor: &anchor{path: path, log: zap.NewNop(), newest: point{Ledger: "a"}}}
	if err := os.Mkdir(path, 0o700); err != nil { // something is in its place
		t.Fatal(err)
	}
	l.anchor.writeOrSay()
	if missing, err := l.Anchored(); missing || err == nil {
		t.Errorf("with a directory in its place: %t, %v", missing, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l.anchor.writeOrSay()
	if missing, err := l.Anchored(); missing || err != nil {
		t.Errorf("once it can be written: %t, %v", missing, err)
	}
}
