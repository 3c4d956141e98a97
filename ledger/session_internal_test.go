package ledger

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// What a process has spent is told once the committer is through with what it has begun, also where somebody else has stopped the ledger meanwhile,
// and once it is closed.
func TestSessionOfAStoppedLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := Open(Options{InMemory: true, Key: make([]byte, store.KeySize)})
		if err != nil {
			t.Fatal(err)
		}
		held, leave, told := make(chan struct{}), make(chan struct{}), make(chan Session, 1)
		l.submit(0, func(b *batch) error {
			close(held)
			<-leave
			b.session += 5
			return nil
		}, nil)
		<-held
		l.fail("ledger.damaged", errors.New("a table is rotten"))
		go func() { told <- l.Session() }()
		synctest.Wait()
		if len(told) > 0 {
			t.Error("it is told while the committer is at work")
		}
		close(leave)
		if s := <-told; s.SpentMicros != 5 {
			t.Errorf("%+v", s)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if s := l.Session(); s.SpentMicros != 5 {
			t.Errorf("once it is closed: %+v", s)
		}
	})
}
