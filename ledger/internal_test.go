package ledger

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

var fixedTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestFailedCommitStopsTheLedger(t *testing.T) {
	l, err := Open(Options{InMemory: true, Key: make([]byte, store.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	disk := errors.New("the disk is gone")
	failed := l.submit(0, func(b *batch) error {
		b.note(disk)
		return nil
	}, nil)
	if err := failed.Wait(t.Context()); !errors.Is(err, disk) {
		t.Errorf("the command of a failed commit: %v", err)
	}
	if err := l.Err(); !errors.Is(err, disk) || !strings.Contains(err.Error(), "restart") {
		t.Errorf("the ledger says %v", err)
	}
	if err := l.PlaceHold(Hold{ID: "h"}).Wait(t.Context()); !errors.Is(err, disk) {
		t.Errorf("a command after it: %v", err)
	}
	if _, err := l.Verify(t.Context()); !errors.Is(err, disk) {
		t.Errorf("verify after it: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// TestSteps tries every pair of states.
func TestSteps(t *testing.T) {
	states := []PurchaseState{"", Creating, Quoted, Prepared, Paying, NeedsHuman, Proven, Completing, Granted, Failed, Expired, Disputed}
	want := map[PurchaseState]string{
		"":         "creating",
		Creating:   "creating quoted failed expired",
		Quoted:     "quoted prepared failed expired",
		Prepared:   "prepared paying failed expired",
		Paying:     "paying needs_human proven failed expired disputed",
		NeedsHuman: "paying needs_human proven completing failed expired disputed",
		Proven:     "needs_human proven completing failed expired disputed",
		Completing: "needs_human completing granted failed expired disputed",
	}
	for _, before := range states {
		var after []string
		for _, s := range states {
			if s.mayFollow(before) {
				after = append(after, string(s))
			}
		}
		if got := strings.Join(after, " "); got != want[before] {
			t.Errorf("after %q: %s, want %s", before, got, want[before])
		}
	}
}

func TestIDsStrictlyIncrease(t *testing.T) {
	var c idClock
	now := fixedTime
	last := ""
	for range 10_000 { // more than a millisecond has room for
		id := c.next(now)
		if id <= last {
			t.Fatalf("%s does not come after %s", id, last)
		}
		last = id
	}
	var again idClock
	if err := again.resume(last); err != nil {
		t.Fatal(err)
	}
	if id := again.next(now); id <= last {
		t.Errorf("after a restart %s does not come after %s", id, last)
	}
	if again.resume("not an id") == nil {
		t.Error("it resumes after what is no id")
	}
}

func TestNames(t *testing.T) {
	for _, parts := range [][]string{{"a", "b"}, {"a:b", "%3A", "%253A"}, {"", ""}, {"%", ":"}} {
		if got := splitNames(names("", parts...)); !slices.Equal(got, parts) {
			t.Errorf("%q became %q", parts, got)
		}
	}
	if got := names("s/", "a\xff", "\xe2\x82"); got != "s/a\ufffd:\ufffd\ufffd" {
		t.Errorf("what is no UTF-8 became %q", got)
	}
	if n := testing.AllocsPerRun(100, func() { settlementKey("seller", "http://127.0.0.1:8080", "settlement") }); n > 1 {
		t.Errorf("%v objects for a key", n)
	}
	if got := expenseOf("a:b", "50%"); got != "expense:a%3Ab:50%25" {
		t.Errorf("account %s", got)
	}
}
