package routing

import (
	"cmp"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// Manual is the policy that knows one seller and no other: when it can't serve a request, nobody does.
type Manual struct {
	// The id of the seller. Default: the default seller, as the config or else the registry names it.
	Seller string `json:"seller,omitempty"`
}

// CaddyModule says what the module is.
func (Manual) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: selection.Namespace + ".manual", New: func() caddy.Module { return new(Manual) }}
}

// UnmarshalCaddyfile reads "manual [<seller_id>]".
func (m *Manual) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the policy's name
	if d.NextArg() {
		m.Seller = d.Val()
		if !ValidSellerID(m.Seller) {
			return d.Errf("%q is not the id of a seller: %s", m.Seller, badID)
		}
	}
	if d.NextArg() {
		return d.Errf(`unexpected word %q: expected "manual [<seller_id>]"`, d.Val())
	}
	return noBlock(d)
}

// Validate refuses what can't be a seller's id.
func (m *Manual) Validate() error {
	if m.Seller != "" && !ValidSellerID(m.Seller) {
		return fmt.Errorf("selection manual: %q is not the id of a seller: %s", m.Seller, badID)
	}
	return nil
}

// gather picks the one seller, if it is a candidate.
func (m *Manual) gather(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	return m.order(q, candidates, dst)
}

// order appends the one seller, if it is a candidate. It finds it also where it is not among those that are kept ready.
func (m *Manual) order(_ *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	if c := candidates.Find(m.keepsTo(candidates.DefaultSeller())); c != nil && len(dst) < cap(dst) {
		dst = append(dst, c)
	}
	return dst
}

// keepsTo is the id of the one seller; empty where nobody is named.
func (m *Manual) keepsTo(defaultSeller string) string { return cmp.Or(m.Seller, defaultSeller) }

// NoAffinity says that the operator's word is kept to the letter.
func (*Manual) NoAffinity() bool { return true }

// Order is order, of copies.
func (m *Manual) Order(_ selection.Query, list []selection.Candidate) []selection.Candidate {
	for i, c := range list {
		if m.Seller == c.Seller || m.Seller == "" && c.Default {
			return list[i : i+1]
		}
	}
	return nil
}

var (
	_ selection.Policy      = (*Manual)(nil)
	_ caddy.Module          = Manual{}
	_ caddy.Validator       = (*Manual)(nil)
	_ caddyfile.Unmarshaler = (*Manual)(nil)
)
