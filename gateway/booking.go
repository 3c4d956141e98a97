package gateway

import (
	"context"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// booking is one on its way, and what is done when it is made.
type booking struct {
	books
	write   writer
	attempt *attempt
	in      ledger.Inference
	span    trace.Span        // nil: it is not traced
	billed  chan money.Micros // has room for what is given
}

// writer is the ledger's Settle or Waste.
type writer func(ledger.Inference) *ledger.Settling

// settle queues a booking at once, so that bookings keep their order. When it is booked the lease goes back with what it
// changed on the token, and what was billed is given.
func (b books) settle(write writer, a *attempt, in ledger.Inference) <-chan money.Micros {
	k := &booking{books: b, write: write, attempt: a, in: in, span: b.traceCommit(in.Seller), billed: make(chan money.Micros, 1)}
	b.rq.gw.references.Add(1)
	k.in.Told = k.told
	write(k.in)
	return k.billed
}

// told is what the committer calls. What comes of it is done beside it: a lease goes back to a shelf, and who has that locked may wait
// for the ledger.
func (k *booking) told(booked ledger.Booked, err error) {
	go func() {
		defer k.rq.gw.leave()
		if err != nil {
			booked, err = k.again(err)
		}
		committed(k.span, booked, err)
		k.follow(booked, err)
	}()
}

// follow does what a booking brings with it.
func (k *booking) follow(booked ledger.Booked, err error) {
	rq, a := k.rq, k.attempt
	switch {
	case err == nil:
		a.lease.Booked(booked)
		for _, back := range booked.Back {
			rq.gw.desk.GiveBack(back)
		}
	case rq.gw.ledger.Err() == nil:
		a.lease.Return(0)
	default:
		// The ledger has stopped, and what is on disk is booked at the next start. The lease stays out, so that nothing more
		// is spent of a token whose balance is not known.
		return
	}
	if warnings := k.in.Budget.Warnings(); len(warnings) > 0 {
		rq.gw.background(func() { rq.warn(warnings) })
	}
	for _, c := range booked.Corrected {
		admin.ObserveCorrection(k.in.Seller, c)
	}
	rq.record.Book(booked.Entry)
	switch e := booked.Entry; {
	case e == nil:
		k.billed <- 0
	case e.Served != nil:
		admin.ObserveBilled(e.Member, e.Model, e.Seller, e.BilledMicros)
		k.give(booked.Disputed, e.BilledMicros, e.BilledSource)
	default:
		admin.ObserveWaste(e.Seller, e.Attempt.CountedMicros)
		k.give(booked.Disputed, e.Attempt.BilledMicros, e.Attempt.BilledSource)
	}
}

// give tells what a seller has billed.
func (k *booking) give(disputed, billed money.Micros, source billing.Source) {
	if source == billing.SourceEstimate {
		admin.ObserveEstimate(k.in.Seller, billed)
	}
	k.dispute(k.attempt, disputed, billed)
	k.billed <- billed
}

// dispute tells whoever has to know that a seller has taken more than is believed, and sets it behind the honest.
func (b books) dispute(a *attempt, disputed, billed money.Micros) {
	if disputed <= 0 {
		return
	}
	a.state.Overbilled()
	a.forgetConversation() // its place is behind the others, whatever it has cached
	seller := a.candidate.Seller.ID
	admin.ObserveDispute(seller, disputed)
	b.rq.overbilled(seller, disputed, billed)
	b.rq.log.Warn("ledger.disputed", zap.String("requestId", b.rq.id), zap.String("seller", seller), zap.String("model", b.rq.served),
		zap.Int64("billedMicros", int64(billed)), zap.Int64("believedMicros", int64(billed-disputed)), zap.Int64("disputedMicros", int64(disputed)))
}

// again is what becomes of a booking that was refused. One that is refused though the ledger is well has no hold to replace: it is made
// without, since a request that a seller was asked for must not go unbooked.
func (k *booking) again(why error) (booked ledger.Booked, err error) {
	if err = why; k.in.HoldID != "" && k.rq.gw.ledger.Err() == nil {
		in := k.in
		in.HoldID, in.Told = "", nil
		booked, err = k.write(in).Wait(context.Background())
	}
	if err != nil {
		k.rq.log.Error("ledger.settle.failed", zap.String("requestId", k.rq.id), zap.String("seller", k.in.Seller), zap.Error(err))
	}
	return booked, err
}
