package ledger_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// anchored is a ledger with an anchor file, which tests close, copy and put back.
type anchored struct {
	t            *testing.T
	dir, anchor  string
	tokens, kept int
}

func newAnchored(t *testing.T) *anchored {
	base := t.TempDir()
	return &anchored{t: t, dir: filepath.Join(base, "books"), anchor: filepath.Join(base, "books.anchor")}
}

func (a *anchored) options() ledger.Options {
	return ledger.Options{Dir: a.dir, Anchor: a.anchor, Key: testKey}
}

// work opens the ledger, books a purchase, which is two entries, and closes it.
func (a *anchored) work() {
	a.t.Helper()
	l, err := ledger.Open(a.options())
	if err != nil {
		a.t.Fatal(err)
	}
	a.tokens++
	buy(a.t, l, ledger.NewID(), "acme", money.USD)
	mustVerify(a.t, l)
	if err := l.Close(); err != nil {
		a.t.Fatal(err)
	}
}

// keep copies the ledger's directory; put puts that copy in its place.
func (a *anchored) keep() (put func()) {
	a.t.Helper()
	a.kept++
	kept := filepath.Join(a.t.TempDir(), "kept")
	if err := os.CopyFS(kept, os.DirFS(a.dir)); err != nil {
		a.t.Fatal(err)
	}
	return func() {
		a.t.Helper()
		a.remove()
		if err := os.CopyFS(a.dir, os.DirFS(kept)); err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a *anchored) remove() {
	a.t.Helper()
	if err := os.RemoveAll(a.dir); err != nil {
		a.t.Fatal(err)
	}
}

// refused opens the ledger, which must not work, for the reason that is given, and must say how to go on.
func (a *anchored) refused(want string) {
	a.t.Helper()
	for _, readOnly := range []bool{true, false} {
		o := a.options()
		o.ReadOnly = readOnly
		l, err := ledger.Open(o)
		if err == nil {
			l.Close()
			a.t.Fatalf("it opens, read only: %t", readOnly)
		}
		if readOnly && errors.Is(err, ledger.ErrNoLedger) {
			continue
		}
		for _, part := range []string{want, a.anchor, "restore"} {
			if !strings.Contains(err.Error(), part) {
				a.t.Errorf("the error does not say %q: %v", part, err)
			}
		}
		if !errors.Is(err, ledger.ErrNotAnchored) {
			a.t.Errorf("of another kind: %v", err)
		}
	}
}

func TestAnchorFollows(t *testing.T) {
	a := newAnchored(t)
	for range 3 {
		a.work()
	}
	if err := os.Remove(a.anchor); err != nil {
		t.Fatal(err)
	}
	a.work() // the operator's word: what is there counts
	a.work()
}

// TestAnchorIsBehindAfterAKill puts a copy in place that has more than the anchor knows, as after a kill.
func TestAnchorIsBehindAfterAKill(t *testing.T) {
	a := newAnchored(t)
	a.work()
	before, err := os.ReadFile(a.anchor)
	if err != nil {
		t.Fatal(err)
	}
	a.work()
	if err := os.WriteFile(a.anchor, before, 0o600); err != nil {
		t.Fatal(err)
	}
	a.work()
}

func TestAnchorTellsAnOlderCopy(t *testing.T) {
	a := newAnchored(t)
	a.work()
	old := a.keep()
	a.work()
	whole := a.keep()
	old()
	a.refused("it has 2 entries, and there have been 4")
	whole()
	a.work()
}

func TestAnchorTellsAnotherHistory(t *testing.T) {
	a := newAnchored(t)
	a.work()
	fork := a.keep()
	a.work()
	a.work()
	anchor, err := os.ReadFile(a.anchor)
	if err != nil {
		t.Fatal(err)
	}
	fork()
	if err := os.Remove(a.anchor); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		a.work()
	}
	if err := os.WriteFile(a.anchor, anchor, 0o600); err != nil {
		t.Fatal(err)
	}
	a.refused("entry 6 is not the one that was there")
}

func TestAnchorTellsAnotherLedger(t *testing.T) {
	a, b := newAnchored(t), newAnchored(t)
	a.work()
	b.work()
	b.work()
	other := b.keep()
	b.dir = a.dir
	other()
	a.refused("it is another ledger")
}

// TestAnchorTellsALostDirectory must not make a new ledger where a disk is not mounted.
func TestAnchorTellsALostDirectory(t *testing.T) {
	a := newAnchored(t)
	a.work()
	a.remove()
	a.refused("there have been 2 entries")
	if _, err := os.Stat(a.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made: %v", err)
	}
}

func TestAnchorSurvivesATornWrite(t *testing.T) {
	a := newAnchored(t)
	a.work()
	a.work()
	whole, err := os.ReadFile(a.anchor)
	if err != nil {
		t.Fatal(err)
	}
	slots, good := len(whole)/2, 0
	for _, torn := range []int{0, slots} {
		broken := append([]byte{}, whole...)
		clear(broken[torn+20 : torn+100])
		if err := os.WriteFile(a.anchor, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Open(a.options())
		if err != nil {
			t.Fatalf("with the slot at %d torn: %v", torn, err)
		}
		good++
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(a.anchor, []byte("nothing of the kind"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.refused("the anchor file is damaged")
}

// TestAnchorTellsLostHolds: what is no entry yet matters too.
func TestAnchorTellsLostHolds(t *testing.T) {
	a := newAnchored(t)
	a.work()
	old := a.keep()
	l, err := ledger.Open(a.options())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.PlaceHold(hold("h", "acme", l.Tokens()[0].ID)).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	old()
	a.refused("the newest 1 of its writes are missing")
}
