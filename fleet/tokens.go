package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Purse are the tokens in a gateway's books, and in use there.
type Purse interface {
	// Parts gives the live tokens that gateways can share, those that they share already among them.
	Parts(ctx context.Context) ([]TokenPart, error)
	// Part gives one of them, as is durable; false: the books have none of that id.
	Part(ctx context.Context, id string) (TokenPart, bool, error)
	// Use tells what of a token is neither spent nor held, and when a request last had it, and learns what nobody has set aside of it; false:
	// it is not in use. elsewhere below zero is not known.
	Use(p TokenPart, elsewhere money.Micros) (free money.Micros, used time.Time, ok bool)
	// Move books credit of a token that comes from the fleet, or below zero goes there, where the token is in use as far as it is free, and has
	// use go by that. A token of one's own is a shared one then. sealed is the token, for one that the books do not have: ErrOtherKey says that it
	// was sealed with another key. What it makes of the part is durable when it returns.
	Move(ctx context.Context, id string, sealed []byte, by money.Micros, use bool) error
	// Retire takes a token out of use. What is left of it is booked as waste, after End.
	Retire(p TokenPart, why string)
	// Seal gives a token for gateways with the same key, and Proof what Proves there is of that key.
	Seal(ctx context.Context, id string) ([]byte, error)
	Proof() []byte
	Proves(proof []byte) bool
}

// ErrOtherKey is what a Purse gives where a token was sealed with another key than its own.
var ErrOtherKey = errors.New("fleet: the token was sealed with another key")

// TokenPart is what a gateway's books have of a token.
type TokenPart struct {
	ID, Seller, Origin string
	Credit             money.Micros // of the whole
	Granted            money.Micros // is this gateway's, spent or not
	Left               money.Micros // of that
	Expires            time.Time
	Shared             bool // the books know that others may have of it
	// Head is the hash of the newest entry of the books that say this, also where they have no token of the id. Empty: there is no entry.
	Head string
}

// Spent is what of it is spent.
func (p *TokenPart) Spent() money.Micros { return p.Granted - p.Left }

// TokensOptions say whose tokens are shared.
type TokensOptions struct {
	Store   Store
	Gateway string // the ledger's identity
	Boot    string // random, of the process
	Epoch   uint64 // one more with each start
	Purse   Purse
	// Rest has the gateway share nothing that it buys, and go on with what the fleet has had of shared tokens until they are over: of those of which
	// nobody else has anything set aside. Once there are none any more it is done.
	Rest bool
	// Fenced is told where another process speaks for this gateway. It may be nil.
	Fenced func(error)
	Logger *zap.Logger // nil: nothing is logged
}

// Tokens share bought tokens with the other gateways: each has a part of a token's credit set aside.
type Tokens struct {
	o TokensOptions

	mu       sync.Mutex // protects all following fields
	locks    map[string]*sync.Mutex
	spoke    map[string]time.Time // when the store last heard of a token
	foreign  map[string]bool      // tokens that are sealed with another key, as the fleet's was another one before: nobody here can use them
	proven   bool                 // the fleet's key is this gateway's
	otherKey bool                 // it is not
	fenced   bool
	away     bool
	rested   bool                 // nothing is left to go on with
	seen     map[string]TokenSums // by seller, when the store was last looked at
	said     time.Time            // what the store's clock has said last
	heard    time.Time            // when that was here

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// NewTokens gives tokens that Start brings to life.
func NewTokens(o TokensOptions) *Tokens {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	t := &Tokens{o: o, locks: make(map[string]*sync.Mutex), spoke: make(map[string]time.Time), foreign: make(map[string]bool)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// Start shares what the gateway has, and keeps up with the others until Close.
func (t *Tokens) Start() { t.work.Go(t.keepUp) }

// Close gives back what is set aside here and not spent.
func (t *Tokens) Close(ctx context.Context) {
	t.cancel()
	t.work.Wait()
	if !t.shares() {
		return
	}
	parts, err := t.parts(ctx)
	if err != nil {
		return
	}
	for i := range parts {
		if _, err := t.speak(ctx, parts[i].ID, aim{keep: new(money.Micros)}); err != nil {
			t.o.Logger.Warn("fleet.tokens.close", zap.Error(err), zap.String("hint", "what is set aside for this gateway is the others' in half a minute"))
			return
		}
	}
}

// parts gives what of tokens in the books is the fleet's business.
func (t *Tokens) parts(ctx context.Context) ([]TokenPart, error) {
	parts, err := t.o.Purse.Parts(ctx)
	if t.o.Rest {
		parts = slices.DeleteFunc(parts, func(p TokenPart) bool { return !p.Shared })
	}
	return parts, err
}

// Lends tells whether what is bought here is shared.
func (t *Tokens) Lends() bool { return !t.o.Rest }

// OtherKey tells whether the tokens of the fleet are sealed with another key than this gateway's, which shares none then.
func (t *Tokens) OtherKey() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.otherKey
}

// shares tells whether this gateway has the fleet's key, and may speak.
func (t *Tokens) shares() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.proven && !t.fenced
}

// ready is shares, where it is not known yet once the store has said so.
func (t *Tokens) ready(ctx context.Context) bool {
	t.mu.Lock()
	known := t.proven || t.otherKey || t.fenced
	t.mu.Unlock()
	if !known && t.prove(ctx) != nil {
		return false
	}
	return t.shares()
}

// prove sees whether the key is the fleet's; the first gateway's is.
func (t *Tokens) prove(ctx context.Context) error {
	var proof []byte
	own := t.o.Purse.Proof()
	err := t.change(ctx, proofKey, func(_ Moment, old []byte) ([]byte, error) {
		if proof = old; proof == nil && !t.o.Rest {
			proof = own
		}
		return proof, nil
	})
	if err != nil {
		return err
	}
	same := proof != nil && t.o.Purse.Proves(proof)
	t.mu.Lock()
	told := t.otherKey
	t.proven, t.otherKey = same, !same
	t.mu.Unlock()
	if !same && !told && !t.o.Rest {
		t.o.Logger.Error("fleet.tokens.key", zap.String("hint", "the key of this gateway's ledger is not that of the gateway that was first to share tokens: "+
			"this one shares none, and buys its own, until both have the same key"))
	}
	return nil
}

// change makes one change, and notes whether the store is there.
func (t *Tokens) change(ctx context.Context, key string, f func(Moment, []byte) ([]byte, error)) error {
	once, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	var said, heard time.Time
	err := t.o.Store.Change(once, key, func(at Moment, old []byte) ([]byte, error) {
		said, heard = at.Now, time.Now()
		return f(at, old)
	})
	if !said.IsZero() {
		t.mu.Lock()
		t.said, t.heard = said, heard
		t.mu.Unlock()
	}
	t.note(ctx, err)
	return err
}

// now is the time by the store's clock, as far as is known: what it has said last, and what has passed since, whatever becomes of the clock here.
func (t *Tokens) now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.said.IsZero() {
		return time.Now()
	}
	return t.said.Add(time.Since(t.heard))
}

func (t *Tokens) note(ctx context.Context, err error) {
	away := errors.Is(err, ErrAway) || errors.Is(err, ErrUnknown)
	if ctx.Err() != nil && err != nil {
		return
	}
	t.mu.Lock()
	was := t.away
	t.away = away
	t.mu.Unlock()
	switch {
	case away && !was:
		t.o.Logger.Warn("fleet.tokens.away", zap.Error(err), zap.String("hint", "what is set aside of tokens here serves, and no more comes until the store is back"))
	case was && !away:
		t.o.Logger.Info("fleet.tokens.back")
	}
}

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
// what is granted gets there after. So what is lost on the way is nobody's for a moment, and never two gateways'.
func (t *Tokens) speak(ctx context.Context, id string, a aim) (ans poolAnswer, err error) {
	lock := t.lockOf(id)
	lock.Lock()
	defer lock.Unlock()
	part, known, err := t.o.Purse.Part(ctx, id)
	if err != nil {
		return ans, err
	}
	switch {
	case !known:
	case !part.Shared && a.over == "": // before others hear of it
		if err = t.o.Purse.Move(ctx, id, nil, 0, !a.leave); err == nil {
			part, known, err = t.o.Purse.Part(ctx, id)
		}
	case a.leave:
		part, err = t.giveUp(ctx, part)
	}
	if err == nil && known && a.keep != nil {
		part, err = t.giveBack(ctx, part, *a.keep)
	}
	if err != nil {
		return ans, err
	}
	var own, sealed []byte
	if known {
		if own, err = t.o.Purse.Seal(ctx, id); err != nil {
			return ans, err
		}
	}
	err = t.change(ctx, PoolKey(id), func(at Moment, old []byte) ([]byte, error) {
		var p *pool
		switch {
		case old == nil && known && a.early(at.Now, part.Expires):
			return nil, ErrEarly
		case old == nil && (!known || a.over != ""): // nothing is the others' business
			return nil, errNoPool
		case old == nil:
			p = &pool{
				Seller: part.Seller, Origin: part.Origin, Token: own, Credit: max(part.Credit, part.Granted), Expires: part.Expires.UnixNano(),
				Parts: map[string]*poolPart{t.o.Gateway: {Granted: part.Granted}},
			}
		default:
			if p, err = readPool(old); err != nil {
				return nil, err
			}
		}
		if p.Over == "" && a.early(at.Now, time.Unix(0, p.Expires)) {
			return nil, ErrEarly
		}
		sealed = p.Token
		ans, err = p.ask(at.Now, poolAsk{
			gateway: t.o.Gateway, boot: t.o.Boot, epoch: t.o.Epoch, known: known, granted: part.Granted, spent: part.Spent(), head: part.Head,
			need: a.need, like: a.like, over: a.over,
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
	t.mu.Lock()
	t.spoke[id] = time.Now()
	t.mu.Unlock()
	if by := ans.granted - part.Granted; by != 0 && (known || !ans.was) {
		err = t.o.Purse.Move(ctx, id, sealed, by, !ans.ended && !a.leave)
	}
	if errors.Is(err, ErrOtherKey) {
		t.mu.Lock()
		t.foreign[id] = true
		t.mu.Unlock()
	}
	t.o.Purse.Use(part, max(0, ans.free))
	return ans, err
}

// giveBack takes out of the books what is free beyond keep, for the fleet.
func (t *Tokens) giveBack(ctx context.Context, part TokenPart, keep money.Micros) (TokenPart, error) {
	free, _, ok := t.o.Purse.Use(part, -1)
	if !ok || free <= keep {
		return part, nil
	}
	if err := t.o.Purse.Move(ctx, part.ID, nil, keep-free, true); err != nil {
		return part, err
	}
	now, _, err := t.o.Purse.Part(ctx, part.ID)
	return now, err
}

// giveUp takes out of the books all that they have of a token that is out of use here, for the fleet.
func (t *Tokens) giveUp(ctx context.Context, part TokenPart) (TokenPart, error) {
	if _, _, used := t.o.Purse.Use(part, -1); used || part.Left <= 0 {
		return part, nil
	}
	if err := t.o.Purse.Move(ctx, part.ID, nil, -part.Left, false); err != nil {
		return part, err
	}
	now, _, err := t.o.Purse.Part(ctx, part.ID)
	return now, err
}

// opens tells whether a token may be sealed with this gateway's key.
func (t *Tokens) opens(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.foreign[id]
}

func (t *Tokens) lockOf(id string) *sync.Mutex {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.locks[id]
	if l == nil {
		l = new(sync.Mutex)
		t.locks[id] = l
	}
	return l
}

// fence ends sharing: what is in use here serves on, as the seller refuses what is not there.
func (t *Tokens) fence(err error) {
	t.mu.Lock()
	told := t.fenced
	t.fenced = true
	t.mu.Unlock()
	if !told && t.o.Fenced != nil {
		t.o.Fenced(err)
	}
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
	part, known, err := t.o.Purse.Part(ctx, id)
	if err == nil && known && !part.Shared { // the store has it before the books give of it: what it knows nothing of would be lost
		err = t.end(ctx, id, aim{leave: true})
	}
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
