package command

import (
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestRaisedWords says of each raise until when it is: of two that end at once, of both together.
func TestRaisedWords(t *testing.T) {
	friday := time.Date(2026, 5, 29, 22, 0, 0, 0, time.UTC)
	raise := func(usd money.Micros, until time.Time) admin.Raise {
		return admin.Raise{AmountMicros: usd * money.USD, Until: until}
	}
	for want, raises := range map[string][]admin.Raise{
		"":                               nil,
		"3.00 until 2026-05-29 22:00:00": {raise(3, friday)},
		"12.00 until 2026-05-29 22:00:00, by 1.00 until 2026-05-31 22:00:00": {raise(1, friday.AddDate(0, 0, 2)), raise(10, friday), raise(2, friday.In(time.FixedZone("", 7200)))},
	} {
		if got := raisedWords(raises); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
