package command

import (
	"bytes"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// TestPrintFleetTokens: words are to the left under their titles, numbers to the right.
func TestPrintFleetTokens(t *testing.T) {
	f := new(admin.Fleet)
	aside := fleet.TokenPartStatus{Granted: 1}
	end := time.Date(2026, 5, 29, 22, 0, 0, 0, time.UTC)
	f.Tokens = []fleet.TokenStatus{
		{Token: "tok1", Seller: "acme", Credit: 12e6, Spent: 1e6, Aside: 1, Free: 11e6 - 1, Expires: end, Parts: map[string]fleet.TokenPartStatus{"east": aside}},
		{Token: "tok2", Seller: "beta", Credit: 5e6, Free: 5e6, Expires: end, Parts: map[string]fleet.TokenPartStatus{"east": aside, "west": aside}},
	}
	var out bytes.Buffer
	printFleetTokens(&out, f)
	want := `
token at  identity  credit  spent  set aside        left  expires               by
--------  --------  ------  -----  ---------  ----------  --------------------  ----------
acme      tok1      $12.00  $1.00  $0.000001  $10.999999  2026-05-29T22:00:00Z  east
beta      tok2       $5.00  $0.00      $0.00       $5.00  2026-05-29T22:00:00Z  east, west
`
	if out.String() != want[1:] {
		t.Errorf("printed\n%swant%s", out.String(), want)
	}
}
