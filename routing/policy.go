package routing

import (
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Query is what a policy may know of a request.
type Query struct {
	Served        string           // the model's id, after aliases
	Protocol      dialect.Protocol // the API that the client speaks
	DefaultSeller string           // empty: there is none
	Ceiling       money.Tokens     // the most that the request may use
}

// Policy orders the candidates of a request. Policies are Caddy guest modules in the namespace
// http.tokenbuddy.selection.
//
// Order appends candidates to dst, the best first and none twice, and returns the longer slice. The room in dst
// (cap(dst)-len(dst)) is how many are wanted; Order appends no more than that. There may be 100,000 candidates, and a
// request is waiting: Order must not look at all of them, must not block, and should not allocate. It is called from
// many goroutines at once. What it leaves out is not asked.
type Policy interface {
	Order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate
}

// PolicyNamespace is where Caddy finds policies.
const PolicyNamespace = "http.tokenbuddy.selection"
