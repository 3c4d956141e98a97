package fleet

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Times and sizes of what gateways do about shared tokens.
const (
	tokensEvery = time.Second
	partAgain   = partFor / 3      // between two words about a part that is in hand
	usedFor     = 10 * time.Second // a part that was used since is kept filled
	lentTries   = 8                // while others give back
	lentEvery   = 250 * time.Millisecond
	inHand      = 8 // a gateway aims for this part of a token's credit
	boughtFor   = 2 * time.Second
)

// Loan says what a part of a token is wanted for.
type Loan struct {
	Seller, Origin string
	Need           money.Micros
	After          time.Time // it has to be good then
	Else           string    // not this token
}

// fill is what a gateway likes to have in hand of a token.
func fill(credit, need money.Micros) money.Micros { return max(credit/inHand, 4*need, 1) }

// Borrow has a part of a token that another gateway has bought be set aside here, or more of one of which there is a part already. It waits
// for what others have and do not use, and for none that is still to be bought.
func (t *Tokens) Borrow(ctx context.Context, l Loan) bool {
	if !t.ready(ctx) || t.finished() {
		return false
	}
	need := max(l.Need, 1)
	for try := range lentTries {
		all, err := readPools(ctx, t.o.Store)
		if err != nil {
			return false
		}
		wait, now := false, t.now()
		for _, id := range all.good(l) {
			p := all[id]
			silent := p.silent(t.o.Gateway, now.UnixNano())
			spare := p.free() + silent
			if !t.opens(id) || spare+p.idle(t.o.Gateway) < need || t.o.Rest && (spare < need || p.idle(t.o.Gateway) > silent) {
				continue
			}
			if spare < need && try > 0 && p.Wants[t.o.Gateway].At > now.Add(-wantFor/2).UnixNano() {
				wait = true // it was said
				continue
			}
			ans, err := t.speak(ctx, id, aim{need: need, like: fill(p.Credit, need)})
			switch {
			case err == nil && ans.gave >= need:
				return true
			case err == nil:
				wait = true
			default:
				t.o.Logger.Debug("fleet.tokens.borrow", zap.String("tokenId", id), zap.Error(err))
			}
		}
		if !wait || !pause(ctx, lentEvery) {
			return false
		}
	}
	return false
}

// finished tells whether there is nothing left to go on with, of a gateway that shares nothing of its own.
func (t *Tokens) finished() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rested
}

// pools are the shared tokens, by id.
type pools map[string]*pool

// readPools reads them all, but for those of a newer release.
func readPools(ctx context.Context, store Store) (pools, error) {
	all := make(pools)
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	err := eachPool(ctx, store, func(id string, p *pool) {
		if p != nil {
			all[id] = p
		}
	})
	return all, err
}

// eachPool calls f with each; nil: it is of a newer release.
func eachPool(ctx context.Context, store Store, f func(id string, p *pool)) error {
	return store.Load(ctx, func(key string, value []byte) error {
		if id, ok := poolOf(key); ok {
			p, _ := readPool(value)
			f(id, p)
		}
		return nil
	}, poolKeys)
}

// Unspent is what the fleet's shared tokens still have, set aside or not, in micros of a dollar: of no use to a gateway that shares none.
func Unspent(ctx context.Context, store Store) (sum money.Micros, err error) {
	all, err := readPools(ctx, store)
	now := time.Now().UnixNano()
	for _, p := range all {
		if p.Over == "" && p.Expires > now {
			sum += p.left()
		}
	}
	return sum, err
}

// SharedKey gives what shows which key the fleet's tokens are sealed with; nil: none was ever shared.
func SharedKey(ctx context.Context, store Store) (proof []byte, err error) {
	err = store.Load(ctx, func(_ string, value []byte) error {
		proof = slices.Clone(value)
		return nil
	}, proofKey)
	return proof, err
}

// good are the tokens that can serve a loan, those that end first before others.
func (all pools) good(l Loan) []string {
	var ids []string
	for id, p := range all {
		if p.Seller == l.Seller && p.Origin == l.Origin && p.Over == "" && p.Token != nil && p.Expires > l.After.UnixNano() && id != l.Else {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(all[a].Expires, all[b].Expires), cmp.Compare(a, b))
	})
	return ids
}

// Bought shares a token that was just bought, once it is in use, and calls done once others can have of it, or it is known that they can't.
func (t *Tokens) Bought(id string, done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil || t.o.Rest {
		done()
		return
	}
	t.work.Go(func() {
		defer done()
		ctx, cancel := context.WithTimeout(t.ctx, boughtFor)
		defer cancel()
		for {
			part, known, err := t.o.Purse.Part(ctx, id)
			if err != nil || !known || part.Expires.IsZero() || !t.ready(ctx) {
				return
			}
			if _, _, ok := t.o.Purse.Use(part, -1); ok {
				if _, err = t.speak(ctx, id, aim{keep: new(fill(part.Credit, 0))}); err != nil {
					t.o.Logger.Debug("fleet.tokens.bought", zap.String("tokenId", id), zap.Error(err))
				}
				return
			}
			if !pause(ctx, 10*time.Millisecond) {
				return
			}
		}
	})
}

func (t *Tokens) keepUp() {
	tick := time.NewTicker(tokensEvery)
	defer tick.Stop()
	for proved := (time.Time{}); ; {
		if !t.shares() || time.Since(proved) > time.Minute {
			if t.prove(t.ctx) == nil {
				proved = time.Now()
			}
		}
		if t.shares() {
			t.look(t.ctx)
		}
		if t.finished() {
			return
		}
		select {
		case <-t.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look compares the parts in the books with the store, and says what there is to say.
func (t *Tokens) look(ctx context.Context) {
	all, err := readPools(ctx, t.o.Store)
	t.note(ctx, err)
	if err != nil {
		return
	}
	t.recall(ctx, all)
	t.see(all)
	parts, err := t.parts(ctx)
	if err != nil {
		return
	}
	if t.o.Rest && len(parts) == 0 && !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(id string) bool { return all[id].Over == "" && t.opens(id) }) {
		t.mu.Lock()
		t.rested = true
		t.mu.Unlock()
		t.o.Logger.Info("fleet.tokens.over", zap.String("hint", "the tokens that gateways have shared have come to their end: what this one buys is its own"))
		return
	}
	here := make(map[string]bool, len(parts))
	for i := range parts {
		here[parts[i].ID] = true
		t.lookAt(ctx, &parts[i], all[parts[i].ID])
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if !here[id] {
			t.lookBeside(ctx, id, all[id])
		}
	}
}

// lookBeside does what there is to do about a token of the store that the books do not have.
func (t *Tokens) lookBeside(ctx context.Context, id string, p *pool) {
	now, expires := t.now(), time.Unix(0, p.Expires)
	one, expired := p.Parts[t.o.Gateway], min(now.Sub(expires), time.Since(expires)) // by the store's clock, and by the one here that its use goes by
	switch {
	case !p.kept(now.UnixNano()):
		_ = t.change(ctx, PoolKey(id), func(at Moment, old []byte) ([]byte, error) {
			if p, err := readPool(old); old == nil || err == nil && !p.kept(at.Now.UnixNano()) {
				return nil, nil
			}
			return old, nil
		})
	case one != nil && one.Ended:
	case one != nil && one.Granted > one.Spent: // it was granted, and never got into the books
		a := aim{}
		if t.opens(id) && (p.Over != "" || expired > 0) { // somebody has to book its end
			a.need = one.Granted
		}
		_, _ = t.speak(ctx, id, a)
	case t.opens(id) && (p.Over != "" || expired > time.Minute): // nobody who has it is there to book its end: it is taken in for that
		if rest := max(0, p.free()) + p.silent(t.o.Gateway, now.UnixNano()); rest > 0 {
			_, _ = t.speak(ctx, id, aim{need: rest})
		}
	}
}

// lookAt says what there is to say of one part; p is nil where the store has none of the token.
func (t *Tokens) lookAt(ctx context.Context, part *TokenPart, p *pool) {
	if p == nil {
		t.mu.Lock()
		delete(t.spoke, part.ID) // it may have forgotten what it has heard
		t.mu.Unlock()
		if part.forgotten(t.now()) {
			t.tell(ctx, part, aim{keep: new(fill(part.Credit, 0))})
		}
		return
	}
	free, used, ok := t.o.Purse.Use(*part, max(0, p.free()))
	switch {
	case !ok:
		return // its rest is being booked
	case p.Over != "":
		t.o.Purse.Retire(*part, p.Over)
		return
	}
	t.mu.Lock()
	spoke := t.spoke[part.ID]
	t.mu.Unlock()
	one, likes := p.Parts[t.o.Gateway], fill(part.Credit, 0)
	wanted := p.wanted(t.o.Gateway, t.now().UnixNano())
	switch quiet := time.Since(spoke) < partAgain; {
	case p.free() < 0 && free > 0:
		t.tell(ctx, part, aim{keep: new(max(0, free+p.free()))})
	case wanted > 0 && free > 0 && time.Since(used) >= usedFor: // nobody needs it here
		t.tell(ctx, part, aim{keep: new(free - min(wanted, free))})
	case wanted > 0 && free > 1:
		t.tell(ctx, part, aim{keep: new(free - min(max(1, wanted), free/2))})
	case free > 2*likes:
		t.tell(ctx, part, aim{keep: &likes})
	case free < likes/4 && time.Since(used) < usedFor && p.free() > 0:
		t.tell(ctx, part, aim{need: min(likes, p.free()), like: likes})
	case one == nil, one.Granted != part.Granted && !quiet, !quiet && (one.Granted > one.Spent || one.Spent != part.Spent()):
		t.tell(ctx, part, aim{})
	}
}

func (t *Tokens) tell(ctx context.Context, part *TokenPart, a aim) {
	if _, err := t.speak(ctx, part.ID, a); err != nil {
		t.o.Logger.Debug("fleet.tokens.part", zap.String("tokenId", part.ID), zap.Error(err))
	}
}
