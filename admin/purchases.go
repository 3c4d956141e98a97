package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// Purchase is a row of GET /tokenbuddy/purchases. It holds neither what was paid with nor any proof of it.
type Purchase struct {
	PurchaseID     string       `json:"purchaseId"`
	SellerID       string       `json:"sellerId"`
	Origin         string       `json:"origin"`
	Model          string       `json:"model"`
	State          string       `json:"state"`
	Method         string       `json:"method"`
	AmountMicros   money.Micros `json:"amountMicros"`
	RefundedMicros money.Micros `json:"refundedMicros,omitempty"`
	CreatedAt      time.Time    `json:"createdAt"`
	UpdatedAt      time.Time    `json:"updatedAt"`
	OrderID        string       `json:"orderId,omitempty"` // the seller's word
	Payee          string       `json:"payee,omitempty"`   // whom it pays
	Reference      string       `json:"reference,omitempty"`
	// PaymentReference is what the seller calls the payment; Reference what the rail does.
	PaymentReference string `json:"paymentReference,omitempty"`
	// Failure says why it has ended without a token; Unpaid that no money has left.
	Failure string          `json:"failure,omitempty"`
	Unpaid  bool            `json:"unpaid,omitempty"`
	Refunds []ledger.Refund `json:"refunds,omitempty"`

	// Of one that has not ended: what it waits for, until when, and how a human can help it on.
	Awaits bool      `json:"awaitsApproval,omitempty"`
	Doubt  string    `json:"doubt,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	Link   string    `json:"link,omitempty"`
	Hint   string    `json:"hint,omitempty"`

	// Entries are those of the journal that are about it, with ?id= alone.
	Entries []*ledger.Entry `json:"entries,omitempty"`
}

// PurchaseOf is a purchase as its record has it.
func PurchaseOf(p *ledger.Purchase) Purchase {
	return Purchase{
		PurchaseID: p.ID, SellerID: p.Seller, Origin: p.Origin, Model: p.Model, State: string(p.State), Method: p.Method,
		AmountMicros: cmp.Or(p.AmountMicros, p.AskedMicros), RefundedMicros: p.RefundedMicros(), CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
		OrderID: p.OrderID, Payee: p.Payee, Reference: p.Reference, PaymentReference: p.PaymentReference,
		Failure: p.Failure, Unpaid: p.Unpaid, Refunds: p.Refunds, Awaits: p.Awaits && p.State == ledger.Prepared,
	}
}

// purchaseList answers with the purchases that the query chooses, the oldest first: ?open=true, ?disputed=true, ?seller=; with
// ?id= it is one alone, with its entries.
func purchaseList(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	switch id, err := one(values, "open", "disputed", "seller"); {
	case err != nil:
		return err
	case id != "":
		return onePurchase(m, w, r, id)
	}
	q := ledger.PurchaseQuery{Seller: values.Get("seller")}
	for name, to := range map[string]*bool{"open": &q.Open, "disputed": &q.Disputed} {
		var err error
		if *to, err = flag(values, name); err != nil {
			return err
		}
	}
	rows, err := PurchasesOf(r.Context(), m, q)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, rows)
}

// PurchasesOf gives the purchases that q chooses, the oldest first, with what the desk knows of those that have not ended.
func PurchasesOf(ctx context.Context, m *market.Market, q ledger.PurchaseQuery) ([]Purchase, error) {
	found, err := m.Ledger.Purchases(ctx, q)
	if err != nil {
		return nil, err
	}
	open := openPurchases(m)
	rows := make([]Purchase, len(found))
	for i := range found {
		rows[i] = PurchaseOf(&found[i])
		rows[i].look(open)
	}
	return rows, nil
}

func openPurchases(m *market.Market) map[string]purchase.OpenPurchase {
	open := make(map[string]purchase.OpenPurchase)
	for _, o := range m.Desk.Purchases() {
		open[o.PurchaseID] = o
	}
	return open
}

// look adds what the desk knows of a purchase that has not ended.
func (p *Purchase) look(open map[string]purchase.OpenPurchase) {
	o, there := open[p.PurchaseID]
	if !there || ledger.PurchaseState(p.State).Ended() {
		return
	}
	p.Doubt, p.Until, p.Link, p.Hint = o.Doubt, o.Until, o.Link, o.Hint
	p.Reference = cmp.Or(o.Reference, p.Reference)
}

func onePurchase(m *market.Market, w http.ResponseWriter, r *http.Request, id string) error {
	found, err := m.Ledger.Purchases(r.Context(), ledger.PurchaseQuery{ID: id})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return unknownPurchase(id)
	}
	row := PurchaseOf(&found[0])
	row.look(openPurchases(m))
	if row.Entries, err = m.Ledger.Told(r.Context(), &found[0]); err != nil {
		return err
	}
	return answer(w, http.StatusOK, row)
}

func unknownPurchase(id string) error {
	return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("there is no purchase %q", id)}
}
