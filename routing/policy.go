package routing

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// Query is what is known of a request when its sellers are chosen.
type Query struct {
	Served   string           // the model's id, after aliases
	Protocol dialect.Protocol // the API that the client speaks
	Path     string           // of the request
	Ceiling  money.Tokens     // the most that the request may use
	// Likely is what the request is likely to use: its prompt, and the usual length of this model's answers. Zero: it is guessed
	// from Ceiling.
	Likely money.Tokens

	// What guest policies see beside it.
	Member, Group string
	Streamed      bool
	Tools         bool // the request brings tools

	// Last is the seller that served the conversation last, and Cached how many tokens of the prompt it has likely cached.
	Last   SellerKey
	Cached int64
	// Maker is the seller that made the response on which the request builds: it goes there and nowhere else.
	Maker SellerKey

	Now time.Time // zero: time.Now()

	known []known // of the sellers by rank, while all candidates of all models are gathered
}

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

// strategy is how a policy chooses here, without copies: the built-in ones by themselves, a guest's through its interface. Both
// methods append candidates to dst, the best first and none twice, and return the longer slice. The room in dst
// (cap(dst)-len(dst)) is how many are wanted; they append no more than that. Both are called from many goroutines at once.
type strategy interface {
	// gather picks the candidates that are kept ready for requests. It may look at all of them, of which there may be 100,000. The
	// default seller and a few others to explore are added to its choice.
	gather(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate
	// order puts the ready candidates ([Candidates.Ready]) in order for one request, which is waiting: it does not look at all
	// candidates, block or allocate. What it leaves out is not asked.
	order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate
}

// Policies are the modules of the built-in policies.
var Policies = []caddy.Module{DefaultFirst{}, Manual{}, Cheapest{}, Fastest{}, Weighted{}}

// NewPolicy makes a built-in policy by its name, with the arguments that it takes in a Caddyfile.
func NewPolicy(name string, args ...string) (selection.Policy, error) {
	info, err := policyInfo(name)
	if err != nil {
		return nil, err
	}
	return newPolicy(info, name, args)
}

// LoadPolicy makes any policy that is registered with Caddy, by the word that follows "selection" in a Caddyfile, as a config
// would: its arguments are read, and it is provisioned and validated in the context, whose end is its cleanup.
func LoadPolicy(ctx caddy.Context, name string, args ...string) (selection.Policy, error) {
	info, err := policyInfo(name)
	if err != nil {
		return nil, err
	}
	draft, err := newPolicy(info, name, args)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(draft)
	if err != nil {
		return nil, fmt.Errorf("selection policy %s: %w", name, err)
	}
	loaded, err := ctx.LoadModuleByID(string(info.ID), config)
	if err != nil {
		return nil, fmt.Errorf("selection policy %s: %w", name, err)
	}
	return PolicyOf(loaded)
}

// PolicyOf gives a module of the namespace of policies as what it has to be.
func PolicyOf(module any) (selection.Policy, error) {
	policy, ok := module.(selection.Policy)
	if !ok {
		return nil, fmt.Errorf("the selection policy %T has no method Order of selection.Policy", module)
	}
	return policy, nil
}

// policyInfo finds a policy's module: a built-in one, or any that is registered.
func policyInfo(name string) (info caddy.ModuleInfo, err error) {
	var known []string
	for _, p := range Policies {
		info := p.CaddyModule()
		if info.ID.Name() == name {
			return info, nil
		}
		known = append(known, info.ID.Name())
	}
	for _, info := range caddy.GetModules(selection.Namespace) {
		if info.ID.Name() == name {
			return info, nil
		}
		if !slices.Contains(known, info.ID.Name()) {
			known = append(known, info.ID.Name())
		}
	}
	return info, fmt.Errorf("there is no selection policy %q: expected one of %s", name, strings.Join(known, ", "))
}

func newPolicy(info caddy.ModuleInfo, name string, args []string) (selection.Policy, error) {
	tokens := []caddyfile.Token{{File: "selection", Line: 1, Text: name}}
	for _, arg := range args {
		tokens = append(tokens, caddyfile.Token{File: "selection", Line: 1, Text: arg})
	}
	module := info.New()
	if reader, ok := module.(caddyfile.Unmarshaler); ok {
		if err := reader.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
			return nil, fmt.Errorf("selection policy %s: %w", name, err)
		}
	} else if len(args) > 0 {
		return nil, fmt.Errorf("selection policy %s takes no arguments", name)
	}
	return PolicyOf(module)
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
