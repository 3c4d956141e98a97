package orders

import (
	"testing"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// openOrders takes up what was ordered in a directory, and gives its ledger, until the test ends.
func openOrders(t *testing.T, dir string) (*Orders, *ledger.Ledger) {
	t.Helper()
	l, err := ledger.Open(ledger.Options{Dir: dir, Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(Options{Ledger: l, Dir: dir, Pool: routing.NewPool(routing.PoolOptions{}), Logger: zap.NewNop()}), l
}
