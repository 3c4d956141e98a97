package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// stage is a market for a table of tests: sellers and models for each row, all behind one Caddy, which may have several
// gateway sites. A row's sellers are its own, so that what one row does to a token or a purchase is not felt by another.
type stage struct {
	*caddy
	t     testing.TB
	lists []listing
	sites []string // host:port of each site
}

// listing is a seller's entry in a registry document.
type listing struct {
	ID             string   `json:"id"`
	URL            string   `json:"url"`
	Protocols      []string `json:"protocols,omitempty"`
	PaymentMethods []string `json:"paymentMethods,omitempty"`
	Models         []any    `json:"models"`
}

// priced is a model at 1 dollar per million prompt tokens and 2 per million completion tokens, so that a micro is a prompt
// token.
func priced(id string, aliases ...string) map[string]any {
	return map[string]any{
		"id": id, "aliases": aliases, "inputPriceMicrosPer1m": 1_000_000, "outputPriceMicrosPer1m": 2_000_000,
		"cacheReadPriceMicrosPer1m": 100_000, "cacheWritePriceMicrosPer1m": 1_250_000,
	}
}

// handler is how a fake seller answers an inference.
type handler = func(w http.ResponseWriter, r *http.Request, body []byte)

func newStage(t testing.TB) *stage { return &stage{t: t} }

// seller adds a seller of these models (ids, or what priced gives) to the registry, in the order of the calls.
func (s *stage) seller(id string, answer handler, models ...any) *fakeSeller {
	seller := newSeller(s.t, id, answer)
	s.lists = append(s.lists, listing{ID: id, URL: seller.URL, Models: models})
	return seller
}

// open starts Caddy with a site for each body of a tokenbuddy directive. The registry, the networks and the payment method
// are added to each, and where it says nothing of purchases a limit that no test comes near. What follows tokenbuddy in a site comes after "---" in the body, what goes before it before "+++". No
// request of a path that is not the gateway's stays unanswered: "next" answers it with status 299.
func (s *stage) open(bodies ...string) *stage {
	s.t.Helper()
	s.prepare(bodies...)
	s.start()
	return s
}

// prepare is open, but for the start.
func (s *stage) prepare(bodies ...string) {
	s.t.Helper()
	registry := serveDocument(s.t, s.lists)
	s.caddy = newCaddy(s.t, "")
	var file strings.Builder
	file.WriteString(s.global(""))
	for i, body := range bodies {
		if !strings.Contains(body, "purchase {") {
			body += "\n\t\tpurchase {\n\t\t\tdaily_limit 1000000\n\t\t}\n"
		}
		address := s.site
		if i > 0 {
			address = freeAddress(s.t)
		}
		s.sites = append(s.sites, address)
		before, rest, ok := strings.Cut(body, "+++")
		if !ok {
			before, rest = "", body
		}
		fmt.Fprintf(&file, "http://%s {\n\tbind 127.0.0.1\n\troute {\n%s\n\ttokenbuddy {\n%s\n%s\n\t}\n\trespond next 299\n\t}\n}\n",
			address, before, market(registry, ""), rest)
	}
	s.write(file.String())
}

// serveDocument serves a registry document of these entries, without a default seller.
func serveDocument(t testing.TB, sellers any) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"version": "1", "sellers": sellers})
	}))
	t.Cleanup(srv.Close)
	return srv
}

// hostHeader is of a request's headers the one that net/http keeps apart.
const hostHeader = "Host"

// ask sends a request to a site and gives the answer with its whole body, or as much as came of it.
func (s *stage) ask(site int, method, path, body string, header ...string) *answered {
	s.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+s.sites[site]+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == hostHeader {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return &answered{Response: res, body: string(b), cut: err}
}

// infer asks for a chat completion of a model, with more members in the request if need be. The request's id is the row's
// name, so that its entry can be found.
func (s *stage) infer(id, model, members string) *answered {
	s.t.Helper()
	return s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf(model, members), "X-Request-Id", id)
}

// chatOf is a chat request for a model, with more members in front, such as `"stream":true,`.
func chatOf(model, members string) string {
	return `{` + members + `"model":"` + model + `","messages":[{"role":"user","content":"Hello"}]}`
}

// isStream tells whether a request asks for a stream.
func isStream(body []byte) bool { return strings.Contains(string(body), `"stream":true`) }

// answered is an answer that has come.
type answered struct {
	*http.Response
	body string
	cut  error // why it did not come to its end
}

// entryOf waits for the inference entry of a request.
func (s *stage) entryOf(requestID string) entry {
	s.t.Helper()
	var found []entry
	eventually(s.t, "the entry of "+requestID, func() bool {
		found = nil
		for _, e := range s.entries("inference") {
			if e.RequestID == requestID {
				found = append(found, e)
			}
		}
		return len(found) > 0
	})
	if len(found) > 1 {
		s.t.Errorf("request %s has %d entries", requestID, len(found))
	}
	return found[0]
}

// balances are the accounts of the ledger.
func (c *caddy) balances() map[string]int64 {
	c.t.Helper()
	status, body := c.look("/tokenbuddy/ledger/accounts")
	var rows []struct {
		Account       string `json:"account"`
		BalanceMicros int64  `json:"balanceMicros"`
	}
	if err := json.Unmarshal(body, &rows); err != nil || status != http.StatusOK {
		c.t.Fatalf("accounts: status %d, %v: %s", status, err, body)
	}
	all := make(map[string]int64)
	for _, r := range rows {
		if _, twice := all[r.Account]; twice {
			c.t.Errorf("account %s stands twice", r.Account)
		}
		all[r.Account] = r.BalanceMicros
	}
	return all
}

// say answers with a status, a content type and a body.
func say(status int, kind, body string) handler {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// sayUntyped answers with a status and a body, of which it does not say what it is.
func sayUntyped(status int, body string) handler {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header()["Content-Type"] = nil
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// sayJSON answers with a status and a JSON body.
func sayJSON(status int, body string) handler { return say(status, "application/json", body) }

// with answers with a header.
func with(answer handler, name, value string) handler {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		w.Header().Set(name, value)
		answer(w, r, body)
	}
}

// sayStream answers with an event stream, all at once.
func sayStream(stream string) handler { return say(http.StatusOK, "text/event-stream", stream) }

// inTurn answers with one handler after the other, and then with the last one again.
func inTurn(handlers ...handler) handler {
	turn := make(chan handler, len(handlers))
	for _, h := range handlers {
		turn <- h
	}
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		h := handlers[len(handlers)-1]
		select {
		case h = <-turn:
		default:
		}
		h(w, r, body)
	}
}

// settlesAs is a settlement as an event of a stream.
func settlesAs(id string, billed int64) string {
	return fmt.Sprintf("event: tokenbuddy.settlement\ndata: {\"settlementId\":%q,\"billedMicros\":%d}\n\n", id, billed)
}

// readAll is the body of a request, as far as it comes.
func readAll(r *http.Request) []byte {
	b, _ := io.ReadAll(r.Body)
	return b
}
