package market

import (
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// Resolver says how a config would go on with a purchase that an earlier process has left open; false where it does not know
// the seller.
type Resolver func(ledger.Purchase) (purchase.Want, bool)

// HoldResolver has a running config asked about purchases that were left open, until release is called. Whenever the config
// gets to know more sellers it calls Desk.SellersChanged.
func (m *Market) HoldResolver(r Resolver) (release func()) {
	release = m.resolvers.hold(&r)
	m.Desk.SellersChanged()
	return release
}

// resolve asks the configs, the newest first. One that knows the seller but not the payment method is no help while another
// has both.
func (m *Market) resolve(p ledger.Purchase) (best purchase.Want, known bool) {
	for _, r := range slices.Backward(m.resolvers.now()) {
		switch w, ok := (*r)(p); {
		case ok && len(w.Methods) > 0:
			return w, true
		case ok && !known:
			best, known = w, true
		}
	}
	return best, known
}
