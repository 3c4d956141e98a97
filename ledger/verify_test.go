package ledger_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// tamper changes the store of a closed ledger behind its back, with a plain Badger: what it writes is compressed.
func tamper(t *testing.T, dir string, f func(*badger.Txn) error) {
	t.Helper()
	db, err := badger.Open(badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(f); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// replace changes a text in a record to another of any length.
func replace(key, old, with string) func(*badger.Txn) error {
	return func(txn *badger.Txn) error {
		item, err := txn.Get([]byte(key))
		if err != nil {
			return err
		}
		value, err := item.ValueCopy(nil)
		if err != nil {
			return err
		}
		changed := strings.Replace(string(value), old, with, 1)
		if changed == string(value) {
			panic("nothing to replace in " + changed)
		}
		return txn.Set([]byte(key), []byte(changed))
	}
}

func remove(key string) func(*badger.Txn) error {
	return func(txn *badger.Txn) error {
		if _, err := txn.Get([]byte(key)); err != nil {
			return err
		}
		return txn.Delete([]byte(key))
	}
}

func put(key, value string) func(*badger.Txn) error {
	return func(txn *badger.Txn) error { return txn.Set([]byte(key), []byte(value)) }
}

func entryKey(seq uint64) string { return string(binary.BigEndian.AppendUint64([]byte("\x01/"), seq)) }

// TestVerifyNamesWhatWasChanged makes a ledger of eight entries, changes one thing, and looks who says so: Open, for what
// shows at once, or Verify, which names the entry.
func TestVerifyNamesWhatWasChanged(t *testing.T) {
	// 1-4: two purchases. 5-7: inferences, 6 with a settlement. 8: waste.
	const rollup = "r/2026-03-01/ann:m:acme"
	for _, tt := range []struct {
		name   string
		change func(*badger.Txn) error
		open   string // what the error of Open says
		entry  uint64 // which entry Verify names
		verify string // what it says of it
	}{
		{"an amount", replace(entryKey(5), `"amountMicros":-700`, `"amountMicros":-100`), "", 5, "it was changed"},
		{"a member", replace(entryKey(6), `"member":"ann"`, `"member":"bob"`), "", 6, "it was changed"},
		{"a space", replace(entryKey(2), `"kind":`, `"kind": `), "", 2, "it was changed"},
		{"a hash", replace(entryKey(3), `"hash":"`, `"hash":"0`), "", 3, "it was changed"},
		{"no JSON", replace(entryKey(3), `{`, `[`), "", 3, "not the JSON"},
		{"an entry in the middle", remove(entryKey(4)), "entry 4 is missing", 0, ""},
		{"the first entry", remove(entryKey(1)), "entry 1 is missing", 0, ""},
		{"an entry copied over another", func(txn *badger.Txn) error {
			item, err := txn.Get([]byte(entryKey(5)))
			if err != nil {
				return err
			}
			raw, err := item.ValueCopy(nil)
			if err != nil {
				return err
			}
			return txn.Set([]byte(entryKey(6)), raw)
		}, "", 6, "does not follow"},
		{"the newest entry", remove(entryKey(8)), "the newest entry, 8", 0, ""},
		{"an amount of the newest entry", replace(entryKey(8), `4300`, `4301`), "the newest entry, 8", 0, ""},
		{"an entry after the newest", put(entryKey(9), `{}`), "after the newest one", 0, ""},
		{"the head", remove("m/head"), "after the newest one, 0", 0, ""},
		{"the format", remove("m/format"), "format is missing", 0, ""},
		{"another format", put("m/format", "5"), "format is 5", 0, ""},
		{"an account", replace("a/expense:ann:m", "2100", "2099"), "sum to -0.000001", 0, ""},
		{"two accounts", func(txn *badger.Txn) error {
			if err := replace("a/expense:ann:m", "2100", "2099")(txn); err != nil {
				return err
			}
			return replace("a/waste:best", "4300", "4301")(txn)
		}, "", 0, "account expense:ann:m is 0.002099"},
		{"an account removed", remove("a/pending:acme"), "", 0, "accounts, the entries name"},
		{"an account of credit", remove("a/credit:acme"), "sum to", 0, ""},
		{"a token's balance", replace("b/t1", "3600", "3601"), "its tokens sum to", 0, ""},
		{"a token's balance removed", remove("b/t1"), "has no balance", 0, ""},
		{"a token removed", remove("t/t1"), "", 0, "its tokens sum to 0"},
		{"a token's secret", replace("t/t1", `"sealed":"`, `"sealed":"AAAA`), "can't be opened", 0, ""},
		{"a token's origin", replace("t/t1", `"origin":"https://seller`, `"origin":"https://evil`), "can't be opened", 0, ""},
		{"what was paid for a token", replace("t/t1", `"paidMicros":5000`, `"paidMicros":9000`), "can't be opened", 0, ""},
		{"a token's expiry", replace("t/t1", `"expiresAt":"0001`, `"expiresAt":"2999`), "can't be opened", 0, ""},
		{"a token no JSON", put("t/t1", `?`), "can't be read", 0, ""},
		{"a rollup", replace(rollup, `"requests":2`, `"requests":3`), "", 0, "rollup 2026-03-01/ann:m:acme"},
		{"a rollup removed", remove(rollup), "", 0, "rollup 2026-03-01/ann:m:acme"},
		{"a rollup of nothing", put("r/2026-03-02/ann:m:acme", `{"requests":1}`), "", 0, "there are 3 rollups"},
		{"a settlement removed", remove("s/acme:https%3A//seller.example:s-h1"), "", 0, "settlements are booked"},
		{"a settlement of another entry", put("s/acme:https%3A//seller.example:s-h1", "6"), "", 6, "does not book"},
		{"a settlement of no entry", put("s/acme:https%3A//seller.example:s-h1", "99"), "", 0, "not there"},
		{"a purchase removed", remove("p/t1"), "", 0, "counts as spent"},
		{"a purchase's amount", replace("p/t1", `"amountMicros":5000`, `"amountMicros":50`), "", 0, "purchase t1 is for another amount"},
		{"a purchase's proof", replace("p/t1", `"sealed":"`, `"sealed":"AAAA`), "", 0, "can't be opened"},
		{"a purchase that goes on", replace("p/t1", `"state":"granted"`, `"state":"completing"`), "0.00 of it is pending", 0, ""},
		{"what is spent", replace("d/2026-03-01", "10000", "9000"), "", 0, "counts as spent"},
		{"what is spent, removed", remove("d/2026-03-01"), "", 0, "nothing counts as spent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			eightEntries(t, dir)
			tamper(t, dir, tt.change)
			wantDamage(t, dir, tt.open, tt.entry, tt.verify)
		})
	}
}

// wantDamage expects the ledger in a directory not to open, for a reason, or, where that is empty, Verify to name an entry (0: none) and a problem.
func wantDamage(t *testing.T, dir, open string, entry uint64, verify string) {
	t.Helper()
	l, err := ledger.Open(ledger.Options{Dir: dir, Key: testKey})
	if err == nil {
		defer l.Close()
	}
	if open != "" {
		if err == nil || !strings.Contains(err.Error(), open) {
			t.Errorf("open says %v, want %q", err, open)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if r, err := l.Verify(t.Context()); err != nil || r.OK || r.Sequence != entry || !strings.Contains(r.Problem, verify) {
		t.Errorf("verify says %+v, %v, want entry %d and %q", r, err, entry, verify)
	}
}

// What a token is worth, and what was paid for a purchase, is what the entries about it say: that of two of one seller, or of one day, sums up to what
// it was when they are mixed up.
func TestVerifyTellsTokensApart(t *testing.T) {
	both := func(a, b func(*badger.Txn) error) func(*badger.Txn) error {
		return func(txn *badger.Txn) error { return errors.Join(a(txn), b(txn)) }
	}
	paid := func(id, is, with string) func(*badger.Txn) error {
		return both(replace("p/"+id, `"amountMicros":`+is, `"amountMicros":`+with), replace("p/"+id, `"countedMicros":`+is, `"countedMicros":`+with))
	}
	for want, change := range map[string]func(*badger.Txn) error{
		"token t1 is worth 0.0044, its entries sum to 0.0043": both(replace("b/t1", "4300", "4400"), replace("b/t2", "6000", "5900")),
		"0.006 was paid for purchase t1, its entries sum to":  both(paid("t1", "5000", "6000"), paid("t2", "6000", "5000")),
	} {
		dir := t.TempDir()
		l, err := ledger.Open(ledger.Options{Dir: dir, Key: testKey, Now: at("2026-03-01T12:00:00Z")})
		if err != nil {
			t.Fatal(err)
		}
		buy(t, l, "t1", "acme", 5_000)
		buy(t, l, "t2", "acme", 6_000)
		if _, err := l.Settle(inference(hold("", "acme", "t1"), 700)).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustVerify(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		tamper(t, dir, change)
		l = open(t, ledger.Options{Dir: dir})
		if r, err := l.Verify(t.Context()); err != nil || r.OK || !strings.Contains(r.Problem, want) {
			t.Errorf("verify says %+v, %v, want %q", r, err, want)
		}
	}
}

// What a fleet has taken back is known, so that it is taken back once: an entry that the ledger has forgotten that of, or of which no entry says it, is told.
func TestVerifyWhatWasTakenBack(t *testing.T) {
	for want, change := range map[string]func(id string) func(*badger.Txn) error{
		"was taken back, and does not count as that":                func(id string) func(*badger.Txn) error { return remove("v/" + id) },
		"other counts as taken back, and no entry says that it was": func(string) func(*badger.Txn) error { return put("v/other", "3") },
	} {
		dir := t.TempDir()
		l, err := ledger.Open(ledger.Options{Dir: dir, Key: testKey, Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		buy(t, l, "t1", "acme", 5_000)
		in := inference(hold("", "acme", "t1"), 700)
		in.IdempotencyKey = "k"
		booked, err := l.Settle(in).Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seq, _, err := l.Head(t.Context())
		if err == nil {
			err = l.Retract(t.Context(), seq, "k", nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		mustVerify(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		tamper(t, dir, change(booked.Entry.ID))
		l = open(t, ledger.Options{Dir: dir})
		if r, err := l.Verify(t.Context()); err != nil || r.OK || !strings.Contains(r.Problem, want) {
			t.Errorf("verify says %+v, %v, want %q", r, err, want)
		}
	}
}

func eightEntries(t *testing.T, dir string) {
	l, err := ledger.Open(ledger.Options{Dir: dir, Key: testKey, Now: at("2026-03-01T12:00:00Z")})
	if err != nil {
		t.Fatal(err)
	}
	buy(t, l, "t1", "acme", 5_000)
	buy(t, l, "t2", "best", 5_000)
	for _, in := range []ledger.Inference{
		inference(hold("h1", "acme", "t1"), 700), inference(hold("h2", "acme", "t1"), 700), inference(hold("h3", "best", "t2"), 700),
	} {
		in.HoldID = ""
		if _, err := l.Settle(in).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.DropToken(t.Context(), "t2", "expired"); err != nil {
		t.Fatal(err)
	}
	if r := mustVerify(t, l); r.Entries != 8 {
		t.Fatalf("%d entries", r.Entries)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyEmpty(t *testing.T) {
	l := open(t, ledger.Options{InMemory: true})
	if r := mustVerify(t, l); r.Entries != 0 || r.Head != "" {
		t.Errorf("an empty ledger: %+v", r)
	}
}
