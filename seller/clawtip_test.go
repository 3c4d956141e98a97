package seller

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emmansun/gmsm/padding"
	"github.com/emmansun/gmsm/sm4"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const clawtipWords = "payment clawtip {\npay_to acme_1\nsm4_key {env.SELLER_TEST_SM4}\nslug acme\n}"

// credentials seals what the rail says of an order.
func credentials(t *testing.T, key []byte) func(order, amount, status string) string {
	return func(order, amount, status string) string {
		block, err := sm4.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		data := padding.NewPKCS7Padding(sm4.BlockSize).Pad(fmt.Appendf(nil, `{"orderNo":%q,"amount":%s,"payTo":"acme_1","payStatus":%q}`, order, amount, status))
		for at := 0; at < len(data); at += sm4.BlockSize {
			block.Encrypt(data[at:], data[at:])
		}
		return base64.StdEncoding.EncodeToString(data)
	}
}

// TestClawtip: what the seller answers to each word of the rail, that it is paid once, and that what was sealed for one order buys no other.
func TestClawtip(t *testing.T) {
	key := []byte("throw-away-key-1")
	t.Setenv("SELLER_TEST_SM4", base64.StdEncoding.EncodeToString(key))
	s := newSeller(t, "state "+t.TempDir()+"/books.json\n"+clawtipWords)
	credential := credentials(t, key)
	order := func(purchase string) wire.Order {
		body, _ := json.Marshal(wire.CreatePurchase{PurchaseID: purchase, ModelID: s.Models[0].ID, PaymentMethod: "clawtip", AmountMicros: 5 * money.USD})
		var o wire.Order
		w := post(t, s, wire.PurchaseCreatePath, string(body), wire.HeaderIdempotencyKey, purchase)
		if err := wire.Decode(w.Body.Bytes(), &o); err != nil || !strings.Contains(string(o.Payment), `"amount":3550`) {
			t.Fatalf("create: %d %s", w.Code, w.Body)
		}
		return o
	}
	one, two := order("p1"), order("p2")
	for _, tc := range []struct {
		purchase, order, credential string
		want                        int
	}{
		{"p1", one.OrderID, credential(one.OrderID, `"3550"`, "PROCESSING"), 503},
		{"p1", one.OrderID, credential(one.OrderID, `"3550"`, "FAIL"), 402},
		{"p1", one.OrderID, credential(one.OrderID, `"3550"`, "ERROR"), 402},
		{"p1", one.OrderID, credential(one.OrderID, `"3550"`, "REFUNDED"), 503},
		{"p1", one.OrderID, credential(one.OrderID, `"3549"`, "SUCCESS"), 402},
		{"p1", one.OrderID, credential(two.OrderID, `"3550"`, "SUCCESS"), 409},
		{"p1", one.OrderID, credential(one.OrderID, `"3550"`, "SUCCESS")[:40], 402},
		{"p1", one.OrderID, credential(one.OrderID, `"3550"`, "SUCCESS"), 200}, // after a FAIL the same order was paid
		{"p1", one.OrderID, credential(one.OrderID, `"3550"`, "SUCCESS"), 200}, // the same answer
		{"p2", two.OrderID, credential(one.OrderID, `"3550"`, "SUCCESS"), 409},
		{"p2", two.OrderID, credential(two.OrderID, `3550`, "SUCCESS"), 200},
	} {
		body := fmt.Sprintf(`{"purchaseId":%q,"orderId":%q,"paymentMethod":"clawtip","proof":{"payCredential":%q}}`, tc.purchase, tc.order, tc.credential)
		w := post(t, s, wire.PurchaseCompletePath, body, wire.HeaderIdempotencyKey, tc.purchase)
		if w.Code != tc.want || strings.Contains(w.Body.String(), tc.credential) || w.Code == 503 && w.Header().Get("Retry-After") == "" {
			t.Errorf("%s with %s: %d %s, want %d", tc.purchase, tc.credential, w.Code, w.Body, tc.want)
		}
		var g wire.Grant
		if err := wire.Decode(w.Body.Bytes(), &g); w.Code == 200 && (err != nil || g.CreditMicros != 5*money.USD || g.PaymentReference != tc.order) {
			t.Errorf("granted %+v, %v", g, err)
		}
	}
	if n := len(s.books.tokens); n != 2 {
		t.Errorf("%d tokens for 2 payments", n)
	}
	if _, err := provision(t, "x", clawtipWords); err == nil || !strings.Contains(err.Error(), "state is missing") {
		t.Errorf("without state: %v", err)
	}
}

// TestClawtipLate: what a human has paid is granted also where its credential comes after the order's end, and once.
func TestClawtipLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := []byte("throw-away-key-1")
		t.Setenv("SELLER_TEST_SM4", base64.StdEncoding.EncodeToString(key))
		s := newSeller(t, "state "+t.TempDir()+"/books.json\n"+clawtipWords)
		credential := credentials(t, key)
		order := func(purchase string) (o wire.Order) {
			body, _ := json.Marshal(wire.CreatePurchase{PurchaseID: purchase, ModelID: s.Models[0].ID, PaymentMethod: "clawtip", AmountMicros: 5 * money.USD})
			w := post(t, s, wire.PurchaseCreatePath, string(body), wire.HeaderIdempotencyKey, purchase)
			if err := wire.Decode(w.Body.Bytes(), &o); err != nil {
				t.Fatalf("create: %d %s", w.Code, w.Body)
			}
			return o
		}
		complete := func(purchase string, o wire.Order, status string) (int, string) {
			body := fmt.Sprintf(`{"purchaseId":%q,"orderId":%q,"paymentMethod":"clawtip","proof":{"payCredential":%q}}`,
				purchase, o.OrderID, credential(o.OrderID, `"3550"`, status))
			w := post(t, s, wire.PurchaseCompletePath, body, wire.HeaderIdempotencyKey, purchase)
			return w.Code, w.Body.String()
		}
		soon, slow, never := order("p1"), order("p2"), order("p3")
		<-time.After(16 * time.Minute)
		status, first := complete("p1", soon, "SUCCESS")
		if again, second := complete("p1", soon, "SUCCESS"); status != 200 || again != 200 || first != second {
			t.Errorf("a minute after its end: %d %s, and again %d %s", status, first, again, second)
		}
		if status, body := complete("p2", slow, "PROCESSING"); status != 503 {
			t.Errorf("in progress: %d %s", status, body)
		}
		if status, body := complete("p3", never, "FAIL"); status != 410 {
			t.Errorf("not paid, and over: %d %s", status, body)
		}
		<-time.After(47 * time.Hour)
		if status, body := complete("p2", slow, "SUCCESS"); status != 200 {
			t.Errorf("paid after two days: %d %s", status, body)
		}
		if n := len(s.books.Report().Tokens); n != 1 {
			t.Errorf("%d tokens that are kept", n)
		}
		<-time.After(2 * time.Hour)
		if status, body := complete("p3", never, "SUCCESS"); status != 404 {
			t.Errorf("kept for ever: %d %s", status, body)
		}
	})
}

// TestClawtipFullBook: what may be paid gives way to new orders last, and the oldest of it first.
func TestClawtipFullBook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := []byte("throw-away-key-1")
		t.Setenv("SELLER_TEST_SM4", base64.StdEncoding.EncodeToString(key))
		s := newSeller(t, "state "+t.TempDir()+"/books.json\n"+clawtipWords)
		credential := credentials(t, key)
		create := func(purchase string) (o wire.Order) {
			t.Helper()
			body, _ := json.Marshal(wire.CreatePurchase{PurchaseID: purchase, ModelID: s.Models[0].ID, PaymentMethod: "clawtip", AmountMicros: 5 * money.USD})
			w := post(t, s, wire.PurchaseCreatePath, string(body), wire.HeaderIdempotencyKey, purchase)
			if err := wire.Decode(w.Body.Bytes(), &o); err != nil || w.Code != 200 {
				t.Fatalf("create: %d %s", w.Code, w.Body)
			}
			return o
		}
		complete := func(purchase string, o wire.Order) int {
			body := fmt.Sprintf(`{"purchaseId":%q,"orderId":%q,"paymentMethod":"clawtip","proof":{"payCredential":%q}}`,
				purchase, o.OrderID, credential(o.OrderID, `"3550"`, "SUCCESS"))
			return post(t, s, wire.PurchaseCompletePath, body, wire.HeaderIdempotencyKey, purchase).Code
		}
		// fill fills the book with orders like one that was made: as who asks for orders and pays none does.
		fill := func(like wire.Order, change func(*order)) {
			s.books.mu.Lock()
			defer s.books.mu.Unlock()
			for i := 0; len(s.books.orders) < maxOrders; i++ {
				o := *s.books.orders[hash(like.OrderID)]
				o.Hash, o.Answers = hash("free", fmt.Sprint(i)), nil
				change(&o)
				s.books.orders[o.Hash] = &o
			}
		}
		old := create("p1")
		<-time.After(time.Minute)
		paid := create("p2")
		<-time.After(16 * time.Minute)
		fill(paid, func(o *order) { o.Proof, o.Refused = &o.Hash, true })
		create("p3")
		if status := complete("p1", old); status != 200 {
			t.Fatalf("it had to give way to worthless ones: %d", status)
		}
		<-time.After(16 * time.Minute)
		first := s.books.orders[hash(paid.OrderID)].ExpiresAt
		fill(paid, func(o *order) { o.ExpiresAt = first.Add(-time.Second) })
		create("p4")
		if status := complete("p2", paid); status != 200 {
			t.Errorf("it had to give way to older ones: %d", status)
		}
	})
}
