package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// busyLedger has something of everything: entries, a token, a hold, and a purchase that has not ended.
func busyLedger(t *testing.T, o ledger.Options) *ledger.Ledger {
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	h := hold("h1", "acme", "t1")
	h.AmountMicros = 5_000
	if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Settle(inference(hold("", "acme", "t1"), 700)).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := ledger.Purchase{ID: "p2", Seller: "best", Method: "mock", AmountMicros: 400, Intent: json.RawMessage(`"the-intent"`)}
	for _, p.State = range wayToGranted[:4] {
		if err := l.Advance(t.Context(), p, noLimits); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func backup(t *testing.T, l *ledger.Ledger) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := l.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBackupAndRestore(t *testing.T) {
	l := busyLedger(t, ledger.Options{Dir: t.TempDir()})
	kept := backup(t, l)
	buy(t, l, "t3", "acme", money.USD) // after it: it is not in it

	a := newAnchored(t)
	a.work()
	a.remove() // the directory is lost, and the anchor tells of it
	r, err := ledger.Restore(t.Context(), a.options(), bytes.NewReader(kept))
	if err != nil || !r.OK {
		t.Fatalf("restore: %+v, %v", r, err)
	}
	restored := open(t, a.options())
	mustVerify(t, restored)
	tokens := restored.Tokens()
	if len(tokens) != 1 || tokens[0].ID != "t1" || tokens[0].Secret != "bearer-t1" || !tokens[0].Unconfirmed {
		t.Errorf("tokens: %+v", tokens)
	}
	if p := restored.OpenPurchases(); len(p) != 1 || p[0].ID != "p2" || !p[0].Restored || string(p[0].Intent) != `"the-intent"` {
		t.Errorf("open purchases: %+v", p)
	}
	var kinds []string
	if err := restored.Entries(t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
		kinds = append(kinds, string(e.Kind)+" "+e.Note)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(kinds, "\n")
	if !strings.HasPrefix(got, "purchase \npurchase \ninference \npurchase \ninference \nadjustment restored from a backup of 4 entries, made at ") {
		t.Errorf("the journal:\n%s", got)
	}

	if _, err := restored.Settle(inference(hold("", "acme", "t1"), 10)).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tokens := restored.Tokens(); tokens[0].Unconfirmed {
		t.Error("the seller has served a request with the token, and it is not trusted")
	}
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
	if tokens := open(t, a.options()).Tokens(); tokens[0].Unconfirmed {
		t.Error("it is not trusted after another start")
	}
}

// TestRestoredEstimates: the first balance that a seller tells after a backup was restored tells of all that was spent since it was made, which no
// member of the backup has to bear.
func TestRestoredEstimates(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir()})
	buy(t, l, "t1", "acme", money.USD)
	cut := inference(hold("", "acme", "t1"), 0)
	cut.Settlement, cut.Status, cut.BodyBytes = nil, ledger.StatusClientGone, 4_000
	if _, err := l.Settle(cut).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := backup(t, l)
	a := newAnchored(t)
	if _, err := ledger.Restore(t.Context(), a.options(), bytes.NewReader(kept)); err != nil {
		t.Fatal(err)
	}
	restored := open(t, a.options())
	next := inference(hold("", "acme", "t1"), 100)
	next.Member, next.Exclusive = "bob", true
	next.Settlement.BalanceMicros = new(money.USD / 2)
	if _, err := restored.Settle(next).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if day, _, _ := spending(t, restored, "ann"); day != 2_000 {
		t.Errorf("%d are spent by the one whose request was cut before, want 2000", day)
	}
	mustVerify(t, restored)
}

// TestEstimatesAfterARestore: nor has a member whose request was cut after that, before a balance was told; and a request of which nobody knows whether the
// seller has answered it makes no token trusted.
func TestEstimatesAfterARestore(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir()})
	buy(t, l, "t1", "acme", money.USD)
	kept := backup(t, l)
	a := newAnchored(t)
	if _, err := ledger.Restore(t.Context(), a.options(), bytes.NewReader(kept)); err != nil {
		t.Fatal(err)
	}
	restored := open(t, a.options())
	left := hold("left", "acme", "t1")
	left.AmountMicros = 90_000
	if err := restored.PlaceHold(left).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
	restored = open(t, a.options()) // it is booked as an estimate
	if !restored.Tokens()[0].Unconfirmed {
		t.Error("a request that a dead process has left makes the token trusted")
	}
	tell := func(id string, balance money.Micros) {
		next := inference(hold(id, "acme", "t1"), 100)
		next.HoldID, next.Member, next.Exclusive, next.Settlement.BalanceMicros = "", "bob", true, &balance
		if _, err := restored.Settle(next).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cut := inference(hold("cut", "acme", "t1"), 0)
	cut.HoldID, cut.Settlement, cut.Status, cut.BodyBytes = "", nil, ledger.StatusClientGone, 4_000
	if _, err := restored.Settle(cut).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	tell("first", money.USD/2)
	if day, _, _ := spending(t, restored, "ann"); day != 2_000 {
		t.Errorf("%d are spent by the one whose request was cut, want 2000", day)
	}
	tell("second", money.USD/2-100-500) // what is missing from now on is known to be missing since
	if day, _, _ := spending(t, restored, "ann"); day != 2_500 {
		t.Errorf("%d are spent by the one whose request was cut, once it is known to be more, want 2500", day)
	}
	mustVerify(t, restored)
}

// TestEstimatesAfterASecondRestore: nor where those books were restored once more, with all entries that were shipped of them: what was spent before they
// were restored the first time is in none of these.
func TestEstimatesAfterASecondRestore(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir()})
	buy(t, l, "t1", "acme", money.USD)
	a := newAnchored(t)
	if _, err := ledger.Restore(t.Context(), a.options(), bytes.NewReader(backup(t, l))); err != nil {
		t.Fatal(err)
	}
	once := open(t, a.options())
	o := ledger.Options{Dir: t.TempDir() + "/again", Key: testKey, Shipped: ship(t, once)}
	if _, err := ledger.Restore(t.Context(), o, bytes.NewReader(backup(t, once))); err != nil {
		t.Fatal(err)
	}
	o.Shipped = nil
	twice := open(t, o)
	cut := inference(hold("cut", "acme", "t1"), 0)
	cut.HoldID, cut.Settlement, cut.Status, cut.BodyBytes = "", nil, ledger.StatusClientGone, 4_000
	told := inference(hold("told", "acme", "t1"), 100)
	told.HoldID, told.Member, told.Exclusive, told.Settlement.BalanceMicros = "", "bob", true, new(money.USD/2)
	for _, in := range []ledger.Inference{cut, told} {
		if _, err := twice.Settle(in).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if day, _, _ := spending(t, twice, "ann"); day != 2_000 {
		t.Errorf("%d are spent by the one whose request was cut, want 2000", day)
	}
}

// plainOf is a backup, uncompressed.
func plainOf(t *testing.T, backup []byte) []byte {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(backup))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// recordsTwice is a backup with all of its records twice, behind one header.
func recordsTwice(t *testing.T, backup []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := plainOf(t, backup)
	_, records, _ := bytes.Cut(plain, []byte("\n"))
	return z.EncodeAll(slices.Concat(plain, records), nil)
}

// TestBackupGivesNoMoneyAway looks for what is secret in a backup, uncompressed.
func TestBackupGivesNoMoneyAway(t *testing.T) {
	plain := plainOf(t, backup(t, busyLedger(t, ledger.Options{Dir: t.TempDir()})))
	if !bytes.Contains(plain, []byte("expense:ann")) {
		t.Error("the books are not in it")
	}
	for _, secret := range []string{"bearer", "the-intent", string(testKey)} {
		if bytes.Contains(plain, []byte(secret)) {
			t.Errorf("%q is in it", secret)
		}
	}
}

// TestBackupOfAClosedLedger needs no key.
func TestBackupOfAClosedLedger(t *testing.T) {
	dir := t.TempDir()
	if err := busyLedger(t, ledger.Options{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(ledger.Options{Dir: dir, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := mustVerify(t, l)
	if r.Entries != 4 {
		t.Errorf("%d entries: something was booked", r.Entries)
	}
	kept := backup(t, l)
	if err := l.PlaceHold(hold("h2", "acme", "t1")).Wait(t.Context()); !errors.Is(err, ledger.ErrReadOnly) {
		t.Errorf("a hold: %v", err)
	}
	to := ledger.Options{Dir: filepath.Join(t.TempDir(), "new"), Key: testKey}
	if r, err := ledger.Restore(t.Context(), to, bytes.NewReader(kept)); err != nil || !r.OK {
		t.Errorf("restore: %+v, %v", r, err)
	}
}

// TestBackupWhileOthersWrite takes backups of a ledger that is busy: each is of one moment.
func TestBackupWhileOthersWrite(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir()})
	buy(t, l, "t1", "acme", 100*money.USD)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				h := hold(ledger.NewID(), "acme", "t1")
				l.PlaceHold(h)
				if _, err := l.Settle(inference(h, 10)).Wait(context.Background()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 3 {
		o := ledger.Options{Dir: filepath.Join(t.TempDir(), "copy"), Key: testKey}
		if r, err := ledger.Restore(t.Context(), o, bytes.NewReader(backup(t, l))); err != nil || !r.OK {
			t.Errorf("restore: %+v, %v", r, err)
		}
	}
	stop()
	writers.Wait()
}

func TestRestoreRefuses(t *testing.T) {
	whole := backup(t, busyLedger(t, ledger.Options{Dir: t.TempDir()}))
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 0x10
	for name, tc := range map[string]struct {
		backup []byte
		key    []byte
		full   bool
		want   string
	}{
		"a cut one":        {whole[:len(whole)-20], testKey, false, "cut or damaged"},
		"a half one":       {whole[:len(whole)/2], testKey, false, "cut or damaged"},
		"one twice":        {append(bytes.Clone(whole), whole...), testKey, false, "cut or damaged"},
		"records twice":    {recordsTwice(t, whole), testKey, false, "cut or damaged"},
		"a rotten one":     {flipped, testKey, false, "the backup can't be used"},
		"an empty one":     {nil, testKey, false, "no backup of a ledger"},
		"another file":     {[]byte("ledger\n"), testKey, false, "no backup of a ledger"},
		"another key":      {whole, store.KeyFromSecret("another"), false, "the key is wrong"},
		"a directory used": {whole, testKey, true, "move it away"},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			o := ledger.Options{Dir: filepath.Join(base, "books"), Anchor: filepath.Join(base, "anchor"), Key: tc.key}
			if tc.full {
				if err := os.Mkdir(o.Dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(o.Dir, "mine"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := ledger.Restore(t.Context(), o, bytes.NewReader(tc.backup))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), o.Dir) {
				t.Errorf("restore: %v; want %q", err, tc.want)
			}
			left, err := os.ReadDir(base)
			if err != nil || len(left) > 1 || len(left) == 1 && !tc.full {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func FuzzRestore(f *testing.F) {
	l, err := ledger.Open(ledger.Options{InMemory: true, Key: testKey})
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := errors.Join(l.Backup(context.Background(), &b), l.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		o := ledger.Options{Dir: filepath.Join(t.TempDir(), "books"), Key: testKey}
		if r, err := ledger.Restore(t.Context(), o, bytes.NewReader(data)); err == nil && r.OK {
			mustVerify(t, open(t, o))
		}
	})
}
