package admin

import (
	"slices"
	"strconv"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// A counter that comes to be with its first count is one whose increase nobody sees. So there are series of all kinds from the start,
// and of a seller or a budget from the first look after it is known.

// otherSellers is how many sellers of registries have their series before they were dealt with.
const otherSellers = 50

var (
	protocols = []string{"chat_completions", "responses", "messages", "completions", "embeddings"}
	// ends are what can become of a request.
	ends = []string{
		string(ledger.StatusOK), string(ledger.StatusInterrupted), string(ledger.StatusClientGone), string(ledger.StatusFailed), recent.Refused, recent.NoCredit,
		recent.PurchaseLimit,
	}
	// failures are how an attempt can fail.
	failures = []string{
		string(routing.InsufficientFunds), string(routing.AuthInvalid), string(routing.Hard4xx), string(routing.Soft5xx), string(routing.Deadline),
		string(routing.PurchaseFailed), string(routing.BudgetExceeded), string(routing.ClientGone), string(routing.WrongSeller), "usage_refused",
	}
	// bargains are how a purchase can end.
	bargains = []string{
		string(ledger.Granted), string(ledger.Failed), "refused_unpaid", string(ledger.Expired), string(ledger.Disputed), "budget_exceeded",
	}
	lacks = []string{
		string(purchase.LacksCredit), string(purchase.LacksFleet), string(purchase.LacksDay), string(purchase.LacksSession), string(purchase.LacksSeller), string(purchase.LacksWallet), string(purchase.LacksMinute),
		string(purchase.LacksAmount), string(purchase.LacksMethod), string(purchase.LacksHuman), string(purchase.LacksDoubt), string(purchase.LacksTrust), string(purchase.LacksClock),
		string(purchase.LacksTime), string(purchase.LacksPurchase),
	}
	// codes are those of the gateway's own answers.
	codes = []string{
		"invalid_request_error", "invalid_api_key", "insufficient_quota", "model_not_allowed", "model_not_found", "request_too_large", "not_found",
		"response_not_found", "rate_limit_exceeded", "fleet_unavailable", "upstream_error", "no_seller_available", "deadline_exceeded", "loop_detected",
		"upgrade_required", "too_early", "thread_not_found",
	}
)

// presetKinds makes the series that are of no seller and no member.
func presetKinds() {
	for _, p := range protocols {
		timeToFirstByte.WithLabelValues(p)
		requestDuration.WithLabelValues(p)
		for _, end := range ends {
			outcomes.WithLabelValues(p, end)
		}
	}
	for _, kind := range failures {
		failovers.WithLabelValues(kind)
	}
	for _, reason := range slices.Concat(codes, lacks) {
		refusals.WithLabelValues(reason)
	}
}

// presetSeller makes a seller's series, and gives the name that it has in labels.
func presetSeller(id string) string {
	seller := sellers.limited(id)
	attempts.WithLabelValues(seller, "ok")
	for _, kind := range failures {
		attempts.WithLabelValues(seller, kind)
	}
	for _, end := range bargains {
		purchases.WithLabelValues(seller, end)
	}
	for _, lack := range lacks {
		refusedPurchases.WithLabelValues(seller, lack)
	}
	firstContent.WithLabelValues(seller)
	purchased.WithLabelValues(seller)
	paidNotGranted.WithLabelValues(seller)
	brakes.WithLabelValues(seller)
	renewals.WithLabelValues(seller)
	estimates.WithLabelValues(seller)
	estimated.WithLabelValues(seller)
	wasted.WithLabelValues(seller)
	disputed.WithLabelValues(seller)
	return seller
}

// presetBudget makes the series of a member's or a group's budget.
func presetBudget(member, group, period string) {
	for _, percent := range []int{80, 100} {
		budgetWarnings.WithLabelValues(member, group, period, strconv.Itoa(percent))
	}
}
