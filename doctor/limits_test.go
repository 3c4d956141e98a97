package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A limit is wrong once no purchase has room in it, or less than a tenth is left; one of nothing is what somebody wanted.
func TestDoctorOfLimits(t *testing.T) {
	for _, c := range []struct {
		limit, spent money.Micros
		says         string
		wrong        bool
	}{
		{limit: 50, spent: 45},
		{limit: 50, spent: 46, says: "a purchase of 5.00 has no room in what is left", wrong: true},
		{limit: 12, spent: 5},
		{limit: 12, spent: 10, says: "10.00 dollars of the daily_limit of 12.00 are spent, and a purchase of 5.00 has no room", wrong: true},
		{limit: 500, spent: 449},
		{limit: 500, spent: 455, says: "455.00 dollars of the daily_limit of 500.00 are spent.", wrong: true},
		{limit: 0, says: "The daily_limit is 0: nothing is bought."},
	} {
		s := &admin.Status{Ledger: admin.LedgerStatus{OK: true}}
		s.Credit.AmountMicros, s.Credit.DailyLimit, s.Credit.DayMicros = 5*money.USD, new(c.limit*money.USD), c.spent*money.USD
		d := New()
		d.Gateway(s, time.Now())
		switch {
		case c.says == "" && len(d.Findings) == 0:
		case c.says == "" || len(d.Findings) != 1 || d.Findings[0].Wrong != c.wrong || !strings.Contains(d.Findings[0].What, c.says):
			t.Errorf("%d of %d: %+v", c.spent, c.limit, d.Findings)
		}
	}
}

// Where nothing is bought no limit stands in anybody's way.
func TestDoctorOfLimitsOfNothing(t *testing.T) {
	s := &admin.Status{Ledger: admin.LedgerStatus{OK: true}, NothingBought: true}
	s.Credit.AmountMicros, s.Credit.DailyLimit = 5*money.USD, new(money.USD)
	d := New()
	if d.Gateway(s, time.Now()); len(d.Findings) > 0 {
		t.Errorf("%+v", d.Findings)
	}
}
