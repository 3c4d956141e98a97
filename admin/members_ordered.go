package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
)

// What operators order of members, by the admin endpoint.

// addMember makes a member: POST with a MemberSaid.
func addMember(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	by, said, err := orderOf(w, r, append([]string{"name"}, termWords...)...)
	if err != nil {
		return err
	}
	terms, err := said.terms()
	if err != nil {
		return err
	}
	key, err := m.Orders.AddMember(r.Context(), by, said.Name, terms)
	if err != nil {
		return orderRefused(err)
	}
	return secret(w, NewKey{Name: said.Name, Key: key})
}

// setMember changes what is said of a member: PATCH with a MemberSaid, of which what is there counts.
func setMember(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	name, _, err := memberPath(w, r)
	if err != nil {
		return err
	}
	by, said, err := orderOf(w, r, append([]string{"name"}, termWords...)...)
	if err != nil {
		return err
	}
	terms, err := said.terms()
	if err != nil {
		return err
	}
	if said.Name != "" && said.Name != name {
		return bad("a member keeps its name: its books go by it")
	}
	if len(said.nulls) > 0 { // to some it takes a bound away, to others it is as if it were not there
		return bad(`%s is null: say "" to take a bound away, and leave out what is to stay`, said.nulls[0])
	}
	if terms == (orders.MemberTerms{}) {
		return bad("nothing is said of member %s: expected one of %s", name, strings.Join(termWords, ", "))
	}
	if err := m.Orders.SetMember(r.Context(), by, name, terms); err != nil {
		return orderRefused(err)
	}
	return showMember(m, w, r, name)
}

// removeMember forgets a member.
func removeMember(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	name, _, err := memberPath(w, r)
	if err != nil {
		return err
	}
	if err := checkTexts(r.URL.Query(), "by"); err != nil {
		return err
	}
	if err := m.Orders.RemoveMember(r.Context(), operator(r), name); err != nil {
		return orderRefused(err)
	}
	return answer(w, http.StatusOK, map[string]any{"name": name, "removed": true})
}

// orderMember does with a member what an operator says: POST to rotate, raise, disable or enable.
func orderMember(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	name, word, err := memberPath(w, r)
	if err != nil {
		return err
	}
	by, said, err := orderOf(w, r, append([]string{"name"}, memberOrders[word]...)...)
	switch {
	case err != nil:
		return err
	case said.Name != "" && said.Name != name:
		return bad("the path is of member %s, and the body of %s: say one of them", name, said.Name)
	}
	switch word {
	case "rotate":
		key, err := rotateMember(r.Context(), m, by, name, &said)
		if err != nil {
			return err
		}
		return secret(w, key)
	case "raise":
		if err := raiseMember(r.Context(), m, by, name, &said); err != nil {
			return err
		}
	case "disable", "enable":
		off := word == "disable"
		if err := m.Orders.SetMember(r.Context(), by, name, orders.MemberTerms{Disabled: &off}); err != nil {
			return orderRefused(err)
		}
	}
	return showMember(m, w, r, name)
}

func rotateMember(ctx context.Context, m *market.Market, by orders.Operator, name string, said *MemberSaid) (NewKey, error) {
	keep, err := said.keep()
	if err != nil {
		return NewKey{}, err
	}
	key, until, err := m.Orders.RotateMember(ctx, by, name, keep)
	if err != nil {
		return NewKey{}, orderRefused(err)
	}
	k := NewKey{Name: name, Key: key}
	if keep > 0 {
		k.KeptUntil = &until
	}
	return k, nil
}

func raiseMember(ctx context.Context, m *market.Market, by orders.Operator, name string, said *MemberSaid) error {
	usd, err := money.Parse(said.USD)
	if err != nil {
		return bad("usd: %w", err)
	}
	until, err := Until(said.Until, m.Ledger)
	if err != nil {
		return bad("until: %w", err)
	}
	if _, err := m.Orders.RaiseMember(ctx, by, name, usd, until, said.Reference); err != nil {
		return orderRefused(err)
	}
	return nil
}

// NewKey is the answer to an order that makes a key: nobody can be told it again.
type NewKey struct {
	Name string `json:"name"`
	Key  string `json:"key"`
	// KeptUntil is until when the keys are good that the member has had; none: they are refused by now.
	KeptUntil *time.Time `json:"keptUntil,omitempty"`
}

// orderRefused says what stands in the way of an order about a member, a seller or the selection.
func orderRefused(err error) error {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, orders.ErrNoMember):
		status = http.StatusNotFound
	case errors.Is(err, orders.ErrForbidden):
		status = http.StatusConflict
	case ledger.NoRoom(err), errors.Is(err, fleet.ErrAway):
		status = http.StatusServiceUnavailable
	case errors.Is(err, orders.ErrUnkept):
		return err
	}
	return caddy.APIError{HTTPStatus: status, Err: err}
}
