package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func TestMain(m *testing.M) {
	// Badger leaves these behind when it does not open. A ledger that is not closed leaves others.
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/dgraph-io/badger/v4.(*DB).monitorCache"),
		goleak.IgnoreTopFunction("github.com/dgraph-io/badger/v4.(*DB).updateSize"),
		goleak.IgnoreTopFunction("github.com/dgraph-io/badger/v4/y.(*WaterMark).process"),
		goleak.IgnoreTopFunction("github.com/dgraph-io/ristretto/v2.(*Cache[...]).processItems"),
		goleak.IgnoreTopFunction("github.com/dgraph-io/ristretto/v2.(*defaultPolicy[...]).processItems"),
		goleak.IgnoreTopFunction("github.com/dgraph-io/ristretto/v2/z.(*AllocatorPool).freeupAllocators"))
}

// A price at which a token of the prompt costs 2 micros, one of the answer 10, a cached one 1.
var price = money.Price{Input: 2_000_000, Output: 10_000_000, CacheRead: 1_000_000, CacheWrite: money.Unknown}

func settlement(id string, billed money.Micros) *wire.Settlement {
	return &wire.Settlement{SettlementID: id, BilledMicros: &billed}
}

var testKey = store.KeyFromSecret("for tests")

// open opens a ledger that is closed when the test ends.
func open(t testing.TB, o ledger.Options) *ledger.Ledger {
	t.Helper()
	if o.Key == nil {
		o.Key = testKey
	}
	l, err := ledger.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// buy buys a token with the id of its purchase.
func buy(t testing.TB, l *ledger.Ledger, id, seller string, amount money.Micros) {
	t.Helper()
	p := ledger.Purchase{
		ID: id, Seller: seller, Origin: origin, Method: "mock", AmountMicros: amount,
		Token: &ledger.Token{Secret: "bearer-" + id, CreditMicros: amount},
	}
	for _, p.State = range wayToGranted {
		if err := l.Advance(context.Background(), p, noLimits); err != nil {
			t.Fatal(err)
		}
	}
}

func hold(id, seller, token string) ledger.Hold {
	return ledger.Hold{ID: id, Request: ledger.Request{RequestID: "r-" + id, Member: "ann", Model: "m"}, Seller: seller, TokenID: token, Price: price}
}

func inference(h ledger.Hold, billed money.Micros) ledger.Inference {
	return ledger.Inference{
		Request: h.Request, HoldID: h.ID, Seller: h.Seller, Origin: origin, TokenID: h.TokenID, Attempts: 1, Status: ledger.StatusOK,
		Price: h.Price, Answered: true, Settlement: settlement("s-"+h.ID, billed),
	}
}

func mustVerify(t testing.TB, l *ledger.Ledger) ledger.Report {
	t.Helper()
	r, err := l.Verify(context.Background())
	if err != nil || !r.OK {
		t.Fatalf("verify: %+v, %v", r, err)
	}
	return r
}

// picture is all that can be seen of a ledger.
type picture struct {
	Accounts  []ledger.Account
	Tokens    []ledger.Token
	Purchases []ledger.Purchase
	Days      []ledger.Row
	Head      string
}

func look(t testing.TB, l *ledger.Ledger) picture {
	t.Helper()
	accounts, err := l.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	days, err := l.Summary(context.Background(), time.Time{}, time.Time{}, "day")
	if err != nil {
		t.Fatal(err)
	}
	return picture{accounts, l.Tokens(), l.OpenPurchases(), days, mustVerify(t, l).Head}
}

func TestReopenGivesTheSame(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Options{Dir: dir})
	buy(t, l, "t1", "acme", 5_000)
	p := ledger.Purchase{ID: "p2", State: ledger.Creating, Seller: "best", Method: "mock", Payment: json.RawMessage(`{"a":1}`)}
	if err := l.Advance(t.Context(), p, noLimits); err != nil {
		t.Fatal(err)
	}
	h := hold("h1", "acme", "t1")
	l.PlaceHold(h)
	if _, err := l.Settle(inference(h, 700)).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := look(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	after := look(t, open(t, ledger.Options{Dir: dir}))
	if !reflect.DeepEqual(before, after) {
		t.Errorf("before\n%+v\nafter\n%+v", before, after)
	}
	if len(after.Tokens) != 1 || after.Tokens[0].Secret != "bearer-t1" || after.Tokens[0].BalanceMicros != 4_300 {
		t.Errorf("tokens: %+v", after.Tokens)
	}
	if len(after.Purchases) != 1 || string(after.Purchases[0].Payment) != `{"a":1}` {
		t.Errorf("open purchases: %+v", after.Purchases)
	}
}

func TestDirectoryIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "ledger")
	open(t, ledger.Options{Dir: dir})
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode of the directory: %v, %v", info.Mode(), err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, ledger.Options{Dir: dir})
	_, err := ledger.Open(ledger.Options{Dir: dir, Key: testKey})
	if !errors.Is(err, ledger.ErrInUse) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("error of a second open: %v", err)
	}
}

func TestOpenWaitsForTheLock(t *testing.T) {
	dir := t.TempDir()
	first := open(t, ledger.Options{Dir: dir})
	opened := make(chan error)
	go func() {
		l, err := ledger.Open(ledger.Options{Dir: dir, Key: testKey})
		if err == nil {
			err = l.Close()
		}
		opened <- err
	}()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("open while another is closing: %v", err)
	}
}

func TestWrongKey(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Options{Dir: dir})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := ledger.Open(ledger.Options{Dir: dir, Key: store.KeyFromSecret("another")})
	if !errors.Is(err, ledger.ErrWrongKey) {
		t.Errorf("error with a wrong key: %v", err)
	}
	if _, err := ledger.Open(ledger.Options{Dir: dir, Key: []byte("short")}); err == nil {
		t.Error("a key of five bytes was taken")
	}
	open(t, ledger.Options{Dir: dir}) // the right one still opens it
}

func TestSecretsAreNotInTheFiles(t *testing.T) {
	// No four letters of one stand anywhere else: tables are compressed, and a word that is written by what stood before is not found.
	const seller, payment, intent, proof, bearer = "QXJZVKWH", "JQWVXZHK", "ZKXQHJVW", "VHJKQWZX", "WXHQKZJV"
	dir := t.TempDir()
	l := open(t, ledger.Options{Dir: dir})
	p := ledger.Purchase{
		ID: "p1", Seller: seller, Method: "mock", AmountMicros: 100,
		Payment: json.RawMessage(`{"x":"` + payment + `"}`), Intent: json.RawMessage(`{"x":"` + intent + `"}`), Proof: json.RawMessage(`"` + proof + `"`),
		Token: &ledger.Token{Secret: bearer, CreditMicros: 100},
	}
	for _, p.State = range wayToGranted {
		if err := l.Advance(t.Context(), p, noLimits); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, word := range []string{seller, payment, intent, proof, bearer} {
			found[word] = found[word] || bytes.Contains(raw, []byte(word))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !found[seller] {
		t.Fatal("what is not secret is not found either: the search proves nothing")
	}
	for word, there := range found {
		if there && word != seller {
			t.Errorf("%s stands in the files", word)
		}
	}
}

func TestRefusedCommandsLeaveTheirBatchAlone(t *testing.T) {
	var closed sync.Mutex // while it is, the committer stops after its commit: what is queued meanwhile is one batch
	l := open(t, ledger.Options{InMemory: true, Observe: func(time.Duration) {
		closed.Lock()
		defer closed.Unlock()
	}})
	buy(t, l, "t1", "acme", 5_000)
	quoted := ledger.Purchase{ID: "p2", Seller: "acme", Method: "mock", AmountMicros: 100}
	for _, quoted.State = range wayToGranted[:2] {
		if err := l.Advance(t.Context(), quoted, noLimits); err != nil {
			t.Fatal(err)
		}
	}

	closed.Lock()
	first := l.PlaceHold(hold("first", "acme", "t1")) // its commit holds the committer up
	before := make(chan struct{})
	go func() { // what blocks until it is durable
		defer close(before)
		prepared := quoted
		prepared.State = ledger.Prepared
		var limit *ledger.LimitError
		if err := l.Advance(context.Background(), prepared, ledger.Limits{Daily: 0, Session: -1, Seller: -1}); !errors.As(err, &limit) {
			t.Errorf("a purchase past the limit: %v", err)
		}
	}()
	good := []*ledger.Commit{l.PlaceHold(hold("a", "acme", "t1")), nil}
	bad := l.PlaceHold(hold("b", "acme", "no such token"))
	twice := l.PlaceHold(hold("a", "acme", "t1"))
	good[1] = l.PlaceHold(hold("c", "acme", "t1"))
	settled := l.Settle(inference(hold("a", "acme", "t1"), 700))
	again := l.Settle(inference(hold("a", "acme", "t1"), 700))
	try := inference(hold("try", "acme", "t1"), 10)
	try.HoldID, try.IdempotencyKey = "", "k"
	retried := []*ledger.Settling{l.Settle(try), l.Settle(try)} // the second finds what the first has not committed yet
	closed.Unlock()

	<-before
	for _, c := range append(good, first) {
		if err := c.Wait(t.Context()); err != nil {
			t.Errorf("a good command beside bad ones: %v", err)
		}
	}
	if b, err := settled.Wait(t.Context()); err != nil || b.TokenDelta != -700 {
		t.Errorf("settled: %+v, %v", b, err)
	}
	if err := bad.Wait(t.Context()); !errors.Is(err, ledger.ErrUnknownToken) {
		t.Errorf("a hold on a token that is not there: %v", err)
	}
	if twice.Wait(t.Context()) == nil {
		t.Error("two holds with one id")
	}
	if _, err := again.Wait(t.Context()); !errors.Is(err, ledger.ErrUnknownHold) {
		t.Errorf("a hold settled twice: %v", err)
	}
	for i, want := range []money.Micros{-10, 0} {
		if b, err := retried[i].Wait(t.Context()); err != nil || b.TokenDelta != want {
			t.Errorf("try %d: %+v, %v", i, b, err)
		}
	}
	mustVerify(t, l)
	if day, _ := l.Spent(); day != 5_000 {
		t.Errorf("a refused purchase counts: %s spent", day)
	}
	if left := l.Tokens()[0].BalanceMicros; left != 4_290 {
		t.Errorf("token has %s left", left)
	}
}

func TestManyLargeCommandsAtOnce(t *testing.T) {
	l := open(t, ledger.Options{InMemory: true})
	buy(t, l, "t1", "acme", 5_000)
	var commits []*ledger.Commit
	for i := range 1_500 {
		h := hold(fmt.Sprint(i), "acme", "t1")
		h.RequestedModel = strings.Repeat("\x01", 8_000)
		commits = append(commits, l.PlaceHold(h))
		in := inference(h, 0)
		commits = append(commits, l.ReleaseHold(in.HoldID))
	}
	for _, c := range commits {
		if err := c.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mustVerify(t, l)

	h := hold("too large", "acme", "t1")
	h.RequestedModel = strings.Repeat("x", 9_000)
	if l.PlaceHold(h).Wait(t.Context()) == nil {
		t.Error("a hold with a name of 9,000 bytes was taken")
	}
	h.RequestedModel, h.Member = "", strings.Repeat("x", 1_100)
	if l.PlaceHold(h).Wait(t.Context()) == nil {
		t.Error("a member with a name of 1,100 bytes was taken")
	}
}

func TestAfterClose(t *testing.T) {
	l := open(t, ledger.Options{InMemory: true})
	buy(t, l, "t1", "acme", 5_000)
	queued := l.PlaceHold(hold("a", "acme", "t1"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := queued.Wait(t.Context()); err != nil {
		t.Errorf("what was queued before the close: %v", err)
	}
	if err := l.PlaceHold(hold("b", "acme", "t1")).Wait(t.Context()); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("a hold after the close: %v", err)
	}
	if _, err := l.Accounts(); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("accounts after the close: %v", err)
	}
	if l.Tokens() != nil {
		t.Error("tokens after the close")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	var closed sync.Mutex
	l := open(t, ledger.Options{InMemory: true, Observe: func(time.Duration) {
		closed.Lock()
		defer closed.Unlock()
	}})
	buy(t, l, "t1", "acme", 5_000)
	closed.Lock()
	c := l.PlaceHold(hold("a", "acme", "t1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("wait: %v", err)
	}
	closed.Unlock()
	if err := c.Wait(t.Context()); err != nil {
		t.Errorf("the hold: %v", err)
	}
	if err := c.Wait(ctx); err != nil {
		t.Errorf("what is durable is told whatever the context: %v", err)
	}
}

// TestLongPurchase: what sellers and payment methods may say at the most is booked at each step, also in a fleet, where it stands in two records, and the
// last of it comes when the money has left. It is given back as it was said.
func TestLongPurchase(t *testing.T) {
	const payment, said = 64 << 10, 128 << 10 // as package purchase bounds them
	long := func(n int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("<", n-2) + `"`) }
	for _, shared := range []bool{false, true} {
		dir := t.TempDir()
		l := open(t, ledger.Options{Dir: dir, Shared: shared})
		p := ledger.Purchase{
			ID: "p1", Seller: "best", Method: "mock", AmountMicros: 100, Payment: long(payment),
			Token: &ledger.Token{Secret: strings.Repeat("s", 8<<10), CreditMicros: 100},
		}
		for _, p.State = range wayToGranted {
			switch p.State {
			case ledger.Prepared:
				p.Intent = long(said)
			case ledger.Proven:
				p.Proof = long(said)
			}
			if err := l.Advance(t.Context(), p, noLimits); err != nil {
				t.Fatalf("shared %t, %s: %v", shared, p.State, err)
			}
			if p.State != ledger.Proven {
				continue
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, ledger.Options{Dir: dir, Shared: shared})
			if kept := l.OpenPurchases(); len(kept) != 1 || string(kept[0].Payment) != string(p.Payment) ||
				string(kept[0].Intent) != string(p.Intent) || string(kept[0].Proof) != string(p.Proof) {
				t.Errorf("shared %t: it is not kept as it was said", shared)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
