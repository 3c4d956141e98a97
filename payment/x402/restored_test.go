package x402_test

import (
	"bytes"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A ledger that was restored from a backup does not know what was bought after the backup was made. The wallet does, and it is told by how
// much they differ.
func TestRestoredBackup(t *testing.T) {
	t.Setenv("X402_TEST_WALLET", secret)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := open(t, 10_000_000, func(int) reply { return reply{status: 200, moved: true} })
		defer func() { m.close() }()
		defer m.desk.Offer(m.want.Methods[0], nil)()
		buy := func() {
			t.Helper()
			lease, err := m.desk.Lease(t.Context(), m.want)
			if err != nil {
				t.Fatal(err)
			}
			m.desk.Drop(lease, "used up") // the next request buys anew
			lease.Return(0)
			m.desk.Forgive(m.want.SellerID)
		}
		missing := func() (sum money.Micros) {
			t.Helper()
			all := m.desk.Payments(t.Context())
			if len(all) != 1 || all[0].BalanceMicros == nil {
				t.Fatalf("%+v", all)
			}
			return all[0].MissingMicros
		}
		buy()
		time.Sleep(15 * time.Minute)
		var backup bytes.Buffer
		if err := m.ledger.Backup(t.Context(), &backup); err != nil {
			t.Fatal(err)
		}
		buy()
		buy()
		time.Sleep(15 * time.Minute)
		if got := missing(); got != 0 {
			t.Fatalf("%s are missing, and all purchases are in the books", got)
		}

		m.close()
		o := ledger.Options{Dir: filepath.Join(dir, "restored"), Key: store.KeyFromSecret("k")}
		if report, err := ledger.Restore(t.Context(), o, &backup); err != nil || !report.OK {
			t.Fatalf("%+v, %v", report, err)
		}
		var err error
		if m.ledger, err = ledger.Open(o); err != nil {
			t.Fatal(err)
		}
		m.start()
		defer m.desk.Offer(m.want.Methods[0], nil)()
		if got := missing(); got != money.USD {
			t.Errorf("%s are missing after two purchases of 0.50", got)
		}
		buy()
		time.Sleep(time.Hour)
		if got := missing(); got != money.USD {
			t.Errorf("an hour and a purchase later %s are missing", got)
		}
	})
}
