package page

import (
	"context"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Fleet is how the fleet stands that a gateway is in. What it says of other gateways its store had some seconds ago.
type Fleet struct {
	Name  string `json:"name"`  // of the gateway that shows it
	Books bool   `json:"books"` // entries are shipped, so that there are books of all gateways
	// Store says whether the store answers: "up" or "away", why is in the findings; "" until it was asked to the end.
	Store string `json:"store"`
	// Gateways are those that have ever spoken; none while the store is away.
	Gateways []FleetGateway `json:"gateways"`
	// GatewaysInAll and TokensInAll are how many there are, where not all of them are shown.
	GatewaysInAll int    `json:"gatewaysInAll"`
	TokensInAll   int    `json:"tokensInAll"`
	Behind        uint64 `json:"behind"` // entries of this gateway that are not shipped yet
	// Tokens are those that gateways share and that are not over; none while the store is away.
	Tokens  []FleetToken `json:"tokens,omitempty"`
	Session uint64       `json:"session,omitempty"`
	Since   *time.Time   `json:"since,omitempty"` // when the session of purchases has begun
}

// FleetGateway is a gateway of a fleet.
type FleetGateway struct {
	Gateway    string       `json:"gateway"` // its ledger's identity
	Name       string       `json:"name"`
	Self       bool         `json:"self,omitempty"`
	Seen       time.Time    `json:"seen"`
	State      string       `json:"state"` // as admin.Fleet.StateOf says
	KeptMicros money.Micros `json:"keptMicros"`
	Shipped    uint64       `json:"shipped"` // how many of its entries are
}

// FleetToken is a bought token whose credit gateways share.
type FleetToken struct {
	Token        string       `json:"token"`
	Seller       string       `json:"seller"`
	CreditMicros money.Micros `json:"creditMicros"`
	SpentMicros  money.Micros `json:"spentMicros"` // as far as it was reported
	AsideMicros  money.Micros `json:"asideMicros"` // set aside, and not spent
	FreeMicros   money.Micros `json:"freeMicros"`  // set aside for nobody
	Expires      time.Time    `json:"expires"`
	By           []string     `json:"by"` // the gateways for which it is set aside
}

// storeMoment is how long a look waits for the store: one that does not answer keeps nobody from seeing all else.
const storeMoment = 300 * time.Millisecond

// others asks the store how the fleet stands, now and again.
type others struct {
	asked  time.Time         // when it last was
	answer chan othersAnswer // of who asks; nil: nobody does
	last   othersAnswer
}

type othersAnswer struct {
	fleet *admin.Fleet // nil: there is none, or it is not known
	err   error
}

// look gives how the fleet stands, as it was told last. It asks, where that was not just done, and waits for a moment.
func (o *others) look(ctx context.Context, m *market.Market, now time.Time) (*admin.Fleet, error) {
	if m.Fleet == nil {
		return nil, nil
	}
	if o.answer == nil && (o.asked.IsZero() || now.Sub(o.asked) >= bookEvery) {
		answer := make(chan othersAnswer, 1)
		o.asked, o.answer = now, answer
		go func() {
			f, err := admin.FleetOf(ctx, m)
			answer <- othersAnswer{f, err}
		}()
	}
	if o.answer == nil {
		return o.last.fleet, o.last.err
	}
	moment := time.NewTimer(storeMoment)
	defer moment.Stop()
	select {
	case o.last = <-o.answer:
		o.answer = nil
	case <-moment.C:
	}
	return o.last.fleet, o.last.err
}

// fleetOf is what is shown of the fleet of a market; nil where it is in none. told is what is known of it, nil: nothing.
func fleetOf(m *market.Market, told *admin.Fleet) *Fleet {
	if m.Fleet == nil {
		return nil
	}
	f := &Fleet{Name: m.Fleet.Name(), Books: m.Fleet.Ships(), Gateways: []FleetGateway{}}
	if told == nil {
		return f
	}
	if f.Store = "up"; !told.Here.StoreUp {
		f.Store = "away"
	}
	f.GatewaysInAll, f.TokensInAll = len(told.Gateways), len(told.Tokens)
	for i := range told.Gateways[:min(len(told.Gateways), maxRows)] {
		g := &told.Gateways[i]
		f.Gateways = append(f.Gateways, FleetGateway{g.Gateway, g.Name, g.Self, g.Seen, told.StateOf(g), g.StrandedMicros, g.Head})
	}
	for i := range told.Tokens[:min(len(told.Tokens), maxRows)] {
		t := &told.Tokens[i]
		f.Tokens = append(f.Tokens, FleetToken{t.Token, t.Seller, t.Credit, t.Spent, t.Aside, t.Free, t.Expires, told.HoldersOf(t)})
	}
	if f.Books && told.Here.Entries > told.Here.Shipped {
		f.Behind = told.Here.Entries - told.Here.Shipped
	}
	if told.Session.N > 0 {
		f.Session, f.Since = told.Session.N, &told.Session.Since
	}
	return f
}
