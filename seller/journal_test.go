package seller

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// reopened gives the books that a process finds which starts after this moment: no file of the running one is closed or flushed.
func reopened(t testing.TB, b *Books) (*Books, error) {
	t.Helper()
	return openBooks(b.seller, b.file, nil)
}

// TestTornJournals cuts the journal in what was written last, and changes bytes before that.
func TestTornJournals(t *testing.T) {
	s := newSeller(t, "state "+t.TempDir()+"/books.json")
	g := buy(t, s, "p", 1000)
	for i := range 3 {
		post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g), "Idempotency-Key", fmt.Sprint(i))
	}
	path := journalOf(s.books.file)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	lines = lines[:len(lines)-1]
	last := len(whole) - len(lines[len(lines)-1])
	for _, cut := range []int{last, last + 1, last + 8, last + 9, (last + len(whole)) / 2, len(whole) - 2, len(whole) - 1, len(whole)} {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := reopened(t, s.books)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		want := 2
		if cut == len(whole) {
			want = 3
		}
		if n := len(b.Report().Charges); n != want {
			t.Errorf("cut at %d of %d: %d charges, want %d", cut, len(whole), n, want)
		}
	}
	for at := 0; at < last-1; at += 5 {
		broken := append([]byte(nil), whole...)
		broken[at] ^= 1
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := reopened(t, s.books); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("a byte changed at %d: %v", at, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.books.file, s.books.file+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := reopened(t, s.books); err == nil || !strings.Contains(err.Error(), "is missing, but its journal") {
		t.Errorf("a journal alone: %v", err)
	}
	if err := os.Rename(s.books.file+".away", s.books.file); err != nil {
		t.Fatal(err)
	}
}

// TestAnOlderJournal is a process that died between the two files of a checkpoint.
func TestAnOlderJournal(t *testing.T) {
	s := newSeller(t, "state "+t.TempDir()+"/books.json")
	g := buy(t, s, "p", 1000)
	post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g), "Idempotency-Key", "k")
	path := journalOf(s.books.file)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.books.journal.size = maxJournal + 1
	post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g), "Idempotency-Key", "l")
	want := s.books.Report()
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := reopened(t, s.books)
	if err != nil {
		t.Fatal(err)
	}
	got := b.Report()
	if len(got.Charges) != len(want.Charges) || got.Tokens[0] != want.Tokens[0] {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestChargesAreDurable settles from many goroutines at once, over checkpoints: each settlement that was given is in the files at
// that moment.
func TestChargesAreDurable(t *testing.T) {
	s := newSeller(t, "state "+t.TempDir()+"/books.json")
	buy(t, s, "p", 1_000_000)
	b := s.books
	var tok *token
	for _, one := range b.tokens {
		tok = one
	}
	const workers, each = 8, 25
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range each {
				c := b.openCharge(tok, hash(fmt.Sprint(w, i)), "/", "m", "")
				if i == each/2 {
					b.journal.mu.Lock()
					b.journal.size = maxJournal + 1
					b.journal.mu.Unlock()
				}
				if _, err := b.settle(c, money.Tokens{Prompt: 1}, 3, ""); err != nil {
					t.Error(err)
				}
				b.closeCharge(c)
			}
		})
	}
	all.Wait()
	found, err := reopened(t, b)
	if err != nil {
		t.Fatal(err)
	}
	r := found.Report()
	if len(r.Charges) != workers*each || r.Tokens[0].BalanceMicros != 1_000_000-3*workers*each {
		t.Errorf("%d charges, balance %d", len(r.Charges), r.Tokens[0].BalanceMicros)
	}
}
