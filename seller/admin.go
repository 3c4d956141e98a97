package seller

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Report is what the books of one seller hold, without anything that gives credit away.
type Report struct {
	Seller    string           `json:"seller"`
	State     string           `json:"state,omitempty"` // the state file
	Purchases []PurchaseReport `json:"purchases"`       // oldest first
	Tokens    []TokenReport    `json:"tokens"`
	Charges   []ChargeReport   `json:"charges"` // the last 100,000, oldest first; those before a restart as far as they can be repeated
}

// PurchaseReport is an order. The ids are known until a restart.
type PurchaseReport struct {
	PurchaseID   string       `json:"purchaseId,omitempty"`
	OrderID      string       `json:"orderId,omitempty"`
	Model        string       `json:"model"`
	Method       string       `json:"paymentMethod"`
	AmountMicros money.Micros `json:"amountMicros"`
	CreatedAt    time.Time    `json:"createdAt"`
	TokenID      string       `json:"tokenId,omitempty"` // empty: not completed
}

// TokenReport is a token. Its id says nothing of the bearer.
type TokenReport struct {
	ID            string       `json:"id"`
	CreditMicros  money.Micros `json:"creditMicros"`
	BalanceMicros money.Micros `json:"balanceMicros"`
	ExpiresAt     time.Time    `json:"expiresAt"`
}

// ChargeReport is what one request cost.
type ChargeReport struct {
	SettlementID     string       `json:"settlementId"`
	RequestID        string       `json:"requestId,omitempty"`
	TokenID          string       `json:"tokenId"`
	Path             string       `json:"path"`
	Model            string       `json:"model"`
	Time             time.Time    `json:"time"`
	Micros           money.Micros `json:"micros"`
	PromptTokens     int64        `json:"promptTokens"`
	CompletionTokens int64        `json:"completionTokens"`
	CacheReadTokens  int64        `json:"cacheReadTokens"`
}

// Report copies the books.
func (b *Books) Report() Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	rep := Report{Seller: b.seller, State: b.file, Purchases: []PurchaseReport{}, Tokens: []TokenReport{}, Charges: []ChargeReport{}}
	for _, o := range b.orders {
		p := PurchaseReport{
			PurchaseID: o.purchaseID, OrderID: o.orderID, Model: o.Model, Method: o.Method, AmountMicros: o.Amount, CreatedAt: o.CreatedAt,
		}
		if o.Token != nil && b.tokens[*o.Token] != nil {
			p.TokenID = b.tokens[*o.Token].ID
		}
		rep.Purchases = append(rep.Purchases, p)
	}
	for _, t := range b.tokens {
		rep.Tokens = append(rep.Tokens, TokenReport{t.ID, t.Credit, t.Balance, t.ExpiresAt})
	}
	for _, c := range slices.Concat(b.charges[b.oldest:], b.charges[:b.oldest]) {
		rep.Charges = append(rep.Charges, ChargeReport{
			c.SettlementID, c.RequestID, c.token.ID, c.Path, c.Model, c.Time, c.Billed, c.Used.Prompt, c.Used.Completion, c.Used.CacheRead,
		})
	}
	slices.SortFunc(rep.Purchases, func(x, y PurchaseReport) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(x.TokenID, y.TokenID), cmp.Compare(x.OrderID, y.OrderID))
	})
	slices.SortFunc(rep.Tokens, func(x, y TokenReport) int { return cmp.Or(x.ExpiresAt.Compare(y.ExpiresAt), cmp.Compare(x.ID, y.ID)) })
	return rep
}

// adminBooks is the module admin.api.tokenbuddy_seller: GET /tokenbuddy_seller/books on Caddy's admin endpoint gives the
// books of every seller in the process, or with ?seller=<id> of one.
type adminBooks struct{}

// CaddyModule gives the module's id and constructor.
func (adminBooks) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.tokenbuddy_seller", New: func() caddy.Module { return new(adminBooks) }}
}

// Routes gives the admin routes.
func (adminBooks) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/tokenbuddy_seller/books", Handler: caddy.AdminHandlerFunc(serveBooks)}}
}

func serveBooks(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: errors.New("method not allowed: use GET")}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New("the query can't be read")}
	}
	for word := range query {
		if word != "seller" { // of a misspelt filter the answer would be all there is
			return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("there is no %q here: the query takes seller", word)}
		}
	}
	var all []*Books
	pool.Range(func(_, v any) bool {
		if b, ok := v.(*Books); ok {
			all = append(all, b)
		}
		return true
	})
	reports := []Report{}
	for _, b := range all {
		if only := query.Get("seller"); only == "" || only == b.seller {
			reports = append(reports, b.Report())
		}
	}
	slices.SortFunc(reports, func(x, y Report) int { return cmp.Or(cmp.Compare(x.Seller, y.Seller), cmp.Compare(x.State, y.State)) })
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]any{"sellers": reports})
}

var _ caddy.AdminRouter = adminBooks{}
