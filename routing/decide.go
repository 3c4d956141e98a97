package routing

import (
	"net/http"
	"time"
)

// Step is what to do after an attempt.
type Step uint8

const (
	// Deliver gives the seller's answer to the client as it is.
	Deliver Step = iota
	// Next goes to the next candidate.
	Next
	// Rebuy buys a token from the same seller and tries there again.
	Rebuy
	// GiveUp tells the client that all is spent.
	GiveUp
	// Leave does nothing more: there is nobody to answer.
	Leave
	// Retry asks the same seller again, after a pause.
	Retry
	// DeliverHeld gives the client the answer that was held back: an earlier seller's, which nobody has disproved.
	DeliverHeld
	// ToMaker goes to the seller that made what the request builds on, after Decision.WaitOut, whatever its place among the
	// candidates.
	ToMaker
)

func (s Step) String() string {
	return [...]string{"deliver", "next", "rebuy", "give_up", "leave", "retry", "deliver_held", "to_maker"}[s]
}

// Decision is the step to take, and what becomes of the token that the attempt used.
type Decision struct {
	Step Step
	// DropToken: the seller does not know the token any more; what was left on it is waste.
	DropToken bool
	// RefuseToken: the token stays for smaller requests.
	RefuseToken bool
	// Hold keeps the seller's answer back while another seller is shown the request.
	Hold bool
	// LeaveOut: the seller does not have the model on this path.
	LeaveOut bool
	// NoPurchase: only a seller whose token needs no purchase will do.
	NoPurchase bool
	// WithoutUsage: the seller is asked again without the stream_options that this side had added, at once. The try that it
	// refused is nobody's fault: it counts neither against MaxAttempts nor as a retry.
	WithoutUsage bool
	// Force: the retry is made though the failure has opened the seller's circuit, since there is nobody else.
	Force bool
	// Backoff is the longest pause before a retry; the pause is drawn from 0 up to it, so that clients that failed together
	// do not come back together.
	Backoff time.Duration
	// WaitOut is how long the seller asked to be left alone before the retry.
	WaitOut time.Duration
}

// Pause is how long to wait before the step; random is from 0 to below 1.
func (d Decision) Pause(random float64) time.Duration {
	return d.WaitOut + time.Duration(random*float64(d.Backoff))
}

// Position is where a request stands when an attempt has ended. What it says of the seller is of the one just asked.
type Position struct {
	Attempts    int           // so far, over all sellers, this one included
	MaxAttempts int           // allowed over all sellers
	Untried     int           // candidates that come after this one and may be asked
	TimeLeft    time.Duration // until the request has to be answered; 0: there is no such time

	Rebought      bool // this seller's token was bought anew for this request
	Retries       int  // of this request at this seller so far
	MaxRetries    int  // allowed at one seller
	FreshPurchase bool // a purchase at this seller is less than 5 minutes old and unspent
	// RetryBudget: the seller's retries are within their budget. Set it, and when the decision is Retry ask State.MayRetry;
	// where that says no, decide again without it.
	RetryBudget bool

	HardStreak int  // hard_4xx answers in a row from this seller, this one included (State.HardStreak after Permit.End)
	Held       bool // the answer of an earlier seller is held back

	Maker Maker // of what the request builds on; counts where the outcome is WrongSeller
}

// Maker is where a request stands with the seller that made what it builds on: a response, encrypted reasoning, a signed
// thought. The zero value: nobody knows who that is, or it is no candidate.
type Maker struct {
	Known   bool          // it is one of the candidates
	Refused bool          // it has itself said that this is not its own
	SentTo  bool          // the request went back to it already, by [ToMaker]
	Rest    time.Duration // until it may be asked, by its own word or its circuit; 0: now
}

const (
	firstBackoff    = 50 * time.Millisecond
	longestBackoff  = time.Second
	trustedRefusals = 5 // hard_4xx in a row that are taken for the clients' fault
)

// LongestWaitOut is how long a request waits at most for a seller that has asked to be left alone, where it has no other.
const LongestWaitOut = 10 * time.Second

// Decide is the whole policy of failover: what to do after an outcome, row by row. It holds until the first byte of
// content has been sent to the client; after that nothing is tried again.
func Decide(p Position, o Outcome) Decision {
	switch o.Kind {
	case "":
		return Decision{Step: Deliver}

	case InsufficientFunds: // the token stays for smaller requests; once, another one is bought
		d := p.next()
		if p.mayRebuy() {
			d.Step = Rebuy
		}
		d.RefuseToken = true
		return d

	case AuthInvalid:
		d := p.next()
		if o.Status == http.StatusForbidden {
			return d // the token stays: this is also what a moderated prompt gets
		}
		if p.Untried == 0 && p.mayRebuy() {
			d.Step = Rebuy
		}
		d.DropToken = true
		return d

	case Hard4xx:
		d := p.next()
		switch {
		case o.RefusesUsage: // this side's own words, not the client's
			return Decision{Step: Retry, WithoutUsage: true}
		case o.passesOn(): // another seller may have the model, or a higher limit
			d.LeaveOut = o.ModelMissing
			return d
		case p.HardStreak > trustedRefusals && !p.Held && d.Step == Next: // is it really the request?
			d.Hold = true
			return d
		}
		return Decision{Step: Deliver} // the request is at fault

	case WrongSeller:
		return p.backToMaker()

	case Soft5xx:
		if o.asksForRest() {
			if p.Untried == 0 && o.RetryAfter <= LongestWaitOut && p.mayWait(o.RetryAfter) {
				return Decision{Step: Retry, WaitOut: o.RetryAfter}
			}
			return p.next()
		}
		if p.mayRetry() {
			return Decision{Step: Retry, Backoff: p.backoff()}
		}
		return p.next()

	case Deadline:
		if p.alone() && !o.TimedOut && p.Retries == 0 && p.mayWait(p.backoff()) {
			return Decision{Step: Retry, Backoff: p.backoff(), Force: true}
		}
		return p.next()

	case PurchaseFailed:
		return p.next()

	case BudgetExceeded:
		d := p.next()
		d.NoPurchase = d.Step == Next
		return d

	case ClientGone:
		return Decision{Step: Leave}
	}
	return p.next()
}

// next goes on to the next candidate, while there are candidates and attempts.
func (p Position) next() Decision {
	switch {
	case p.left() > 0 && p.Untried > 0:
		return Decision{Step: Next}
	case p.Held:
		return Decision{Step: DeliverHeld}
	}
	return Decision{Step: GiveUp}
}

// alone tells whether nobody else can serve the request, and no answer is there to fall back to.
func (p Position) alone() bool { return p.Untried == 0 && !p.Held }

// backToMaker decides over a request that builds on what another seller has made: that one is asked, and waited for where it
// rests for a moment; else whoever is left, some of whom may take it. Where nobody does, the client gets the refusal only if
// no seller is known that would take it later.
func (p Position) backToMaker() Decision {
	m := p.Maker
	soon := m.Rest <= LongestWaitOut && (p.TimeLeft == 0 || m.Rest < p.TimeLeft)
	if m.Known && !m.Refused && !m.SentTo && soon && p.left() > 0 {
		return Decision{Step: ToMaker, WaitOut: m.Rest}
	}
	d := p.next()
	if d.Step == GiveUp && (!m.Known || m.Refused) {
		d.Step = Deliver
	}
	return d
}

// left is how many more attempts there may be.
func (p Position) left() int { return p.MaxAttempts - p.Attempts }

// mayRebuy tells whether the same seller gets one more purchase and attempt: once. It has the conversation's prompt, and what
// it lacks is only money.
func (p Position) mayRebuy() bool { return !p.Rebought && p.left() > 0 }

// mayRetry tells whether the same seller is asked again for nothing but another try. The others come first where the
// attempts that are left do not suffice for all. Leaving a seller that was just paid would waste the money, so it gets one
// more.
func (p Position) mayRetry() bool {
	allowed := p.MaxRetries
	if p.FreshPurchase {
		allowed++
	}
	return p.Retries < allowed && p.left() > p.Untried && p.mayWait(p.backoff())
}

// mayWait tells whether there is an attempt left, and enough time, after a wait for the seller.
func (p Position) mayWait(wait time.Duration) bool {
	return p.RetryBudget && p.left() > 0 && (p.TimeLeft == 0 || wait < p.TimeLeft)
}

// backoff is the longest pause before the next retry: 50 ms, doubling, at most 1 s.
func (p Position) backoff() time.Duration {
	pause := firstBackoff
	for range p.Retries {
		pause = min(2*pause, longestBackoff)
	}
	return pause
}
