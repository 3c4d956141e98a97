package fleet

import (
	"context"
	"errors"
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
	Bought, Expires    time.Time
	Shared             bool // the books know that others may have of it
	Restored           bool // the books were restored from a backup, and it has served nobody since: it may have been over before
	// Head is the hash of the newest entry of the books that say this, also where they have no token of the id. Empty: there is no entry.
	Head string
}

// Spent is what of it is spent.
func (p *TokenPart) Spent() money.Micros { return p.Granted - p.Left }

// forgotten tells whether the store has forgotten a token of which it knows nothing, as where it was restored from a dump, or has never heard of it. All that
// is left of it may have been given back. What is over is not forgotten: of who had anything of it, for as long as it has not said so, and of others for a while.
// Where it had said so, and its books have forgotten that, the token does not come back by them.
func (p *TokenPart) forgotten(now time.Time) bool {
	elsewhere := p.Granted < p.Credit && now.Before(p.Expires) && !p.Restored
	return p.Left > 0 || elsewhere && (p.Granted > 0 || now.Sub(p.Bought) < keepOver)
}

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
	seenAs   map[string]sight     // tokens as they were seen in the store
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
	t := &Tokens{o: o, locks: make(map[string]*sync.Mutex), spoke: make(map[string]time.Time), seenAs: make(map[string]sight), foreign: make(map[string]bool)}
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
