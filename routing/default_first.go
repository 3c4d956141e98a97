package routing

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// DefaultFirst is the policy that prefers the default seller; after it come the pinned sellers in the order of the config
// and the others in the order of the registry.
type DefaultFirst struct{}

// CaddyModule says what the module is.
func (DefaultFirst) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: PolicyNamespace + ".default_first", New: func() caddy.Module { return new(DefaultFirst) }}
}

// UnmarshalCaddyfile reads "default_first", which takes no arguments.
func (*DefaultFirst) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// Gather picks the first ones.
func (DefaultFirst) Gather(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	return Gather(q, candidates, dst, byRank)
}

// Order puts the default seller first.
func (DefaultFirst) Order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	return Rank(q, candidates, dst, byRank)
}

func byRank(_ *Query, r *Ready, _ bool) uint64 {
	if r.Default {
		return 0
	}
	return 1 + uint64(r.rank)
}

var (
	_ Policy                = DefaultFirst{}
	_ caddy.Module          = DefaultFirst{}
	_ caddyfile.Unmarshaler = (*DefaultFirst)(nil)
)
