package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMonth plays the second month of a team on a gateway that runs: who joins, whose key leaks, who needs more for a day, who moves into
// a group, a seller that is paused, last year that is archived, a backup, and the loss of the machine. Each step is seen by the requests
// after it, and in the books.
func TestMonth(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	s := newStage(t)
	s.seller("acme", settledBy(answerPlain, "Billed-Micros", "60"), priced("m"))
	s.seller("best", settledBy(answerPlain, "Billed-Micros", "50"), priced("m"))
	s.prepare(`
		default_seller acme
		member lead {
			key key-of-lead
		}
		group build {
			members lead
			daily_budget 0.0004
		}
`)
	s.lastYear(10)
	s.start()
	spent := func(member string, want int64) {
		t.Helper()
		if row := s.memberRow(member); row.DayMicros != want {
			t.Errorf("%s has spent %d, want %d", member, row.DayMicros, want)
		}
		sum := int64(0)
		for _, e := range s.entries("inference") {
			if e.Member == member {
				sum += e.ExpenseMicros
			}
		}
		if sum != want {
			t.Errorf("the books of %s sum to %d, want %d", member, sum, want)
		}
		s.verify()
	}
	// A colleague joins, and her key leaks.
	key := keyIn(t, s.members("add", "eve", "--daily-budget", "0.0001"))
	s.keyed(0, key, 200)
	s.keyed(0, key, 402)
	spent("eve", 60)
	leaked := key
	key = keyIn(t, s.members("rotate", "eve", "--keep", "1h"))
	s.members("raise", "eve", "0.01", "--until", "tomorrow")
	s.keyed(0, leaked, 200)
	s.keyed(0, key, 200)
	key = keyIn(t, s.members("rotate", "eve", "--keep", "0s"))
	s.keyed(0, leaked, 401)
	s.keyed(0, key, 200)
	spent("eve", 240)
	// She moves into a group, whose budget is nearly used up by now.
	s.keyed(0, "key-of-lead", 200)
	s.keyed(0, "key-of-lead", 200)
	s.members("set", "eve", "--group", "build")
	s.keyed(0, key, 200)
	s.keyed(0, key, 200)
	s.keyed(0, key, 200)
	s.keyed(0, key, 200)
	s.keyed(0, key, 402) // 360 of the group's 400 are spent
	s.keyed(0, "key-of-lead", 402)
	spent("eve", 480)
	s.members("set", "eve", "--group", "none")
	// A seller has trouble.
	s.good("sellers", "pause", "acme", "--address", s.admin)
	s.keyed(0, key, 200)
	spent("eve", 530)
	// Last year goes into files; a backup is made, and the machine is lost.
	archives := filepath.Join(s.dir, "archives")
	s.good("archive", "--before", "2026-01-01", "--to", archives, "--address", s.admin)
	s.keyed(0, key, 200)
	backup := filepath.Join(s.dir, "books.backup")
	s.good("backup", "-o", backup, "--address", s.admin)
	books := s.good("export", "--json", "--address", s.admin)
	s.members("disable", "eve") // is lost with the machine
	s.keyed(0, key, 401)
	s.kill()
	if err := os.Rename(s.ledgerDir(), s.ledgerDir()+".lost"); err != nil {
		t.Fatal(err)
	}
	s.good("restore", backup, "--ledger", s.ledgerDir())
	s.start()
	if got := s.good("export", "--json", "--address", s.admin); !strings.HasPrefix(got, books) {
		t.Errorf("the restored books are\n%s\nwant what they were\n%s", got, books)
	}
	s.keyed(0, key, 200)
	s.keyed(0, leaked, 401)
	spent("eve", 630)
	if a := s.entries("inference"); a[len(a)-1].Seller != "best" {
		t.Errorf("the paused seller has served: %+v", a[len(a)-1])
	}
	s.good("sellers", "resume", "acme", "--address", s.admin)
	s.keyed(0, key, 200)
	spent("eve", 680) // the conversation stays where its cache is
	want := "add eve,rotate eve,raise eve,rotate eve,set eve,set eve,pause acme,resume acme"
	if got := strings.Join(s.orders(), ","); got != want {
		t.Errorf("the orders are %s, want %s", got, want)
	}
}
