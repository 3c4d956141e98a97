package seller

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const (
	orderTTL        = 15 * time.Minute // to pay an order in
	rememberFor     = 24 * time.Hour   // how long a purchase is remembered after its token is over
	maxPurchaseBody = 64 << 10
	maxKey          = 256 // bytes of an idempotency key or purchase id
	maxHost         = 300 // bytes of the name and port that a buyer has asked for: an order keeps them
)

// order is an offer that a buyer may complete, and after that what it became.
type order struct {
	Hash      digest       `json:"order"`    // of the order's id
	Purchase  digest       `json:"purchase"` // of the buyer's purchase id
	Model     string       `json:"model"`
	Method    string       `json:"paymentMethod"`
	Amount    money.Micros `json:"amountMicros"`
	CreatedAt time.Time    `json:"createdAt"`
	ExpiresAt time.Time    `json:"expiresAt"`
	KeepUntil time.Time    `json:"keepUntil"`
	Token     *digest      `json:"token,omitempty"` // the token it was completed with
	Answers   []digest     `json:"answers"`         // what is remembered of it

	Payment json.RawMessage `json:"payment,omitempty"` // what was offered
	Origin  string          `json:"origin,omitempty"`  // where the buyer has asked
	Proof   *digest         `json:"proof,omitempty"`   // the proof whose settlement was begun
	Refused bool            `json:"refused,omitempty"` // it was not cashed, when it was last looked at
	Settled string          `json:"settled,omitempty"` // what the rail calls the payment that it was paid with

	purchaseID, orderID string       // in memory only, to look at
	settling            bool         // just now
	from                netip.Prefix // who has asked, in memory only; none: a process before this one was
}

// step is one of the two steps of a purchase, past the checks that need no books.
type step struct {
	name string // the path
	key  string // the idempotency key
	asks []byte // what is asked for, the same bytes for the same question
	// before is done first, and not one at a time: what looks at the config of now, and what takes long. Of a step that was taken it is
	// not done again: what was answered once is answered again, whatever the config has become.
	before func(ctx context.Context, b *Books) *refusal
	do     func(b *Books, now time.Time) (answer any, o *order, undo func(), refused *refusal)
}

// sell serves a step: the answer that is remembered under its key, or a new one, which is remembered. Steps are taken one
// at a time, and an answer is on the disk before it goes out.
func (s *Seller) sell(w http.ResponseWriter, r *http.Request, read func(*http.Request, []byte) (*step, *refusal)) *refusal {
	body, refused := readBody(w, r, maxPurchaseBody)
	if refused != nil {
		return refused
	}
	st, refused := read(r, body)
	if refused != nil {
		return refused
	}
	b, release, refused := s.hold()
	if refused != nil {
		return refused
	}
	defer release()
	if _, known := b.recalled(st); !known {
		if refused := st.before(r.Context(), b); refused != nil {
			return refused
		}
	}
	answer, refused := b.take(st)
	if refused != nil {
		return refused
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(answer)
	return nil
}

// take gives the answer to a step: the one that is remembered, or a new one, which is remembered.
func (b *Books) take(st *step) (answer []byte, _ *refusal) {
	b.buying.Lock()
	defer b.buying.Unlock()
	answer, known := b.recalled(st)
	switch {
	case known && answer == nil:
		return nil, conflict("the idempotency key was used for something else; use a new one")
	case known:
		return answer, nil
	}
	made, o, undo, refused := st.do(b, time.Now().UTC().Truncate(time.Second))
	if refused != nil {
		return nil, refused
	}
	answer, err := json.Marshal(made)
	if err == nil {
		b.mu.Lock()
		b.note(b.remember(st, o, answer))
		b.mu.Unlock()
		err = b.save()
	}
	if err != nil {
		b.mu.Lock()
		b.forget(st, o)
		undo()
		b.mu.Unlock()
		b.warn(err)
		return nil, unavailable("the purchase could not be written down; try again")
	}
	return answer, nil
}

// recalled gives the answer to a step that was taken before.
func (b *Books) recalled(st *step) (answer []byte, known bool) {
	now := time.Now().UTC().Truncate(time.Second)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	return b.recall(st, now)
}

// create reads the first step: an order for credit.
func (s *Seller) create(r *http.Request, body []byte) (*step, *refusal) {
	var q wire.CreatePurchase
	if err := wire.Decode(body, &q); err != nil {
		return nil, invalid("", "the body is not a purchase: expected one object with purchaseId, modelId, paymentMethod and amountMicros")
	}
	st, refused := s.newStep(r, q.PurchaseID, q.PaymentMethod, q)
	switch {
	case refused != nil:
		return nil, refused
	case len(r.Host) > maxHost:
		return nil, invalid("", "the Host header is longer than the name of a host")
	case len(q.ModelID) > maxKey:
		return nil, modelNotFound()
	case q.AmountMicros <= 0:
		return nil, invalid("amountMicros", "amountMicros must be above zero")
	}
	var o *order
	st.before = func(_ context.Context, b *Books) *refusal {
		if refused := s.offers(b, r, q); refused != nil {
			return refused
		}
		var refused *refusal
		o, refused = s.newOrder(b, r, q)
		return refused
	}
	st.do = func(b *Books, now time.Time) (any, *order, func(), *refusal) {
		if o == nil {
			return nil, nil, nil, unavailable("the order is gone; try again") // it was over in between
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.orders) >= maxOrders {
			b.makeRoom(now)
		}
		if len(b.orders) >= maxOrders || o.unseen() && b.crowded(now, o.from, len(s.methods) > 1) {
			return nil, nil, nil, unavailable("too many orders are open; try again later")
		}
		b.orders[o.Hash] = o
		return wire.Order{
			OrderID: o.orderID, AmountMicros: o.Amount, Currency: "USD",
			Payment: o.Payment, ExpiresAt: o.ExpiresAt.Format(time.RFC3339),
		}, o, func() { delete(b.orders, o.Hash) }, nil
	}
	return st, nil
}

// newOrder makes the order that is asked for, with what its payment method needs.
func (s *Seller) newOrder(b *Books, r *http.Request, q wire.CreatePurchase) (*order, *refusal) {
	now := time.Now().UTC().Truncate(time.Second)
	o := &order{
		Purchase: hash(q.PurchaseID), Model: q.ModelID, Method: q.PaymentMethod,
		Amount: min(q.AmountMicros, s.MaxCreditMicros), CreatedAt: now, ExpiresAt: now.Add(orderTTL), KeepUntil: now.Add(orderTTL),
		purchaseID: q.PurchaseID, orderID: newID("o_"), Origin: s.origin(r), from: network(r),
	}
	o.Hash = hash(o.orderID)
	method := s.accepted[q.PaymentMethod]
	if paidBefore(method) {
		o.KeepUntil = o.ExpiresAt.Add(keepBegun)
	}
	if o.Payment = b.offer(q.PaymentMethod, method, o.offered(q.PurchaseID, o.orderID)); o.Payment == nil {
		return nil, unavailable("the order could not be made; try again later")
	}
	return o, nil
}

// offers refuses what this config does not sell, or not so.
func (s *Seller) offers(b *Books, r *http.Request, q wire.CreatePurchase) *refusal {
	least := b.leastOrder(q.PaymentMethod, s.accepted[q.PaymentMethod])
	switch {
	case s.accepted[q.PaymentMethod] == nil:
		return s.notTaken()
	case !s.sells(r, q.ModelID):
		return modelNotFound()
	case q.AmountMicros < least:
		return &refusal{
			status: http.StatusBadRequest, code: "amount_refused", param: "amountMicros",
			message: "by this payment method this seller sells for $" + least.String() + " at the least",
		}
	}
	return nil
}

// notTaken refuses a payment method.
func (s *Seller) notTaken() *refusal {
	return invalid("paymentMethod", "this seller does not take this payment method; it takes "+strings.Join(s.methods, ", "))
}

// complete reads the second step: the order is paid, and credit is granted for it.
func (s *Seller) complete(r *http.Request, body []byte) (*step, *refusal) {
	var q wire.CompletePurchase
	if err := wire.Decode(body, &q); err != nil {
		return nil, invalid("", "the body does not complete a purchase: expected one object with purchaseId, orderId, paymentMethod and proof")
	}
	st, refused := s.newStep(r, q.PurchaseID, q.PaymentMethod, q)
	if refused != nil {
		return nil, refused
	}
	st.before = func(ctx context.Context, b *Books) *refusal { return s.collect(ctx, b, q) }
	st.do = func(b *Books, now time.Time) (any, *order, func(), *refusal) {
		b.mu.Lock()
		defer b.mu.Unlock()
		o, refused := b.payable(q)
		if refused != nil {
			return nil, nil, nil, refused
		}
		if o.Settled == "" {
			return nil, nil, nil, unavailable("the order is not paid yet; try again") // it was forgotten, and made again, in between
		}
		before := o.KeepUntil
		bearer, t := b.newToken(o.Amount, now.Add(time.Duration(s.TokenTTL)))
		o.Token, o.KeepUntil = &t.Hash, t.ExpiresAt.Add(rememberFor)
		o.purchaseID, o.orderID = q.PurchaseID, q.OrderID
		b.logger.Debug("seller.credit.sold", zap.String("seller", b.seller), zap.String("token", t.ID), zap.Int64("credit_micros", int64(t.Credit)))
		return wire.Grant{
			AccessToken: bearer, ExpiresAt: t.ExpiresAt.Format(time.RFC3339), CreditMicros: t.Credit, PaymentReference: o.Settled,
		}, o, func() { delete(b.tokens, t.Hash); o.Token, o.KeepUntil = nil, before }, nil
	}
	return st, nil
}

// payable finds the order that a purchase wants to complete. b.mu is held.
func (b *Books) payable(q wire.CompletePurchase) (*order, *refusal) {
	o := b.orders[hash(q.OrderID)]
	switch {
	case o == nil:
		return nil, &refusal{status: http.StatusNotFound, code: "order_unknown", message: "there is no such order; create it first"}
	case o.Purchase != hash(q.PurchaseID) || o.Method != q.PaymentMethod:
		return nil, conflict("the order belongs to another purchase")
	case o.Token != nil:
		return nil, conflict("the order has been completed under another idempotency key")
	}
	return o, nil
}

// newStep makes the step of a request, after the checks that both steps need.
func (s *Seller) newStep(r *http.Request, purchaseID, method string, question any) (*step, *refusal) {
	key := r.Header.Get(wire.HeaderIdempotencyKey)
	if key == "" {
		key = purchaseID
	}
	asks, err := json.Marshal(question)
	switch {
	case purchaseID == "" || len(purchaseID) > maxKey:
		return nil, invalid("purchaseId", "purchaseId must be a text of 1 to 256 bytes")
	case len(key) > maxKey:
		return nil, invalid("", "the Idempotency-Key header must be at most 256 bytes")
	case err != nil:
		return nil, invalid("", "the body can't be read")
	}
	return &step{name: r.URL.Path, key: key, asks: asks}, s.unlooked(r, method)
}

// origin is where the buyer has reached the seller: what its URL says, else what the request does; as gateways know it.
func (s *Seller) origin(r *http.Request) string {
	if s.site != "" {
		return s.site
	}
	at := "http://" + r.Host
	if r.TLS != nil {
		at = "https://" + r.Host
	}
	if _, origin, err := wire.ParseURL(at); err == nil {
		return origin
	}
	return strings.ToLower(at)
}
