// Package roundrobin is a selection policy for tokenbuddy: the requests of each member go to the sellers in turn.
package roundrobin

import (
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

func init() { caddy.RegisterModule(new(RoundRobin)) }

// RoundRobin is the policy: `selection round_robin`, or `selection round_robin strict`.
type RoundRobin struct {
	// Strict has every request take its turn. Without it a conversation stays with the seller that has its prompt cached, and
	// only new ones take turns.
	Strict bool `json:"strict,omitempty"`

	mu    sync.Mutex // requests come from many goroutines
	turns map[string]int
}

// CaddyModule returns the Caddy module information. The last part of the id is the word in the Caddyfile.
func (*RoundRobin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: selection.Namespace + ".round_robin", New: func() caddy.Module { return new(RoundRobin) }}
}

// UnmarshalCaddyfile reads the words after "selection".
func (r *RoundRobin) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // round_robin
	if d.NextArg() {
		if d.Val() != "strict" {
			return d.Errf("round_robin: unexpected %q: expected strict, or nothing", d.Val())
		}
		r.Strict = true
	}
	if d.NextArg() || d.NextBlock(0) {
		return d.Errf("round_robin: unexpected %q", d.Val())
	}
	return nil
}

// Order has those that can serve take turns, and leaves the others behind them, for the case that all else fails.
func (r *RoundRobin) Order(q selection.Query, candidates []selection.Candidate) []selection.Candidate {
	fit := make([]selection.Candidate, 0, len(candidates))
	var others []selection.Candidate
	for _, c := range candidates {
		if c.Fit {
			fit = append(fit, c)
		} else {
			others = append(others, c)
		}
	}
	if len(fit) == 0 {
		return others
	}
	first := r.turn(q.Member) % len(fit)
	return slices.Concat(fit[first:], fit[:first], others)
}

// NoAffinity has the order kept as it is, where it is to be strict.
func (r *RoundRobin) NoAffinity() bool { return r.Strict }

// maxMembers bounds what is remembered: members may come from another module, and be many.
const maxMembers = 10_000

// turn counts the member's requests.
func (r *RoundRobin) turn(member string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turns == nil || len(r.turns) >= maxMembers {
		r.turns = make(map[string]int)
	}
	turn := r.turns[member]
	r.turns[member] = (turn + 1) % (1 << 30)
	return turn
}

var (
	_ selection.Policy      = (*RoundRobin)(nil)
	_ selection.Unaffine    = (*RoundRobin)(nil)
	_ caddyfile.Unmarshaler = (*RoundRobin)(nil)
)
