package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// ErrUnknownToken refuses a command that names a token that the ledger does not have, or no longer.
var ErrUnknownToken = errors.New("ledger: no such token")

func errOtherSeller(owner, seller string) error {
	return fmt.Errorf("ledger: the token of seller %s can't pay seller %q", owner, seller)
}

// Token is a credential that was bought, and what is left of its credit.
type Token struct {
	ID            string       `json:"id"`
	Seller        string       `json:"seller"`
	Origin        string       `json:"origin"`
	Method        string       `json:"method"`
	PurchaseID    string       `json:"purchaseId"`
	Secret        string       `json:"-"` // the bearer
	PaidMicros    money.Micros `json:"paidMicros"`
	CreditMicros  money.Micros `json:"creditMicros"` // as granted
	BalanceMicros money.Micros `json:"-"`
	BorneMicros   money.Micros `json:"-"` // what of it members have borne: the cost that was booked and believed
	BoughtAt      time.Time    `json:"boughtAt"`
	ExpiresAt     time.Time    `json:"expiresAt"` // zero: serves those that bought it and is not used again
	Used          int64        `json:"-"`         // requests that it served
	Unconfirmed   bool         `json:"-"`         // restored from a backup, and no request was served with it since
	GuessedMicros money.Micros `json:"-"`         // what of it open estimates have taken: the seller may have it yet
	// Shared: gateways of a fleet share the token, and this ledger has a part of it: GrantedMicros of its credit, spent or not.
	Shared        bool         `json:"-"`
	GrantedMicros money.Micros `json:"-"`
}

// token is a token's record, and beside it what changes with each request. One that was dropped lives on until the last
// hold on it is gone.
type token struct {
	Token
	Sealed  []byte `json:"sealed"`
	dropped string // why
	holds   int

	// untold: it was restored from a backup, and its seller has told no balance since. What is missing on that one may have been spent in between.
	untold bool

	followed uint64 // the newest entry when the balance that the seller tells was followed last: what is on it says what the seller took until then

	estimates []estimate // since the seller last told the balance, the oldest first
}

// of is whose token it is: the seller's id and its origin together.
func (t *token) of() [2]string { return [2]string{t.Seller, t.Origin} }

// told is what others are told of it.
func (t *token) told() Token {
	is := t.Token
	is.GuessedMicros = t.guessed()
	return is
}

// purchaseID says in an entry which purchase has paid for it; nothing where there is no token.
func (t *token) purchaseID() string {
	if t == nil {
		return ""
	}
	return t.PurchaseID
}

// balance is the record of what changes of a token.
type balance struct {
	BalanceMicros money.Micros  `json:"balanceMicros"`
	Used          int64         `json:"used"`
	Dropped       string        `json:"dropped,omitempty"`
	Unconfirmed   bool          `json:"unconfirmed,omitempty"`
	Untold        bool          `json:"untold,omitempty"`
	BorneMicros   *money.Micros `json:"borneMicros,omitempty"`   // nil: written before this was counted
	GrantedMicros *money.Micros `json:"grantedMicros,omitempty"` // of a token that gateways share; nil: none is
	Followed      uint64        `json:"followed,omitempty"`
	Estimates     []estimate    `json:"estimates,omitempty"`
}

func (b *batch) putBalance(t *token) {
	if b.dirty[balancePrefix+t.ID] == nil {
		b.weight += len(t.estimates) * estimateWeight
	}
	rest := t.rest()
	rest.Estimates = slices.Clone(t.estimates)
	b.put(balancePrefix+t.ID, rest)
}

// rest is the record of what changes of the token, without its estimates.
func (t *token) rest() balance {
	rest := balance{
		BalanceMicros: t.BalanceMicros, Used: t.Used, Dropped: t.dropped, Unconfirmed: t.Unconfirmed, Untold: t.untold,
		BorneMicros: new(t.BorneMicros), Followed: t.followed,
	}
	if t.Shared {
		rest.GrantedMicros = new(t.GrantedMicros)
	}
	return rest
}

// eachToken calls f with each token, whole.
func eachToken(txn *badger.Txn, seal *store.Sealer, f func(*token)) error {
	return each(txn, tokenPrefix, func(id string, t *token) error {
		var rest balance
		found, err := getJSON(txn, balancePrefix+id, &rest)
		if err != nil {
			return err
		}
		if !found || t.ID != id || rest.BalanceMicros < 0 {
			return store.Damaged("token %s is of another id, has no balance, or one below zero", id)
		}
		if seal != nil {
			if err := t.unseal(seal); err != nil {
				return store.Damaged("token %s: %s", id, err)
			}
		}
		t.BalanceMicros, t.Used, t.Unconfirmed = rest.BalanceMicros, rest.Used, rest.Unconfirmed
		t.dropped, t.estimates, t.followed, t.untold = rest.Dropped, rest.Estimates, rest.Followed, rest.Untold
		if t.BorneMicros = max(t.CreditMicros-t.BalanceMicros, 0); rest.BorneMicros != nil {
			t.BorneMicros = *rest.BorneMicros
		}
		if rest.GrantedMicros != nil {
			t.Shared, t.GrantedMicros = true, *rest.GrantedMicros
		}
		f(t)
		return nil
	})
}

func (t *token) seal(s *store.Sealer) error {
	label, err := t.label()
	if err != nil {
		return err
	}
	t.Sealed = s.Seal(label, []byte(t.Secret))
	return nil
}

func (t *token) unseal(s *store.Sealer) error {
	label, err := t.label()
	if err != nil {
		return err
	}
	secret, err := s.Open(label, t.Sealed)
	t.Secret = string(secret)
	return err
}

// label is what the secret is sealed to: all that its record says, so that nobody without the key can have it sent to
// another seller, or make it worth more.
func (t *token) label() (string, error) {
	raw, err := json.Marshal(t.Token)
	return tokenPrefix + string(raw), err
}

// Tokens gives the tokens that may serve, oldest first. There are none after the ledger has failed or closed.
func (l *Ledger) Tokens() []Token {
	var live []Token
	if err := l.look(context.Background(), func(s *state) {
		for _, t := range s.tokens {
			if t.dropped == "" {
				live = append(live, t.told())
			}
		}
	}); err != nil {
		return nil
	}
	slices.SortFunc(live, func(a, b Token) int {
		return cmp.Or(a.BoughtAt.Compare(b.BoughtAt), cmp.Compare(a.ID, b.ID))
	})
	return live
}

// DropToken ends a token: it is live no longer, and what is left on it is booked as waste, with the reason (ours, not
// a stranger's text) as a note. Requests that still have a hold on it are settled first: then that happens with the last
// of them. It is refused when the token is not there or was dropped before (ErrUnknownToken).
func (l *Ledger) DropToken(ctx context.Context, id, reason string) error {
	if reason == "" {
		reason = "dropped"
	}
	return l.submit(plainWeight+len(reason), func(b *batch) error {
		t := b.tokens[id]
		if t == nil || t.dropped != "" {
			return ErrUnknownToken
		}
		t.dropped = reason
		b.putBalance(t)
		b.removeDropped(t)
		return nil
	}, nil).Wait(ctx)
}

// removeDropped removes a token that was dropped, once no request has a hold on it. An empty token that was not dropped stays:
// requests that shared its purchase may still place their holds.
func (b *batch) removeDropped(t *token) {
	if t.holds > 0 || t.dropped == "" {
		return
	}
	if t.BalanceMicros > 0 {
		b.book(&Entry{
			Kind: KindWaste, Seller: t.Seller, PurchaseID: t.PurchaseID, Note: t.dropped,
			Postings: transfer(creditOf(t.Seller), Posting{wasteOf(t.Seller), t.BalanceMicros}),
		})
		t.BalanceMicros = 0
	}
	delete(b.tokens, t.ID)
	b.delete(tokenPrefix + t.ID)
	b.delete(balancePrefix + t.ID)
	b.keepEnded(t)
}
