package ledger

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// sellerDay is a seller, and a day of purchases.
type sellerDay struct{ seller, day string }

// methodDay is a payment method, and a day of purchases.
type methodDay struct{ method, day string }

// customer is what a payee is kept for: a seller, as it is paid by one method.
type customer struct{ method, seller, origin string }

// shop is a seller, where it was bought from.
type shop struct{ seller, origin string }

// state is what the committer goes by. Nobody else touches it, but for identity, format and keys, which stay as they were opened.
type state struct {
	identity  string    // the ledger's random name
	format    int       // of its records
	keys      entryKeys // that its entries have
	head      store.Head
	last      time.Time // of the newest entry
	id        idClock
	accounts  map[string]*money.Micros
	tokens    map[string]*token
	ended     map[string]*ended // by the id of the token
	billed    map[tryKey]tried
	tried     *newest[tryKey] // of billed
	news      []triedNews     // for other gateways of a fleet, where there is one
	holds     map[string]*Hold
	purchases map[string]*purchase // those that have not ended
	spent     map[string]*money.Micros
	spentAt   map[sellerDay]money.Micros
	spentBy   map[methodDay]money.Micros
	payees    map[customer]string
	bought    map[shop]bool           // where a token was granted
	session   money.Micros            // spent by this process
	counted   map[string]money.Micros // what of it each open purchase is
	day       string                  // of rollups
	rollups   map[string]*Rollup      // of that day, as far as they were touched
	spending  *spending               // not the committer's alone, as what follows
	answers   *answers
	responses *newest[ResponseKey]
}

func newState() *state {
	return &state{
		accounts: map[string]*money.Micros{}, tokens: map[string]*token{}, ended: map[string]*ended{}, holds: map[string]*Hold{},
		purchases: map[string]*purchase{}, spent: map[string]*money.Micros{}, counted: map[string]money.Micros{}, spentAt: map[sellerDay]money.Micros{},
		spentBy: map[methodDay]money.Micros{}, payees: map[customer]string{}, bought: map[shop]bool{},
		rollups: map[string]*Rollup{}, spending: new(spending), answers: new(answers), responses: newNewest[ResponseKey](maxResponses),
		tried: newNewest[tryKey](maxTried), billed: map[tryKey]tried{},
	}
}
