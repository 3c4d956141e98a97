package command

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

func TestTable(t *testing.T) {
	table := &table{words: []int{0, 2}}
	table.add("name", "number", "remark")
	table.add(rule...)
	table.add("ada", "1", "")
	table.add("名前", "-12.345678", "so it is")
	table.add("Zoe\u0301", "2", "")
	table.add("🤖", "3", "")
	var out bytes.Buffer
	table.print(&out)
	want := `
name      number  remark
----  ----------  --------
ada            1
名前  -12.345678  so it is
Zoé            2
🤖             3
`
	if out.String() != want[1:] {
		t.Errorf("printed\n%swant%s", out.String(), want)
	}
}

// TestBar shows nothing of what is quick, then now and then how far it is, and goes away.
func TestBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := &bar{out: &out, what: "entries", drawn: time.Now().Add(time.Second - barPause)}
		for i := range uint64(1000) {
			b.at(i, 2000)
			time.Sleep(900 * time.Microsecond)
		}
		if out.Len() != 0 {
			t.Errorf("within a second it shows %q", out.String())
		}
		for i := range uint64(1000) {
			b.at(1000+i, 2000)
			time.Sleep(time.Millisecond)
		}
		if n := strings.Count(out.String(), "\r"); n != 5 || !strings.Contains(out.String(), "[################..............] 55 %  1,100 of 2,000 entries") {
			t.Errorf("it is drawn %d times: %q", n, out.String())
		}
		out.Reset()
		b.end()
		if out.String() != "\r\x1b[K" {
			t.Errorf("its end is %q", out.String())
		}
		b = &bar{}
		b.at(1, 2) // nobody looks
		b.end()
	})
}

// TestStatementDoesNotAddUp says so where the accounts are not what they should be.
func TestStatementDoesNotAddUp(t *testing.T) {
	s := &ledger.Statement{By: "seller", From: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Accounts: []ledger.Movement{
		{Account: "wallet:mock", OpeningMicros: -5_000_000, ClosingMicros: -5_000_000},
		{Account: "credit:a%3Ab", OpeningMicros: 5_000_000, ClosingMicros: 5_000_000},
	}}
	var out bytes.Buffer
	printStatement(&out, s, false)
	if text := out.String(); strings.Contains(text, "NOT") || !strings.Contains(text, "\na:b ") || !strings.Contains(text, "from 2026-01-02 03:04:05 UTC until now") {
		t.Errorf("printed\n%s", text)
	}
	s.Accounts[1].OpeningMicros--
	out.Reset()
	printStatement(&out, s, false)
	if !strings.Contains(out.String(), "NOT the sum of the above") {
		t.Errorf("printed\n%s", out.String())
	}
}

// TestStatementOfSharedTokens adds up where gateways share tokens, over all of them and of one that has taken from what another has bought.
func TestStatementOfSharedTokens(t *testing.T) {
	for name, accounts := range map[string][]ledger.Movement{
		"all": {{Account: "wallet:mock", ClosingMicros: -5}, {Account: "credit:acme", ClosingMicros: 3}, {Account: "fleet:acme", ClosingMicros: 2}},
		"one": {{Account: "credit:acme", ClosingMicros: 2}, {Account: "expense:ada:m", ClosingMicros: 1}, {Account: "fleet:acme", ClosingMicros: -3}},
	} {
		var out bytes.Buffer
		printStatement(&out, &ledger.Statement{By: "member", Accounts: accounts}, false)
		if text := out.String(); strings.Contains(text, "NOT") || !strings.Contains(text, "\nshared ") {
			t.Errorf("%s: printed\n%s", name, text)
		}
	}
	var out bytes.Buffer
	printStatement(&out, &ledger.Statement{By: "member"}, false)
	if strings.Contains(out.String(), "shared") {
		t.Errorf("where nothing is shared it says\n%s", out.String())
	}
}
