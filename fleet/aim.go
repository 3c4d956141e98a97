package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// aim is what is wanted with a part.
type aim struct {
	keep       *money.Micros // so much of what is free stays, and the rest is given back; nil: all stays
	need, like money.Micros  // so much is lacking, and so much is liked
	over       string        // it is of no more use to anybody
	// margin: it is over as its time is, which it is so long before its expiry, by the store's clock; before that it is ErrEarly. nil: over is a
	// fact.
	margin *time.Duration
	leave  bool // it is out of use here, and not over: all that is left of it is given back
}

// early tells whether a token that is said to have had its time has not.
func (a *aim) early(now, expires time.Time) bool {
	return a.margin != nil && now.Add(*a.margin+clockSlack).Before(expires)
}

// clockSlack is by how much clocks may differ without anything coming of it.
const clockSlack = 5 * time.Second

// ErrEarly is what Expire gives where a token's time is over by this gateway's clock, and not by the store's.
var ErrEarly = errors.New("fleet: by the store's clock the token is still good")

var errNoPool = errors.New("fleet: the store has no such token")

// speak brings the store and the books to the same part of a token. What is given back leaves the books before the store hears of it, and
// what is granted gets there after. So what is lost on the way is nobody's for a moment, and never two gateways'. Of a token of which the store has not
// heard yet it hears first: what is given back of that would be nobody's for as long as it is away, and for good where nothing is left here to speak of.
func (t *Tokens) speak(ctx context.Context, id string, a aim) (ans poolAnswer, err error) {
	lock := t.lockOf(id)
	lock.Lock()
	defer lock.Unlock()
	if gives := a.keep != nil || a.leave; gives && !t.heardOf(id) {
		if ans, err = t.say(ctx, id, a, false); err != nil || ans.ended {
			return ans, err
		}
	}
	return t.say(ctx, id, a, true)
}

// heardOf tells whether the store has heard of a token from this process.
func (t *Tokens) heardOf(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.spoke[id].IsZero()
}

// saying is what is said of a token in one word of speak.
type saying struct {
	aim
	part  TokenPart
	known bool   // the books have a part of it
	own   []byte // the token, as they seal it; nil where they do not have it
}

// say is one word of speak; gives: what is aimed at is given back before it. The token's lock is held.
func (t *Tokens) say(ctx context.Context, id string, a aim, gives bool) (ans poolAnswer, err error) {
	w := saying{aim: a}
	if err := t.compose(ctx, id, &w, gives); err != nil {
		return ans, err
	}
	var p *pool
	var sealed []byte
	err = t.change(ctx, PoolKey(id), func(at Moment, old []byte) (_ []byte, err error) {
		if p, err = t.poolOf(id, &w, at.Now, old); err != nil {
			return nil, err
		}
		sealed = p.Token
		ans, err = p.ask(at.Now, poolAsk{
			gateway: t.o.Gateway, boot: t.o.Boot, epoch: t.o.Epoch, known: w.known, granted: w.part.Granted, spent: w.part.Spent(), head: w.part.Head,
			need: w.need, like: w.like, over: w.over,
		})
		if err != nil {
			return nil, err
		}
		return json.Marshal(p)
	})
	if errors.Is(err, ErrFenced) {
		t.fence(err)
	}
	if err != nil {
		return ans, err
	}
	t.learn(id, p)
	t.mu.Lock()
	t.spoke[id] = time.Now()
	t.mu.Unlock()
	if by := ans.granted - w.part.Granted; by != 0 && (w.known || !ans.was) {
		err = t.o.Purse.Move(ctx, id, sealed, by, !ans.ended && !w.leave)
	}
	if errors.Is(err, ErrOtherKey) {
		t.mu.Lock()
		t.foreign[id] = true
		t.mu.Unlock()
	}
	t.o.Purse.Use(w.part, max(0, ans.free))
	return ans, err
}

// compose says what the books have of a token, which is shared from now on; gives: once what is aimed at was given back.
func (t *Tokens) compose(ctx context.Context, id string, w *saying, gives bool) (err error) {
	if w.part, w.known, err = t.o.Purse.Part(ctx, id); err != nil {
		return err
	}
	if w.known && !w.part.Shared && w.over == "" { // before others hear of it
		if err = t.o.Purse.Move(ctx, id, nil, 0, !w.leave); err == nil {
			w.part, w.known, err = t.o.Purse.Part(ctx, id)
		}
	}
	if err == nil && w.known && gives {
		w.part, err = t.give(ctx, w.part, &w.aim)
	}
	if err == nil && w.known {
		w.own, err = t.o.Purse.Seal(ctx, id)
	}
	return err
}

// poolOf gives a token's pool, which is begun where the store has none and this gateway may say something of it.
func (t *Tokens) poolOf(id string, w *saying, now time.Time, old []byte) (p *pool, err error) {
	if old != nil {
		if p, err = readPool(old); err != nil {
			return nil, err
		}
	}
	switch p = t.known(id, p, now); {
	case p != nil:
	case w.known && w.early(now, w.part.Expires):
		return nil, ErrEarly
	case !w.known || w.over != "": // nothing is the others' business
		return nil, errNoPool
	default:
		p = &pool{
			Seller: w.part.Seller, Origin: w.part.Origin, Token: w.own, Credit: max(w.part.Credit, w.part.Granted), Expires: nanos(w.part.Expires),
			Parts: map[string]*poolPart{t.o.Gateway: {Granted: w.part.Granted}},
		}
	}
	if p.Over == "" && w.early(now, time.Unix(0, p.Expires)) {
		return nil, ErrEarly
	}
	return p, nil
}

// give takes out of the books, for the fleet, what is free beyond what is to stay, or all of a token that is out of use here.
func (t *Tokens) give(ctx context.Context, part TokenPart, a *aim) (TokenPart, error) {
	free, _, used := t.o.Purse.Use(part, -1)
	var by money.Micros
	switch {
	case a.leave && !used:
		by = part.Left
	case a.keep != nil && used:
		by = free - *a.keep
	}
	if by <= 0 {
		return part, nil
	}
	if err := t.o.Purse.Move(ctx, part.ID, nil, -by, !a.leave); err != nil {
		return part, err
	}
	now, _, err := t.o.Purse.Part(ctx, part.ID)
	return now, err
}

// End has the last word about a token that is of no more use to anybody, before what is left of it is booked as waste: what nobody has set
// aside of it is in the books then. The token may be one's own.
func (t *Tokens) End(ctx context.Context, id, why string) error {
	return t.end(ctx, id, aim{over: why})
}

// Expire is End for a token whose time is over by this gateway's clock, or is within margin. Where it is not by the store's, the clock here is
// ahead, and the token is still good for the others: what is left of it here is given back to them, its part stays in the books, empty, and
// the error is ErrEarly. It is to be asked again later.
func (t *Tokens) Expire(ctx context.Context, id, why string, margin time.Duration) error {
	err := t.end(ctx, id, aim{over: why, margin: &margin})
	if !errors.Is(err, ErrEarly) {
		return err
	}
	part, _, err := t.o.Purse.Part(ctx, id)
	if err == nil {
		err = t.end(ctx, id, aim{leave: true})
	}
	if err != nil {
		return err
	}
	if part.Left > 0 {
		t.o.Logger.Warn("fleet.tokens.early", zap.String("tokenId", id), zap.Int64("micros", int64(part.Left)), zap.Duration("ahead", time.Since(t.now())),
			zap.String("hint", "by this gateway's clock a shared token has had its time, and by that of the store it has not: what was left of it here "+
				"is the other gateways'. Set the clock of this machine, with NTP"))
	}
	return ErrEarly
}

func (t *Tokens) end(ctx context.Context, id string, a aim) error {
	t.mu.Lock()
	off, proven := t.otherKey || t.fenced, t.proven
	t.mu.Unlock()
	switch {
	case off:
		return nil
	case !proven:
		return fmt.Errorf("%w: nothing was heard of it yet", ErrAway)
	}
	_, err := t.speak(ctx, id, a)
	if errors.Is(err, ErrFenced) || errors.Is(err, errNoPool) {
		return nil
	}
	return err
}
