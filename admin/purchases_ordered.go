package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// orderPurchase carries out what an operator wants of a purchase, and answers with what has become of it: ?approve=<id>, ?cancel=<id>,
// ?settle=<id>&paid=true|false&note=, ?refund=<id>&usd=&reference=. ?by= says who it is.
func orderPurchase(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	what, id, err := purchaseOrder(values)
	if err != nil {
		return err
	}
	switch what {
	case "approve":
		err = m.Desk.Approve(r.Context(), id, who(r))
	case "cancel":
		err = m.Desk.Cancel(r.Context(), id, who(r))
	case "settle":
		paid, wrong := paidOf(values)
		if wrong != nil {
			return wrong
		}
		err = m.Desk.Settle(r.Context(), id, paid, who(r), values.Get("note"))
	case "refund":
		usd, wrong := money.Parse(values.Get("usd"))
		if wrong != nil {
			return bad("usd: %w", wrong)
		}
		refund := ledger.Refund{AmountMicros: usd, Reference: values.Get("reference")}
		err = m.Ledger.Refund(r.Context(), id, refund, told("refunded by "+who(r), values.Get("note")))
	}
	if err != nil {
		return orderError(m, r, id, err)
	}
	return onePurchase(m, w, r, id)
}

// purchaseWords are those that belong to each order about a purchase, beside by.
var purchaseWords = map[string][]string{"approve": {}, "cancel": {}, "settle": {"paid", "note"}, "refund": {"usd", "reference", "note"}}

// purchaseOrder reads which order is given, about which purchase, and refuses what does not belong to it.
func purchaseOrder(values url.Values) (what, id string, err error) {
	for _, order := range []string{"approve", "cancel", "settle", "refund"} {
		if !values.Has(order) {
			continue
		}
		if what != "" {
			return "", "", bad("expected one of approve, cancel, settle and refund, not both %s and %s", what, order)
		}
		what, id = order, values.Get(order)
	}
	if err := checkTexts(values, "by", "note", "reference"); err != nil {
		return "", "", err
	}
	if id == "" { // which is all purchases, where they are looked for
		return "", "", bad("expected one of approve, cancel, settle and refund, with the id of a purchase")
	}
	for _, word := range []string{"paid", "usd", "reference", "note"} {
		if values.Has(word) && !slices.Contains(purchaseWords[what], word) {
			return "", "", bad("%s does not belong to %s: nothing would come of it", word, what)
		}
	}
	return what, id, nil
}

// paidOf reads whether a purchase was paid. It is never taken for false: that gives money back to the limits.
func paidOf(values url.Values) (bool, error) {
	if values.Get("paid") == "" {
		return false, bad("paid is missing: true, or false")
	}
	return flag(values, "paid")
}

func told(what, note string) string {
	if note != "" {
		return what + ": " + note
	}
	return what
}

// orderError says what stands in the way of an order.
func orderError(m *market.Market, r *http.Request, id string, err error) error {
	switch {
	case errors.Is(err, purchase.ErrUnknownPurchase), errors.Is(err, ledger.ErrUnknownPurchase):
		found, failed := m.Ledger.Purchases(r.Context(), ledger.PurchaseQuery{ID: id})
		if failed != nil {
			return failed
		}
		if len(found) == 0 {
			return unknownPurchase(id)
		}
		err = fmt.Errorf("the purchase has ended: it is %s", found[0].State)
	case errors.Is(err, purchase.ErrNotWaiting), errors.Is(err, purchase.ErrMayHaveLeft), errors.Is(err, purchase.ErrNotPaying),
		errors.Is(err, purchase.ErrRefused), errors.Is(err, purchase.ErrHasEnded), errors.As(err, new(*ledger.RefundError)):
	default:
		return err
	}
	return caddy.APIError{HTTPStatus: http.StatusConflict, Err: err}
}
