package market

import (
	"context"
	"errors"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// lendingJournal is a ledger whose tokens the gateways of a fleet share.
type lendingJournal struct {
	fleetJournal
	tokens *fleet.Tokens
	margin func() time.Duration // of the desk: by how much sooner a token has had its time than it expires
}

// Advance has others have of a token before they may buy one themselves.
func (j lendingJournal) Advance(ctx context.Context, p ledger.Purchase, limits ledger.Limits) error {
	end, err := j.advance(ctx, p, limits)
	switch {
	case err != nil || end == nil:
		return err
	case p.State != ledger.Granted || p.Token == nil:
		end()
	case p.Token.ID != "":
		j.tokens.Bought(p.Token.ID, end)
	default:
		j.tokens.Bought(p.ID, end)
	}
	return nil
}

// Borrow asks for a part of a token that another gateway has bought.
func (j lendingJournal) Borrow(ctx context.Context, l purchase.Loan) bool {
	return j.tokens.Borrow(ctx, fleet.Loan{Seller: l.SellerID, Origin: l.Origin, Need: l.Need, After: l.After, Else: l.Else})
}

// Elsewhere tells whether another gateway is buying there.
func (j lendingJournal) Elsewhere(ctx context.Context, sellerID, origin string) bool {
	return j.tokens.Lends() && j.fleet.Elsewhere(ctx, sellerID, origin)
}

// DropToken has the last word about a shared token before the ledger has.
func (j lendingJournal) DropToken(ctx context.Context, id, reason string) error {
	t, found, err := j.Token(ctx, id)
	if err != nil {
		return err
	}
	switch expired := reason == purchase.Expired; {
	case !found:
	case expired && (t.Shared || t.BalanceMicros > 0 && j.tokens.Lends() && shareable(&t)):
		err = j.tokens.Expire(ctx, id, reason, j.margin())
	case t.Shared:
		err = j.tokens.End(ctx, id, reason)
	}
	switch {
	case errors.Is(err, fleet.ErrEarly):
		return errors.Join(purchase.ErrStillGood, err)
	case err != nil:
		return err
	}
	return j.Ledger.DropToken(ctx, id, reason)
}

// purse are a market's tokens, as they are shared.
type purse struct{ *Market }

// Parts gives those that can be shared: a token without an expiry serves who has bought it, and one on which its seller has said that there is
// more than was granted is nobody else's business.
func (p purse) Parts(context.Context) ([]fleet.TokenPart, error) {
	var parts []fleet.TokenPart
	for _, t := range p.Ledger.Tokens() {
		if shareable(&t) {
			parts = append(parts, partOf(&t))
		}
	}
	return parts, nil
}

func shareable(t *ledger.Token) bool {
	return t.Shared || !t.ExpiresAt.IsZero() && t.BalanceMicros <= t.CreditMicros && !t.Unconfirmed
}

func partOf(t *ledger.Token) fleet.TokenPart {
	part := fleet.TokenPart{
		ID: t.ID, Seller: t.Seller, Origin: t.Origin, Credit: t.CreditMicros, Granted: t.GrantedMicros, Left: t.BalanceMicros, Bought: t.BoughtAt, Expires: t.ExpiresAt,
		Shared: t.Shared, Restored: t.Unconfirmed,
	}
	if !t.Shared {
		part.Granted = t.CreditMicros
	}
	return part
}

// Part gives one of them.
func (p purse) Part(ctx context.Context, id string) (fleet.TokenPart, bool, error) {
	t, head, found, err := p.Ledger.TokenAt(ctx, id)
	if err != nil || !found || !shareable(&t) {
		return fleet.TokenPart{Head: head}, false, err
	}
	part := partOf(&t)
	part.Head = head
	return part, true, nil
}

// Use tells how a token is used.
func (p purse) Use(part fleet.TokenPart, elsewhere money.Micros) (free money.Micros, used time.Time, ok bool) {
	u, ok := p.Desk.Use(ledger.Token{ID: part.ID, Seller: part.Seller, Origin: part.Origin}, elsewhere)
	return u.Free, u.Used, ok
}

// Move books what comes or goes of a token.
func (p purse) Move(ctx context.Context, id string, sealed []byte, by money.Micros, use bool) error {
	t, found, err := p.Ledger.Token(ctx, id)
	if err == nil && !found {
		t, err = p.Ledger.OpenToken(sealed)
		switch {
		case errors.Is(err, ledger.ErrOtherKey):
			err = errors.Join(fleet.ErrOtherKey, err)
		case err == nil && t.ID != id:
			err = errors.New("a shared token is under another one's name")
		}
	}
	if err != nil {
		return err
	}
	var spared money.Micros
	if use && by < 0 {
		if spared = p.Desk.Spare(t, -by); spared == 0 {
			return nil // all of it is held: what is left of it goes later
		}
		by = -spared
	}
	is, moved, err := p.Ledger.MovePart(ctx, t, by)
	switch {
	case err != nil && spared > 0:
		p.Desk.Adopt(t, 0, spared)
	case err == nil && use:
		p.Desk.Adopt(is, moved, spared)
	}
	return err
}

// Retire takes a token out of use.
func (p purse) Retire(part fleet.TokenPart, why string) {
	p.Desk.Retire(ledger.Token{ID: part.ID, Seller: part.Seller, Origin: part.Origin}, why)
}

// Seal gives a token for the others.
func (p purse) Seal(ctx context.Context, id string) ([]byte, error) {
	t, found, err := p.Ledger.Token(ctx, id)
	if err == nil && !found {
		err = ledger.ErrUnknownToken
	}
	if err != nil {
		return nil, err
	}
	return p.Ledger.SealToken(t)
}

// Proof shows which key the tokens are sealed with.
func (p purse) Proof() []byte { return p.Ledger.SealProof() }

// Proves tells whether another gateway's key is the same.
func (p purse) Proves(proof []byte) bool { return p.Ledger.OpensProof(proof) }
