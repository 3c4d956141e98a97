package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// ErrOtherKey refuses what another gateway has sealed, as its key is another than this ledger's.
var ErrOtherKey = errors.New("ledger: it was sealed with another key than this gateway's")

// Token gives a live token as it is once all that was queued before is durable; false: there is none.
func (l *Ledger) Token(ctx context.Context, id string) (t Token, found bool, err error) {
	t, _, found, err = l.TokenAt(ctx, id)
	return t, found, err
}

// TokenAt is Token, and gives the hash of the newest entry that there is then, empty where there is none: by the entries up to that one the
// token is what it is.
func (l *Ledger) TokenAt(ctx context.Context, id string) (t Token, head string, found bool, err error) {
	err = l.look(ctx, func(s *state) {
		head = s.head.Hash
		if one := s.tokens[id]; one != nil && one.dropped == "" {
			t, found = one.Token, true
		}
	})
	return t, head, found, err
}

// MovePart has this ledger have so much more of a token that gateways of a fleet share, or less below zero: it comes from what the fleet has
// of the token, or goes there. No more goes than is left. A token of its own becomes a shared one, of which it has all; one that is not there
// is taken in, whole, with its secret, and nothing of it but by; one that was dropped is refused (ErrUnknownToken). It gives the token as
// it is then, and what has moved.
func (l *Ledger) MovePart(ctx context.Context, t Token, by money.Micros) (is Token, moved money.Micros, err error) {
	weight, err := weigh([]string{t.ID, t.Seller, t.Origin, t.Method, t.PurchaseID})
	if err != nil {
		return t, 0, err
	}
	err = l.submit(weight+2*len(t.Secret)+correctionWeight, func(b *batch) error {
		one := b.tokens[t.ID]
		if one == nil {
			var err error
			if one, err = b.takeIn(t); err != nil {
				return err
			}
		}
		if one.dropped != "" {
			return ErrUnknownToken
		}
		if !one.Shared {
			one.Shared, one.GrantedMicros = true, max(one.CreditMicros, one.BalanceMicros)
		}
		if moved = max(by, -one.BalanceMicros); moved > 0 {
			b.move(one, moved, "set aside for this gateway")
		} else if moved < 0 {
			b.move(one, moved, "given back to the fleet")
		}
		b.putBalance(one)
		is = one.Token
		return nil
	}, nil).Wait(context.WithoutCancel(ctx)) // what is booked has to be known
	return is, moved, err
}

// takeIn writes a token that another gateway has bought, with nothing of it set aside here.
func (b *batch) takeIn(t Token) (*token, error) {
	switch {
	case t.ID == "" || t.Seller == "" || t.Secret == "":
		return nil, errors.New("ledger: a shared token needs an id, a seller and its secret")
	case t.CreditMicros <= 0 || t.CreditMicros > money.Max || t.PaidMicros < 0 || t.PaidMicros > money.Max:
		return nil, fmt.Errorf("ledger: a shared token of seller %s has an absurd credit", t.Seller)
	}
	t.BalanceMicros, t.BorneMicros, t.Used, t.Unconfirmed = 0, 0, 0, false
	t.Shared, t.GrantedMicros = true, 0
	record := &token{Token: t}
	if err := record.seal(b.ledger.seal); err != nil {
		return nil, fmt.Errorf("ledger: a shared token of seller %s can't be written: %w", t.Seller, err)
	}
	b.tokens[t.ID] = record
	b.put(tokenPrefix+t.ID, record)
	return record, nil
}

// move books credit of a shared token that comes from the fleet, or below zero goes there.
func (b *batch) move(t *token, by money.Micros, why string) {
	b.weight += correctionWeight
	b.book(&Entry{
		Kind: KindShare, Seller: t.Seller, PurchaseID: t.PurchaseID, Note: why,
		Postings: transfer(fleetOf(t.Seller), Posting{creditOf(t.Seller), by}),
	})
	if !b.has(purchasePrefix + t.PurchaseID) { // nothing else that is shipped tells of it
		b.keepBeside(tokenPrefix+t.ID, t)
	}
	t.GrantedMicros += by
	t.BalanceMicros += by
}

// most is what a request can cost on a shared token, whose other gateways may have left it all, and what was paid for what this one has of
// it, where that is less than its credit: gateways together are not to believe more.
func (t *token) most() (credit, paid money.Micros) {
	credit, paid = max(t.BalanceMicros, t.CreditMicros-max(0, t.GrantedMicros-t.BalanceMicros)), t.PaidMicros
	if t.CreditMicros > t.PaidMicros {
		paid = t.PaidMicros.Part(max(0, t.GrantedMicros), max(t.CreditMicros, t.GrantedMicros))
	}
	return credit, paid
}

// sealedToken is a token as gateways hand it to each other.
type sealedToken struct {
	Token  Token  `json:"token"`
	Sealed []byte `json:"sealed"` // its secret, sealed to all of the token
}

const (
	handPrefix = "fleet/token/" // what a secret that is handed over is sealed to, and the token
	proofText  = "fleet/key"    // what shows that two gateways have the same key
)

// SealToken gives a token as another gateway with the same key can open it. Its balance is not in it.
func (l *Ledger) SealToken(t Token) ([]byte, error) {
	label, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return json.Marshal(sealedToken{t, l.seal.Seal(handPrefix+string(label), []byte(t.Secret))})
}

// OpenToken opens what SealToken has given. ErrOtherKey: the key was another one.
func (l *Ledger) OpenToken(raw []byte) (Token, error) {
	var s sealedToken
	if err := json.Unmarshal(raw, &s); err != nil {
		return Token{}, errors.New("ledger: a shared token can't be read: it may be of a newer release")
	}
	label, err := json.Marshal(s.Token)
	if err != nil {
		return Token{}, err
	}
	secret, err := l.seal.Open(handPrefix+string(label), s.Sealed)
	if err != nil {
		return Token{}, errors.Join(ErrOtherKey, err)
	}
	s.Token.Secret = string(secret)
	return s.Token, nil
}

// SealProof gives what OpensProof of a ledger with the same key opens, and of no other.
func (l *Ledger) SealProof() []byte { return l.seal.Seal(proofText, []byte(proofText)) }

// OpensProof tells whether the key that has sealed it is this ledger's.
func (l *Ledger) OpensProof(sealed []byte) bool {
	_, err := l.seal.Open(proofText, sealed)
	return !errors.Is(err, store.ErrSealed)
}
