package gateway

import (
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// request is one request of a client. It is filled in, from top to bottom, while it is read and routed. Nobody writes to it
// after that, so that what goes on in the background may read it as well.
type request struct {
	r        *http.Request     // not to be used when the handler has returned
	endpoint *dialect.Endpoint // nil for GET /v1/models
	shape    dialect.Shape     // in which this client understands errors
	common   bool              // the path may be another handler's of the site
	id       string
	begun    time.Time
	log      *zap.Logger
	span     trace.Span      // of Caddy's tracing; nil: it is not traced
	record   *recent.Request // what is remembered of it; filled in at its end, and booked in the background

	// Let in.
	gw      *Gateway
	member  *member.Member
	project string // that the client has named; empty: none

	// Read.
	memory         *share // of the member, for all that is held for the request
	body           *body  // its bytes are let go of once they are sent
	ask            *dialect.Request
	made           routing.Made  // who made the response that it goes on from; zero: nobody is known, or it goes on from none
	cost           billing.Shape // what of it says how much it can cost
	promptHash     string
	idempotencyKey string // of every attempt
	repeatable     bool   // the client has named that key, and may try again under it

	// Routed.
	served       string                              // the model's id after aliases
	conversation affinityKey                         // whose seller has the prompt cached; zero: nothing tells it
	maker        routing.SellerKey                   // who has made what the request builds on, and can't be read elsewhere; zero: nobody, or not known
	candidates   []*routing.Candidate                // in the order in which they are to be tried
	prices       map[*routing.Candidate]*money.Price // of those that cost other than they usually do; see weigh
	until        time.Time                           // when it has to be answered, if it is not streamed
}

// left tells whether the client is gone.
func (rq *request) left() bool { return rq.r.Context().Err() != nil }

// ending tells whether the process is about to exit.
func (rq *request) ending() bool { return rq.gw != nil && rq.gw.shutdown.Err() != nil }

// timeLeft is how long there is until a request that is not streamed has to be answered.
func (rq *request) timeLeft() time.Duration { return time.Until(rq.until) }

// late tells whether the time of a request that is not streamed is over.
func (rq *request) late() bool { return !rq.ask.Stream && rq.timeLeft() <= 0 }

// reserve begins a reservation of the member's budget, and of its group's.
func (rq *request) reserve() *ledger.Reservation {
	own, group := market.Budgets(rq.member, time.Now())
	return rq.gw.ledger.Reserve(rq.member.Name, own, group)
}

// group is the name of the member's; empty: it is in none.
func (rq *request) group() string {
	if rq.member.Group == nil {
		return ""
	}
	return rq.member.Group.Name
}

// booked is what the ledger keeps of the request.
func (rq *request) booked() ledger.Request {
	return ledger.Request{
		RequestID:      rq.id,
		IdempotencyKey: rq.idempotencyKey,
		Repeatable:     rq.repeatable,
		Member:         rq.member.Name,
		RequestedModel: rq.ask.Model,
		Model:          rq.served,
		Protocol:       string(rq.endpoint.Protocol),
		Path:           rq.endpoint.Path,
		PromptHash:     rq.promptHash,
		Shape:          rq.cost,
		Group:          rq.group(),
		Project:        rq.project,
	}
}

// saysPatience are the headers in which openai's and Anthropic's SDKs say in seconds how long they wait. Python's say the second, with a fraction: how long
// for the next byte, and so for the first.
var saysPatience = [...]string{"X-Stainless-Timeout", "X-Stainless-Read-Timeout"}

// patience is for how much longer the client waits for the headers of an answer, where it has said so. Past that it leaves, and asks again for what has
// been paid. 0: it has not said, or for longer than anything is held back, or is over its time, or has them from a heartbeat by half of its time.
func (rq *request) patience() time.Duration {
	const longest = 3600 // seconds: more than that is as good as nothing
	least := float64(longest)
	for _, header := range saysPatience {
		if seconds, err := strconv.ParseFloat(rq.r.Header.Get(header), 64); err == nil && seconds > 0 {
			least = min(least, seconds)
		}
	}
	if least == longest {
		return 0
	}
	whole := time.Duration(least * float64(time.Second))
	if beat := rq.gw.settings.Heartbeat; beat > 0 && beat <= whole/2 { // an end to what is held back would only be an end to failover
		return 0
	}
	return max(0, whole-time.Since(rq.begun))
}
