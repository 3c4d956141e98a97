package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// world does random things to a ledger, and remembers what names it has used.
type world struct {
	dir    string // empty: in memory
	now    func() time.Time
	l      *ledger.Ledger
	n      int
	tokens []string
	holds  []ledger.Hold
}

// begin opens new books, one time in five on the disk, until the check ends.
func (w *world) begin(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "disk") == 4 {
		var err error
		if w.dir, err = os.MkdirTemp("", "ledger"); err != nil {
			t.Fatal(err)
		}
	}
	w.open(t)
	t.Cleanup(func() {
		w.l.Close()
		os.RemoveAll(w.dir)
	})
}

func (w *world) open(t *rapid.T) {
	l, err := ledger.Open(ledger.Options{Dir: w.dir, InMemory: w.dir == "", Key: testKey, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	w.l = l
}

func (w *world) name(kind string) string {
	w.n++
	return fmt.Sprint(kind, w.n)
}

// expect lets the errors pass that random commands must meet.
func expect(t *rapid.T, err error, allowed ...error) {
	for _, a := range allowed {
		if errors.Is(err, a) {
			return
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

var sellers = []string{"acme", "best", "c:d"}

func (w *world) purchase(t *rapid.T) {
	amount := money.Micros(rapid.Int64Range(1, 10_000).Draw(t, "amount"))
	p := ledger.Purchase{
		ID: w.name("t"), Seller: rapid.SampledFrom(sellers).Draw(t, "seller"), Method: "mock", AmountMicros: amount,
		Token: &ledger.Token{Secret: "x", CreditMicros: amount + money.Micros(rapid.Int64Range(0, 100).Draw(t, "bonus")) - 50},
	}
	stop := rapid.IntRange(1, len(wayToGranted)).Draw(t, "stop")
	if p.Token.CreditMicros <= 0 {
		stop = min(stop, len(wayToGranted)-1)
	}
	for _, p.State = range wayToGranted[:stop] {
		expect(t, w.l.Advance(context.Background(), p, noLimits))
	}
	if p.State == ledger.Granted {
		w.tokens = append(w.tokens, p.ID)
		return
	}
	if p.State = rapid.SampledFrom([]ledger.PurchaseState{"", ledger.Failed, ledger.Expired, ledger.Disputed}).Draw(t, "end"); p.State != "" {
		p.Unpaid = rapid.Bool().Draw(t, "unpaid")
		if err := w.l.Advance(context.Background(), p, noLimits); err != nil && (p.State != ledger.Disputed || stop > 3) {
			t.Fatal(err)
		}
	}
}

// token is the id of a token that once was there, and its seller.
func (w *world) token(t *rapid.T) (id, seller string) {
	if len(w.tokens) == 0 {
		return "", "openai"
	}
	id = rapid.SampledFrom(append(w.tokens, "")).Draw(t, "token")
	for _, token := range w.l.Tokens() {
		if token.ID == id {
			return id, token.Seller
		}
	}
	return id, "acme"
}

func (w *world) hold(t *rapid.T) {
	id, seller := w.token(t)
	h := hold(w.name("h"), seller, id)
	h.IdempotencyKey = rapid.SampledFrom([]string{"", "k1", "k2"}).Draw(t, "key")
	h.AmountMicros = money.Micros(rapid.Int64Range(0, 5_000).Draw(t, "amount"))
	h.BodyBytes = rapid.Int64Range(0, 4_000).Draw(t, "prompt")
	if len(w.holds) > 0 && rapid.Bool().Draw(t, "replaces") {
		h.Replaces = rapid.SampledFrom(w.holds).Draw(t, "hold").ID
	}
	if err := w.l.PlaceHold(h).Wait(context.Background()); err == nil {
		w.holds = append(w.holds, h)
	} else if !strings.Contains(err.Error(), "can't pay seller") { // a dropped token of another seller, still held
		expect(t, err, ledger.ErrUnknownToken)
	}
}

func (w *world) settle(t *rapid.T) {
	if len(w.holds) == 0 {
		t.Skip("no hold")
	}
	in := inference(rapid.SampledFrom(w.holds).Draw(t, "hold"), money.Micros(rapid.Int64Range(-10, 6_000).Draw(t, "billed")))
	in.Answered = rapid.Bool().Draw(t, "answered")
	in.Asked = rapid.Bool().Draw(t, "asked")
	in.AnswerText = rapid.Int64Range(0, 4_000).Draw(t, "answer")
	in.Usage = billing.Usage{Tokens: money.Tokens{Prompt: rapid.Int64Range(-1, 500).Draw(t, "prompt"), Completion: rapid.Int64Range(-1, 500).Draw(t, "completion")}, PromptKnown: true, CompletionKnown: true}
	in.Usage.PromptKnown, in.Usage.CompletionKnown = rapid.Bool().Draw(t, "usage"), rapid.Bool().Draw(t, "all of it")
	in.InDoubt = rapid.Bool().Draw(t, "in doubt")
	in.Exclusive = rapid.Bool().Draw(t, "exclusive")
	in.Status = rapid.SampledFrom([]ledger.Status{ledger.StatusOK, ledger.StatusInterrupted}).Draw(t, "status")
	in.Settlement.SettlementID = fmt.Sprint(rapid.IntRange(0, 30).Draw(t, "settlement"))
	in.Settlement.BalanceMicros = new(money.Micros(rapid.Int64Range(-10, 20_000).Draw(t, "balance")))
	if rapid.Bool().Draw(t, "silent") {
		in.Settlement = nil
	}
	book := w.l.Settle
	if rapid.IntRange(0, 3).Draw(t, "waste") == 0 {
		book = w.l.Waste
	}
	in.Repeatable, in.Done = rapid.Bool().Draw(t, "repeatable"), rapid.Bool().Draw(t, "done")
	balances, borne := w.balances(), w.borne(t)
	booked, err := book(in).Wait(context.Background())
	expect(t, err, ledger.ErrUnknownHold)
	balances[in.TokenID] += booked.TokenDelta
	for _, back := range booked.Back {
		balances[back.ID] += back.Micros
	}
	for id, after := range w.balances() {
		if after != balances[id] {
			t.Fatalf("token %s has %d, the booking says %d", id, after, balances[id])
		}
	}
	if e := booked.Entry; e != nil && e.Served != nil {
		borne += e.ExpenseMicros
	}
	for _, by := range booked.Corrected { // all that is corrected this process has booked
		if !by.Wasted {
			borne += by.BilledMicros
		}
	}
	if after := w.borne(t); after != borne {
		t.Fatalf("members have borne %d, the booking says %d", after, borne)
	}
}

// balances are those of the live tokens.
func (w *world) balances() map[string]money.Micros {
	all := map[string]money.Micros{}
	for _, token := range w.l.Tokens() {
		all[token.ID] = token.BalanceMicros
	}
	return all
}

// borne is what members have borne.
func (w *world) borne(t *rapid.T) (sum money.Micros) {
	accounts, err := w.l.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		if strings.HasPrefix(a.Account, "expense:") {
			sum += a.BalanceMicros
		}
	}
	return sum
}

func (w *world) drop(t *rapid.T) {
	id, _ := w.token(t)
	expect(t, w.l.DropToken(context.Background(), id, "drawn"), ledger.ErrUnknownToken)
}

func (w *world) release(t *rapid.T) {
	if len(w.holds) == 0 {
		t.Skip("no hold")
	}
	expect(t, w.l.ReleaseHold(rapid.SampledFrom(w.holds).Draw(t, "hold").ID).Wait(context.Background()), ledger.ErrUnknownHold)
}

// check is what must hold whatever was done.
func (w *world) check(t *rapid.T) {
	r, err := w.l.Verify(context.Background())
	if err != nil || !r.OK {
		t.Fatalf("verify: %+v, %v", r, err)
	}
	accounts, err := w.l.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	var sum money.Micros
	for _, a := range accounts {
		sum += a.BalanceMicros
		kind, _, _ := strings.Cut(a.Account, ":")
		switch below := a.BalanceMicros < 0; kind {
		case "wallet":
			if a.BalanceMicros > 0 {
				t.Fatalf("money came out of nowhere: %+v", a)
			}
		case "adjustment":
		default:
			if below {
				t.Fatalf("below zero: %+v", a)
			}
		}
	}
	if sum != 0 {
		t.Fatalf("the accounts sum to %d", sum)
	}
	for _, token := range w.l.Tokens() {
		if token.BalanceMicros < 0 || token.BalanceMicros > max(token.PaidMicros, token.CreditMicros) {
			t.Fatalf("token %s has %d of %d, %d were paid", token.ID, token.BalanceMicros, token.CreditMicros, token.PaidMicros)
		}
	}
}

// TestWhateverIsDone keeps the books in order through random commands and, one time in five, restarts.
func TestWhateverIsDone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := new(world)
		w.begin(t)
		t.Repeat(map[string]func(*rapid.T){
			"purchase": w.purchase, "hold": w.hold, "settle": w.settle, "settle more": w.settle, "drop": w.drop, "release": w.release,
			"": w.check,
		})
		if w.dir != "" {
			w.restart(t)
		}
	})
}

// restart opens the ledger again, twice: the first time may book holds, the second must find nothing to do.
func (w *world) restart(t *rapid.T) {
	var before picture
	for i := range 2 {
		if err := w.l.Close(); err != nil {
			t.Fatal(err)
		}
		w.open(t)
		w.check(t)
		after := w.picture(t)
		if i == 1 && !reflect.DeepEqual(before, after) {
			t.Fatalf("before the restart\n%+v\nafter it\n%+v", before, after)
		}
		before = after
	}
}

func (w *world) picture(t *rapid.T) picture {
	accounts, err := w.l.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.l.Verify(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return picture{Accounts: accounts, Tokens: w.l.Tokens(), Purchases: w.l.OpenPurchases(), Head: r.Head}
}
