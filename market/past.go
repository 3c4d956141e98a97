package market

import (
	"sync"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// past is what of a market the process goes by after it was closed, as by a config without it: a session, and what is known of sellers, last
// as long as the process.
type past struct {
	session ledger.Session
	desk    purchase.Past
}

// pasts are those of markets that were closed, by directory.
var pasts sync.Map

func pastOf(dir string) past {
	if p, ok := pasts.Load(dir); ok {
		return p.(past)
	}
	return past{}
}

// leavePast keeps it for who opens the directory again. The desk is closed.
func (m *Market) leavePast() { pasts.Store(m.dir, past{m.Ledger.Session(), m.Desk.Past()}) }
