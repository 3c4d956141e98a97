package doctor

import (
	"fmt"

	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// forbidden is the status of an answer that the one who asked may not have.
const forbidden = 403

// accounts tells of the operator's accounts that providers refuse. A single request may be forbidden; a key that is not known, and an
// account without money, serve nobody.
func (d *Diagnosis) accounts(entries []routing.PoolEntry) {
	for _, e := range entries {
		r := e.Refuses
		if r == nil {
			continue
		}
		seller := fmt.Sprintf("Seller %s (%s)", plain.Name(e.SellerID), plain.Name(e.URL))
		since := fmt.Sprintf("it answers %d, and has served nothing since %s.", r.Status, r.Since.Format("2006-01-02 15:04:05 UTC"))
		switch {
		case r.Funds:
			d.Wrong(seller+" says that no money is left on the account there: "+since, "Put money on it. The next good answer from there ends this.")
		case r.Status == forbidden:
			d.Note(seller+" forbids the account there something: "+since, "It may be one model, or one request: caddy tokenbuddy request lists the last ones.")
		default:
			d.Wrong(seller+" does not take the key of the account there: "+since,
				"See to api_key and auth_header; a key that stands in a file is taken up when it is changed there. The next good answer from there ends this.")
		}
	}
}
