package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// Money that has left a wallet without the books is wrong, and nothing is said of a wallet that is as they say.
func TestDoctorOfMissingMoney(t *testing.T) {
	s := purchase.PaymentStanding{Method: "x402", Standing: payment.Standing{Network: "eip155:8453", BalanceMicros: new(10 * money.USD)}}
	d := New()
	if d.payment(&s, 5*money.USD); len(d.Findings) > 0 {
		t.Errorf("%+v", d.Findings)
	}
	s.MissingMicros, s.MissingSince = 1_500_000, time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	if d.payment(&s, 5*money.USD); len(d.Findings) != 1 || !d.Findings[0].Wrong {
		t.Fatalf("%+v", d.Findings)
	}
	for _, want := range []string{"payment x402", " 1.50 dollars more", "2026-06-01 12:00"} {
		if !strings.Contains(d.Findings[0].What, want) {
			t.Errorf("not said: %s: %s", want, d.Findings[0].What)
		}
	}
}
