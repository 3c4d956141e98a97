package gateway

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// books writes down what has become of a request: one entry for it, and one for each attempt that cost something for nothing.
// It is the one reader of all there is to know, and writes to none of it.
type books struct{ rq *request }

// bookingPatience is how long the end of an answer waits for its entry to be booked, so that the access log can say what was
// billed. Nearly always it is a millisecond or two; a slow disk does not keep the client.
const bookingPatience = 20 * time.Millisecond

// patience has timers that are stopped.
var patience = sync.Pool{New: func() any {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return timer
}}

// answered queues the one entry of a request that got an answer. What it gives waits for the entry, but not for long, and says
// what was billed where that is known by then. A settlement that is still to come is waited for in the background.
func (b books) answered(t *tally, a *attempt, e ended) (billed func() money.Micros) {
	stream := a.answer.stream
	if stream != nil && stream.Unsettled() && a.answer.settled == nil && !a.candidate.Seller.Account {
		last := *t
		b.rq.gw.background(func() {
			b.drain(stream)
			b.enter(&last, a, e)
		})
		return func() money.Micros { return 0 }
	}
	if stream != nil && stream.Unsettled() {
		stream.Close()
	}
	entry := b.enter(t, a, e)
	return func() money.Micros {
		select {
		case billed := <-entry:
			return billed // mostly it is there by now
		default:
		}
		timer := patience.Get().(*time.Timer)
		defer patience.Put(timer)
		timer.Reset(bookingPatience)
		defer timer.Stop()
		select {
		case billed := <-entry:
			return billed
		case <-timer.C:
			return 0
		}
	}
}

// drain reads on for a settlement. No server watches over the goroutine that does: a panic in it would end the process.
func (b books) drain(s *relay.Stream) {
	defer func() {
		if recover() != nil { // what it says may be the seller's
			s.Close()
			b.rq.log.Error("settlement.panicked", zap.String("requestId", b.rq.id), zap.ByteString("stack", debug.Stack()))
		}
	}()
	s.Drain(b.rq.gw.shutdown)
}

func (b books) enter(t *tally, a *attempt, e ended) <-chan money.Micros {
	entry := b.settle(b.rq.gw.ledger.Settle, a, b.inference(t, a, e))
	b.releaseReplaced(t.holds)
	return entry
}

// left queues the one entry of a request whose client has left before anything of an answer was sent. What is known of the cost
// of the attempt that was under way is the member's all the same: the seller has done the work.
func (b books) left(t *tally, unheard *attempt) ended {
	e := ended{status: ledger.StatusClientGone}
	if unheard != nil && unheard.call != nil {
		unheard.end()
		b.enter(t, unheard, e)
		return e
	}
	if unheard != nil {
		b.wasted(t, unheard, routing.Decision{})
	}
	return b.failed(t, e.status)
}

// failed queues the one entry of a request that was sent to a seller but got no answer that counts. What its attempts cost has
// been booked as waste. There is none where no seller was asked.
func (b books) failed(t *tally, status ledger.Status) ended {
	if t.attempts == 0 {
		return ended{}
	}
	in := ledger.Inference{
		Request: b.rq.booked(), HoldID: t.lastHold(), Seller: t.seller, Attempts: t.attempts, Status: status,
		Duration: time.Since(b.rq.begun), Trace: t.trace(), Budget: t.budget,
	}
	k := &booking{books: b, write: b.rq.gw.ledger.Settle, in: in}
	settling := k.write(in)
	b.releaseReplaced(t.holds)
	b.rq.gw.background(func() {
		booked, err := settling.Wait(context.Background())
		if err != nil {
			booked, err = k.again(err)
		}
		if err == nil {
			b.rq.record.Book(booked.Entry)
		}
	})
	return ended{status: status}
}

// wasted ends an attempt that failed: what it cost is waste, and the token is dropped or kept for smaller requests. The next
// attempt does not wait for the booking.
func (b books) wasted(t *tally, a *attempt, d routing.Decision) {
	if a.lease == nil {
		return
	}
	a.end()
	if d.RefuseToken {
		var left *money.Micros
		if a.answer != nil {
			left = a.answer.balance()
		}
		b.rq.gw.desk.Refused(a.lease, left)
	}
	if d.DropToken {
		b.rq.gw.desk.Drop(a.lease, "the seller does not know the token (401)")
	}
	in := b.inference(t, a, ended{status: ledger.StatusFailed})
	in.Budget = a.budget
	if in.Answered || in.Settlement != nil {
		a.lease.Spent()
	}
	if a.hold.id != t.lastHold() {
		in.HoldID = "" // the hold that stands is another attempt's
	}
	b.settle(b.rq.gw.ledger.Waste, a, in)
}

// releaseReplaced gives up what is left of the request's holds once its entry is queued. A hold that the ledger refused has not
// taken the place of the one before, which would stay open without an owner.
func (b books) releaseReplaced(holds []hold) {
	if len(holds) < 2 {
		return
	}
	books := b.rq.gw.ledger
	b.rq.gw.background(func() {
		for i, h := range holds[1:] {
			if h.wait(context.Background()) != nil && books.Err() == nil {
				_ = books.ReleaseHold(holds[i].id).Wait(context.Background()) // errs where it is gone already
			}
		}
	})
}

// inference is what the ledger is told of an attempt.
func (b books) inference(t *tally, a *attempt, e ended) ledger.Inference {
	in := ledger.Inference{
		Request: b.rq.booked(), HoldID: t.lastHold(), Seller: a.candidate.Seller.ID, Origin: a.candidate.Seller.Origin,
		TokenID: a.lease.TokenID(), Attempts: t.attempts, Status: e.status, Price: a.priceServed(e), Exclusive: a.lease.Exclusive(),
		Asked: a.mayHaveCost(), InDoubt: a.inDoubt(),
		TimeToFirstByte: e.firstByte, Duration: e.took, Trace: t.trace(), Budget: t.budget,
	}
	if in.Duration == 0 {
		in.Duration = time.Since(b.rq.begun)
	}
	n := a.answer
	if n == nil {
		return in
	}
	in.Answered = n.good()
	in.Done = a.done(e)
	in.Settlement, in.OtherSettlements = n.settlement(), n.otherSettlements()
	if n.unread || n.told != nil && n.told.Unread() && a.lease.TokenID() != "" {
		in.Flags = append(in.Flags, billing.FlagSettlementRefused)
	}
	if n.stream != nil || in.Answered {
		_, usage := n.said()
		output := n.output()
		in.Usage, in.AnswerText, in.AnswerMedia = usageOf(usage), output.Text, output.Media
	}
	return in
}

// done tells whether the answer has said that it is done, whatever the client has had of it: what it says is final.
func (a *attempt) done(e ended) bool {
	return a.answer != nil && a.answer.good() && e.status != ledger.StatusFailed && a.answer.done()
}

// usageOf is what an answer says that it used. A class that is not known is zero, and falls under the one that contains it.
func usageOf(u dialect.Usage) billing.Usage {
	return billing.Usage{
		Tokens: u.Tokens, PromptKnown: u.Known&dialect.ClassPrompt != 0, CompletionKnown: u.Known&dialect.ClassCompletion != 0,
		CacheReadKnown: u.Known&dialect.ClassCacheRead != 0, Partial: u.Partial,
	}
}
