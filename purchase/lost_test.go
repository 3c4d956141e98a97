package purchase

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// A purchase of an earlier process whose seller or payment method is not there any more: what it waits for is said at once. Where nothing
// was paid it ends; where something may have been, the operator is told and has the last word.
func TestLost(t *testing.T) {
	for state, p := range leftAt(t) {
		for _, methodGone := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, method gone %v", state, methodGone), func(t *testing.T) {
				paid := mayHaveLeft(state)
				set := func(b *bench) {
					b.journal.open, b.itself = []ledger.Purchase{p}, methodGone
					if methodGone {
						b.methodName = "another"
					}
				}
				trade(t, set, func(t *testing.T, b *bench) {
					synctest.Wait()
					what, todo := "no config and no registry names its seller, acme at https://acme.example", "it ends by itself"
					if methodGone {
						what = `the payment method "fake" of that purchase is not configured`
					}
					if paid {
						todo = "caddy tokenbuddy purchases settle " + p.ID
					}
					open := b.desk.Purchases()
					if len(open) != 1 || !strings.Contains(open[0].Doubt, what) || !strings.Contains(open[0].Hint, todo) || !strings.Contains(open[0].Hint, "Bring that back") {
						t.Fatalf("open: %+v", open)
					}
					<-time.After(lostFor - time.Second)
					if early := b.journal.states(); early != "" || b.logged("purchase.in_doubt") > 0 {
						t.Errorf("too soon: %s", early)
					}
					<-time.After(2 * time.Second)
					synctest.Wait()
					if !paid {
						last := b.journal.lastStep()
						if last.State != ledger.Failed || !last.Unpaid || !strings.Contains(last.Failure, what) || len(b.desk.Purchases()) > 0 || len(b.doubted) > 0 {
							t.Errorf("ended as %s, unpaid %v, since %s; told %q", last.State, last.Unpaid, last.Failure, b.doubted)
						}
						synctest.Wait()
						b.methodName = ""
						b.lease(1).Return(0) // another may be bought
						return
					}
					if len(b.desk.Purchases()) != 1 || b.logged("purchase.in_doubt") != 1 || len(b.doubted) != 1 || !strings.Contains(b.doubted[0], what) || !strings.Contains(b.doubted[0], todo) {
						t.Errorf("open %+v, told %q", b.desk.Purchases(), b.doubted)
					}
					<-time.After(25 * time.Minute)
					if b.logged("purchase.in_doubt") != 1 || len(b.doubted) != 1 {
						t.Errorf("told again: %q", b.doubted)
					}
					if err := b.desk.Cancel(t.Context(), p.ID, "ada"); !errors.Is(err, ErrMayHaveLeft) {
						t.Errorf("cancelled: %v", err)
					}
					if err := b.desk.Settle(t.Context(), p.ID, false, "ada", ""); err != nil {
						t.Error(err)
					}
					if synctest.Wait(); len(b.desk.Purchases()) > 0 {
						t.Errorf("settled, and open: %+v", b.desk.Purchases())
					}
				})
			})
		}
	}
}

// One that is brought back in time goes on.
func TestLostAndFound(t *testing.T) {
	m := new(fakeMethod)
	p := leftAt(t)[ledger.Prepared]
	trade(t, func(b *bench) { b.method, b.journal.open = m, []ledger.Purchase{p} }, func(t *testing.T, b *bench) {
		<-time.After(30 * time.Second)
		synctest.Wait()
		b.itself = true
		b.desk.SellersChanged()
		synctest.Wait()
		if l := b.lease(1); l.TokenID() != p.ID || m.paid != 1 {
			t.Errorf("token %s, paid %d times", l.TokenID(), m.paid)
		}
		<-time.After(lostFor)
	})
}

// Of what is in doubt in this process the operator is told as well.
func TestDoubted(t *testing.T) {
	m := &fakeMethod{pay: says(needsHuman), track: says(needsHuman)}
	trade(t, func(b *bench) { b.method = m }, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrInDoubt)
		<-time.After(30 * time.Second)
		synctest.Wait()
		if len(b.doubted) != 1 || !strings.Contains(b.doubted[0], needsHuman.Text) {
			t.Errorf("told %q", b.doubted)
		}
	})
	trade(t, func(b *bench) { b.method, b.terms.ApproveFirst = payment.Mock{}, true }, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrInDoubt)
		<-time.After(30 * time.Second)
		synctest.Wait()
		if len(b.doubted) != 1 || !strings.Contains(b.doubted[0], "purchases approve") {
			t.Errorf("told %q", b.doubted)
		}
	})
	// Also of one that is approved and comes into doubt again.
	m = &fakeMethod{pay: says(needsHuman), track: says(needsHuman)}
	trade(t, func(b *bench) { b.method, b.terms.ApproveFirst = m, true }, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrInDoubt)
		if err := b.desk.Approve(t.Context(), b.desk.Purchases()[0].PurchaseID, "ada"); err != nil {
			t.Fatal(err)
		}
		<-time.After(30 * time.Second)
		synctest.Wait()
		if open := b.desk.Purchases(); len(open) != 1 || open[0].Hint != needsHuman.Text || len(b.doubted) != 1 || b.logged("purchase.in_doubt") != 2 {
			t.Errorf("%+v, told %q", open, b.doubted)
		}
	})
}
