package doctor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Of hundreds of sellers that get no requests some are named, and the others counted: what else is wrong is seen beside them.
func TestDoctorOfManySellers(t *testing.T) {
	const many = 300
	s, now := &admin.Status{Ledger: admin.LedgerStatus{OK: true}, NothingBought: true}, time.Now()
	for i := range many {
		e := routing.PoolEntry{SellerID: fmt.Sprint("seller-", i), Circuit: routing.CircuitClosed, Paused: i%2 == 0, LastFailAt: &now}
		if !e.Paused {
			e.Circuit = routing.CircuitOpen
		}
		s.Pool.Entries = append(s.Pool.Entries, e)
	}
	d := New()
	d.Gateway(s, now)
	all := fmt.Sprint(d.Findings)
	if len(d.Findings) > 2*(maxSellers+1) || !strings.Contains(all, "Sellers that are paused and get no requests: 140 more.") ||
		!strings.Contains(all, "Sellers that failed and get no requests: 140 more.") || !d.OK {
		t.Errorf("%d findings: %s", len(d.Findings), all)
	}
}
