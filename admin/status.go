package admin

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Status is how the gateway stands, as `GET /tokenbuddy/status` gives it.
type Status struct {
	prewarm.Status
	Pool PoolStatus `json:"pool"`
	// Registry has no URL where all sellers are pinned.
	Registry routing.RegistryStatus `json:"registry"`
	// Registries lists them all where sites of one ledger use more than one.
	Registries []routing.RegistryStatus `json:"registries,omitempty"`
	Credit     purchase.Credit          `json:"credit"`
	// Payments are how the wallets of the payment methods stand, of those that can tell.
	Payments []purchase.PaymentStanding `json:"payments"`
	Ledger   LedgerStatus               `json:"ledger"`
	// Losses are by seller what has become of credit beside the requests that it has served, since the ledger began.
	Losses map[string]ledger.Losses `json:"losses,omitempty"`
	// Unpriced are models of which a seller says no price, the first of them: nobody knows what they cost before they are asked.
	Unpriced []market.Unpriced `json:"unpriced,omitempty"`
	// Selection is the policy that an operator has put over those of the configs; absent where none was.
	Selection *orders.Selection `json:"selection,omitempty"`
	// Unlisted are models that a config names of a seller and that the seller's own list has not, as "model of seller".
	Unlisted []string `json:"unlisted,omitempty"`
	// UnreadLists are the lists of models of pinned sellers that could not be read last.
	UnreadLists []market.UnreadList `json:"unreadLists,omitempty"`
	// RefusedSecrets says what is wrong with files of secrets that were read again while the config runs.
	RefusedSecrets []string `json:"refusedSecrets,omitempty"`
	// NothingBought: all sellers are accounts of the operator's, and limits on purchases stand in nobody's way.
	NothingBought bool `json:"nothingBought,omitempty"`
	// UnknownSellers are those that default_seller or selection manual name, and that are not there.
	UnknownSellers []string `json:"unknownSellers,omitempty"`
	// Unserved are models that nobody can serve now.
	Unserved []routing.Unserved `json:"unserved,omitempty"`
	// Certificates are those of the sites that have a gateway.
	Certificates []Certificate `json:"certificates,omitempty"`
	// Fleet is how the gateway stands in its fleet; absent where it is in none.
	Fleet *FleetHere `json:"fleet,omitempty"`
	// Recovery is what has begun and not ended: a crash now would leave it to the next start.
	Recovery RecoveryStatus `json:"recovery"`
}

// RecoveryStatus is what has begun and not ended.
type RecoveryStatus struct {
	Holds         int            `json:"holds"` // requests under way
	PendingMicros money.Micros   `json:"pendingMicros"`
	OpenPurchases []OpenPurchase `json:"openPurchases"`
}

// OpenPurchase is one that has not ended.
type OpenPurchase struct {
	PurchaseID   string       `json:"purchaseId"`
	SellerID     string       `json:"sellerId"`
	State        string       `json:"state"`
	AmountMicros money.Micros `json:"amountMicros"`
	CreatedAt    time.Time    `json:"createdAt"`
}

// Recovery is what has begun and not ended, by a ledger that stands so.
func Recovery(standing ledger.Standing, open []ledger.Purchase) RecoveryStatus {
	r := RecoveryStatus{Holds: standing.Holds, PendingMicros: standing.PendingMicros, OpenPurchases: []OpenPurchase{}}
	for _, p := range open {
		r.OpenPurchases = append(r.OpenPurchases, OpenPurchase{p.ID, p.Seller, string(p.State), cmp.Or(p.AmountMicros, p.AskedMicros), p.CreatedAt})
	}
	slices.SortFunc(r.OpenPurchases, func(a, b OpenPurchase) int { return strings.Compare(a.PurchaseID, b.PurchaseID) })
	return r
}

// LedgerStatus is how the ledger stands.
type LedgerStatus struct {
	Dir string `json:"dir"`
	OK  bool   `json:"ok"`
	// Error says why nothing can be booked, and so nothing is bought or sent.
	Error string `json:"error,omitempty"`
	ledger.Standing
	// FreeBytes is the room on the ledger's disk, absent where the system does not say; below 256 MiB nothing is sent or bought.
	FreeBytes uint64 `json:"freeBytes,omitempty"`
	SizeBytes uint64 `json:"sizeBytes,omitempty"` // of that disk
	// Archive is absent where no entries were moved into files, nor are to be.
	Archive *ArchiveStatus `json:"archive,omitempty"`
	// AnchorMissing says that there was no anchor file when the ledger was opened, though it had entries.
	AnchorMissing bool `json:"anchorMissing,omitempty"`
	// AnchorError says why the anchor file can't be written.
	AnchorError string `json:"anchorError,omitempty"`
	// KeyFile is where the key is, and KeyMadeAt since when; absent where the key stands in the config.
	KeyFile   string    `json:"keyFile,omitempty"`
	KeyMadeAt time.Time `json:"keyMadeAt,omitzero"`
	// SpentTodayMicros and SpentSessionMicros are what purchases took since midnight UTC and since the process started.
	SpentTodayMicros   money.Micros `json:"spentTodayMicros"`
	SpentSessionMicros money.Micros `json:"spentSessionMicros"`
}

func status(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	return answer(w, http.StatusOK, StatusOf(r.Context(), m, m.Desk.Payments(r.Context())))
}

// StatusOf is how the gateway stands whose wallets stand so.
func StatusOf(ctx context.Context, m *market.Market, payments []purchase.PaymentStanding) Status {
	standing, _ := m.Ledger.Stand(ctx) // where it fails, ledgerStatus says why
	losses, _ := m.Ledger.Losses(ctx)  // as Stand
	s := Status{
		Status: m.Warmer.Status(),
		Pool:   poolStatus(m),
		Credit: m.Desk.Credit(), Payments: payments,
		Losses: losses, Unpriced: m.Unpriced(), UnknownSellers: m.UnknownSellers(), Selection: m.Orders.Selection(), Unlisted: m.Unlisted(),
		UnreadLists: m.UnreadLists(), RefusedSecrets: m.RefusedSecrets(), NothingBought: !m.Buys(),
		Recovery: Recovery(standing, m.Ledger.OpenPurchases()), Certificates: certificates(),
	}
	s.Fleet, _ = fleetHere(ctx, m) // as Stand
	s.Ledger = ledgerStatus(ctx, m, standing)
	s.Unserved = m.Unserved(s.FocusSet)
	if all := m.Registries(); len(all) > 0 {
		s.Registry = all[0]
		if len(all) > 1 {
			s.Registries = all
		}
	}
	return s
}

func ledgerStatus(ctx context.Context, m *market.Market, standing ledger.Standing) LedgerStatus {
	s := LedgerStatus{Dir: m.Dir(), OK: true, Standing: standing, Archive: archiveStatus(ctx, m)}
	s.SpentTodayMicros, s.SpentSessionMicros = m.Ledger.Spent()
	s.FreeBytes, s.SizeBytes, _ = m.Ledger.Room()
	s.KeyFile, s.KeyMadeAt = m.KeyMade()
	missing, err := m.Ledger.Anchored()
	s.AnchorMissing = missing
	if err != nil {
		s.AnchorError = err.Error()
	}
	if err := m.Ledger.Ready(); err != nil {
		s.OK, s.Error = false, err.Error()
	}
	return s
}
