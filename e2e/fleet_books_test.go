package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestFleetBooks has two gateways, asked by the commands, tell of the books of both as of one, and find what somebody has changed there.
func TestFleetBooks(t *testing.T) {
	t.Parallel()
	acme := newSeller(t, "acme", settledBy(answerPlain, "Billed-Micros", "40"))
	f := newFleet(t, 2, []*fakeSeller{acme}, "", "\t\tbudgets {\n\t\t\tzone Pacific/Kiritimati\n\t\t}\n\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t\tdaily_budget 1\n\t\t}\n")
	var id string
	for i := range 6 {
		status, header, body := f.ask(i%2, "key-of-ada")
		if status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
		id = header.Get("X-Request-Id") // at last of the second gateway
	}
	one := f.gateways[0]
	at := func(args ...string) []string { return append(args, "--address", one.admin) }
	var said struct {
		Rows     []struct{ Requests, ExpenseMicros int64 }
		Gateways []struct {
			Name    string
			Entries int
		}
	}
	await := func(requests int64) {
		t.Helper()
		eventually(t, "the entries of both", func() bool {
			if err := json.Unmarshal([]byte(one.good(at("ledger", "--fleet", "--json", "--by", "seller")...)), &said); err != nil {
				t.Fatal(err)
			}
			return len(said.Rows) == 1 && said.Rows[0].Requests == requests
		})
	}
	await(6)
	f.gateways[1].kill()
	f.gateways[1].start()
	for range 2 {
		if status, _, body := f.ask(1, "key-of-ada"); status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
	}
	await(8)
	if len(said.Gateways) != 2 || said.Gateways[0].Name != "gw-0" || said.Gateways[1].Name != "gw-1" || said.Rows[0].ExpenseMicros != 320 {
		t.Errorf("%+v", said)
	}
	all := 0
	for _, g := range said.Gateways {
		all += g.Entries
	}
	if n := strings.Count(one.good(at("export", "--fleet", "--format", "jsonl")...), "\n"); n != all {
		t.Errorf("%d entries are exported, %d are there", n, all)
	}
	if out := one.good(at("export", "--fleet", "--format", "beancount", "--member", "ada")...); strings.Count(out, "  id: ") != 8 {
		t.Errorf("%s", out)
	}
	for _, args := range [][]string{{}, {"--fleet"}} { // days begin where the gateways' budgets have them begin
		out := one.good(at(append([]string{"ledger", "--from", "2026-01-31", "--json"}, args...)...)...)
		if !strings.Contains(out, `"2026-01-31T00:00:00+14:00"`) || !strings.Contains(out, `"Pacific/Kiritimati"`) {
			t.Errorf("ledger %v: %s", args, out)
		}
	}
	const other = "one gateway of a fleet"
	for _, args := range [][]string{{"ledger"}, {"export"}, {"verify"}} {
		if status, _, complaint := one.says(at(args...)...); status != 0 || !strings.Contains(complaint, other) {
			t.Errorf("%v: status %d, %s", args, status, complaint)
		}
		status, _, complaint := one.says(at(append(args, "--fleet")...)...)
		if status != 0 || strings.Contains(complaint, other) || args[0] != "verify" && !strings.Contains(complaint, "gw-1") {
			t.Errorf("%v --fleet: status %d, %s", args, status, complaint)
		}
	}
	one.bad("no request", at("request", id)...)
	one.bad("ask with --fleet", at("request", id)...)
	if out := one.good(at("fleet")...); !strings.Contains(out, "with which the fleet began") {
		t.Errorf("the session is not shown: %s", out)
	}
	one.bad("fleet session new", at("fleet", "session")...)
	one.bad("fleet session new", at("fleet", "session", "end")...)
	if out := one.good(at("request", id, "--fleet")...); !strings.Contains(out, "The journal:") || !strings.Contains(out, id) {
		t.Errorf("%s", out)
	}
	one.bad("remembered by each gateway alone", at("request", "--fleet")...)

	db := f.pg.Connect(t, "postgres")
	var n, wrong int
	err := db.QueryRow(t.Context(), `select count(*), count(*) filter (where
		hash <> encode(sha256(convert_to(previous || left(entry, length(entry) - 66) || '"}', 'utf8')), 'hex')) from tokenbuddy_fleet_entry`).Scan(&n, &wrong)
	if err != nil || n != all || wrong != 0 {
		t.Errorf("in SQL %d of %d entries have another hash, %v", wrong, n, err)
	}
	var gateway string
	var seq int
	err = db.QueryRow(t.Context(), `update tokenbuddy_fleet_entry set entry = replace(entry, '"expenseMicros":40', '"expenseMicros":30')
		where (gateway, seq) = (select gateway, max(seq) from tokenbuddy_fleet_entry where kind = 'inference' group by gateway order by gateway limit 1)
		returning gateway, seq`).Scan(&gateway, &seq)
	if err != nil {
		t.Fatal(err)
	}
	status, out, _ := one.says(at("verify", "--fleet")...)
	if status != 1 || !strings.Contains(out, "do NOT hold") || !strings.Contains(out, fmt.Sprintf("entry %d, ", seq)) || !strings.Contains(out, "it was changed") {
		t.Errorf("status %d: %s", status, out)
	}
	for _, c := range f.gateways {
		c.verify() // their own do
	}
}
