package paymenttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

func (t *trial) payTwice() error {
	if err := t.ready(); err != nil {
		return err
	}
	for i := range 3 {
		o, err := t.pay()
		if err != nil {
			return fmt.Errorf("the Pay number %d: %w", i+1, err)
		}
		if err := t.moved(t.paidBy(), fmt.Sprintf("after Pay number %d", i+1)); err != nil {
			return err
		}
		if err := t.other(); err != nil {
			return err
		}
		if i < 2 {
			continue
		}
		if err := t.cash(o); err != nil {
			return err
		}
	}
	return t.moved(1, "after it was cashed")
}

func (t *trial) payTogether() error {
	if err := t.ready(); err != nil {
		return err
	}
	second, err := t.New()
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	faults := make(chan error, 8)
	for i := range cap(faults) {
		m := []payment.Method{t.method, second}[i%2]
		all.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					faults <- fmt.Errorf("the Pay panicked: %v", r)
				}
			}()
			if o, err := m.Pay(context.Background(), clone(t.quote), bytes.Clone(t.intent)); err == nil && o.Kind == payment.OutcomeFailed && o.Unpaid {
				faults <- errors.New("the Pay said that it is certainly not paid, while others paid it")
			}
		})
	}
	all.Wait()
	close(faults)
	for fault := range faults {
		return fault
	}
	o, err := t.await(t.method.Track(context.Background(), t.quote, t.intent))
	if err != nil {
		return err
	}
	if o.Kind != payment.OutcomeProven {
		return errors.New("the Track does not find what was paid")
	}
	return t.moved(t.paidBy(), "after 8 Pays at once")
}

func (t *trial) trackFirst() error {
	if err := t.ready(); err != nil {
		return err
	}
	o, err := t.method.Track(context.Background(), t.quote, t.intent)
	if err := t.moved(0, "after Track"); err != nil {
		return err
	}
	if err != nil {
		return nil //nolint:nilerr // that the fate is not known is an answer
	}
	if err := shown(o); err != nil {
		return err
	}
	switch {
	case o.Kind == payment.OutcomeFailed && !o.Unpaid:
		return errors.New("nothing was paid, and Track says that money is gone")
	case o.Kind == payment.OutcomeProven && t.Payments != nil && t.Cash == nil:
		return errors.New("nothing was paid, and Track has a proof")
	case o.Kind != payment.OutcomeFailed:
		return nil
	}
	// It said that nothing will ever move: a Pay that was on its way must find it so.
	if o, err := t.method.Pay(context.Background(), t.quote, t.intent); err == nil && o.Kind == payment.OutcomeProven && t.Cash != nil {
		_ = t.cash(o)
	}
	return t.moved(0, "after Track said Failed(true)")
}

func (t *trial) trackAfterCrash() error {
	if err := t.ready(); err != nil {
		return err
	}
	if _, err := t.pay(); err != nil {
		return err
	}
	for range 2 {
		if err := t.other(); err != nil {
			return err
		}
		o, err := t.await(t.method.Track(context.Background(), t.quote, t.intent))
		switch {
		case err != nil:
			return err
		case o.Kind != payment.OutcomeProven:
			return errors.New("it was paid, and another instance does not find it")
		}
		if err := t.moved(t.paidBy(), "after Track"); err != nil {
			return err
		}
	}
	return nil
}

// cutOff pays with a context that is over, or ends soon, and looks what became of it.
func (t *trial) cutOff() error {
	for _, after := range []time.Duration{0, time.Microsecond, t.Wait} {
		if err := (&trial{Rail: t.Rail}).keep(func(t *trial) error { return t.cutOffAfter(after) }); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) cutOffAfter(after time.Duration) error {
	if err := t.ready(); err != nil {
		return err
	}
	said, err := t.payFor(after)
	if err != nil {
		return err
	}
	if err := t.other(); err != nil {
		return err
	}
	end, err := t.await(t.method.Track(context.Background(), t.quote, t.intent))
	switch {
	case err != nil:
		return err
	case said && end.Kind == payment.OutcomeProven && t.Cash == nil && t.Payments != nil:
		return errors.New("the Pay said that it is certainly not paid, and it is")
	case end.Kind == payment.OutcomeFailed && end.Unpaid:
		return t.moved(0, "after a Pay that was cut off and is certainly unpaid")
	case end.Kind == payment.OutcomeFailed:
		return nil // it counts as paid, and that is allowed
	}
	return t.moved(t.paidBy(), "after a Pay that was cut off")
}

// payFor has Pay go on for a while, and tells whether it said that it is certainly not paid.
func (t *trial) payFor(after time.Duration) (unpaid bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	returned := make(chan error, 1)
	method, quote, intent := t.method, clone(t.quote), bytes.Clone(t.intent)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				returned <- fmt.Errorf("it panicked: %v", r)
			}
		}()
		o, err := method.Pay(ctx, quote, intent)
		unpaid = err == nil && o.Kind == payment.OutcomeFailed && o.Unpaid
		returned <- nil
	}()
	select {
	case err := <-returned:
		return unpaid, err
	case <-time.After(after + heed):
		return false, errors.New("the Pay does not return when its context ends")
	}
}

// heed is how long a call may go on after its context has ended. A machine that has other work to do may take a second for what takes no time.
const heed = 10 * time.Second
