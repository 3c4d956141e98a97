package ledger

import (
	"errors"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// ErrUnknownHold refuses a command that names a hold that was settled or released before, or never placed.
var ErrUnknownHold = errors.New("ledger: no such hold")

// Request is what the books keep of a client's request.
type Request struct {
	RequestID      string `json:"requestId"`
	IdempotencyKey string `json:"idempotencyKey"`
	Repeatable     bool   `json:"repeatable,omitempty"` // the client has named that key, and may try again under it
	Member         string `json:"member"`
	RequestedModel string `json:"requestedModel"`
	Model          string `json:"model"` // as served
	Protocol       string `json:"protocol"`
	Path           string `json:"path,omitempty"` // that was asked for
	PromptHash     string `json:"promptHash"`
	Group          string `json:"group,omitempty"`   // of the member; empty: none
	Project        string `json:"project,omitempty"` // that the client has named

	billing.Shape // what of it says how much it can cost
}

// Hold is a request at a seller whose cost is not known yet: durable before the first byte of the answer goes to the
// client, and all that is needed to book an estimate when the process dies.
type Hold struct {
	ID string `json:"id"`
	Request
	Seller       string       `json:"seller"`
	Origin       string       `json:"origin"`
	TokenID      string       `json:"tokenId"`      // empty: a provider with an account of the operator's
	AmountMicros money.Micros `json:"amountMicros"` // what it can cost at the most: the bound
	Price        money.Price  `json:"price"`
	Attempt      int          `json:"attempt"`
	Replaces     string       `json:"-"` // the hold of the attempt before, which goes in the same transaction if it is there
	PlacedAt     time.Time    `json:"placedAt"`
	Charged      bool         `json:"charged,omitempty"` // set by Waste: what the attempt has cost is booked
	Periods      *Periods     `json:"periods,omitempty"` // in a fleet: of budgets, that the request counts in

	placed uint64 // how many commits there were with this one; 0: the store may have had a record of its id
}

// PlaceHold queues a hold and returns at once. It is refused when its token is not there (ErrUnknownToken) or another
// seller's, or its id is empty or taken.
func (l *Ledger) PlaceHold(h Hold) *Commit {
	weight, err := h.weigh(h.ID, h.Seller, h.Origin, h.TokenID)
	if err != nil {
		return failed(err)
	}
	return l.submit(weight, func(b *batch) error {
		t := b.tokens[h.TokenID]
		switch {
		case h.TokenID != "" && t == nil:
			return ErrUnknownToken
		case t != nil && h.Seller != t.Seller:
			return errOtherSeller(t.Seller, h.Seller)
		case h.ID == "" || b.holds[h.ID] != nil:
			return errors.New("ledger: a hold needs an id of its own")
		}
		if h.PlacedAt.IsZero() {
			h.PlacedAt = b.now
		}
		if t != nil {
			t.holds++
		}
		if _, ended := b.dirty[holdPrefix+h.ID]; !ended { // else one of that id ends with this commit, and the store may have its record
			h.placed = b.head.Commits + 1
		}
		b.holds[h.ID] = &h
		b.put(holdPrefix+h.ID, &h)
		b.release(b.holds[h.Replaces])
		return nil
	}, nil)
}

// ReleaseHold queues the removal of a hold whose request was never sent, or has cost nothing and needs no entry.
func (l *Ledger) ReleaseHold(id string) *Commit {
	return l.submit(plainWeight, func(b *batch) error {
		h := b.holds[id]
		if h == nil {
			return ErrUnknownHold
		}
		b.release(h)
		return nil
	}, nil)
}

func (b *batch) release(h *Hold) {
	if h == nil {
		return
	}
	delete(b.holds, h.ID)
	b.delete(holdPrefix + h.ID)
	if t := b.tokens[h.TokenID]; t != nil {
		t.holds--
		b.removeDropped(t)
	}
}

// The longest name that goes into a key, and the most that all the names and texts of a record may have together.
const (
	maxName  = 1 << 10
	maxTexts = 8 << 10
)

// weigh gives the weight of a command that writes these names and texts, or refuses what no record has room for.
func weigh(names []string, texts ...string) (int, error) {
	sum := 0
	for _, n := range names {
		if sum += len(n); len(n) > maxName {
			return 0, ErrTooLarge
		}
	}
	for _, t := range texts {
		sum += len(t)
	}
	if sum > maxTexts {
		return 0, ErrTooLarge
	}
	return plainWeight + 8*sum, nil // 8: names come more than once, and escapes make texts longer
}

func (r *Request) weigh(others ...string) (int, error) {
	var room [16]string
	return weigh(append(append(room[:0], others...), r.Member, r.Model, r.Group, r.Project),
		r.RequestID, r.IdempotencyKey, r.RequestedModel, r.Protocol, r.Path, r.PromptHash)
}

func failed(err error) *Commit {
	c := &Commit{done: make(chan struct{}), err: err}
	close(c.done)
	return c
}
