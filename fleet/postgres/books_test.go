package postgres_test

import (
	"encoding/json"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// What a ledger has booked, whatever is in it, has the hash in SQL that it has there.
func TestLedgerInSQL(t *testing.T) {
	l, err := ledger.Open(ledger.Options{Dir: t.TempDir(), Key: make([]byte, 32)})
	must(t, err)
	defer l.Close()
	for _, name := range []string{"ada", "ärger & <co>", "\u2028\x00\x7f", `back\slash "quoted"`, "bad \xff bytes", "日本 🎌"} {
		must(t, l.EditMember(t.Context(), ledger.Order{Order: "add", By: name, Member: name}, func(*ledger.Enrolled) (*ledger.Enrolled, string, error) {
			return &ledger.Enrolled{Name: name, Added: true}, name, nil
		}))
		must(t, l.PauseSeller(t.Context(), name, ledger.Order{By: name}))
	}
	var rows []fleet.Row
	must(t, l.Lines(t.Context(), ledger.Query{}, func(raw []byte) error {
		var e ledger.Entry
		must(t, json.Unmarshal(raw, &e))
		rows = append(rows, fleet.Row{
			Seq: uint64(len(rows) + 1), ID: e.ID, At: e.Time, Kind: string(e.Kind), Member: e.Order.Member, Seller: e.Seller, SettlementID: e.Order.By,
			Hash: e.Hash, Previous: e.PreviousHash, Entry: append([]byte(nil), raw...),
		})
		return nil
	}))
	c := shared(t)
	database := c.Database(t)
	s := open(t, c.Addr(), database)
	if _, err := s.Append(t.Context(), "g", rows); err != nil {
		t.Fatal(err)
	}
	var all, wrong int
	must(t, c.Connect(t, database).QueryRow(t.Context(), `select count(*), count(*) filter (where
		hash <> encode(sha256(convert_to(previous || left(entry, length(entry) - 66) || '"}', 'utf8')), 'hex')) from tokenbuddy_fleet_entry`).Scan(&all, &wrong))
	if all != 12 || wrong != 0 {
		t.Errorf("%d of %d entries have another hash in SQL", wrong, all)
	}
	for i, r := range journal(t, s, "g", 0) {
		if string(r.Entry) != string(rows[i].Entry) {
			t.Errorf("entry %d came back as %s, and was %s", r.Seq, r.Entry, rows[i].Entry)
		}
	}
}
