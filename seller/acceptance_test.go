package seller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func TestReceipt(t *testing.T) {
	const key = "a key that nobody has"
	t.Setenv("SELLER_TEST_RECEIPTS", key)
	s := newSeller(t, "payment mock\npayment receipt {\nkey {env.SELLER_TEST_RECEIPTS}\nname desk\n}")
	body, _ := json.Marshal(wire.CreatePurchase{PurchaseID: "p", ModelID: s.Models[0].ID, PaymentMethod: "desk", AmountMicros: money.USD})
	var o wire.Order
	if err := wire.Decode(post(t, s, wire.PurchaseCreatePath, string(body)).Body.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	try := func(proof string) int {
		body := `{"purchaseId":"p","orderId":"` + o.OrderID + `","paymentMethod":"desk","proof":` + proof + `}`
		return post(t, s, wire.PurchaseCompletePath, body).Code
	}
	right := acceptance.Sum([]byte(key), o.OrderID, money.USD)
	for proof, want := range map[string]int{
		`{}`: 402, `{"receipt":""}`: 402, `{"receipt":5}`: 402, `{"receipt":"` + acceptance.Sum([]byte(key), o.OrderID, 2*money.USD) + `"}`: 402,
		`{"receipt":"` + acceptance.Sum([]byte(key), "o_1", money.USD) + `"}`: 402,
	} {
		if got := try(proof); got != want {
			t.Errorf("%s: %d, want %d", proof, got, want)
		}
	}
	if got := try(`{"receipt":"` + right + `"}`); got != 200 {
		t.Errorf("the right one: %d", got)
	}
	var doc struct {
		Sellers []struct{ PaymentMethods []string }
	}
	if err := json.Unmarshal(ask(t, s, http.MethodGet, "/registry.json", "").Body.Bytes(), &doc); err != nil || strings.Join(doc.Sellers[0].PaymentMethods, " ") != "mock desk" {
		t.Errorf("registry: %+v, %v", doc, err)
	}
}

// faulty is a way of being paid whose author has made mistakes.
type faulty struct {
	panics    *atomic.Bool
	settles   bool
	reference string
	offer     func() (json.RawMessage, error)
}

func (f faulty) Offer(acceptance.Order) (json.RawMessage, error) {
	if f.offer != nil && f.panics.Load() {
		return f.offer()
	}
	return json.RawMessage("{}"), nil
}

func (f faulty) Accept(acceptance.Order, json.RawMessage) acceptance.Verdict {
	if f.settles {
		return acceptance.ToSettle()
	}
	return f.paid()
}

func (f faulty) paid() acceptance.Verdict {
	if f.panics.Load() {
		panic("a secret")
	}
	return acceptance.Paid(f.reference)
}

// faultySettler is one that has to cash.
type faultySettler struct{ faulty }

func (f faultySettler) Settle(context.Context, acceptance.Order, json.RawMessage) acceptance.Verdict {
	return f.paid()
}

// TestAcceptanceThatPanics: neither the seller nor the order it is about is held up for good, and a paid order is granted though nobody
// has a name for its payment.
func TestAcceptanceThatPanics(t *testing.T) {
	panics := new(atomic.Bool)
	for name, method := range map[string]acceptance.Acceptance{
		"accept": faulty{panics: panics}, "settle": faultySettler{faulty{panics: panics, settles: true}},
	} {
		s := newSeller(t, "payment any own insecurely")
		s.accepted["own"], s.AnyInsecurely = method, nil
		body, err := json.Marshal(wire.CreatePurchase{PurchaseID: name, ModelID: s.Models[0].ID, PaymentMethod: "own", AmountMicros: money.USD})
		if err != nil {
			t.Fatal(err)
		}
		var o wire.Order
		if err := wire.Decode(post(t, s, wire.PurchaseCreatePath, string(body)).Body.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		complete := `{"purchaseId":"` + name + `","orderId":"` + o.OrderID + `","paymentMethod":"own","proof":{}}`
		panics.Store(true)
		if w := post(t, s, wire.PurchaseCompletePath, complete); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: it panics: %d %s", name, w.Code, w.Body)
		}
		panics.Store(false)
		var g wire.Grant
		w := post(t, s, wire.PurchaseCompletePath, complete)
		if err := wire.Decode(w.Body.Bytes(), &g); err != nil || w.Code != http.StatusOK || g.AccessToken == "" || g.PaymentReference == "" {
			t.Errorf("%s: it does not panic any more: %d %s", name, w.Code, w.Body)
		}
	}
}

// TestOfferThatFails: who asks for an order that a faulty way of being paid can't make is told to come again, whoever runs the seller is told why, and
// what the method says with it to nobody.
func TestOfferThatFails(t *testing.T) {
	for name, offer := range map[string]func() (json.RawMessage, error){
		"panics":          func() (json.RawMessage, error) { panic("a secret") },
		"ends":            func() (json.RawMessage, error) { runtime.Goexit(); return nil, nil },
		"gives an error":  func() (json.RawMessage, error) { return nil, errors.New("no till") },
		"gives no JSON":   func() (json.RawMessage, error) { return json.RawMessage("a secret"), nil },
		"gives a library": func() (json.RawMessage, error) { return json.RawMessage(`"` + strings.Repeat("a", 1<<20) + `"`), nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSeller(t, "payment any own insecurely")
			core, logs := observer.New(zap.InfoLevel)
			s.books.logger = zap.New(core)
			f := faulty{panics: new(atomic.Bool), offer: offer}
			s.accepted["own"], s.AnyInsecurely = f, nil
			f.panics.Store(true)
			create := `{"purchaseId":"p","modelId":"toy-1","paymentMethod":"own","amountMicros":5}`
			if w := post(t, s, wire.PurchaseCreatePath, create); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if told := logs.FilterMessage("seller.payment.misbehaved").All(); len(told) != 1 || strings.Contains(fmt.Sprint(told[0].ContextMap()), "secret") {
				t.Errorf("logged %v", logs.All())
			}
			f.panics.Store(false)
			if w := post(t, s, wire.PurchaseCreatePath, create); w.Code != http.StatusOK {
				t.Errorf("not any more: %d %s", w.Code, w.Body)
			}
		})
	}
}

// odd is a way of being paid whose verdicts are none of its.
type odd struct{ acceptance.Kind }

func (odd) Offer(acceptance.Order) (json.RawMessage, error) { return nil, nil }

func (o odd) Accept(acceptance.Order, json.RawMessage) acceptance.Verdict {
	return acceptance.Verdict{Kind: o.Kind}
}

// TestVerdictThatIsNone: the buyer is told to come again, and whoever runs the seller what is wrong.
func TestVerdictThatIsNone(t *testing.T) {
	for _, kind := range []acceptance.Kind{acceptance.KindToSettle, acceptance.KindOver + 1} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			s := newSeller(t, "payment any own insecurely")
			core, logs := observer.New(zap.InfoLevel)
			s.books.logger = zap.New(core)
			s.accepted["own"], s.AnyInsecurely = odd{kind}, nil
			var o wire.Order
			if err := wire.Decode(post(t, s, wire.PurchaseCreatePath, `{"purchaseId":"p","modelId":"toy-1","paymentMethod":"own","amountMicros":5}`).Body.Bytes(), &o); err != nil {
				t.Fatal(err)
			}
			w := post(t, s, wire.PurchaseCompletePath, `{"purchaseId":"p","orderId":"`+o.OrderID+`","paymentMethod":"own","proof":{}}`)
			if w.Code != http.StatusServiceUnavailable || logs.FilterMessage("seller.payment.misbehaved").Len() != 1 {
				t.Errorf("%d %s, logged %v", w.Code, w.Body, logs.All())
			}
		})
	}
}

// stuck is a way of being paid that does not come back for a while.
type stuck struct{ until <-chan struct{} }

func (stuck) Offer(acceptance.Order) (json.RawMessage, error) { return json.RawMessage("{}"), nil }

func (s stuck) Accept(acceptance.Order, json.RawMessage) acceptance.Verdict {
	<-s.until
	return acceptance.Paid("")
}

// TestAcceptanceThatDoesNotReturn: the seller sells to others meanwhile, its buyer is told to ask again, and those that are left behind are not many.
func TestAcceptanceThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeller(t, "payment mock\npayment any own insecurely")
		until := make(chan struct{})
		s.accepted["own"], s.AnyInsecurely = stuck{until}, nil
		var o wire.Order
		if err := wire.Decode(post(t, s, wire.PurchaseCreatePath, `{"purchaseId":"p","modelId":"toy-1","paymentMethod":"own","amountMicros":5}`).Body.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		complete := `{"purchaseId":"p","orderId":"` + o.OrderID + `","paymentMethod":"own","proof":{}}`
		told := make(chan int, 1)
		go func() { told <- post(t, s, wire.PurchaseCompletePath, complete).Code }()
		synctest.Wait()
		buy(t, s, "another", money.USD)
		if code := <-told; code != http.StatusServiceUnavailable {
			t.Errorf("it does not return: %d", code)
		}
		for range 2 { // the second time it is not asked any more
			var all sync.WaitGroup
			for range maxStuck - 1 {
				all.Go(func() { _ = post(t, s, wire.PurchaseCompletePath, complete) })
			}
			all.Wait()
		}
		if n := s.books.leftBehind("own", 0); n != maxStuck {
			t.Errorf("%d calls are left behind, want %d", n, maxStuck)
		}
		close(until)
		synctest.Wait()
		if w := post(t, s, wire.PurchaseCompletePath, complete); w.Code != http.StatusOK {
			t.Errorf("it returns again: %d %s", w.Code, w.Body)
		}
	})
}

// hung is a way of being paid that cashes for as long as it is let, and then has cashed.
type hung struct {
	until  <-chan struct{}
	called *atomic.Int32
}

func (hung) Offer(acceptance.Order) (json.RawMessage, error) { return json.RawMessage("{}"), nil }

func (hung) Accept(acceptance.Order, json.RawMessage) acceptance.Verdict {
	return acceptance.ToSettle()
}

func (h hung) Settle(ctx context.Context, _ acceptance.Order, _ json.RawMessage) acceptance.Verdict {
	h.called.Add(1)
	<-h.until
	if ctx.Err() != nil {
		return acceptance.NotYet("it was hung up on")
	}
	return acceptance.Paid("cashed")
}

// TestSettleThatDoesNotReturn: a buyer is told to ask again after a while, and one that leaves is waited for by nobody; the payment is cashed once, and
// what becomes of it is written down though nobody waits for it, and the config that it was begun with is gone.
func TestSettleThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := "state " + t.TempDir() + "/books.json"
		s := newSeller(t, state+"\npayment mock\npayment any own insecurely")
		core, logs := observer.New(zap.InfoLevel)
		s.books.logger = zap.New(core)
		until, called := make(chan struct{}), new(atomic.Int32)
		s.accepted["own"], s.AnyInsecurely = hung{until, called}, nil
		complete := func(id string) string {
			var o wire.Order
			if err := wire.Decode(post(t, s, wire.PurchaseCreatePath, `{"purchaseId":"`+id+`","modelId":"toy-1","paymentMethod":"own","amountMicros":5}`).Body.Bytes(), &o); err != nil {
				t.Fatal(err)
			}
			return `{"purchaseId":"` + id + `","orderId":"` + o.OrderID + `","paymentMethod":"own","proof":{}}`
		}
		first, second := complete("p"), complete("q")
		begun := time.Now()
		if w := post(t, s, wire.PurchaseCompletePath, first); w.Code != http.StatusServiceUnavailable || time.Since(begun) != cashWait {
			t.Errorf("it does not return: %d after %s", w.Code, time.Since(begun))
		}
		leaves, leave := context.WithCancel(t.Context())
		told := make(chan int, 1)
		go func() {
			r := httptest.NewRequestWithContext(leaves, http.MethodPost, wire.PurchaseCompletePath, strings.NewReader(second))
			w := httptest.NewRecorder()
			_ = s.ServeHTTP(w, r, nil)
			told <- w.Code
		}()
		synctest.Wait()
		leave()
		if synctest.Wait(); len(told) != 1 {
			t.Error("a buyer that has left is waited for")
		}
		if w := post(t, s, wire.PurchaseCompletePath, first); w.Code != http.StatusServiceUnavailable || called.Load() != 2 {
			t.Errorf("asked again: %d, cashed %d times", w.Code, called.Load())
		}
		time.Sleep(cashTime + time.Second)
		if n := s.books.leftBehind("own", 0); n != 2 || logs.FilterMessage("seller.payment.misbehaved").Len() != 2 {
			t.Errorf("%d calls are left behind, logged %v", n, logs.All())
		}
		if err := s.Cleanup(); err != nil {
			t.Error(err)
		}
		close(until)
		synctest.Wait()
		if n := s.books.leftBehind("own", 0); n != 0 {
			t.Errorf("%d calls are still left behind", n)
		}
		again := newSeller(t, state+"\npayment mock\npayment any own insecurely")
		again.accepted["own"], again.AnyInsecurely = hung{until, called}, nil
		for _, body := range []string{first, second} {
			if w := post(t, again, wire.PurchaseCompletePath, body); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"cashed"`) || called.Load() != 2 {
				t.Errorf("it has returned: %d %s, cashed %d times", w.Code, w.Body, called.Load())
			}
		}
	})
}

// TestReasonWithoutEnd: a refusal is one that a buyer can read.
func TestReasonWithoutEnd(t *testing.T) {
	s := newSeller(t, "payment any own insecurely")
	s.accepted["own"], s.AnyInsecurely = talker{}, nil
	var o wire.Order
	if err := wire.Decode(post(t, s, wire.PurchaseCreatePath, `{"purchaseId":"p","modelId":"toy-1","paymentMethod":"own","amountMicros":5}`).Body.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	w := post(t, s, wire.PurchaseCompletePath, `{"purchaseId":"p","orderId":"`+o.OrderID+`","paymentMethod":"own","proof":{}}`)
	if w.Code != http.StatusPaymentRequired || w.Body.Len() > 1<<10 || !strings.Contains(w.Body.String(), "no, no, ") {
		t.Errorf("%d, %d bytes: %.200s", w.Code, w.Body.Len(), w.Body)
	}
}

type talker struct{}

func (talker) Offer(acceptance.Order) (json.RawMessage, error) { return json.RawMessage("{}"), nil }

func (talker) Accept(acceptance.Order, json.RawMessage) acceptance.Verdict {
	return acceptance.Refused(strings.Repeat("no, ", 100_000))
}

func TestAcceptanceConfigRefused(t *testing.T) {
	r := newRail(t)
	good := r.lines(t.TempDir() + "/books.json")
	for _, tc := range []struct{ from, to, words string }{
		{"state ", "# ", "state is missing"},
		{"pay_to " + testPayTo, "", "pay_to"},
		{testPayTo, "0x0000000000000000000000000000000000000000", "pay_to"},
		{testPayTo, "acme.eth", "not an address"},
		{testNetwork, "base", "not a network"},
		{testNetwork, "eip155:31337", "the dollar token of eip155:31337 is not known"},
		{"facilitator " + r.url, "", "facilitator: expected"},
		{"rpc " + r.url + "/rpc", "", "rpc: expected"},
		{r.url + "/rpc", "ftp://hunter2.example", "rpc: expected"},
		{"facilitator " + r.url, "facilitator " + r.url + "?key=hunter2", "facilitator: expected a URL without a query"},
		{"timeout 1s", "timeout 1ms", "out of range"},
		{"timeout 1s", "gas 5", "unknown word"},
		{"timeout 1s", "timeout 1s\ntimeout 2s", "payment x402: timeout is there twice, at "},
		{"timeout 1s", "timeout", "payment x402: timeout: something is missing after it: expected \"timeout <duration>\", at "},
		{"timeout 1s", "timeout \"\"", "an empty word stands after it"},
		{"payment x402 {", "payment mock x402 {", "a block belongs to one method"},
		{"payment x402 {", "payment mock\npayment card {", `payment "card"`},
	} {
		_, err := provision(t, "x", strings.Replace(good, tc.from, tc.to, 1))
		if err == nil || !strings.Contains(err.Error(), tc.words) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s -> %s: %v; want %q", tc.from, tc.to, err, tc.words)
		}
	}
	for lines, words := range map[string]string{
		"payment receipt {\n}": "key is missing",
		"payment receipt":      "key is missing",
		"payment receipt {\nkey hunter2hunter2hunter2\n}":     "expected a placeholder",
		"payment receipt {\nkey {env.SELLER_TEST_NOT_SET}\n}": "unknown, empty or shorter",
		"payment receipt {\nname Desk\n}":                     "payment receipt: name: \"Desk\" is no name of a method",
		"payment receipt {\nname \"\"\n}":                     "key is missing", // the default's name is none
		"payment mock {\nfee 1\n}":                            "payment mock: it has no options",
		"payment x402":                                        "state is missing",
	} {
		if lines == "payment x402" {
			words = "pay_to"
		}
		if _, err := provision(t, "x", lines); err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want %q", lines, err, words)
		}
	}
}

// TestLeastOrder: what costs more to cash than it brings is not sold, and fills no book.
func TestLeastOrder(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json")+"\npayment mock")
	for _, row := range []struct {
		method string
		amount money.Micros
		status int
	}{{"x402", 9_999, 400}, {"x402", 1, 400}, {"x402", 10_000, 200}, {"mock", 1, 200}} {
		body, _ := json.Marshal(wire.CreatePurchase{PurchaseID: fmt.Sprint(row), ModelID: s.Models[0].ID, PaymentMethod: row.method, AmountMicros: row.amount})
		w := post(t, s, wire.PurchaseCreatePath, string(body))
		if w.Code != row.status || (w.Code == 400) != strings.Contains(w.Body.String(), `"code":"amount_refused"`) {
			t.Errorf("%v: %d %s", row, w.Code, w.Body)
		}
	}
	if n := len(s.books.orders); n != 2 {
		t.Errorf("the book has %d orders", n)
	}
}
