package ledger

import (
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestDirectIsDurable: what is written outside of any batch, such as the epoch, waits for a sync as what is in one does.
func TestDirectIsDurable(t *testing.T) {
	l, err := Open(Options{Dir: t.TempDir(), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.db.Unsynced() {
		t.Fatal("it is not synced at first")
	}
	if err := l.write(func(d *direct) { d.set(metaEpoch, []byte("7")) }); err != nil || !l.db.Unsynced() {
		t.Fatalf("nobody knows that it is to be synced (%v)", err)
	}
	if err := l.Durable(t.Context()); err != nil || l.db.Unsynced() {
		t.Errorf("it is not synced: %v", err)
	}
}

// TestWhatMayBeLate: an entry is told before its sync where it takes the place of a hold that is on the disk, and else after it.
func TestWhatMayBeLate(t *testing.T) {
	l, err := Open(Options{Dir: t.TempDir(), Key: make([]byte, 32), lag: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hold := func(id string) Hold {
		return Hold{ID: id, Request: Request{RequestID: id, Member: "ann", Model: "m"}, Seller: "acme", AmountMicros: money.USD}
	}
	settle := func(holdID string) (unsynced func() bool) {
		var is bool
		s := l.Settle(Inference{Request: hold(holdID).Request, HoldID: holdID, Seller: "acme", Status: StatusFailed, Told: func(_ Booked, err error) {
			if is = l.db.Unsynced(); err != nil {
				t.Error(err)
			}
		}})
		return func() bool { <-s.Done(); return is }
	}
	if err := l.PlaceHold(hold("durable")).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !settle("durable")() {
		t.Error("one whose hold is on the disk waits for its sync")
	}
	if settle("")() {
		t.Error("one without a hold is told before its sync")
	}
	waits, goOn := make(chan struct{}), make(chan struct{})
	l.submit(0, func(*batch) error { close(waits); <-goOn; return nil }, nil)
	<-waits
	l.PlaceHold(hold("beside"))
	beside := settle("beside")
	close(goOn)
	if beside() {
		t.Error("one whose hold comes with it is told before its sync")
	}
}
