package fleet

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// pool is the value of a token's key: a bought token whose credit gateways share. Each has a part of the credit set aside, and spends that
// without asking. As with budgets no two gateways have the same micro; other than with budgets a part ends when its gateway has been silent for
// a while: a seller refuses what is not there, so that what the gateway has spent since its last word is put right when it comes back.
type pool struct {
	Seller  string               `json:"seller"`
	Origin  string               `json:"origin"`
	Token   []byte               `json:"token,omitempty"` // what it is, its secret sealed; none once it is over
	Credit  money.Micros         `json:"credit"`
	Expires int64                `json:"expires"`        // in nanoseconds of Unix time
	Over    string               `json:"over,omitempty"` // why nobody uses it any more
	OverAt  int64                `json:"overAt,omitempty"`
	Parts   map[string]*poolPart `json:"parts"`           // by gateway
	Wants   map[string]poolWant  `json:"wants,omitempty"` // by gateway: of what others have set aside
}

// poolPart is a gateway's part.
type poolPart struct {
	Epoch   uint64       `json:"epoch"`
	Boot    string       `json:"boot"`
	Granted money.Micros `json:"granted"` // what is spent is in it
	Spent   money.Micros `json:"spent"`   // as far as it was reported
	Until   int64        `json:"until"`   // from then on what is not spent is anybody's; by the store's clock
	Ended   bool         `json:"ended,omitempty"`
	// Head is the hash of the newest entry of the gateway's books when it last spoke: by the entries up to that one it has spent Spent.
	Head string `json:"head,omitempty"`
}

type poolWant struct {
	Need money.Micros `json:"need"`
	At   int64        `json:"at"`
}

// Times of shared tokens.
const (
	partFor  = 30 * time.Second    // a part is its gateway's for so long after its word
	wantFor  = 3 * time.Second     // a want is heard for so long
	keepOver = 24 * time.Hour      // a token that is over is kept for so long, and until all have had their last word
	keepLate = 30 * 24 * time.Hour // or, where somebody does not come back, or nobody is left with its key, until so long after its expiry
)

// PoolKey is the key of a shared token.
func PoolKey(token string) string { return poolKeys + escape(token) }

// poolOf is the token whose key it is.
func poolOf(key string) (token string, ok bool) {
	token, ok = strings.CutPrefix(key, poolKeys)
	return unescape(token), ok
}

const poolKeys = "t/"

// poolSpent is why a token is over of which nothing is left.
const poolSpent = "spent"

// proofKey is where the first gateway that shares tokens shows which key they are sealed with.
const proofKey = "token-key"

func readPool(raw []byte) (*pool, error) {
	p := new(pool)
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, errors.New("fleet: a shared token can't be read: it may be of a newer release")
	}
	if p.Parts == nil {
		p.Parts = make(map[string]*poolPart)
	}
	return p, nil
}

// free is what nobody has set aside. Below zero: so much was spent, or is set aside, that is not there.
func (p *pool) free() money.Micros {
	left := p.Credit
	for _, one := range p.Parts {
		left -= max(one.Granted, one.Spent)
	}
	return left
}

// left is what nobody has spent, as far as was said.
func (p *pool) left() money.Micros {
	left := p.Credit
	for _, one := range p.Parts {
		left -= one.Spent
	}
	return max(left, 0)
}

// idle is what others have set aside and have not spent, as far as they have said.
func (p *pool) idle(gateway string) (sum money.Micros) {
	for id, one := range p.Parts {
		if id != gateway && one.Granted > one.Spent {
			sum += one.Granted - one.Spent
		}
	}
	return sum
}

// silent is what parts have whose gateways have been silent for too long.
func (p *pool) silent(gateway string, now int64) (sum money.Micros) {
	for id, one := range p.Parts {
		if id != gateway && one.Until <= now && one.Granted > one.Spent {
			sum += one.Granted - one.Spent
		}
	}
	return sum
}

// wanted is what others lack.
func (p *pool) wanted(gateway string, now int64) (sum money.Micros) {
	for id, w := range p.Wants {
		if id != gateway && now-w.At < int64(wantFor) {
			sum += w.Need
		}
	}
	return sum
}

// errLost: the gateway's books know nothing of a token of which it has spent something. They are not what they were, and have no more of it. So
// the books keep an empty part until the token is over for all.
var errLost = errors.New("fleet: the books have lost a shared token")

// poolAsk is what a gateway says of its part, and what it lacks.
type poolAsk struct {
	gateway, boot string
	epoch         uint64
	known         bool         // it has the token in its books
	granted       money.Micros // by its books, spent included
	spent         money.Micros // by its books, which are durable
	head          string       // of the books that say so
	need, like    money.Micros // need zero: nothing
	over          string       // it is of no more use to anybody; empty: it is
}

// poolAnswer is how things stand after that.
type poolAnswer struct {
	granted money.Micros // set aside for the gateway: its books are to say the same
	free    money.Micros
	wanted  money.Micros // by others
	over    string
	gave    money.Micros // of that just now
	ended   bool         // the gateway has had its last word: it books what is left as waste
	was     bool         // it had it before
}

// ask brings a gateway's part up to what its books say, and grants what it lacks. What the books do not have was never used, as when the
// answer to an earlier ask was lost: nobody has it. What they have beyond the part was given to others meanwhile, or forgotten by the store:
// the gateway gives it up, but for what is spent.
func (p *pool) ask(now time.Time, a poolAsk) (poolAnswer, error) {
	one := p.Parts[a.gateway]
	if one == nil {
		one = new(poolPart)
		p.Parts[a.gateway] = one
	}
	if one.Epoch > a.epoch || one.Epoch == a.epoch && one.Boot != a.boot && one.Boot != "" {
		return poolAnswer{}, ErrFenced
	}
	one.Epoch, one.Boot = a.epoch, a.boot
	at := now.UnixNano()
	for _, other := range p.Parts { // the store's clock may have been put back
		other.Until = min(other.Until, at+int64(partFor))
	}
	for id, w := range p.Wants {
		p.Wants[id] = poolWant{w.Need, min(w.At, at)}
	}
	delete(p.Wants, a.gateway)
	switch {
	case one.Ended:
		ans := p.answer(a, one, at)
		ans.was = true
		return ans, nil
	case a.known:
		one.Spent = a.spent
		one.Granted = max(min(one.Granted, a.granted), a.spent)
	case one.Spent > 0:
		return poolAnswer{}, errLost
	default:
		one.Granted = 0
	}
	one.Head = a.head
	before := one.Granted
	if p.Over == "" {
		p.Over = a.over
	}
	switch {
	case p.Over != "" && a.known:
		one.Granted += max(p.free(), one.Spent-one.Granted) // somebody has to book it; what is not there is no waste
		one.Spent, one.Ended = one.Granted, true
	case a.need > 0:
		p.grant(one, a, at)
	case p.Over == "" && p.done():
		p.Over, one.Ended = poolSpent, true
	}
	if p.Over != "" {
		if p.OverAt == 0 {
			p.OverAt = at
		}
		if p.Wants = nil; p.done() {
			p.Token = nil
		}
	}
	one.Until = at + int64(partFor)
	ans := p.answer(a, one, at)
	ans.gave = one.Granted - before
	return ans, nil
}

// grant sets aside what a gateway lacks, or has others hear of it.
func (p *pool) grant(one *poolPart, a poolAsk, now int64) {
	if p.free() < a.need && p.silent(a.gateway, now) > 0 {
		for id, other := range p.Parts {
			if id != a.gateway && other.Until <= now {
				other.Granted = min(other.Granted, max(0, other.Spent))
			}
		}
	}
	free := p.free()
	if free >= a.need {
		one.Granted += max(a.need, min(a.like, free/2))
		return
	}
	if p.Wants == nil {
		p.Wants = make(map[string]poolWant)
	}
	p.Wants[a.gateway] = poolWant{max(a.need, a.like) - max(0, free), now} // what it needs alone would come again for each request
}

func (p *pool) answer(a poolAsk, one *poolPart, now int64) poolAnswer {
	return poolAnswer{granted: one.Granted, free: p.free(), wanted: p.wanted(a.gateway, now), over: p.Over, ended: one.Ended}
}

// nanos is a time in nanoseconds of Unix time. They end in 2262, and some sellers say of a token that never ends that it does in 9999.
func nanos(t time.Time) int64 {
	if t.Year() > 2261 {
		return math.MaxInt64
	}
	return t.UnixNano()
}

// kept tells whether the key of a token is needed: nobody is to come back to one that it knows, and find nothing of it.
func (p *pool) kept(now int64) bool {
	if now-p.Expires > int64(keepLate) {
		return false
	}
	if p.Over == "" || now-p.OverAt < int64(keepOver) {
		return true
	}
	for _, one := range p.Parts {
		if !one.Ended && (one.Granted != 0 || one.Spent != 0) {
			return true
		}
	}
	return p.free() > 0
}

// done tells whether nothing is left of it for anybody.
func (p *pool) done() bool { return p.free() <= 0 && p.idle("") == 0 }
