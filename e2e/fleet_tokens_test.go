package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

// keyOfAll is a ledger's key that all gateways of a fleet have.
const keyOfAll = "\t\tledger badger {\n\t\t\tkey 0123456789abcdef0123456789abcdef\n\t\t}\n"

// bounded is a seller that serves what its tokens cover.
type bounded struct {
	mu    sync.Mutex
	spent map[string]int
}

// answer bills so much a request, and refuses what is beyond the credit of its token.
func (b *bounded) answer(each, credit int) handler {
	b.spent = map[string]int{}
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		token := r.Header.Get("Authorization")
		b.mu.Lock()
		covered := b.spent[token]+each <= credit
		if covered {
			b.spent[token] += each
		}
		b.mu.Unlock()
		if !covered {
			say(http.StatusPaymentRequired, "application/json", `{"error":{"code":"insufficient_funds"}}`)(w, r, body)
			return
		}
		settledBy(answerPlain, "Billed-Micros", "50")(w, r, body)
	}
}

// tokensSaid are the shared tokens, as a gateway tells of them.
type tokensSaid struct {
	Tokens []struct {
		Seller                                             string
		CreditMicros, SpentMicros, AsideMicros, FreeMicros int64
		Parts                                              map[string]struct{ GrantedMicros, SpentMicros int64 }
	}
	Here struct {
		Gateway  string
		OtherKey bool
	}
}

func (c *caddy) tokensSaid() (said tokensSaid) {
	c.t.Helper()
	status, body := c.look("/tokenbuddy/fleet")
	if err := json.Unmarshal(body, &said); err != nil || status != http.StatusOK {
		c.t.Fatalf("fleet: status %d, %v: %s", status, err, body)
	}
	return said
}

// TestFleetTokens has three gateways that share tokens, and money for one. It is bought once, all of it is spent, by whichever gateway, also what
// was set aside for one that was killed, and the books of all agree on it.
func TestFleetTokens(t *testing.T) {
	t.Parallel()
	const each, credit = 50, 10_000
	var books bounded
	acme := newSeller(t, "acme", books.answer(each, credit))
	acme.credit = credit
	f := newFleet(t, 3, []*fakeSeller{acme}, "\t\t\ttokens shared", keyOfAll+`
		purchase {
			amount 0.01
			daily_limit 0.01
			rebuy_below 0.001
		}
		member ada {
			key key-of-ada
		}
`)
	var all sync.WaitGroup
	for i := range 9 {
		all.Go(func() {
			if status, _, body := f.ask(i%3, "key-of-ada"); status != http.StatusOK {
				t.Errorf("gateway %d: status %d: %s", i%3, status, body)
			}
		})
	}
	all.Wait()
	served := 9
	if n := acme.purchases(); n != 1 {
		t.Errorf("%d tokens were bought", n)
	}
	for _, c := range f.gateways { // each has a part of what one of them has bought
		if out := c.good("ledger", "--address", c.admin); strings.Contains(out, "NOT the sum") {
			t.Errorf("%s", out)
		}
	}
	out := f.gateways[2].good("fleet", "--address", f.gateways[2].admin)
	if !strings.Contains(out, "gw-0, gw-1, gw-2") || !strings.Contains(out, "$0.01 ") {
		t.Errorf("%s", out)
	}
	for range 5 {
		if status, _, body := f.ask(1, "key-of-ada"); status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
		served++
	}
	eventually(t, "what it has served is booked", func() bool { return len(f.gateways[1].entries("inference")) == 3+5 })
	f.gateways[1].kill()
	for begun, n := time.Now(), 0; served < credit/each && time.Since(begun) < 90*time.Second; n++ {
		switch status, _, body := f.ask(n%2*2, "key-of-ada"); status {
		case http.StatusOK:
			served++
		case http.StatusServiceUnavailable, http.StatusPaymentRequired:
			<-time.After(500 * time.Millisecond)
		default:
			t.Fatalf("status %d: %s", status, body)
		}
	}
	if served < credit/each-2 {
		t.Errorf("%d requests were served with credit for %d, %+v", served, credit/each, f.gateways[0].tokensSaid().Tokens)
	}
	if n := acme.purchases(); n != 1 {
		t.Errorf("%d tokens were bought", n)
	}
	f.gateways[1].start()
	var how string
	defer func() {
		if t.Failed() {
			t.Log(how)
		}
	}()
	eventually(t, "the books of all agree", func() bool {
		var left, aside, spent int64
		for _, c := range f.gateways {
			b := c.balances()
			left += b["credit:acme"]
			aside += b["fleet:acme"]
			spent += b["expense:ada:m"]
		}
		said := f.gateways[0].tokensSaid().Tokens
		free := int64(0)
		for _, s := range said {
			free += s.FreeMicros
		}
		how = fmt.Sprintf("%d served; left %d, aside %d, spent %d by the books; %+v", served, left, aside, spent, said)
		return spent == int64(served*each) && left+aside == credit-spent && aside == free
	})
	for _, c := range f.gateways {
		c.verify()
		if out := c.good("verify", "--fleet", "--address", c.admin); !strings.Contains(out, "hold") {
			t.Errorf("%s", out)
		}
	}
}

// TestFleetTokensAway has tokens serve that are in hand while the store is away, and one gateway go on with what another, that was stopped, has
// left.
func TestFleetTokensAway(t *testing.T) {
	t.Parallel()
	var books bounded
	acme := newSeller(t, "acme", books.answer(50, 5_000_000))
	f := newFleet(t, 2, []*fakeSeller{acme}, "\t\t\ttokens shared", keyOfAll+"\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t}\n")
	ask := func(gateway int) {
		t.Helper()
		if status, _, body := f.ask(gateway, "key-of-ada"); status != http.StatusOK {
			t.Errorf("gateway %d: status %d: %s", gateway, status, body)
		}
	}
	ask(0)
	f.gateways[0].stop()
	if s := f.gateways[1].tokensSaid().Tokens; len(s) != 1 || s[0].SpentMicros != 50 || s[0].AsideMicros != 0 || s[0].FreeMicros != 4_999_950 {
		t.Errorf("%+v", s)
	}
	ask(1)
	f.gateways[0].start()
	ask(0)
	f.looks(t)
	f.pg.Kill(t)
	for n := range 10 {
		ask(n % 2)
	}
	f.pg.Restart(t)
	if n := acme.purchases(); n != 1 {
		t.Errorf("%d tokens were bought", n)
	}
	eventually(t, "all is known in the store", func() bool {
		s := f.gateways[0].tokensSaid().Tokens
		return len(s) == 1 && s[0].SpentMicros == 13*50
	})
	for _, c := range f.gateways {
		c.verify()
	}
}

// TestFleetTokensOtherKey has a gateway whose key is another one say so, and buy its own.
func TestFleetTokensOtherKey(t *testing.T) {
	t.Parallel()
	acme := newSeller(t, "acme", settledBy(answerPlain, "Billed-Micros", "40"))
	f := newFleet(t, 2, []*fakeSeller{acme}, "\t\t\ttokens shared", strings.ReplaceAll(keyOfAll, "0123456789abcdef0123456789abcdef", "{env.KEY_OF_EACH}")+
		"\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t}\n")
	eventually(t, "one of them has another key", func() bool {
		return f.gateways[0].tokensSaid().Here.OtherKey != f.gateways[1].tokensSaid().Here.OtherKey
	})
	for i := range f.gateways {
		if status, _, body := f.ask(i, "key-of-ada"); status != http.StatusOK {
			t.Errorf("gateway %d: status %d: %s", i, status, body)
		}
	}
	if n := acme.purchases(); n != 2 {
		t.Errorf("%d tokens were bought", n)
	}
	for _, c := range f.gateways {
		if c.tokensSaid().Here.OtherKey {
			c.doctor(true, []string{"--address", c.admin}, "sealed with another key")
		}
		c.verify()
	}
}

// shared holds what the books of all gateways have of tokens against what the store and the seller have.
func (f *fleetTrade) shared() {
	f.t.Helper()
	if n := f.acme.purchases(); n != 1 {
		f.wrong("%d tokens were bought", n)
	}
	var said string
	agree := func() bool {
		var left, aside, free, granted, spent int64
		for _, c := range f.gateways {
			b := c.balances()
			left += b["credit:acme"]
			aside += b["fleet:acme"]
		}
		tokens := f.gateways[0].tokensSaid().Tokens
		for _, s := range tokens {
			free += s.FreeMicros
			for _, p := range s.Parts {
				granted += p.GrantedMicros
				spent += p.SpentMicros
			}
		}
		said = fmt.Sprintf("left %d and aside %d by the books, %+v", left, aside, tokens)
		return len(tokens) == 1 && aside == free && granted-spent == left && granted+free == f.acme.credit
	}
	for began := time.Now(); !agree(); pause(f.t.Context(), 500*time.Millisecond) {
		if time.Since(began) > 45*time.Second {
			f.wrong("the books do not agree on shared tokens: %s", said)
			return
		}
	}
}

// TestFleetTokensOneCharge: our seller charges a client's request once that three gateways send with the client's Idempotency-Key, as they share
// the token that it counts the key for.
func TestFleetTokensOneCharge(t *testing.T) {
	t.Parallel()
	sells := newCaddy(t, "")
	sells.write(sells.global("") + fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy_seller acme {\n\t\tpace 0s\n\t\tmodel m 1 2\n\t}\n}\n", sells.site))
	sells.launch()
	f := &fleetOf{t: t, pg: pgtest.New(t)}
	for i := range 3 {
		c := newCaddy(t, "")
		c.env = append(c.env, "FLEET_DSN="+f.pg.DSN())
		c.configure(fmt.Sprintf("\t\tregistry http://%s/registry.json\n\t\tseller_networks 127.0.0.0/8\n\t\tpayment mock\n"+
			"\t\tfleet postgres {env.FLEET_DSN} {\n\t\t\tname gw-%d\n\t\t\ttokens shared\n\t\t}\n%s\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t}\n", sells.site, i, keyOfAll))
		c.start()
		f.gateways = append(f.gateways, c)
	}
	for i := range 3 {
		if status, _, body := f.ask(i, "key-of-ada", "Idempotency-Key", "once"); status != http.StatusOK {
			t.Fatalf("gateway %d: status %d: %s", i, status, body)
		}
	}
	books := sells.sellerBooks()
	if len(books.Tokens) != 1 || len(books.Charges) != 1 || books.Charges[0].Micros == 0 {
		t.Fatalf("%+v", books)
	}
	eventually(t, "the others take their cost back", func() bool { return f.spent("ada") == books.Charges[0].Micros })
	for _, c := range f.gateways {
		c.verify()
	}
}

// TestFleetTokensCutTry has a client ask two gateways for the same under its Idempotency-Key, on a token that they share. The seller charges it once, and settles it at one of them;
// at the other one the answer is cut. In whichever order that is, the client's member bears the charge once.
func TestFleetTokensCutTry(t *testing.T) {
	t.Parallel()
	for name, settledAt := range map[string]int{"settled first": 0, "cut first": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cut atomic.Bool
			acme := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
				if cut.Load() {
					cutAfter(chatDelta(`{"content":"Hi"}`))(w, r, body)
					return
				}
				settledBy(answerPlain, "Settlement-Id", "s", "Billed-Micros", "40")(w, r, body)
			})
			f := newFleet(t, 2, []*fakeSeller{acme}, "\t\t\ttokens shared", keyOfAll+"\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t}\n")
			for i := range 2 {
				cut.Store(i != settledAt)
				_, _, _ = f.ask(i, "key-of-ada", "Idempotency-Key", "once")
			}
			eventually(t, "the cut one is booked", func() bool {
				all := f.gateways[1-settledAt].entries("inference")
				return len(all) == 1 && all[0].BilledSource == "estimate" && all[0].ExpenseMicros > 0
			})
			eventually(t, "the member bears it once", func() bool { return f.spent("ada") == 40 })
			for _, c := range f.gateways {
				c.verify()
			}
		})
	}
}

// TestFleetTokensKilledTry kills a gateway in the middle of an answer. The client comes to another one under its Idempotency-Key, on the token that both share, and the
// seller charges it once: so does the fleet, once the killed one is there again.
func TestFleetTokensKilledTry(t *testing.T) {
	t.Parallel()
	var halts atomic.Bool
	var settled atomic.Int64
	acme := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if halts.Load() {
			streamOf(chatDelta(`{"content":"Hi"}`))(w, r, body)
			<-r.Context().Done()
			return
		}
		settledBy(answerPlain, "Settlement-Id", fmt.Sprint(settled.Add(1)), "Billed-Micros", "40")(w, r, body)
	})
	f := newFleet(t, 2, []*fakeSeller{acme}, "\t\t\ttokens shared", keyOfAll+"\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t}\n")
	for i := range 2 { // both have a part of the token
		if status, _, body := f.ask(i, "key-of-ada"); status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
	}
	halts.Store(true)
	res, err := f.gateways[0].send(t.Context(), "/v1/chat/completions", chatOf("m", `"max_tokens":30,`),
		"Authorization", "Bearer key-of-ada", "Content-Type", "application/json", "Idempotency-Key", "once")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := res.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	f.gateways[0].kill()
	halts.Store(false)
	if status, _, body := f.ask(1, "key-of-ada", "Idempotency-Key", "once"); status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	f.gateways[0].start()
	if all := f.gateways[0].entries("inference"); len(all) != 2 || all[1].ExpenseMicros <= 0 {
		t.Fatalf("%+v", all)
	}
	eventually(t, "the member bears it once", func() bool { return f.spent("ada") == 3*40 })
	if n := acme.purchases(); n != 1 {
		t.Errorf("%d tokens were bought", n)
	}
	for _, c := range f.gateways {
		c.verify()
	}
}
