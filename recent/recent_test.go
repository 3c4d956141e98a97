package recent

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func request(i int, member string, sellers ...string) *Request {
	r := &Request{RequestID: fmt.Sprint(i), Member: member, Ended: begin.Add(time.Duration(i) * time.Second), Attempts: []Attempt{}}
	for n, s := range sellers {
		r.Attempts = append(r.Attempts, Attempt{Number: n + 1, Seller: s})
		r.Seller = s
	}
	return r
}

// The last requests of each class stay, however many of another come.
func TestMemory(t *testing.T) {
	m := New()
	for i := range maxAsked + 10 {
		m.Add(request(i, "ada", "acme"))
	}
	for i := range 10 * maxUnknown {
		m.Add(request(10_000+i, ""))
	}
	for i := range maxRefused {
		m.Add(request(5_000+i, "bob"))
	}
	for _, test := range []struct {
		what  string
		q     Query
		want  int
		first string
	}{
		{"all", Query{}, maxAsked + maxRefused + maxUnknown, fmt.Sprint(10_000 + 10*maxUnknown - 1)},
		{"a few", Query{Limit: 3}, 3, fmt.Sprint(10_000 + 10*maxUnknown - 1)},
		{"a member's", Query{Member: "ada"}, maxAsked, fmt.Sprint(maxAsked + 9)},
		{"a seller's", Query{Seller: "acme", Limit: 1}, 1, fmt.Sprint(maxAsked + 9)},
		{"another seller's", Query{Seller: "bolt"}, 0, ""},
		{"refused", Query{Member: "bob"}, maxRefused, fmt.Sprint(5_000 + maxRefused - 1)},
		{"by id", Query{ID: "10"}, 1, "10"},
		{"one that is forgotten", Query{ID: "9"}, 0, ""},
	} {
		rows := m.Find(test.q)
		if len(rows) != test.want || test.want > 0 && rows[0].RequestID != test.first {
			t.Errorf("%s: %d requests, the first is %v", test.what, len(rows), rows[:min(len(rows), 1)])
		}
	}
	for i := range 2 {
		m.Add(request(20_000+i, "eve", "bolt", "acme"))
	}
	if rows := m.Find(Query{Seller: "bolt"}); len(rows) != 2 {
		t.Errorf("of a seller that failed: %d", len(rows))
	}
}

// What one member is refused for does not push out what the others were; of many who were refused as often, the oldest goes.
func TestRefusals(t *testing.T) {
	m := New()
	m.Add(request(1, "ada"))
	if !m.Since().IsZero() {
		t.Errorf("none is forgotten, and it is of %s on", m.Since())
	}
	for i := range 3 * maxRefused {
		m.Add(request(100+i, "bot"))
	}
	if rows := m.Find(Query{Member: "ada"}); len(rows) != 1 {
		t.Errorf("of ada there are %d", len(rows))
	}
	rows := m.Find(Query{Member: "bot"})
	if last := 100 + 3*maxRefused - 1; len(rows) != maxRefused-1 || rows[0].RequestID != fmt.Sprint(last) || rows[len(rows)-1].RequestID != fmt.Sprint(last-maxRefused+2) {
		t.Errorf("of bot there are %d, from %s to %s", len(rows), rows[len(rows)-1].RequestID, rows[0].RequestID)
	}
	if oldest := rows[len(rows)-1].Ended; m.Since().After(oldest) || !m.Since().After(oldest.Add(-time.Second)) {
		t.Errorf("none is missing from %s on, and the oldest is of %s", m.Since(), oldest)
	}
	for i := range 2 * maxRefused {
		m.Add(request(10_000+i, fmt.Sprint("member-", i)))
	}
	if rows := m.Find(Query{}); len(rows) != maxRefused || rows[0].RequestID != fmt.Sprint(10_000+2*maxRefused-1) || rows[maxRefused-1].RequestID != fmt.Sprint(10_000+maxRefused) {
		t.Errorf("there are %d, from %s to %s", len(rows), rows[len(rows)-1].RequestID, rows[0].RequestID)
	}
}

// From when on none is missing is no earlier for what is forgotten after that and ended before it.
func TestSinceOfRefusals(t *testing.T) {
	m := New()
	for i := range maxRefused {
		m.Add(request(i, fmt.Sprint("member-", i/2)))
	}
	m.Add(request(maxRefused, "member-9")) // which loses its first one
	since := m.Since()
	m.Add(request(maxRefused+1, "other")) // for the oldest of all
	if rows := m.Find(Query{Member: "member-0"}); len(rows) != 1 || since.IsZero() || !m.Since().Equal(since) {
		t.Errorf("of the oldest there are %d; none was missing from %s on, and none is from %s", len(rows), since, m.Since())
	}
}

// Requests end, are booked and are looked at all at once.
func TestMemoryAtOnce(t *testing.T) {
	m := New()
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 500 {
				r := request(worker*1000+i, "ada", "acme")
				all.Go(func() {
					r.Book(&ledger.Entry{ID: "e", Served: &ledger.Served{BilledMicros: 7}})
					r.Book(&ledger.Entry{Attempt: &ledger.Attempted{BilledMicros: 2}})
				})
				m.Add(r)
				_ = m.Find(Query{Limit: 5})
			}
		})
	}
	all.Wait()
	for _, row := range m.Find(Query{}) {
		if row.BilledMicros != 7 || row.WastedMicros != 2 {
			t.Fatal(row.Booking)
		}
	}
	(*Request)(nil).Book(&ledger.Entry{})
}

// A row's JSON has what is booked beside what is remembered, and reads back.
func TestRow(t *testing.T) {
	r := request(1, "ada", "acme")
	r.Book(&ledger.Entry{ID: "e", PurchaseID: "p", Served: &ledger.Served{BilledMicros: 7, BilledSource: "usage"}})
	raw, err := json.Marshal(r.row())
	if err != nil {
		t.Fatal(err)
	}
	var back Row
	if err := json.Unmarshal(raw, &back); err != nil || back.RequestID != "1" || back.BilledMicros != 7 || back.PurchaseID != "p" || len(back.Attempts) != 1 {
		t.Errorf("%s: %v", raw, err)
	}
}

// A text of any length, and of any bytes, is remembered short.
func TestText(t *testing.T) {
	for _, s := range []string{"", "gpt", strings.Repeat("x", 1<<20), strings.Repeat("é", 1000)} {
		if got := Text(s); len(got) > maxText+3 || !strings.HasPrefix(s, strings.TrimSuffix(got, "…")) {
			t.Errorf("%.20q is %q", s, got)
		}
	}
}
