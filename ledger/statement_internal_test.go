package ledger

import (
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A row stays where there is anything that it tells of.
func TestIdleRow(t *testing.T) {
	if !new(StatementRow).idle() || (&StatementRow{Requests: 1}).idle() {
		t.Error("it is idle where nothing was asked, and nowhere else")
	}
	row := new(StatementRow)
	for _, micros := range []*money.Micros{&row.PaidMicros, &row.ExpenseMicros, &row.WasteMicros, &row.DisputedMicros, &row.AdjustmentMicros} {
		if *micros = -1; row.idle() {
			t.Errorf("%+v is idle", row)
		}
		*micros = 0
	}
}
