package purchase

import (
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Observer watches the desk. Each function may be nil; they must not block.
type Observer struct {
	// Purchase hears of each purchase that has ended, or was not begun for a limit. The outcome is "granted", "failed",
	// "refused_unpaid" (the seller has refused the proof, and no money has moved), "expired", "disputed" or "budget_exceeded"; the
	// credit is what was granted.
	Purchase func(sellerID, outcome string, credit money.Micros)
	// Failed hears of each purchase that has ended without a token, but for those that a limit has stopped: with the outcome that
	// Purchase hears of, and why.
	Failed func(p ledger.Purchase, outcome string, why error)
	// Doubted hears of each purchase that does not go on as it should, once: why, and what there is to be done; empty: nothing.
	Doubted func(p ledger.Purchase, why error, hint string)
	// PaidNotGranted hears of each purchase that was paid, as its method knows, and has brought no token.
	PaidNotGranted func(sellerID string, paid money.Micros)
	// Refused hears of each request that got no token, and of what it wants for.
	Refused func(sellerID string, lack Lack)
	// Braked hears of each seller that gets no more money, and of what it has taken for nothing.
	Braked func(sellerID string, lost money.Micros)
	// Guest hears of each time that a payment method does not do what it is to do: it panics, does not return, or gives what is
	// neither.
	Guest func(method, step, fault string)
	// Renewed hears of each purchase that was begun ahead, before the token in use comes to its end.
	Renewed func(sellerID string)
	// Waste hears of credit that was lost with a token.
	Waste func(sellerID string, micros money.Micros)
}

// DeskOptions say how a desk is set up.
type DeskOptions struct {
	// Logger gets the desk's events. None: nothing is logged.
	Logger *zap.Logger
	// Observer watches the desk, for metrics.
	Observer Observer
	// Opened hears of each seller that has a purse from now on. It must not block, and may be nil.
	Opened func(sellerID string)
	// Resolve says how to reach the seller of a purchase that an earlier process has left open, and by which methods it can be
	// paid; false while that is not known. It is asked at Start, and at each SetTerms and SellersChanged. Without it such a
	// purchase goes on when a request next wants a token of that seller.
	Resolve func(p ledger.Purchase) (Want, bool)
	// Past is what the desk before this one, of the same journal and in this process, has seen of sellers. Its zero value is nothing.
	Past Past
}
