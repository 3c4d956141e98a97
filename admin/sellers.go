package admin

import (
	"context"
	"net/http"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// PoolStatus is what is known of the sellers.
type PoolStatus struct {
	Size    int                 `json:"size"`
	Entries []routing.PoolEntry `json:"entries"`
}

func poolStatus(m *market.Market) PoolStatus {
	entries := m.Sellers()
	return PoolStatus{len(entries), entries}
}

// Seller is a row of GET /tokenbuddy/sellers: how a seller does, and what is left there.
type Seller struct {
	routing.PoolEntry
	LeftMicros   money.Micros `json:"leftMicros"`
	WastedMicros money.Micros `json:"wastedMicros"`
	NoMoreMoney  bool         `json:"noMoreMoney"`          // its last two tokens served next to nothing
	LostMicros   money.Micros `json:"lostMicros,omitempty"` // what it has taken for these, and not served

	// Of the seller by its id, since the ledger began.
	DisputedMicros   money.Micros `json:"disputedMicros,omitempty"`   // taken for nothing, above the price, or beyond belief
	AdjustmentMicros money.Micros `json:"adjustmentMicros,omitempty"` // taken by balances that it reported; below zero: given
}

// Offering is a row of a seller, with what it offers.
type Offering struct {
	Seller
	Offers []market.Offer `json:"offers"`
	Models int            `json:"models"` // how many there are
}

// OfferingsOf gives rows what their sellers offer.
func OfferingsOf(m *market.Market, rows []Seller) []Offering {
	offering := make([]Offering, len(rows))
	for i := range rows {
		offers, models := m.Offers(rows[i].SellerID)
		offering[i] = Offering{rows[i], append([]market.Offer{}, offers...), models}
	}
	return offering
}

// sellersList answers with all sellers: ?offers=true with what they offer.
func sellersList(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	offers, err := flag(r.URL.Query(), "offers")
	if err != nil {
		return err
	}
	rows, err := SellersOf(r.Context(), m)
	switch {
	case err != nil:
		return err
	case offers:
		return answer(w, http.StatusOK, OfferingsOf(m, rows))
	}
	return answer(w, http.StatusOK, rows)
}

// SellersOf gives the rows of the sellers, in order; those that only credit is known of come last.
func SellersOf(ctx context.Context, m *market.Market) ([]Seller, error) {
	losses, err := m.Ledger.Losses(ctx)
	if err != nil {
		return nil, err
	}
	rows := []Seller{}
	at := make(map[routing.SellerKey]int)
	for _, e := range m.Sellers() {
		at[e.Key()] = len(rows)
		rows = append(rows, Seller{PoolEntry: e})
	}
	for _, c := range m.Desk.Credit().Sellers {
		key := routing.SellerKey{ID: c.SellerID, Origin: c.Origin}
		i, ok := at[key]
		if !ok {
			i = len(rows)
			rows = append(rows, Seller{PoolEntry: routing.Unmet(key)})
			rows[i].Paused, rows[i].Gone = m.Pool.Paused(key.ID), !m.Names(key)
		}
		rows[i].LeftMicros, rows[i].WastedMicros, rows[i].NoMoreMoney, rows[i].LostMicros = c.LeftMicros, c.WastedMicros, c.NoMoreMoney, c.LostMicros
	}
	for i := range rows {
		l := losses[rows[i].SellerID]
		rows[i].DisputedMicros, rows[i].AdjustmentMicros = l.DisputedMicros, l.AdjustmentMicros
	}
	return rows, nil
}

// orderSeller does with a seller what an operator says: POST with ?pause=<id>, ?resume=<id> or ?forgive=<id>.
func orderSeller(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	query, word := r.URL.Query(), ""
	for _, each := range []string{"pause", "resume", "forgive"} {
		switch {
		case !query.Has(each):
		case word != "":
			return bad("expected one of pause, resume and forgive")
		default:
			word = each
		}
	}
	var err error
	switch word {
	case "pause":
		err = switchSeller(r, m.Orders.Pause, query.Get(word))
	case "resume":
		err = switchSeller(r, m.Orders.Resume, query.Get(word))
	default:
		err = forgive(m, query.Get("forgive"))
	}
	if err != nil {
		return err
	}
	return sellersList(m, w, r)
}

// switchSeller has a seller get no requests, or requests again.
func switchSeller(r *http.Request, do func(context.Context, orders.Operator, string) error, id string) error {
	if err := checkTexts(r.URL.Query(), "by"); err != nil {
		return err
	}
	if err := do(r.Context(), operator(r), id); err != nil {
		return orderRefused(err)
	}
	return nil
}

// forgive lets a seller whose last tokens served next to nothing be bought from again, and gives one that overbilled its place
// back.
func forgive(m *market.Market, id string) error {
	if id == "" {
		return bad("expected one of pause, resume and forgive, with the id of a seller")
	}
	known := m.Desk.Forgive(id)
	if !m.Pool.Forgive(id) && !known {
		return bad("no seller of the id %q was bought from since the start", id)
	}
	return nil
}
