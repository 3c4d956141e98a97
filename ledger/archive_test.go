package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/export"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// months makes a ledger with entries in January to April of 2026, and is in May.
func months(t testing.TB, o ledger.Options, perMonth int) *ledger.Ledger {
	t.Helper()
	c := &clock{now: moment("2026-01-05T12:00:00Z")}
	o.Now = c.read
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	n := 0
	for month := range 4 {
		c.set(moment("2026-01-05T12:00:00Z").AddDate(0, month, 0))
		for i := range perMonth {
			c.set(c.now.Add(time.Minute))
			h := hold(fmt.Sprint("h", n), "acme", "t1")
			h.Member, h.IdempotencyKey, h.Project = fmt.Sprint("member-", i%3), fmt.Sprint("key-", n), "chargeback"
			n++
			l.PlaceHold(h)
			s := l.Settle(inference(h, money.Micros(10+i%7)))
			if i%50 == 49 || i == perMonth-1 {
				if _, err := s.Wait(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	c.set(moment("2026-05-20T12:00:00Z"))
	return l
}

// shown is all that can be read of a ledger's entries.
type shown struct {
	exports   map[string]string
	summaries []string
	report    ledger.Report
}

func show(t testing.TB, l *ledger.Ledger) (s shown) {
	t.Helper()
	ctx := context.Background()
	s.exports = map[string]string{}
	for _, format := range export.Formats {
		var b bytes.Buffer
		w, err := export.New(format, &b, export.Options{})
		if err != nil {
			t.Fatal(err)
		}
		balances, err := l.Balances(ctx)
		if err == nil {
			err = l.Entries(ctx, ledger.Query{}, w.Entry)
		}
		if err == nil {
			err = w.End(balances.Accounts)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.exports[format] = b.String()
	}
	for _, by := range []string{"member", "day", "project"} {
		for _, p := range [][2]string{{"", ""}, {"2026-01-05T12:03:00Z", "2026-02-05T12:04:30Z"}, {"2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"}, {"2026-03-05T12:02:00Z", ""}} {
			var from, to time.Time
			if p[0] != "" {
				from = moment(p[0])
			}
			if p[1] != "" {
				to = moment(p[1])
			}
			statement, err := l.Statement(ctx, ledger.Period{From: from, To: to}, by, nil)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := l.Summary(ctx, from, to, by)
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := json.Marshal([]any{statement, rows})
			s.summaries = append(s.summaries, string(raw))
		}
	}
	s.report = mustVerify(t, l)
	return s
}

func (s shown) compare(t testing.TB, with shown) {
	t.Helper()
	for format, text := range s.exports {
		if text != with.exports[format] {
			t.Errorf("the %s export has %d bytes, it had %d, or others", format, len(with.exports[format]), len(text))
		}
	}
	for i := range s.summaries {
		if s.summaries[i] != with.summaries[i] {
			t.Errorf("a statement was\n%s\nand is\n%s", s.summaries[i], with.summaries[i])
		}
	}
	if s.report.Entries != with.report.Entries || s.report.Head != with.report.Head {
		t.Errorf("verify said %+v, and says %+v", s.report, with.report)
	}
}

func mustArchive(t testing.TB, l *ledger.Ledger, before string) ledger.Archived {
	t.Helper()
	done, err := l.Archive(context.Background(), moment(before+"T00:00:00Z"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// stored counts the records in the store of a closed ledger.
func stored(t *testing.T, dir, prefix string) (n int) {
	t.Helper()
	tamper(t, dir, func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.Prefix = []byte(prefix)
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			n++
		}
		return nil
	})
	return n
}

// storedEntries counts the entries in a closed store from one on, and looks that there is nothing of those before, but in a block with later
// ones.
func storedEntries(t *testing.T, dir, prefix string, from uint64) (n int) {
	t.Helper()
	tamper(t, dir, func(txn *badger.Txn) error {
		if err := store.EachNumberedKey(txn, prefix, 0, func(key []byte, first, last uint64) error {
			if last < from {
				t.Errorf("entries %d to %d are in the store", first, last)
			}
			return nil
		}); err != nil {
			return err
		}
		r := store.ReadNumbered(txn, prefix, from)
		defer r.Close()
		for {
			_, raw, err := r.Next()
			if err != nil || raw == nil {
				return err
			}
			n++
		}
	})
	return n
}

func TestArchiveMovesWholeMonths(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := months(t, ledger.Options{Dir: dir}, 60)
	before := show(t, l)
	if done := mustArchive(t, l, "2026-01-31"); len(done.Files) != 0 || !done.Until.Equal(moment("2026-01-01T00:00:00Z")) {
		t.Errorf("a month was moved that is not over by then: %+v", done)
	}
	done := mustArchive(t, l, "2026-03-15") // January and February
	if len(done.Files) != 2 || done.Entries != 122 || done.Files[1].Month != "2026-02" || !done.Until.Equal(moment("2026-03-01T00:00:00Z")) {
		t.Errorf("moved: %+v", done)
	}
	before.compare(t, show(t, l))
	if done = mustArchive(t, l, "2030-01-01"); len(done.Files) != 1 || done.Files[0].Month != "2026-03" { // April's has the newest entry
		t.Errorf("moved: %+v", done)
	}
	before.compare(t, show(t, l))
	all, err := l.Archives(t.Context())
	if err != nil || len(all) != 3 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, a := range all {
		info, err := os.Stat(a.Path)
		if a.Problem != "" || err != nil || info.Mode().Perm() != 0o600 || info.Size() != a.Bytes || filepath.Dir(a.Path) != dir+".archive" {
			t.Errorf("%+v: %v, %v", a, info, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := storedEntries(t, dir, "\x01/", all[2].Last+1); n != 60 {
		t.Errorf("%d entries are in the store, want 60", n)
	}
	if n := stored(t, dir, "k/"); n != 180 { // all but those of the purchase
		t.Errorf("of %d entries something is left in the store, want 180", n)
	}
	l = open(t, ledger.Options{Dir: dir, Now: at("2026-05-20T13:00:00Z")})
	before.compare(t, show(t, l))
}

// What was settled once is known for ever, and so is who has tried again: as it was before.
func TestArchivedSettlementsCountOnce(t *testing.T) {
	l := months(t, ledger.Options{Dir: filepath.Join(t.TempDir(), "ledger")}, 10)
	again := func(id, key string) *ledger.Entry {
		t.Helper()
		h := hold(id, "acme", "t1")
		h.IdempotencyKey = key
		in := inference(h, 500)
		in.HoldID, in.Settlement.SettlementID = "", "s-h3"
		booked, err := l.Settle(in).Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return booked.Entry
	}
	same, other := again("x1", "key-3"), again("x2", "key-else")
	if same.BilledMicros != 0 || !slices.Contains(other.Flags, "settlement_replayed") {
		t.Fatalf("it is another ledger than this test is about: %+v, %+v", same.Served, other.Served)
	}
	mustArchive(t, l, "2026-03-01")
	archivedSame, archivedOther := again("x3", "key-3"), again("x4", "key-else")
	if archivedSame.BilledMicros != same.BilledMicros || !slices.Equal(archivedSame.Flags, same.Flags) ||
		archivedOther.BilledMicros != other.BilledMicros || !slices.Equal(archivedOther.Flags, other.Flags) {
		t.Errorf("before %+v, %+v; after %+v, %+v", same.Served, other.Served, archivedSame.Served, archivedOther.Served)
	}
	mustVerify(t, l)
}

// An archive file that is missing, cut off or changed is named, by who verifies and by who looks; what needs it fails, and what does not
// need it goes on.
func TestArchiveThatIsDamaged(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"missing": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"cut off": func(t *testing.T, path string) {
			if err := os.Truncate(path, 900); err != nil {
				t.Fatal(err)
			}
		},
		"changed": func(t *testing.T, path string) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			raw[len(raw)/4] ^= 1
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := months(t, ledger.Options{Dir: filepath.Join(t.TempDir(), "ledger")}, 20)
			mustArchive(t, l, "2026-04-01")
			all, _ := l.Archives(t.Context())
			path := all[1].Path
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damage(t, path)

			r, err := l.Verify(t.Context())
			if err != nil || r.OK || r.Archive != path || !strings.Contains(r.Problem, path) {
				t.Errorf("verify: %+v, %v", r, err)
			}
			all, err = l.Archives(t.Context())
			if err != nil || all[0].Problem != "" || !strings.Contains(all[1].Problem, path) || all[2].Problem != "" {
				t.Errorf("%+v, %v", all, err)
			}
			count := func(from, to string) (n int, err error) {
				err = l.Entries(t.Context(), ledger.Query{From: moment(from), To: moment(to)}, func(*ledger.Entry) error { n++; return nil })
				return n, err
			}
			if _, err := count("2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"); !errors.Is(err, ledger.ErrArchive) || !strings.Contains(err.Error(), path) {
				t.Errorf("entries with the damaged month: %v", err)
			}
			if _, err := l.Statement(t.Context(), ledger.Period{}, "day", nil); !errors.Is(err, ledger.ErrArchive) {
				t.Errorf("a statement with the damaged month: %v", err)
			}
			if n, err := count("2026-03-01T00:00:00Z", "2026-06-01T00:00:00Z"); err != nil || n != 40 {
				t.Errorf("entries without it: %d, %v", n, err)
			}
			if rows, err := l.Summary(t.Context(), time.Time{}, time.Time{}, "day"); err != nil || len(rows) != 4 {
				t.Errorf("day sums: %v, %v", rows, err)
			}
			if l.Ready() != nil {
				t.Errorf("nothing is booked any more: %v", l.Ready())
			}
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			mustVerify(t, l)
		})
	}
}

// archived is a world whose clock runs over months, and what its entries were before any was moved.
type archived struct {
	*world
	clock *clock
	lines []*ledger.Entry
	raw   []string
}

func (a *archived) archive(t *rapid.T) {
	before := a.clock.now.AddDate(0, 0, -rapid.IntRange(-40, 120).Draw(t, "days"))
	if _, err := a.l.Archive(context.Background(), before, "", nil); err != nil {
		t.Fatal(err)
	}
}

// check compares the entries with those that were seen when they were new: all, and those of a random choice.
func (a *archived) check(t *rapid.T) {
	q := ledger.Query{}
	if n := len(a.lines); n > 0 {
		q.Cursor = a.lines[n-1].ID
	}
	expect(t, a.l.Entries(context.Background(), q, func(e *ledger.Entry) error {
		raw, err := json.Marshal(e)
		a.lines, a.raw = append(a.lines, e), append(a.raw, string(raw))
		return err
	}))
	a.compare(t, ledger.Query{})
	if len(a.lines) > 0 {
		one := rapid.SampledFrom(a.lines).Draw(t, "entry")
		q := ledger.Query{From: one.Time, To: one.Time.AddDate(0, 0, rapid.IntRange(1, 60).Draw(t, "days"))}
		if rapid.Bool().Draw(t, "cursor") {
			q = ledger.Query{Cursor: one.ID, Limit: rapid.IntRange(0, 20).Draw(t, "limit")}
		}
		a.compare(t, q)
	}
	a.world.check(t)
}

func (a *archived) compare(t *rapid.T, q ledger.Query) {
	var want, got []string
	for i, e := range a.lines {
		if e.ID > q.Cursor && !e.Time.Before(q.From) && (q.To.IsZero() || e.Time.Before(q.To)) && (q.Limit == 0 || len(want) < q.Limit) {
			want = append(want, a.raw[i])
		}
	}
	expect(t, a.l.Entries(context.Background(), q, func(e *ledger.Entry) error {
		raw, err := json.Marshal(e)
		got = append(got, string(raw))
		return err
	}))
	if !slices.Equal(got, want) {
		t.Fatalf("%+v chooses %d entries, want %d, or others", q, len(got), len(want))
	}
}

// TestWhateverIsArchived: whenever entries are moved, what is read of them, and every sum, is what it was.
func TestWhateverIsArchived(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "ledger")
		if err != nil {
			t.Fatal(err)
		}
		c := &clock{now: moment("2026-01-20T12:00:00Z")}
		a := &archived{world: &world{dir: filepath.Join(dir, "ledger"), now: c.read}, clock: c}
		a.open(t)
		t.Cleanup(func() {
			a.l.Close()
			os.RemoveAll(dir)
		})
		later := func(t *rapid.T) {
			c.set(c.now.Add(time.Duration(rapid.IntRange(1, 20*24).Draw(t, "hours")) * time.Hour))
		}
		t.Repeat(map[string]func(*rapid.T){
			"purchase": a.purchase, "hold": a.hold, "settle": a.settle, "settle more": a.settle, "drop": a.drop, "release": a.release,
			"later": later, "later still": later, "archive": a.archive, "": a.check,
		})
		a.restart(t)
		a.check(t)
	})
}
