package seller

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func TestPurchase(t *testing.T) {
	s := newSeller(t, "max_credit 2")
	o := createOrder(t, s, "p", 1_000_000)
	if o.AmountMicros != 1_000_000 || o.Currency != "USD" || string(o.Payment) != "{}" || wire.Time(o.ExpiresAt).Before(time.Now()) {
		t.Errorf("order: %+v", o)
	}
	if o := createOrder(t, s, "p-more", 3_000_000); o.AmountMicros != 2_000_000 {
		t.Errorf("an order above max_credit: %+v", o)
	}
	g := buy(t, s, "p", 1_000_000)
	if g.CreditMicros != 1_000_000 || !strings.HasPrefix(g.AccessToken, "tbs_") || len(g.AccessToken) != 47 || g.PaymentReference == "" {
		t.Errorf("grant: %+v", g)
	}
	if left := time.Until(wire.Time(g.ExpiresAt)); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the token serves for %v", left)
	}
}

func TestPurchaseRefusals(t *testing.T) {
	s := newSeller(t, "")
	create := func(method, model, amount string) string {
		return `{"purchaseId":"q","modelId":"` + model + `","paymentMethod":"` + method + `","amountMicros":` + amount + `}`
	}
	o := createOrder(t, s, "p", 1000)
	for _, c := range []struct {
		name, path, body string
		status           int
	}{
		{"not JSON", wire.PurchaseCreatePath, "{", 400},
		{"not an object", wire.PurchaseCreatePath, "[]", 400},
		{"a float", wire.PurchaseCreatePath, create("mock", "toy-1", "1.5"), 400},
		{"zero", wire.PurchaseCreatePath, create("mock", "toy-1", "0"), 400},
		{"negative", wire.PurchaseCreatePath, create("mock", "toy-1", "-5"), 400},
		{"another method", wire.PurchaseCreatePath, create("card", "toy-1", "5"), 400},
		{"unknown model", wire.PurchaseCreatePath, create("mock", "gpt-9", "5"), 404},
		{"no purchase id", wire.PurchaseCreatePath, `{"modelId":"toy-1","paymentMethod":"mock","amountMicros":5}`, 400},
		{"too large", wire.PurchaseCreatePath, create("mock", strings.Repeat("x", maxPurchaseBody), "5"), 413},
		{"unknown order", wire.PurchaseCompletePath, completeBody("p", "o_nothing"), 404},
		{"another's order", wire.PurchaseCompletePath, completeBody("q", o.OrderID), 409},
		{"a proof that is none", wire.PurchaseCompletePath, `{"purchaseId":"p","orderId":"` + o.OrderID + `","paymentMethod":"mock","proof":[]}`, 402},
	} {
		if w := post(t, s, c.path, c.body); w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, w.Code, w.Body, c.status)
		}
	}
	if g := buy(t, s, "p", 1000); g.AccessToken == "" {
		t.Error("a refused step spoilt the purchase")
	}
	// An order keeps where its buyer has asked, and orders cost nothing.
	for host, status := range map[string]int{strings.Repeat("a", maxHost): 200, strings.Repeat("a", maxHost+1): 400} {
		r := httptest.NewRequest(http.MethodPost, wire.PurchaseCreatePath, strings.NewReader(strings.Replace(create("mock", "toy-1", "5"), `"q"`, `"r"`, 1)))
		r.Host = host
		w := httptest.NewRecorder()
		if handler(t, s).ServeHTTP(w, r); w.Code != status {
			t.Errorf("a host of %d bytes: %d %s, want %d", len(host), w.Code, w.Body, status)
		}
	}
}

func TestPurchaseIsIdempotent(t *testing.T) {
	s := newSeller(t, "")
	create := `{"purchaseId":"p","modelId":"toy-1","paymentMethod":"mock","amountMicros":5}`
	first := post(t, s, wire.PurchaseCreatePath, create, "Idempotency-Key", "k").Body.String()
	for _, same := range []string{create, `{ "amount_micros": 5, "purchase_id": "p", "model_id": "toy-1", "payment_method": "mock" }`} {
		if again := post(t, s, wire.PurchaseCreatePath, same, "Idempotency-Key", "k"); again.Code != 200 || again.Body.String() != first {
			t.Errorf("repeat: %d %s, want %s", again.Code, again.Body, first)
		}
	}
	for _, other := range []string{strings.Replace(create, `"p"`, `"q"`, 1), strings.Replace(create, ":5", ":6", 1)} {
		if w := post(t, s, wire.PurchaseCreatePath, other, "Idempotency-Key", "k"); w.Code != 409 {
			t.Errorf("the key of another purchase: %d %s", w.Code, w.Body)
		}
	}
	var o wire.Order
	if err := wire.Decode([]byte(first), &o); err != nil {
		t.Fatal(err)
	}
	if w := post(t, s, wire.PurchaseCompletePath, completeBody("p", "o_wrong"), "Idempotency-Key", "k"); w.Code != 404 {
		t.Fatalf("unknown order: %d", w.Code) // and forgotten: the next try is a new one
	}
	complete := completeBody("p", o.OrderID)
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := make(map[string]int)
	for range 50 {
		wg.Go(func() {
			w := post(t, s, wire.PurchaseCompletePath, complete, "Idempotency-Key", "k")
			mu.Lock()
			defer mu.Unlock()
			answers[w.Body.String()]++
		})
	}
	wg.Wait()
	if len(answers) != 1 || len(s.books.Report().Tokens) != 1 {
		t.Errorf("50 repeats got %d answers and %d tokens", len(answers), len(s.books.Report().Tokens))
	}
	if w := post(t, s, wire.PurchaseCompletePath, complete, "Idempotency-Key", "another"); w.Code != 409 {
		t.Errorf("completed a second time under another key: %d", w.Code)
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeller(t, "token_ttl 10m")
		o := createOrder(t, s, "late", 1000)
		g := buy(t, s, "p", 1000)
		status := func() int { return post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g)).Code }
		if got := wire.Time(g.ExpiresAt); !got.Equal(time.Now().Add(10 * time.Minute)) {
			t.Errorf("expires %v", got)
		}
		time.Sleep(10*time.Minute - time.Nanosecond)
		if got := status(); got != 200 {
			t.Errorf("just before its end: %d", got)
		}
		time.Sleep(time.Nanosecond)
		if got := status(); got != 401 {
			t.Errorf("at its end: %d", got)
		}
		time.Sleep(5 * time.Minute)
		if w := post(t, s, wire.PurchaseCompletePath, completeBody("late", o.OrderID)); w.Code != 410 {
			t.Errorf("an expired order: %d %s", w.Code, w.Body)
		}
		time.Sleep(24 * time.Hour)
		if again := buy(t, s, "p", 1000); again.AccessToken == g.AccessToken {
			t.Error("a purchase is remembered for ever")
		}
		if r := s.books.Report(); len(r.Tokens) != 1 || len(r.Purchases) != 1 {
			t.Errorf("left over: %+v", r)
		}
	})
}

func TestOrdersAreBounded(t *testing.T) {
	s := newSeller(t, "")
	for i := range maxOrders {
		s.books.orders[digest{1, byte(i >> 8), byte(i)}] = &order{ExpiresAt: time.Now().Add(time.Minute), KeepUntil: time.Now().Add(time.Hour)}
	}
	w := post(t, s, wire.PurchaseCreatePath, `{"purchaseId":"p","modelId":"toy-1","paymentMethod":"mock","amountMicros":5}`)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || len(s.books.answers) != 0 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestOpenOrdersCloseNoSeller: whoever asks for orders and pays none, as fast as it can, keeps nobody else from buying; nor does one who signs
// payments that nobody can cash.
func TestOpenOrdersCloseNoSeller(t *testing.T) {
	for name, change := range map[string]func(*order){
		"not begun":        func(*order) {},
		"not to be cashed": func(o *order) { o.Proof, o.Refused, o.KeepUntil = &o.Hash, true, o.ExpiresAt.Add(keepBegun) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSeller(t, "")
			first := createOrder(t, s, "first", 1000)
			fill := func() {
				s.books.mu.Lock()
				defer s.books.mu.Unlock()
				now := time.Now().UTC()
				for i := 0; len(s.books.orders) < maxOrders; i++ {
					o := order{Hash: hash("free", strconv.Itoa(i)), Method: "mock", ExpiresAt: now.Add(orderTTL), KeepUntil: now.Add(orderTTL)}
					change(&o)
					s.books.orders[o.Hash] = &o
				}
			}
			fill()
			granted := buy(t, s, "p", 1000)
			for range 3 {
				fill()
				buy(t, s, "q"+strconv.Itoa(len(s.books.orders)), 1000)
			}
			if w := post(t, s, wire.PurchaseCompletePath, completeBody("first", first.OrderID)); w.Code != 404 {
				t.Errorf("the oldest order has not given way: %d %s", w.Code, w.Body)
			}
			if w := post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(granted)); w.Code != 200 {
				t.Errorf("what was sold has given way: %d %s", w.Code, w.Body)
			}
		})
	}
}

// TestOrdersThatMayBePaid: open orders of a method that is paid before its proof is shown give way to nobody, and leave room for those of the others.
func TestOrdersThatMayBePaid(t *testing.T) {
	t.Setenv("SELLER_TEST_RECEIPTS", "a key that nobody has")
	s := newSeller(t, "payment mock\npayment receipt {\nkey {env.SELLER_TEST_RECEIPTS}\nname desk\n}")
	for i := 0; len(s.books.orders) < maxOrders; i++ {
		w := post(t, s, wire.PurchaseCreatePath, `{"purchaseId":"p`+strconv.Itoa(i)+`","modelId":"toy-1","paymentMethod":"desk","amountMicros":5}`)
		if w.Code == http.StatusServiceUnavailable {
			break
		}
	}
	if n := len(s.books.orders); n != maxOrders/2 {
		t.Errorf("there are %d, want %d", n, maxOrders/2)
	}
	if w := post(t, s, wire.PurchaseCreatePath, `{"purchaseId":"p","modelId":"toy-1","paymentMethod":"mock","amountMicros":5}`); w.Code != http.StatusOK {
		t.Errorf("by another method: %d %s", w.Code, w.Body)
	}
}

// TestOneBuyerFillsNoBook: where the only method is paid before its proof is shown, no order gives way; of a book that is half full nobody has more
// than a hundredth.
func TestOneBuyerFillsNoBook(t *testing.T) {
	t.Setenv("SELLER_TEST_RECEIPTS", "a key that nobody has")
	s := newSeller(t, "payment receipt {\nkey {env.SELLER_TEST_RECEIPTS}\nname desk\n}")
	n := 0
	open := func(many int, from string) {
		now := time.Now().UTC()
		for range many {
			n++
			o := order{
				Hash: hash("free", strconv.Itoa(n)), Method: "desk", ExpiresAt: now.Add(orderTTL), KeepUntil: now.Add(orderTTL + keepBegun),
				from: network(&http.Request{RemoteAddr: from}),
			}
			s.books.orders[o.Hash] = &o
		}
	}
	try := func(from string) int {
		n++
		body := `{"purchaseId":"p` + strconv.Itoa(n) + `","modelId":"toy-1","paymentMethod":"desk","amountMicros":5}`
		r := httptest.NewRequest(http.MethodPost, wire.PurchaseCreatePath, strings.NewReader(body))
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		if err := s.ServeHTTP(w, r, nil); err != nil {
			t.Fatal(err)
		}
		return w.Code
	}
	const greedy, other = "[2001:db8::1]:5", "203.0.113.7:5"
	open(maxOrders/2-1, greedy)
	if got := try(greedy); got != http.StatusOK {
		t.Errorf("while there is room: %d", got)
	}
	for _, same := range []string{greedy, "[2001:db8::ffff:2%25eth0]:6"} {
		if got := try(same); got != http.StatusServiceUnavailable {
			t.Errorf("%s has half of the book, and one more: %d", same, got)
		}
	}
	open(maxOrders/100-1, other)
	for _, want := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		if got := try(other); got != want {
			t.Errorf("another buyer: %d, want %d", got, want)
		}
	}
	if got := try("203.0.113.8:5"); got != http.StatusOK {
		t.Errorf("a third buyer: %d", got)
	}
}

func TestStateOutlivesARestart(t *testing.T) {
	file := t.TempDir() + "/deep/books.json"
	lines := "pace 0\nstate " + file
	s := newSeller(t, lines[len("pace 0\n"):])
	g := buy(t, s, "p", 1000)
	open := createOrder(t, s, "q", 1000)
	ask := func(s *Seller) wire.Settlement {
		return settlementOf(t, post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g), "Idempotency-Key", "k"))
	}
	before := ask(s)
	if err := s.Cleanup(); err != nil {
		t.Fatal(err)
	}
	after := newSeller(t, "state "+file)
	if after.books == s.books {
		t.Fatal("the books were never closed")
	}
	if got := ask(after); got.SettlementID != before.SettlementID || *got.BalanceMicros != *before.BalanceMicros {
		t.Errorf("the repeat after a restart: %+v, want %+v", got, before)
	}
	if again := buy(t, after, "p", 1000); again != g {
		t.Errorf("the purchase after a restart: %+v, want %+v", again, g)
	}
	if again := buy(t, after, "q", 1000); again.CreditMicros != open.AmountMicros {
		t.Errorf("the open order after a restart: %+v", again)
	}
	if other, err := provision(t, "another", lines); err == nil {
		t.Errorf("two sellers share %s: %+v", file, other)
	}
}

func TestStateFaults(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"damaged": "{", "version": `{"version":9,"seller":"x"}`, "owner": `{"version":1,"seller":"somebody"}`,
	} {
		file := dir + "/" + name
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := provision(t, "x", "state "+file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
		if got, _ := os.ReadFile(file); string(got) != content {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestPurchaseThatCantBeWrittenIsUndone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSeller(t, "state "+dir+"/other")
	good := s.books.file
	o := createOrder(t, s, "p", 1000)
	s.books.file = dir + "/file/books.json" // whose directory is a file
	_ = s.books.journal.file.Close()        // as a full disk would
	if w := post(t, s, wire.PurchaseCompletePath, completeBody("p", o.OrderID), "Idempotency-Key", "p"); w.Code != 503 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if r := s.books.Report(); len(r.Tokens) != 0 || r.Purchases[0].TokenID != "" {
		t.Errorf("credit was granted: %+v", r)
	}
	s.books.file = good
	if g := buy(t, s, "p", 1000); g.CreditMicros != 1000 {
		t.Errorf("the next try: %+v", g)
	}
}

func TestBooksOutliveAReload(t *testing.T) {
	old := newSeller(t, "")
	g := buy(t, old, "p", 1000)
	reloaded := newSeller(t, "max_credit 5")
	if err := old.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if w := post(t, reloaded, "/v1/chat/completions", hello, "Authorization", bearer(g)); w.Code != 200 {
		t.Errorf("a token from before the reload: %d %s", w.Code, w.Body)
	}
}

// TestPurchaseOverAConfig: what was answered, and what was paid, stays so when the config sells less by then.
func TestPurchaseOverAConfig(t *testing.T) {
	r := newRail(t)
	dir := t.TempDir()
	create, _ := json.Marshal(wire.CreatePurchase{PurchaseID: "small", ModelID: "toy-1", PaymentMethod: "mock", AmountMicros: 1})
	old := newSeller(t, r.lines(dir+"/books.json")+"\npayment mock")
	ordered := post(t, old, wire.PurchaseCreatePath, string(create))
	o, proof := r.offer(old, "granted")
	status, granted := r.complete(old, "granted", o, proof)
	paid, proofOfPaid := r.offer(old, "paid")
	begun, proofOfBegun := r.offer(old, "begun")
	if ordered.Code != 200 || status != 200 {
		t.Fatalf("create: %d; complete: %d %s", ordered.Code, status, granted)
	}
	old.books.mu.Lock() // as a process leaves it that dies between the settlement and the grant
	old.books.orders[hash(paid.OrderID)].Settled = "0xcashed"
	old.books.note(change{Orders: []order{*old.books.orders[hash(paid.OrderID)]}})
	old.books.mu.Unlock()
	if err := old.Cleanup(); err != nil {
		t.Fatal(err)
	}

	t.Setenv("SELLER_TEST_RECEIPTS", "a key that nobody has")
	now, err := provision(t, old.ID, "state "+dir+"/books.json\nmodel another 1 2\npayment receipt {\nkey {env.SELLER_TEST_RECEIPTS}\n}")
	if err != nil {
		t.Fatal(err)
	}
	if w := post(t, now, wire.PurchaseCreatePath, string(create)); w.Code != 200 || w.Body.String() != ordered.Body.String() {
		t.Errorf("the order again: %d %s, want %s", w.Code, w.Body, ordered.Body)
	}
	if status, body := r.complete(now, "granted", o, proof); status != 200 || body != granted {
		t.Errorf("the grant again: %d %s, want %s", status, body, granted)
	}
	if status, body := r.complete(now, "paid", paid, proofOfPaid); status != 200 {
		t.Errorf("what was paid: %d %s", status, body)
	}
	if status, body := r.complete(now, "begun", begun, proofOfBegun); status != 400 || strings.Contains(body, "payment_refused") {
		t.Errorf("what was not: %d %s", status, body)
	}
	for _, other := range []string{"mock", "x402"} {
		body := strings.NewReplacer("small", "new", "mock", other).Replace(string(create))
		if w := post(t, now, wire.PurchaseCreatePath, body); w.Code != 400 {
			t.Errorf("a new order by %s: %d %s", other, w.Code, w.Body)
		}
	}
}
