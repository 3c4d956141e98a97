package seller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// newSeller provisions a seller that is named like the test. lines are the inside of its block.
func newSeller(t testing.TB, lines string) *Seller {
	t.Helper()
	s, err := provision(t, strings.NewReplacer("/", "-", "#", "-", ",", "").Replace(t.Name()), "pace 0\n"+lines)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func provision(t testing.TB, id, lines string) (*Seller, error) {
	t.Helper()
	s := new(Seller)
	if err := s.UnmarshalCaddyfile(caddyfile.NewTestDispenser("tokenbuddy_seller " + id + " {\n" + lines + "\n}")); err != nil {
		return nil, err
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	err := s.Provision(ctx)
	t.Cleanup(func() {
		if err := s.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	return s, err
}

// next is the handler after the seller.
var next = caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusTeapot)
	return nil
})

func handler(t testing.TB, s *Seller) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.ServeHTTP(w, r, next); err != nil {
			t.Error(err)
		}
	})
}

// serve serves a seller over real HTTP.
func serve(t testing.TB, s *Seller) *httptest.Server {
	srv := httptest.NewServer(handler(t, s))
	t.Cleanup(srv.Close)
	return srv
}

// ask sends a request straight to the seller; headers come in pairs.
func ask(t testing.TB, s *Seller, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	handler(t, s).ServeHTTP(w, r)
	return w
}

func post(t testing.TB, s *Seller, path, body string, headers ...string) *httptest.ResponseRecorder {
	return ask(t, s, http.MethodPost, path, body, headers...)
}

// TestAnswersHaveNames: each answer to a POST can be told of by its name, which is the buyer's where that fits.
func TestAnswersHaveNames(t *testing.T) {
	s := newSeller(t, "")
	own := make(map[string]bool)
	for _, path := range []string{wire.PurchaseCreatePath, wire.PurchaseCompletePath, "/v1/chat/completions", "/v1/messages", "/v1/embeddings"} {
		for asked, want := range map[string]string{"of-the-buyer": "of-the-buyer", "": "req_", "a\tb": "req_", strings.Repeat("x", 129): "req_"} {
			w := post(t, s, path, "{}", wire.HeaderRequestID, asked)
			id := w.Header().Get(wire.HeaderRequestID)
			if !strings.HasPrefix(id, want) || want == "req_" && (id == want || own[id]) {
				t.Errorf("%s as %q is answered as %q", path, asked, id)
			}
			own[id] = want == "req_"
			if said := w.Header().Get("Request-Id"); path == "/v1/messages" && (said != id || !strings.Contains(w.Body.String(), id)) {
				t.Errorf("%s as %q: Request-Id %q, %s", path, asked, said, w.Body)
			}
		}
	}
	w := httptest.NewRecorder()
	_ = s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/of-somebody-else", nil), caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil }))
	if len(w.Header()) != 0 {
		t.Errorf("the next handler finds %v", w.Header())
	}
}

// createOrder takes the first step of a purchase.
func createOrder(t testing.TB, s *Seller, purchase string, amount money.Micros) wire.Order {
	t.Helper()
	body, _ := json.Marshal(wire.CreatePurchase{PurchaseID: purchase, ModelID: s.Models[0].ID, PaymentMethod: "mock", AmountMicros: amount})
	w := post(t, s, wire.PurchaseCreatePath, string(body), wire.HeaderIdempotencyKey, purchase)
	var o wire.Order
	if err := wire.Decode(w.Body.Bytes(), &o); err != nil || w.Code != http.StatusOK {
		t.Fatalf("create: %d %s", w.Code, w.Body)
	}
	return o
}

func completeBody(purchase, order string) string {
	body, _ := json.Marshal(wire.CompletePurchase{PurchaseID: purchase, OrderID: order, PaymentMethod: "mock", Proof: json.RawMessage("{}")})
	return string(body)
}

// buy buys credit.
func buy(t testing.TB, s *Seller, purchase string, amount money.Micros) wire.Grant {
	t.Helper()
	o := createOrder(t, s, purchase, amount)
	w := post(t, s, wire.PurchaseCompletePath, completeBody(purchase, o.OrderID), wire.HeaderIdempotencyKey, purchase)
	var g wire.Grant
	if err := wire.Decode(w.Body.Bytes(), &g); err != nil || w.Code != http.StatusOK {
		t.Fatalf("complete: %d %s", w.Code, w.Body)
	}
	return g
}

func bearer(g wire.Grant) string { return "Bearer " + g.AccessToken }

const hello = `{"model":"toy-1","requestId":"r-1","messages":[{"role":"user","content":"hello there"}]}`

func settlementOf(t testing.TB, w *httptest.ResponseRecorder) wire.Settlement {
	t.Helper()
	s, ok, err := wire.SettlementFromHeader(w.Header())
	if err != nil || !ok {
		t.Fatalf("no settlement in the headers (%v): %d %s", err, w.Code, w.Body)
	}
	return s
}

func TestServesItsOwnPathsOnly(t *testing.T) {
	s := newSeller(t, "")
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/healthz", 200},
		{"HEAD", "/healthz", 200},
		{"POST", "/healthz", 418},
		{"GET", "/registry.json", 200},
		{"GET", "/purchase/create", 418},
		{"GET", "/v1/chat/completions", 418},
		{"POST", "/v1/chat/completions/", 418},
		{"POST", "/v1/chat/completions?x=1", 401},
		{"GET", "/v1/models", 418},
		{"GET", "/tokenbuddy_seller/books", 418},
		{"GET", "/", 418},
	} {
		if w := ask(t, s, c.method, c.path, ""); w.Code != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := newSeller(t, "model toy-1 1 2\nmodel dear 1000000 1000000")
	g := buy(t, s, "p", 100)
	big := `{"model":"` + strings.Repeat("x", maxBody) + `"}`
	for _, c := range []struct {
		name, path, body, auth string
		status                 int
		code, anthropic        string
	}{
		{"no token", "/v1/chat/completions", hello, "", 401, "invalid_api_key", "authentication_error"},
		{"unknown token", "/v1/chat/completions", hello, "Bearer tbs_AAAA", 401, "invalid_api_key", "authentication_error"},
		{"not a bearer", "/v1/chat/completions", hello, "Basic " + g.AccessToken, 401, "invalid_api_key", "authentication_error"},
		{"bad JSON", "/v1/chat/completions", "{", bearer(g), 400, "invalid_request_error", "invalid_request_error"},
		{"not an object", "/v1/chat/completions", "[1]", bearer(g), 400, "invalid_request_error", "invalid_request_error"},
		{"wrong type", "/v1/chat/completions", `{"model":1}`, bearer(g), 400, "invalid_request_error", "invalid_request_error"},
		{"no messages", "/v1/chat/completions", `{"model":"toy-1"}`, bearer(g), 400, "invalid_request_error", "invalid_request_error"},
		{"too many choices", "/v1/chat/completions", `{"model":"toy-1","n":9,"messages":[{}]}`, bearer(g), 400, "invalid_request_error", "invalid_request_error"},
		{"no limit", "/v1/messages", `{"model":"toy-1","messages":[{}]}`, bearer(g), 400, "invalid_request_error", "invalid_request_error"},
		{"limit of 0", "/v1/messages", `{"model":"toy-1","max_tokens":0,"messages":[{}]}`, bearer(g), 400, "invalid_request_error", "invalid_request_error"},
		{"thread", "/v1/messages", `{"model":"toy-1","max_tokens":9,"messages":[{"role":"user","content":"x"}],"thread":{"type":"create"}}`, bearer(g), 400, "thread_unsupported_request", "invalid_request_error"},
		{"stored response", "/v1/responses", `{"model":"toy-1","input":"x","previous_response_id":"r"}`, bearer(g), 400, "previous_response_not_found", "invalid_request_error"},
		{"background", "/v1/responses", `{"model":"toy-1","input":"x","background":true}`, bearer(g), 400, "invalid_request_error", "invalid_request_error"},
		{"no input", "/v1/embeddings", `{"model":"toy-1","input":[]}`, bearer(g), 400, "invalid_request_error", "invalid_request_error"},
		{"huge vectors", "/v1/embeddings", `{"model":"toy-1","input":"x","dimensions":99999}`, bearer(g), 400, "invalid_request_error", "invalid_request_error"},
		{"unknown model", "/v1/chat/completions", `{"model":"x","messages":[{}]}`, bearer(g), 404, "model_not_found", "not_found_error"},
		{"too large", "/v1/chat/completions", big, bearer(g), 413, "request_too_large", "request_too_large"},
		{"dear", "/v1/chat/completions", `{"model":"dear","messages":[{}]}`, bearer(g), 402, "insufficient_funds", "billing_error"},
		{"dear", "/v1/messages", `{"model":"dear","max_tokens":5,"messages":[{}]}`, bearer(g), 402, "insufficient_funds", "billing_error"},
		{"no token", "/v1/messages", hello, "", 401, "invalid_api_key", "authentication_error"},
	} {
		t.Run(c.name+" "+c.path, func(t *testing.T) {
			w := post(t, s, c.path, c.body, "Authorization", c.auth)
			if w.Code != c.status || w.Header().Get("Content-Type") != "application/json" {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, c.status)
			}
			var got struct {
				Type      string
				RequestID string `json:"request_id"`
				Error     struct{ Message, Type, Code string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if got.Error.Message == "" || got.Error.Code != c.code {
				t.Errorf("got %s, want code %s", w.Body, c.code)
			}
			if strings.HasPrefix(c.path, "/v1/messages") {
				if got.Type != "error" || got.Error.Type != c.anthropic || got.RequestID == "" {
					t.Errorf("got %s, want an error of type %s", w.Body, c.anthropic)
				}
			}
			if c.status == 402 && w.Header().Get("X-Tokenbuddy-Balance-Micros") != "100" {
				t.Errorf("the balance is not said: %v", w.Header())
			}
			if _, ok, _ := wire.SettlementFromHeader(w.Header()); ok {
				t.Error("a refusal has a settlement")
			}
		})
	}
	if n := len(s.books.Report().Charges); n != 0 {
		t.Errorf("%d charges for refusals", n)
	}
	if len(s.books.open) != 0 {
		t.Error("a charge was left open")
	}
}

// What came in early data may be a copy: no seller is paid for it.
func TestEarlyDataIsRefused(t *testing.T) {
	s := newSeller(t, "model toy-1 1 2")
	g := buy(t, s, "p", 100)
	for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
		for _, value := range []string{"1", "0", "1, 1"} {
			if w := post(t, s, path, hello, "Authorization", bearer(g), "Early-Data", value); w.Code != http.StatusTooEarly || !strings.Contains(w.Body.String(), "too_early") {
				t.Errorf("%s, %s: %d %s", path, value, w.Code, w.Body)
			}
		}
	}
	if n := len(s.books.Report().Charges); n != 0 {
		t.Errorf("%d charges", n)
	}
}

func TestCompressedBodyIsRefused(t *testing.T) {
	s := newSeller(t, "")
	if w := post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(buy(t, s, "p", 100)), "Content-Encoding", "gzip"); w.Code != 415 {
		t.Errorf("got %d", w.Code)
	}
}

func TestRegistry(t *testing.T) {
	s := newSeller(t, "name \"The Toy\"\nmodel a 1.25 10 0.125 {\n alias a-latest\n}\nmodel b")
	w := ask(t, s, "GET", "http://seller.example:8080/registry.json", "")
	want := `"defaultSeller":"TestRegistry","sellers":[{"id":"TestRegistry","name":"The Toy","url":"http://seller.example:8080",` +
		`"protocols":["chat_completions","responses","messages","completions","embeddings"],"paymentMethods":["mock"],` +
		`"models":[{"id":"a","aliases":["a-latest"],"inputPriceMicrosPer1m":1250000,"outputPriceMicrosPer1m":10000000,"cacheReadPriceMicrosPer1m":125000},"b"]}]}`
	if w.Code != 200 || !strings.HasSuffix(w.Body.String(), want) {
		t.Errorf("got  %s\nwant …%s", w.Body, want)
	}
	tag := w.Header().Get("ETag")
	if w := ask(t, s, "GET", "http://seller.example:8080/registry.json", "", "If-None-Match", tag); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("with its own tag: %d", w.Code)
	}
	if w := ask(t, s, "GET", "http://other.example/registry.json", "", "If-None-Match", tag); w.Code != 200 {
		t.Errorf("another document with the same tag: %d", w.Code)
	}
}

// TestSecretsStayInside plants secrets and looks for them where they have no business.
func TestSecretsStayInside(t *testing.T) {
	file := t.TempDir() + "/books.json"
	s := newSeller(t, "state "+file)
	g := buy(t, s, "purchase-0123456789", 1000)
	o := createOrder(t, s, "purchase-abcdefghij", 1000)
	w := post(t, s, "/v1/chat/completions", `{"model":"toy-1","messages":[{"role":"user","content":"my-secret-prompt"}]}`,
		"Authorization", bearer(g), "Idempotency-Key", "idem-secret")
	if w.Code != 200 {
		t.Fatal(w.Body)
	}
	state, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(journalOf(file))
	if err != nil || !bytes.Contains(journal, []byte("settlementId")) {
		t.Fatalf("%v: %s", err, journal)
	}
	state = append(state, journal...)
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("the state file has mode %v", info.Mode())
	}
	admin := httptest.NewRecorder()
	if err := serveBooks(admin, httptest.NewRequest("GET", "/tokenbuddy_seller/books", nil)); err != nil {
		t.Fatal(err)
	}
	refused := post(t, s, "/v1/chat/completions", `{"model":"my-secret-prompt","n":"my-secret-prompt"}`, "Authorization", bearer(g))
	for where, text := range map[string][]byte{"state": state, "admin": admin.Body.Bytes(), "refusal": refused.Body.Bytes()} {
		for _, secret := range []string{g.AccessToken, g.AccessToken[4:], "my-secret-prompt", "idem-secret"} {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s holds %q", where, secret)
			}
		}
	}
	for _, secret := range []string{"purchase-0123456789", "purchase-abcdefghij", o.OrderID} {
		if bytes.Contains(state, []byte(secret)) {
			t.Errorf("the state file holds %q, which opens a remembered answer", secret)
		}
	}
}

func TestAdminBooks(t *testing.T) {
	s := newSeller(t, "")
	g := buy(t, s, "p-1", 1000)
	settled := settlementOf(t, post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g)))
	w := httptest.NewRecorder()
	if err := serveBooks(w, httptest.NewRequest("GET", "/tokenbuddy_seller/books?seller="+s.ID, nil)); err != nil {
		t.Fatal(err)
	}
	var got struct{ Sellers []Report }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Sellers) != 1 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	r := got.Sellers[0]
	if len(r.Purchases) != 1 || r.Purchases[0].PurchaseID != "p-1" || r.Purchases[0].AmountMicros != 1000 || r.Purchases[0].TokenID != r.Tokens[0].ID {
		t.Errorf("purchases: %+v", r.Purchases)
	}
	if len(r.Charges) != 1 || r.Charges[0].SettlementID != settled.SettlementID || r.Charges[0].RequestID != "r-1" || r.Charges[0].Micros != *settled.BilledMicros {
		t.Errorf("charges: %+v", r.Charges)
	}
	if len(r.Tokens) != 1 || r.Tokens[0].CreditMicros != 1000 || r.Tokens[0].BalanceMicros != 1000-r.Charges[0].Micros {
		t.Errorf("tokens: %+v", r.Tokens)
	}
	if err := serveBooks(w, httptest.NewRequest("POST", "/tokenbuddy_seller/books", nil)); err == nil {
		t.Error("POST is served")
	}
	for _, query := range []string{"sellr=" + s.ID, "seller=" + s.ID + "&limit=1", "seller=%zz"} {
		var refused caddy.APIError
		if err := serveBooks(w, httptest.NewRequest("GET", "/tokenbuddy_seller/books?"+query, nil)); !errors.As(err, &refused) || refused.HTTPStatus != 400 {
			t.Errorf("%s: %v", query, err)
		}
	}
}
