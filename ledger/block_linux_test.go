package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// longRun is a ledger that is led through random years, and what is known of it.
type longRun struct {
	t        *testing.T
	rand     *rand.Rand
	clock    *clock
	archives string
	l        *ledger.Ledger
	dir      string
	lines    []string // its entries
	settled  []string // ids of requests
	n        int
	kill     func(step string) error
}

func (r *longRun) options(dir string) ledger.Options {
	return ledger.Stepping(ledger.Options{Dir: dir, Archives: r.archives, Key: testKey, Now: r.clock.read}, func(step string) error {
		if r.kill == nil {
			return nil
		}
		return r.kill(step)
	})
}

// TestBlocksOverTheYears: whatever is booked, archived, killed in the middle of that, restored and booked again: each entry is there once, in
// order and as it was, and each settlement is known.
func TestBlocksOverTheYears(t *testing.T) {
	if testing.Short() {
		t.Skip("books through years")
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := &longRun{
				t: t, rand: rand.New(rand.NewPCG(seed, 1)), clock: &clock{now: moment("2026-01-05T12:00:00Z")},
				archives: filepath.Join(t.TempDir(), "archives"), dir: filepath.Join(t.TempDir(), "ledger"),
			}
			r.l = open(t, r.options(r.dir))
			buy(t, r.l, "t1", "acme", money.USD)
			for range 40 {
				switch r.rand.IntN(9) {
				case 0, 1, 2:
					r.book(1 + r.rand.IntN(150))
				case 3:
					r.again()
				case 4:
					r.clock.set(r.clock.read().AddDate(0, 0, 7+r.rand.IntN(20)))
				case 5:
					r.archive()
				case 6:
					r.die()
				case 7:
					closed(t, r.l)
					r.l = open(t, r.options(r.dir))
				case 8:
					r.restore()
				}
				if r.rand.IntN(3) > 0 { // which hands over what was booked
					r.check()
				}
			}
			r.check()
			closed(t, r.l)
		})
	}
}

// book books requests; some are left open.
func (r *longRun) book(n int) {
	var last *ledger.Settling
	for range n {
		r.n++
		r.clock.set(r.clock.read().Add(time.Minute))
		if r.rand.IntN(100) == 0 { // a month may end inside of a block
			r.clock.set(r.clock.read().AddDate(0, 0, r.rand.IntN(30)))
		}
		h := hold(fmt.Sprint(r.n), "acme", "")
		h.IdempotencyKey, h.TokenID = "key "+h.ID, "t1"
		r.l.PlaceHold(h)
		if r.rand.IntN(20) == 0 {
			continue
		}
		last = r.l.Settle(inference(h, 1))
		r.settled = append(r.settled, h.ID)
	}
	if last != nil {
		if _, err := last.Wait(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
	}
}

// again has a seller settle an old request once more.
func (r *longRun) again() {
	if len(r.settled) == 0 {
		return
	}
	id := r.settled[r.rand.IntN(len(r.settled))]
	r.n++
	h := hold(fmt.Sprint(r.n), "acme", "t1")
	in := inference(h, 1)
	in.HoldID, in.Settlement.SettlementID = "", "s-"+id
	same := r.rand.IntN(2) == 0
	in.IdempotencyKey = "another"
	if same {
		in.IdempotencyKey = "key " + id
	}
	booked, err := r.l.Settle(in).Wait(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if by := booked.Entry.BilledSource; booked.Entry.BilledMicros != 0 || same != (by == billing.SourceSettlement) {
		r.t.Errorf("%s again, under the same key: %t, is booked at %s by %s", id, same, booked.Entry.BilledMicros, by)
	}
}

// archive moves what it can into files, and half of the time dies on the way.
func (r *longRun) archive() {
	r.rest()
	if left := r.rand.IntN(12); r.rand.IntN(2) == 0 {
		killed := errors.New("killed")
		r.kill = func(string) error {
			if left--; left < 0 {
				return killed
			}
			return nil
		}
		_, err := r.l.Archive(r.t.Context(), r.clock.read(), "", nil)
		r.kill = nil
		if err != nil && !errors.Is(err, killed) {
			r.t.Fatal(err)
		}
		if err != nil {
			r.die()
		}
		return
	}
	if _, err := r.l.Archive(r.t.Context(), r.clock.read(), "", nil); err != nil {
		r.t.Fatal(err)
	}
}

// rest waits until nothing is moved any more.
func (r *longRun) rest() {
	for {
		_, err := r.l.Archive(r.t.Context(), time.Time{}.AddDate(1, 0, 0), "", nil)
		if err == nil {
			return
		}
		if !errors.Is(err, ledger.ErrArchiving) {
			r.t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// die goes on with what a process that is killed now leaves.
func (r *longRun) die() {
	dir := filepath.Join(r.t.TempDir(), "ledger")
	files, err := os.ReadDir(r.dir)
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range files {
		if name := f.Name(); name != "LOCK" && name != "RESERVE" {
			copySparse(r.t, filepath.Join(r.dir, name), filepath.Join(dir, name))
		}
	}
	closed(r.t, r.l)
	r.dir = dir
	if r.rand.IntN(2) == 0 { // somebody looks into it first
		o := r.options(dir)
		o.ReadOnly = true
		r.l = open(r.t, o)
		r.check()
		closed(r.t, r.l)
	}
	r.l = open(r.t, r.options(dir))
}

// restore goes on with a backup, with or without a process that has died before.
func (r *longRun) restore() {
	r.rest()
	var b bytes.Buffer
	if err := r.l.Backup(r.t.Context(), &b); err != nil {
		r.t.Fatal(err)
	}
	closed(r.t, r.l)
	r.dir = filepath.Join(r.t.TempDir(), "ledger")
	if report, err := ledger.Restore(r.t.Context(), r.options(r.dir), &b); err != nil || !report.OK {
		r.t.Fatalf("restore: %+v, %v", report, err)
	}
	r.l = open(r.t, r.options(r.dir))
}

// check reads all entries: those of before are what they were, once each.
func (r *longRun) check() {
	r.t.Helper()
	var lines []string
	if err := r.l.Lines(r.t.Context(), ledger.Query{}, func(raw []byte) error {
		lines = append(lines, string(raw))
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
	if len(lines) < len(r.lines) || !slices.Equal(lines[:len(r.lines)], r.lines) {
		r.t.Fatalf("there were %d entries, and are %d; those of before are not what they were", len(r.lines), len(lines))
	}
	r.lines = lines
	if report := mustVerify(r.t, r.l); report.Entries != uint64(len(lines)) {
		r.t.Fatalf("verify has read %d entries of %d", report.Entries, len(lines))
	}
	i := r.rand.IntN(len(lines))
	n := 0
	if err := r.l.Lines(r.t.Context(), ledger.Query{Cursor: ledger.IDOf([]byte(lines[i]))}, func(raw []byte) error {
		if n++; string(raw) != lines[i+n] {
			r.t.Fatalf("%d after entry %d is another entry", n, i)
		}
		return nil
	}); err != nil || n != len(lines)-1-i {
		r.t.Fatalf("after entry %d of %d there are %d: %v", i, len(lines), n, err)
	}
	requests := map[string]int{}
	for _, line := range lines {
		if _, id, ok := bytes.Cut([]byte(line), []byte(`"settlementId":"`)); ok {
			id, _, _ := bytes.Cut(id, []byte(`"`))
			requests[string(id)]++
		}
	}
	for _, id := range r.settled {
		if requests["s-"+id] == 0 {
			r.t.Fatalf("request %s is not booked", id)
		}
	}
}
