package routing

import (
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Query is what a policy may know of a request.
type Query struct {
	Served   string           // the model's id, after aliases
	Protocol dialect.Protocol // the API that the client speaks
	Path     string           // of the request
	Ceiling  money.Tokens     // the most that the request may use

	// Last is the seller that served the conversation last, and Cached how many tokens of the prompt it has likely cached.
	Last   SellerKey
	Cached int64
	// Maker is the seller that made the response on which the request builds: it goes there and nowhere else.
	Maker SellerKey

	Now time.Time // zero: time.Now()

	known []known // of the sellers by rank, while all candidates of all models are gathered
}

// SellerKey names a seller: its id and its origin together. The zero value is none.
type SellerKey struct{ ID, Origin string }

// Key names the seller.
func (s *Seller) Key() SellerKey { return SellerKey{s.ID, s.Origin} }

// Funds know the purses of sellers.
type Funds interface {
	// Purse gives a seller's. It is nil as long as nothing was bought there, and goes on being the seller's once it is not;
	// whoever has it told is told of that with [Table.Touch].
	Purse(SellerKey) Purse
}

// Purse says what can be paid at one seller. It is asked for every candidate at hand while a request waits: it must not
// block, and should not allocate.
type Purse interface {
	// Look tells whether credit is left there that a request could use, and whether a token could be bought there now.
	Look(now time.Time) (credit, canBuy bool)
}

// Policy chooses among the candidates of a request. Policies are Caddy guest modules in the namespace
// http.tokenbuddy.selection. Most need no more than a [Score], with which [Rank] and [Gather] do the rest.
//
// Both methods append candidates to dst, the best first and none twice, and return the longer slice. The room in dst
// (cap(dst)-len(dst)) is how many are wanted; they append no more than that. Both are called from many goroutines at once.
type Policy interface {
	// Gather picks, in the background, the candidates that are kept ready for requests. It may look at all of them, of which
	// there may be 100,000. The default seller and a few others to explore are added to its choice.
	Gather(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate
	// Order puts the ready candidates ([Candidates.Ready]) in order for one request, which is waiting: Order must not look
	// at all candidates, must not block, and should not allocate. What it leaves out is not asked.
	Order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate
}

// PolicyNamespace is where Caddy finds policies.
const PolicyNamespace = "http.tokenbuddy.selection"

// Policies are the modules of the built-in policies.
var Policies = []caddy.Module{DefaultFirst{}, Manual{}, Cheapest{}, Fastest{}, Weighted{}}

// NewPolicy makes a built-in policy by its name, with the arguments that it takes in a Caddyfile.
func NewPolicy(name string, args ...string) (Policy, error) {
	var known []string
	for _, p := range Policies {
		info := p.CaddyModule()
		known = append(known, info.ID.Name())
		if info.ID.Name() != name {
			continue
		}
		tokens := []caddyfile.Token{{File: "selection", Line: 1, Text: name}}
		for _, arg := range args {
			tokens = append(tokens, caddyfile.Token{File: "selection", Line: 1, Text: arg})
		}
		policy := info.New()
		if err := policy.(caddyfile.Unmarshaler).UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
			return nil, fmt.Errorf("selection policy %s: %w", name, err)
		}
		return policy.(Policy), nil
	}
	return nil, fmt.Errorf("there is no selection policy %q: expected one of %s", name, strings.Join(known, ", "))
}

// PolicyName is the name of a policy that is a Caddy module, as it stands in a config.
func PolicyName(p Policy) string {
	if m, ok := p.(caddy.Module); ok {
		return m.CaddyModule().ID.Name()
	}
	return fmt.Sprintf("%T", p)
}

// noArguments reads a policy's name in a Caddyfile, where nothing may follow it.
func noArguments(d *caddyfile.Dispenser) error {
	d.Next()
	if name := d.Val(); d.NextArg() {
		return d.Errf("unexpected word %q: expected %q alone", d.Val(), name)
	}
	return noBlock(d)
}

// noBlock refuses a block where a policy has none.
func noBlock(d *caddyfile.Dispenser) error {
	for d.NextBlock(0) {
		return d.Errf("unexpected %q: this policy takes no block", d.Val())
	}
	return nil
}
