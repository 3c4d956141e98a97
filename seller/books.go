package seller

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// What the books hold at most. The oldest charges are forgotten; orders are refused when there is no room for more.
const (
	maxOrders   = 20_000
	maxCharges  = 100_000 // that can be looked at
	maxRepeats  = 10_000  // that a repeat of their request is recognised by
	maxPrefixes = 10_000  // heads of prompts that count as cached
)

// Books are what a seller knows of its buyers: orders, tokens, charges, and what it has answered. They are safe for
// concurrent use, and live as long as a config or a request holds them.
type Books struct {
	seller string
	file   string // the state file; empty: none
	logger *zap.Logger

	buying  sync.Mutex // held over a whole purchase step, so that a repeat of it sees its answer
	journal journal    // where changes are written down
	claimed atomic.Bool
	lock    *flock.Flock // on the files, while they are claimed. Under journal.mu

	mu        sync.Mutex
	orders    map[digest]*order
	answers   map[digest]*answered
	tokens    map[digest]*token // by the hash of the bearer
	open      map[digest]*charge
	repeats   *recent[digest, *charge]
	prefixes  *recent[digest, struct{}]
	responses *recent[digest, int64] // tokens of a response that an upstream keeps
	charges   []*charge              // a ring of the last ones
	oldest    int                    // where the ring begins, once it is full
	swept     time.Time
	stuck     map[string]int // calls that were left behind, by the way of being paid
}

// digest is a SHA-256 hash. What only a buyer may know is kept as one.
type digest [sha256.Size]byte

func (d digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

func (d *digest) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(d) {
		return fmt.Errorf("not a SHA-256 hash")
	}
	copy(d[:], b)
	return nil
}

// hash gives the digest of parts, each of which is told from its neighbours.
func hash(parts ...string) digest {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return digest(h.Sum(nil))
}

// token is a credential that was sold, and what is left on it.
type token struct {
	ID        string       `json:"id"`
	Hash      digest       `json:"hash"`
	Credit    money.Micros `json:"creditMicros"`
	Balance   money.Micros `json:"balanceMicros"`
	ExpiresAt time.Time    `json:"expiresAt"`
	Late      money.Micros `json:"lateMicros,omitempty"` // what was done for its requests that ran out of time, and not billed

	held money.Micros // of the balance, for what requests under way may cost
}

func newBooks(seller, file string, logger *zap.Logger) *Books {
	return &Books{
		seller: seller, file: file, logger: logger,
		orders: make(map[digest]*order), answers: make(map[digest]*answered), tokens: make(map[digest]*token),
		open:    make(map[digest]*charge),
		repeats: newRecent[digest, *charge](maxRepeats), prefixes: newRecent[digest, struct{}](maxPrefixes),
		responses: newRecent[digest, int64](maxPrefixes), stuck: make(map[string]int),
	}
}

// newToken sells credit until expires, and gives the bearer, which the books themselves forget. b.mu is held.
func (b *Books) newToken(credit money.Micros, expires time.Time) (bearer string, t *token) {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	bearer = "tbs_" + base64.RawURLEncoding.EncodeToString(secret)
	t = &token{ID: newID("t_"), Hash: bearerHash(bearer), Credit: credit, Balance: credit, ExpiresAt: expires}
	b.tokens[t.Hash] = t
	return bearer, t
}

// bearer finds the token that a request carries; nil when it has none that serves now.
func (b *Books) bearer(h http.Header) *token {
	scheme, bearer, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || !strings.HasPrefix(bearer, "tbs_") {
		return nil
	}
	sum := bearerHash(bearer)
	b.mu.Lock()
	defer b.mu.Unlock()
	// The map is asked for a hash, whose bytes say nothing about how near a guess was.
	t := b.tokens[sum]
	if t == nil || subtle.ConstantTimeCompare(t.Hash[:], sum[:]) != 1 || !time.Now().Before(t.ExpiresAt) {
		return nil
	}
	return t
}

func bearerHash(bearer string) digest { return sha256.Sum256([]byte(bearer)) }

func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

// sweep forgets the orders that are over, and with them their tokens and answers; at most once a minute. b.mu is held.
func (b *Books) sweep(now time.Time) {
	if now.Sub(b.swept) < time.Minute {
		return
	}
	b.swept = now
	for _, o := range b.orders {
		if now.After(o.KeepUntil) {
			b.dropOrder(o)
		}
	}
}

// makeRoom forgets, of a book that is full, the orders that are over and for which no money has moved as far as is known: whoever
// asks for an order, or signs a payment that nobody can cash, is not to close the seller to others. Where that is not enough it forgets the
// oldest of those that are open, whose buyers take a new one, and as few as it can. What is paid before its proof is shown may be paid all the
// same: of these orders it forgets the oldest, once they are over, where no others are left. b.mu is held.
func (b *Books) makeRoom(now time.Time) {
	var open, mayBePaid []*order
	for _, o := range b.orders {
		unseen := o.unseen()
		switch {
		case o.Settled != "" || o.Token != nil || o.settling:
		case now.Before(o.ExpiresAt):
			if !unseen && (o.Proof == nil || o.Refused) {
				open = append(open, o)
			}
		case unseen:
			mayBePaid = append(mayBePaid, o)
		case o.Proof == nil || o.Refused:
			b.dropOrder(o)
		}
	}
	over := len(b.orders) - maxOrders
	if over < 0 {
		return
	}
	byAge := func(a, b *order) int { return a.ExpiresAt.Compare(b.ExpiresAt) }
	slices.SortFunc(open, byAge)
	slices.SortFunc(mayBePaid, byAge)
	last := append(open, mayBePaid...)
	for _, o := range last[:min(len(last), over+maxOrders/1000)] { // a few at once: all have to be looked at for it
		b.dropOrder(o)
	}
}

// unseen tells whether the money of an order moves before its proof is shown, and none was: it may be paid, and nobody here knows.
func (o *order) unseen() bool {
	return o.Proof == nil && o.Settled == "" && o.Token == nil && o.KeepUntil.After(o.ExpiresAt)
}

// crowded tells whether there is no place for an order that can't give way, as it may be paid: where half of the book are such that are open, the
// other half is for buyers who pay otherwise, if there are any; and of a book that is half full one address has a hundredth. b.mu is held.
func (b *Books) crowded(now time.Time, from netip.Prefix, others bool) bool {
	if len(b.orders) < maxOrders/2 {
		return false
	}
	all, own := 0, 0
	for _, o := range b.orders {
		if o.unseen() && now.Before(o.ExpiresAt) {
			all++
			if o.from == from && from.IsValid() {
				own++
			}
		}
	}
	return others && all >= maxOrders/2 || own >= maxOrders/100
}

func (b *Books) dropOrder(o *order) {
	delete(b.orders, o.Hash)
	if o.Token != nil {
		delete(b.tokens, *o.Token)
	}
	for _, key := range o.Answers {
		delete(b.answers, key)
	}
}

func (b *Books) warn(err error) {
	b.logger.Warn("seller.state.failed", zap.String("seller", b.seller), zap.Error(err))
}
