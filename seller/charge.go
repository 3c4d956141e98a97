package seller

import (
	"context"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// charge is what one request cost. All requests with one idempotency key share one.
type charge struct {
	SettlementID string       `json:"settlementId"`
	Key          digest       `json:"key"` // zero: the request has no idempotency key
	TokenHash    digest       `json:"token"`
	RequestID    string       `json:"requestId,omitempty"`
	Path         string       `json:"path"`
	Model        string       `json:"model"`
	Time         time.Time    `json:"time"`
	Billed       money.Micros `json:"billedMicros"`
	Used         money.Tokens `json:"used"`
	CacheRead    int64        `json:"cacheRead"`
	Repeats      int          `json:"repeats,omitempty"` // of an upstream: how often it was asked again after it was billed
	Settled      bool         `json:"-"`                 // something has been billed; one that is kept is settled

	token    *token
	users    int    // requests that are being served on it
	buyer    *buyer // whom an upstream's answer is written to; nil: nobody
	measured bool   // CacheRead has been found out
}

// openCharge gives the charge of a request: the one that its idempotency key has already, or a new one. It is given back with
// closeCharge.
func (b *Books) openCharge(t *token, key digest, path, model, requestID string) *charge {
	b.mu.Lock()
	defer b.mu.Unlock()
	if key != (digest{}) {
		c := b.open[key]
		if c == nil {
			c, _ = b.repeats.get(key)
		}
		if c != nil {
			c.users++
			b.open[key] = c
			return c
		}
	}
	c := &charge{
		SettlementID: newID("s_"), Key: key, TokenHash: t.Hash, RequestID: requestID, Path: path, Model: model,
		Time: time.Now().UTC(), token: t, users: 1,
	}
	if key != (digest{}) {
		b.open[key] = c
	}
	return c
}

func (b *Books) closeCharge(c *charge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.users--; c.users > 0 || c.Key == (digest{}) {
		return
	}
	c.buyer = nil
	delete(b.open, c.Key)
	if c.Settled {
		b.repeats.put(c.Key, c)
	}
}

// writesTo notes whom the one user of a charge answers.
func (b *Books) writesTo(c *charge, to *buyer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c.buyer = to
}

// relieve has what is still read for a buyer that has left come to its end, where that one comes again with the same request, and waits for that.
func (b *Books) relieve(ctx context.Context, key digest) {
	b.mu.Lock()
	var first *buyer
	if c := b.open[key]; c != nil {
		first = c.buyer
	}
	b.mu.Unlock()
	if first == nil || !first.dismiss() {
		return
	}
	select {
	case <-first.over:
	case <-ctx.Done():
	}
}

// affords tells whether the charge's token is good for a request that costs at least least, and what is left on it. What
// has been charged already is served again whatever is left.
func (b *Books) affords(c *charge, least money.Micros) (balance money.Micros, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return c.token.Balance, c.Settled || c.token.Balance >= least
}

// maxServedAgain is how often an upstream is asked again for a request that has been billed, because its answer was lost on the way. More
// would be answers for nothing.
const maxServedAgain = 2

// reserve holds back of the charge's token what its request may cost at most, until it is given back, or tells why it can't: too
// little is left beside what others may cost, or the same request is being answered, or was often enough.
func (b *Books) reserve(c *charge, most money.Micros) (giveBack func(), refused *refusal) {
	most, refused = b.holdBack(c, most)
	if refused != nil {
		return nil, refused
	}
	giveBack = func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		c.token.held -= most
	}
	if c.Settled { // only who holds the charge settles it
		if err := b.save(); err != nil { // who stops the seller would be served again as often
			giveBack()
			b.notServedAgain(c)
			b.warn(err)
			return nil, unavailable("that the request is answered again can't be written down just now; try again later")
		}
	}
	return giveBack, nil
}

// holdBack does what reserve does in the books, and gives how much is held.
func (b *Books) holdBack(c *charge, most money.Micros) (held money.Micros, refused *refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case c.users > 1:
		return 0, unavailable("the same request is being answered just now; ask again in a moment")
	case c.Settled && c.Repeats >= maxServedAgain:
		return 0, conflict("the request was answered and billed before; send it under a new idempotency key")
	}
	most = max(most-c.Billed, 0)
	free := max(c.token.Balance-c.token.held, 0)
	if free < least(most) {
		return 0, insufficientFunds(c.token.Balance)
	}
	most = min(most, free)
	if c.Settled {
		c.Repeats++
		b.note(change{Charges: []charge{*c}})
	}
	c.token.held += most
	return most, nil
}

// notServedAgain takes back that a request is answered again. If it is on the disk all the same, the next write puts that right.
func (b *Books) notServedAgain(c *charge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c.Repeats--
	b.note(change{Charges: []charge{*c}})
}

// least is what has to be there for a request that can cost most: the buyer's gateway may have reckoned with a model's name of another length.
func least(most money.Micros) money.Micros { return most - most/64 }

// settle bills what was used, and gives the settlement once it is on the disk. A repeat is billed no more than its first answer,
// unless more of the answer was produced; and nobody is billed more than is left on the token. After an error it is billed, but
// may not be told.
func (b *Books) settle(c *charge, used money.Tokens, cost money.Micros, requestID string) (wire.Settlement, error) {
	s := b.bill(c, used, cost, requestID)
	return s, b.save()
}

func (b *Books) bill(c *charge, used money.Tokens, cost money.Micros, requestID string) wire.Settlement {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !c.Settled || cost > c.Billed {
		more := max(0, min(cost-c.Billed, c.token.Balance))
		c.token.Balance -= more
		c.Billed += more
		c.Used = used
		b.note(change{Tokens: []token{*c.token}, Charges: []charge{*c}})
	}
	if !c.Settled {
		c.Settled = true
		b.record(c)
	}
	return wire.Settlement{
		SettlementID: c.SettlementID, RequestID: requestID, BilledMicros: new(c.Billed), BalanceMicros: new(c.token.Balance),
		PromptTokens: new(c.Used.Prompt), CompletionTokens: new(c.Used.Completion), CacheReadTokens: new(c.Used.CacheRead),
	}
}

// bearsLate tells whether what was done for a request that ran out of time is the seller's to bear: up to a tenth of a token's credit is.
func (b *Books) bearsLate(c *charge, cost money.Micros) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := c.token
	late := t.Late.Add(max(cost-c.Billed, 0))
	if late > t.Credit/10 {
		return false
	}
	if t.Late != late {
		t.Late = late
		b.note(change{Tokens: []token{*t}})
	}
	return true
}

// record puts a charge into the ring of those that can be looked at. b.mu is held.
func (b *Books) record(c *charge) {
	if len(b.charges) < maxCharges {
		b.charges = append(b.charges, c)
		return
	}
	b.charges[b.oldest] = c
	b.oldest = (b.oldest + 1) % maxCharges
}

// cached counts the prompt tokens that stood at the head of an earlier prompt under the same token, and remembers this
// prompt. All requests of a charge have the same count, so that a repeat gets the same answer.
func (b *Books) cached(c *charge, prompt []block) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.measured {
		return c.CacheRead
	}
	c.measured = true
	head, reading := hash(c.Model, string(c.TokenHash[:])), true
	for _, part := range prompt {
		head = hash(string(head[:]), part.raw)
		if reading = reading && b.prefixes.has(head); reading {
			c.CacheRead += part.tokens
		}
		b.prefixes.put(head, struct{}{})
	}
	return c.CacheRead
}
