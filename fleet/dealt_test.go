package fleet

import (
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A token has served too little below a tenth of what was paid for it, and an older word takes nothing back of a newer one.
func TestWhatATokenHasServed(t *testing.T) {
	for booked, bad := range map[money.Micros]bool{0: true, 9: true, 10: false, 100: false} {
		var d dealt
		d.tell(Life{ID: "a", Paid: 100, Booked: booked})
		d.tell(Life{ID: "a", Paid: 100})
		if len(d.Last) != 1 || d.Last[0].Booked != booked || d.Last[0].bad() != bad {
			t.Errorf("of %d in 100 it knows %+v", booked, d.Last)
		}
	}
}
