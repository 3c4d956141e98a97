package ledger_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// order is one of somebody's.
func order(word, member string) ledger.Order {
	return ledger.Order{Order: word, By: "kai", From: "192.0.2.1", Member: member}
}

// enroll adds a member with one key.
func enroll(t testing.TB, l *ledger.Ledger, name string) {
	t.Helper()
	err := l.EditMember(context.Background(), order("add", name), func(was *ledger.Enrolled) (*ledger.Enrolled, string, error) {
		if was != nil {
			return nil, "", errors.New("it is there")
		}
		five := 5 * money.USD
		return &ledger.Enrolled{
			Name: name, Added: true, Keys: []ledger.KeptKey{{SHA256: strings.Repeat("0f", 32)}}, Budget: ledger.KeptBudget{Daily: &five},
			Models: []string{"<*>"},
		}, "daily budget $5", nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// raise raises a member's budget by a micro.
func raise(ctx context.Context, l *ledger.Ledger, name string) error {
	return l.EditMember(ctx, order("raise", name), func(was *ledger.Enrolled) (*ledger.Enrolled, string, error) {
		was.Raises = append(was.Raises, ledger.Raise{AmountMicros: 1, Until: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)})
		return was, "raised", nil
	})
}

// orders gives what the journal says of orders.
func orders(t testing.TB, l *ledger.Ledger) (all []string) {
	t.Helper()
	if err := l.Entries(t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
		if o := e.Order; o != nil {
			all = append(all, fmt.Sprintf("%s %s%s by %s from %s: %s", o.Order, o.Member, e.Seller, o.By, o.From, e.Note))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestEditMember changes members, many at once too: each sees what the one before has left, and is in the journal.
func TestEditMember(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir()})
	enroll(t, l, "a:da")
	enroll(t, l, "bob")
	var all sync.WaitGroup
	for range 60 {
		all.Go(func() {
			if err := raise(context.Background(), l, "a:da"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	refused := errors.New("no")
	if err := l.EditMember(t.Context(), order("set", "bob"), func(is *ledger.Enrolled) (*ledger.Enrolled, string, error) {
		is.Disabled = true
		return is, "", refused
	}); !errors.Is(err, refused) {
		t.Error(err)
	}
	if err := l.EditMember(t.Context(), order("set", "bob"), func(is *ledger.Enrolled) (*ledger.Enrolled, string, error) {
		is.Models = []string{strings.Repeat("m", 1<<20)}
		return is, "", nil
	}); err == nil {
		t.Error("a megabyte is kept of a member")
	}
	kept, err := l.Enrolled()
	if err != nil || len(kept) != 2 || kept[0].Name != "a:da" || len(kept[0].Raises) != 60 || kept[1].Disabled || *kept[1].Budget.Daily != 5*money.USD {
		t.Errorf("%+v, %v", kept, err)
	}
	if err := l.EditMember(t.Context(), order("remove", "bob"), func(*ledger.Enrolled) (*ledger.Enrolled, string, error) {
		return nil, "gone", nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := l.PauseSeller(t.Context(), "acme", ledger.Order{By: "kai"}); err != nil {
		t.Fatal(err)
	}
	said := orders(t, l)
	if len(said) != 64 || said[0] != "add a:da by kai from 192.0.2.1: daily budget $5" || said[62] != "remove bob by kai from 192.0.2.1: gone" ||
		said[63] != "pause acme by kai from : gets no requests" {
		t.Errorf("%d orders, %q", len(said), said)
	}
	mustVerify(t, l)
	restored := restoreOf(t, l)
	again, err := restored.Enrolled()
	if err != nil || len(again) != 1 || again[0].Name != "a:da" || len(again[0].Raises) != 60 {
		t.Errorf("restored are %+v, %v", again, err)
	}
	if paused, err := restored.PausedSellers(); err != nil || len(paused) != 1 {
		t.Errorf("paused are %v, %v", paused, err)
	}
	mustVerify(t, restored)
}

// restoreOf gives the ledger of a backup, restored elsewhere.
func restoreOf(t *testing.T, l *ledger.Ledger) *ledger.Ledger {
	t.Helper()
	o := ledger.Options{Dir: t.TempDir(), Key: testKey}
	if r, err := ledger.Restore(t.Context(), o, bytes.NewReader(backup(t, l))); err != nil || !r.OK {
		t.Fatalf("restore: %+v, %v", r, err)
	}
	return open(t, o)
}

// TestVerifyMembers changes what is kept of members behind the ledger's back.
func TestVerifyMembers(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*badger.Txn) error
		want   string
	}{
		{"nothing", func(*badger.Txn) error { return nil }, ""},
		{"a budget", replace("n/ada", `5000000`, `6000000`), "record n/ada is not what the orders"},
		{"a key", replace("n/ada", `0f0f`, `0e0f`), "record n/ada is not what the orders"},
		{"a member removed", remove("n/ada"), "record n/ada is missing"},
		{"a member put in", put("n/mal", `{"name":"mal","added":true}`), "record n/mal is not what the orders"},
		{"one that was removed put back", put("n/bob", `{"name":"bob","added":true}`), "record n/bob is not what the orders"},
		{"a pause removed", remove("x/acme"), "record x/acme is missing"},
		{"a pause of before orders were booked", put("x/best", `{"since":"2026-01-01T00:00:00Z"}`), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := ledger.Options{Dir: t.TempDir()}
			l := open(t, o)
			enroll(t, l, "ada")
			enroll(t, l, "bob")
			if err := errors.Join(
				l.EditMember(t.Context(), order("remove", "bob"), func(*ledger.Enrolled) (*ledger.Enrolled, string, error) { return nil, "", nil }),
				l.PauseSeller(t.Context(), "acme", ledger.Order{By: "kai"}), l.Close(),
			); err != nil {
				t.Fatal(err)
			}
			tamper(t, o.Dir, test.change)
			l = open(t, o)
			r, err := l.Verify(t.Context())
			if err != nil || r.OK != (test.want == "") || !strings.Contains(r.Problem, test.want) {
				t.Errorf("%+v, %v; want %q", r, err, test.want)
			}
		})
	}
}

// TestKilledWhileEnrolling kills a process that adds members: each that was acknowledged is there, and the books hold.
func TestKilledWhileEnrolling(t *testing.T) {
	const variable = "LEDGER_TO_ENROLL_IN"
	if dir := os.Getenv(variable); dir != "" {
		l := open(t, ledger.Options{Dir: dir})
		for i := 0; ; i++ {
			name := fmt.Sprintf("m%d-%d", os.Getpid(), i)
			enroll(t, l, name)
			fmt.Println("added", name)
		}
	}
	dir := t.TempDir()
	told := map[string]bool{}
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhileEnrolling$")
		cmd.Env = append(os.Environ(), variable+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "added "); ok {
				told[name] = true
			}
			if len(told) >= 20*(round+1) {
				_ = cmd.Process.Kill() // what it still says is read to its end
			}
		}
		if cmd.Wait() == nil || len(told) < 20*(round+1) {
			t.Fatalf("round %d: the process ended by itself after %d members", round, len(told))
		}
		l := open(t, ledger.Options{Dir: dir})
		kept, err := l.Enrolled()
		if err != nil {
			t.Fatal(err)
		}
		there := map[string]bool{}
		for _, e := range kept {
			there[e.Name] = true
		}
		for name := range told {
			if !there[name] {
				t.Errorf("round %d: %s was acknowledged, and is not there", round, name)
			}
		}
		mustVerify(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
