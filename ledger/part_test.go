package ledger_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// TestPartsOfAToken hands credit of a token from one ledger to another, which spends it, some more than it has, and starts again. In each what is
// left is right, and together they have what was bought.
func TestPartsOfAToken(t *testing.T) {
	one, two := open(t, ledger.Options{Dir: t.TempDir()}), open(t, ledger.Options{Dir: t.TempDir()})
	id := ledger.NewID()
	buy(t, one, id, "acme", money.USD)
	bought, found, err := one.Token(t.Context(), id)
	if err != nil || !found || bought.Shared || bought.Secret == "" {
		t.Fatalf("%+v, %t, %v", bought, found, err)
	}
	move := func(l *ledger.Ledger, tok ledger.Token, by, moved, left money.Micros) ledger.Token {
		t.Helper()
		is, did, err := l.MovePart(t.Context(), tok, by)
		if err != nil || did != moved || is.BalanceMicros != left || !is.Shared {
			t.Fatalf("%d moved, %d left, shared %t, %v; want %d and %d", did, is.BalanceMicros, is.Shared, err, moved, left)
		}
		return is
	}
	move(one, bought, 0, 0, money.USD)
	move(one, bought, -money.USD/2, -money.USD/2, money.USD/2)
	move(one, bought, -money.USD, -money.USD/2, 0)
	sealed, err := one.SealToken(bought)
	if err != nil || bytes.Contains(sealed, []byte(bought.Secret)) {
		t.Fatalf("%v: %s", err, sealed)
	}
	opened, err := two.OpenToken(sealed)
	if err != nil || opened.Secret != bought.Secret || opened.CreditMicros != money.USD {
		t.Fatalf("%+v, %v", opened, err)
	}
	if other := open(t, ledger.Options{Dir: t.TempDir(), Key: bytes.Repeat([]byte{9}, 32)}); other.OpensProof(one.SealProof()) || !two.OpensProof(one.SealProof()) {
		t.Error("a proof of the key is none")
	} else if _, err := other.OpenToken(sealed); !errors.Is(err, ledger.ErrOtherKey) {
		t.Errorf("with another key: %v", err)
	}
	if _, err := two.OpenToken(bytes.Replace(sealed, []byte(`"creditMicros":1000000`), []byte(`"creditMicros":9000000`), 1)); !errors.Is(err, ledger.ErrOtherKey) {
		t.Errorf("a token that was changed: %v", err)
	}
	move(two, opened, 100, 100, 100)
	h := hold(ledger.NewID(), "acme", id)
	if err := two.PlaceHold(h).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := two.Settle(inference(h, 150)).Wait(t.Context()) // more than its part
	if err != nil || b.Entry.BilledMicros != 150 || b.Entry.ExpenseMicros != 150 || b.TokenDelta != -100 {
		t.Fatalf("%+v, %v", b, err)
	}
	if is, _, _ := two.Token(t.Context(), id); is.GrantedMicros != 150 || is.BalanceMicros != 0 {
		t.Errorf("%+v", is)
	}
	for _, l := range []*ledger.Ledger{one, two} {
		if _, err := l.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := two.DropToken(t.Context(), id, "spent"); err != nil {
		t.Error(err)
	}
	if _, _, err := two.MovePart(t.Context(), ledger.Token{ID: id, Seller: "acme"}, 1); err == nil {
		t.Error("a token without a secret was taken in")
	}
}

// TestPartsOutliveTheProcess: an empty part is still a part after a start.
func TestPartsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Options{Dir: dir})
	tok := ledger.Token{
		ID: "t", Seller: "acme", Origin: "o", PurchaseID: "t", Secret: "s", PaidMicros: 10, CreditMicros: 10, BoughtAt: time.Now().UTC(),
		ExpiresAt: time.Now().Add(time.Hour).UTC(),
	}
	if _, _, err := l.MovePart(t.Context(), tok, 5); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.MovePart(t.Context(), tok, -5); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, ledger.Options{Dir: dir})
	is, found, err := l.Token(t.Context(), "t")
	if err != nil || !found || !is.Shared || is.Secret != "s" || is.GrantedMicros != 0 || is.BalanceMicros != 0 {
		t.Errorf("%+v, %t, %v", is, found, err)
	}
}

// TestPartsComeAgain: what an earlier try was booked by estimate is taken back also where it was on a part that has come to its end, and has come
// again and ended again since; once, and over a restore that the fleet completes, too.
func TestPartsComeAgain(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir(), Shared: true})
	l.SetShares(newFleet())
	tok := ledger.Token{
		ID: "t", Seller: "acme", Origin: origin, PurchaseID: "t", Secret: "s", PaidMicros: 10_000, CreditMicros: 10_000, BoughtAt: time.Now().UTC(),
		ExpiresAt: time.Now().Add(time.Hour).UTC(),
	}
	try := func(l *ledger.Ledger, key, token string, said *wire.Settlement) {
		t.Helper()
		h := hold("", "acme", token)
		h.RequestID, h.IdempotencyKey, h.Path, h.PromptHash = ledger.NewID(), key, "/v1/messages", "p"
		in := inference(h, 0)
		if in.Settlement, in.Repeatable = said, true; said == nil {
			in.Status, in.AnswerText = ledger.StatusInterrupted, 400
		}
		if _, err := l.Settle(in).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cut := func(key string) {
		t.Helper()
		if _, _, err := l.MovePart(t.Context(), tok, 1_000); err != nil {
			t.Fatal(err)
		}
		try(l, key, "t", nil)
		if err := l.DropToken(t.Context(), "t", "expired"); err != nil {
			t.Fatal(err)
		}
	}
	expense := func(l *ledger.Ledger) money.Micros {
		t.Helper()
		rows, err := l.Summary(t.Context(), time.Time{}, time.Time{}, "member")
		if err != nil || len(rows) != 1 {
			t.Fatalf("%+v, %v", rows, err)
		}
		return rows[0].ExpenseMicros
	}
	cut("k1")
	each := expense(l)
	cut("k2")
	buy(t, l, "t2", "acme", 10_000)
	if _, _, err := l.MovePart(t.Context(), tok, 1_000); err != nil { // and is here once more
		t.Fatal(err)
	}
	kept := backup(t, l)
	try(l, "k1", "t2", settlement("s1", 5))
	if spent := expense(l); each == 0 || spent != each+5 {
		t.Errorf("%d is spent, want %d", spent, each+5)
	}
	o := ledger.Options{Dir: t.TempDir() + "/restored", Key: testKey, Shipped: ship(t, l)}
	if r, err := ledger.Restore(t.Context(), o, bytes.NewReader(kept)); err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	o.Shipped, o.Shared = nil, true
	for _, one := range []*ledger.Ledger{l, open(t, o)} {
		try(one, "k1", "t2", settlement("s2", 7))
		if spent := expense(one); spent != each+5+7 {
			t.Errorf("%d is spent, want %d", spent, each+5+7)
		}
		mustVerify(t, one)
	}
	try(l, "k2", "t2", settlement("s3", 9))
	if spent := expense(l); spent != 5+7+9 {
		t.Errorf("%d is spent, want %d", spent, 5+7+9)
	}
	mustVerify(t, l)
}
