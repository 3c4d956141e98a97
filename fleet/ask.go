package fleet

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Ask is what a gateway says of one holder's budgets and wants of them, in all periods at once: one change of one key. A change that
// was made is known by its gateway, epoch and op, and made once, however often it is asked for.
type Ask struct {
	Gateway string // the ledger's identity
	Boot    string // random, of the process
	Epoch   uint64 // one more with each start, durable before the first ask
	Op      uint64 // from 1 in each epoch, for each key
	Line    string // the store's own history, as this process has heard of it last; empty: it has not
	// Turned is how long ago it has heard that this is another one than before; zero: it has not.
	Turned time.Duration
	// Idle is how long ago the store has last answered an ask of this process about the holder; zero: it has not.
	Idle time.Duration
	// At is when it was made, by the gateway's own clock, which its entries go by.
	At time.Time
	// Entries is how many entries its ledger had when what is spent by it had become durable: those that say so are among them. Zero: it is not known.
	Entries uint64
	Scopes  []ScopeAsk
}

// ScopeAsk is an Ask's part about one period. Amounts are of all time in that period, unless they say otherwise.
type ScopeAsk struct {
	Scope       string       // as ScopeOf gives it
	Limit       money.Micros // of the gateway's config: the larger holds for its gateway where configs differ; -1: it is not known yet
	HaveGranted money.Micros // what this process knows to be set aside for it; -1: it has just started
	Spent       money.Micros // by its books, durable; with -1 the holds that a process has left behind are in it
	Held        money.Micros // for requests that are under way: to be shown to others
	Back        money.Micros // that is given back: not spendable here any more since before the ask
	Need        money.Micros // that one waiting request lacks; 0: none waits
	Must        money.Micros // what all waiting requests lack together
	Like        money.Micros // what it would set aside to go on without the store for a while
	Done        bool         // the period is over, and nothing is held any more: the last report
}

// Answer is what an Ask has brought. It is kept with the lease, so that a repeated ask gets the same one.
type Answer struct {
	Scopes []ScopeAnswer
}

// ScopeAnswer is an Answer's part about one period.
type ScopeAnswer struct {
	Scope       string
	Delta       money.Micros // by how much what is set aside has grown; below zero: given back
	Granted     money.Micros // what is set aside for this gateway now, spent or not
	Remain      money.Micros // what is set aside for nobody
	OthersSpent money.Micros // by other gateways, as they have said
	OthersHeld  money.Micros // for requests under way at other gateways, as they have said
	OthersFree  money.Micros // set aside for other gateways and neither spent nor held
	Wanted      money.Micros // what others lack of it: give back what is not held
	Tight       bool         // little is left: grants are for who waits only
	Silent      int          // other gateways that have said nothing for a while
	Learning    bool         // nothing is granted until all have spoken, since the store may have forgotten
}
