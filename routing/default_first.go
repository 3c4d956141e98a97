package routing

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// DefaultFirst is the policy that prefers the default seller; after it come the pinned sellers in the order of the config
// and the others in the order of the registry.
type DefaultFirst struct{}

// CaddyModule says what the module is.
func (DefaultFirst) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: selection.Namespace + ".default_first", New: func() caddy.Module { return new(DefaultFirst) }}
}

// UnmarshalCaddyfile reads "default_first", which takes no arguments.
func (*DefaultFirst) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// gather picks the first ones.
func (DefaultFirst) gather(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	return gather(q, candidates, dst, byRank)
}

// order puts the default seller first.
func (DefaultFirst) order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	return rank(q, candidates, dst, byRank)
}

func byRank(_ *Query, r *Ready, _ bool) uint64 {
	if r.Default {
		return 0
	}
	return 1 + uint64(r.rank)
}

// Order is order, of copies.
func (DefaultFirst) Order(_ selection.Query, list []selection.Candidate) []selection.Candidate {
	return rankViews(list, func(c *selection.Candidate) uint64 {
		if c.Default {
			return 0
		}
		return 1 + uint64(c.Place)
	}, nil)
}

var (
	_ selection.Policy      = DefaultFirst{}
	_ caddy.Module          = DefaultFirst{}
	_ caddyfile.Unmarshaler = (*DefaultFirst)(nil)
)
