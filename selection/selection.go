// Package selection owns what authors of selection policies compile against: the policy's interface, and what it may see of a
// request and of the sellers that could serve it.
//
// A policy is a Caddy guest module in [Namespace]. All that it has to do is to put a few candidates in the order in which it
// likes them; that those which can't serve now come last, that a conversation stays where its prompt is cached, and what
// happens when one of them fails is the gateway's affair. Package selectiontest holds a policy to what is promised here.
package selection

import (
	"iter"
	"time"
)

// Namespace is where Caddy finds policies: a module's id is this, a dot, and the word after "selection" in the Caddyfile.
const Namespace = "http.tokenbuddy.selection"

// Policy chooses among the sellers that can serve a request. A module is one when it has this method; the arguments that it
// takes in a Caddyfile are read by its UnmarshalCaddyfile, as with any Caddy module.
type Policy interface {
	// Order gives the candidates in the order in which they are to be asked, the best first. What it leaves out is not asked, and
	// if it leaves out all of them the client is told that no seller is available. It may sort the slice that it is given, which
	// has 17 candidates at most and is its own until it returns, and give back that one or a part of it.
	//
	// The request waits for it: it must not block, and after a fifth of a second the gateway goes on without it, in the
	// registry's order. The same happens where it panics, or gives what it was not given. It is called from many goroutines at
	// once, and calls may still be on their way when Caddy's Cleanup is.
	Order(q Query, candidates []Candidate) []Candidate
}

// Gatherer is a policy that has a say in which candidates are kept ready for requests where a model has more than sixteen. Of
// those without this method the fit ones that come first in the registry are taken.
type Gatherer interface {
	// Gather gives the candidates that are worth having at hand for requests like q, the best first, at most so many as are
	// wanted. There may be 100,000 of them. It is called in the background, for one model after another; where it panics, or
	// takes more than ten seconds, what it chose last stays.
	Gather(q Query, all iter.Seq[Candidate], want int) []Candidate
}

// Unaffine is a policy that may want its order kept to the letter: no conversation is moved to the front, nor a request kept to
// the seller that made the response on which it builds.
type Unaffine interface {
	// NoAffinity tells whether it does.
	NoAffinity() bool
}

// Query is what a policy may know of a request. It is a copy. For Gather, which is for no request in particular, Member, Group
// and Path are empty and the figures those of a usual one.
type Query struct {
	Member string // who asks, by the name in the ledger
	Group  string // the member's; empty: none
	Model  string // the model's id, after aliases
	// Protocol is the API: chat_completions, responses, messages, completions or embeddings; Path that of the request.
	Protocol, Path string
	Streamed       bool  // the answer is to be a stream
	Tools          bool  // the request brings tools
	PromptTokens   int64 // about how many the prompt has
	MaxTokens      int64 // the most that the answer may have; 0: none
	Now            time.Time
}

// Candidate is a seller that can serve the request's model, as it is now. It is a copy.
type Candidate struct {
	Seller  string // the seller's id
	Origin  string // scheme, host and port of its URL
	Model   string // the id that it knows the model by
	Pinned  bool   // the operator has named it
	Account bool   // the operator has an account there: nothing is bought
	Default bool   // it is the default seller
	Place   int    // among all sellers, in the order of config and registry
	// Input, Output, CacheRead and CacheWrite are its prices in micros (millionths of a US dollar) for a million tokens; below
	// zero: not known.
	Input, Output, CacheRead, CacheWrite int64
	// LikelyMicros is what the request is likely to cost there; below zero: not known.
	LikelyMicros int64
	Fit          bool          // it can be asked and paid now, and has not overbilled; the others come last, whatever the policy says
	Credit       bool          // credit is left there, which would be wasted
	Health       int           // 0 to 1000, from its last answers
	Latency      time.Duration // moving, to the first content; 0: not known
	InFlight     int64         // requests that it is working on

	ref int // what the gateway knows it by; 0: it is none of the gateway's
}

// WithRef is the candidate as the gateway, or a test, knows it: by a number above zero. It is not for policies.
func (c Candidate) WithRef(ref int) Candidate {
	c.ref = ref
	return c
}

// Ref gives the number of WithRef. It is not for policies.
func (c Candidate) Ref() int { return c.ref }
