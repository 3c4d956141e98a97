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
func (*DefaultFirst) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the policy's name
	if d.NextArg() {
		return d.ArgErr()
	}
	return noBlock(d)
}

// Order puts the default seller first.
func (DefaultFirst) Order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	var first *Candidate
	if q.DefaultSeller != "" {
		first = candidates.Find(q.DefaultSeller)
	}
	if first != nil && len(dst) < cap(dst) {
		dst = append(dst, first)
	}
	for i := 0; i < candidates.Len() && len(dst) < cap(dst); i++ {
		if c := candidates.At(i); c != first {
			dst = append(dst, c)
		}
	}
	return dst
}

// noBlock refuses a block where a policy has none.
func noBlock(d *caddyfile.Dispenser) error {
	for d.NextBlock(0) {
		return d.Errf("unexpected %q: this policy takes no block", d.Val())
	}
	return nil
}

var (
	_ Policy                = DefaultFirst{}
	_ caddy.Module          = DefaultFirst{}
	_ caddyfile.Unmarshaler = (*DefaultFirst)(nil)
)
