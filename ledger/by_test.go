package ledger_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestStatementBySeveral adds up the entries by itself, by several things at once and by the days of zones, and finds what the statement says.
func TestStatementBySeveral(t *testing.T) {
	l := fourDays(t)
	for _, name := range []string{"UTC", "Pacific/Kiritimati", "America/St_Johns"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, by := range []string{"day", "member,model", "day,seller", "project,day,member"} {
			want := map[string]money.Micros{}
			if err := l.Entries(t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
				var parts []string
				for k := range strings.SplitSeq(by, ",") {
					value := map[string]string{"day": e.Time.In(zone).Format(time.DateOnly), "seller": e.Seller}[k]
					switch {
					case e.Served != nil && k == "member":
						value = e.Member
					case e.Served != nil && k == "model":
						value = e.Model
					case e.Attempt != nil && k == "member":
						value = e.Attempt.Member
					case e.Attempt != nil && k == "model":
						value = e.Attempt.Model
					}
					parts = append(parts, value)
				}
				key := strings.Join(parts, ",")
				for _, p := range e.Postings {
					if kind, _ := ledger.SplitAccount(p.Account); kind == "expense" || kind == "waste" {
						want[key] += p.AmountMicros
					} else {
						want[key] += 0
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			s, err := l.Statement(t.Context(), ledger.Period{Zone: zone}, by, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]money.Micros{}
			last := []string{}
			for _, r := range s.Rows {
				got[r.Key] = r.ExpenseMicros + r.WasteMicros
				if strings.Contains(by, ",") {
					if strings.Join(r.Keys, ",") != r.Key || reflect.DeepEqual(r.Keys, last) {
						t.Errorf("by %s in %s: the row %+v after %q", by, name, r.RowKey, last)
					}
					last = r.Keys
				}
			}
			if !reflect.DeepEqual(got, want) || s.Zone != name || s.By != by || len(got) < 4 {
				t.Errorf("by %s in %s: %v, want %v", by, name, got, want)
			}
		}
	}
	rows, err := l.Summary(t.Context(), time.Time{}, time.Time{}, "member,model")
	if err != nil || len(rows) != 6 || rows[0].Key != "ann,m%2" || !reflect.DeepEqual(rows[0].Keys, []string{"ann", "m%2"}) {
		t.Errorf("%v: %+v", err, rows)
	}
	for _, by := range []string{"", "member,", "member,member", "weather,day", "member model"} {
		if _, err := l.Statement(t.Context(), ledger.Period{}, by, nil); err == nil {
			t.Errorf("a statement by %q", by)
		}
	}
}
