package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// provider is where the operator has an account: it knows nothing of the seller protocol, and refuses what it does not know.
type provider struct {
	*httptest.Server
	mu    sync.Mutex
	asked []inference
}

const providerKey = "sk-own-account-key"

func newProvider(t testing.TB, answer handler) *provider {
	p := new(provider)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.asked = append(p.asked, inference{r.URL.Path, r.URL.RawQuery, r.Header.Clone(), body})
		p.mu.Unlock()
		answer(w, r, body)
	}))
	t.Cleanup(p.Close)
	return p
}

// TestAccount serves requests from providers where the operator has an account, beside sellers that tokens are bought from.
func TestAccount(t *testing.T) {
	usage := `{"prompt_tokens":20,"completion_tokens":50}`
	settled := "event: tokenbuddy.settlement\ndata: {\"settlementId\":\"s\",\"billedMicros\":1,\"balanceMicros\":1}\n\n"
	plain := newProvider(t, settledBy(sayJSON(200, completion(usage)), "Settlement-Id", "s", "Billed-Micros", "1", "Balance-Micros", "1"))
	streams := newProvider(t, sayStream(roleEvent+textEvent("Hi")+settled+`data: {"id":"c","choices":[],"usage":`+usage+"}\n\n"+endEvents))
	anthropic := newProvider(t, sayJSON(200, `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":20,"output_tokens":50}}`))
	unpriced := newProvider(t, sayJSON(200, completion(usage)))
	broke := newProvider(t, sayJSON(402, `{"error":{"message":"no funds","code":"insufficient_quota"}}`))
	locked := newProvider(t, sayJSON(401, `{"error":{"message":"bad key"}}`))
	down := newProvider(t, sayJSON(500, `{"error":{"message":"down"}}`))
	all := map[string]*provider{"plain": plain, "streams": streams, "anthropic": anthropic, "unpriced": unpriced, "broke": broke, "locked": locked, "down": down}
	s := newStage(t)
	bought := s.seller("bought", answerPlain, priced("broke"), priced("locked"), priced("down"))
	var pins strings.Builder
	for _, id := range []string{"plain", "streams", "anthropic", "unpriced", "broke", "locked", "down"} {
		fmt.Fprintf(&pins, "seller %s %s {\n api_key {env.PROVIDER_KEY}\n", id, all[id].URL)
		if id == "unpriced" {
			fmt.Fprintf(&pins, "models %s\n", id)
		} else {
			fmt.Fprintf(&pins, "price %s 1 2 0.1\n", id)
		}
		if id == "anthropic" {
			pins.WriteString("auth_header x-api-key\n")
		}
		pins.WriteString("}\n")
	}
	t.Setenv("PROVIDER_KEY", providerKey)
	s.open(pins.String() + "failover {\n retries 1\n }\n")

	for _, row := range []struct {
		id, path, members string
		source            string
		cost              int64
		attempts          int
		seller            string
	}{
		{"plain", "/v1/chat/completions", "", "usage", 120, 1, "plain"},
		{"streams", "/v1/chat/completions", `"stream":true,`, "usage", 120, 1, "streams"},
		{"anthropic", "/v1/messages", `"max_tokens":10,`, "usage", 120, 1, "anthropic"},
		{"unpriced", "/v1/chat/completions", "", "estimate", 50_000, 1, "unpriced"},
		{"broke", "/v1/chat/completions", "", "", -1, 2, "bought"},
		{"locked", "/v1/chat/completions", "", "", -1, 2, "bought"},
		{"down", "/v1/chat/completions", "", "", -1, 3, "bought"},
	} {
		t.Run(row.id, func(t *testing.T) {
			res := s.ask(0, http.MethodPost, row.path, chatOf(row.id, row.members), "X-Request-Id", row.id)
			if res.StatusCode != http.StatusOK || strings.Contains(res.body, "settlement") {
				t.Fatalf("status %d: %s", res.StatusCode, res.body)
			}
			var e entry
			eventually(t, "it is booked", func() bool {
				for _, e = range s.entries("inference") {
					if e.RequestID == row.id {
						return true
					}
				}
				return false
			})
			if e.Seller != row.seller || e.Attempts != row.attempts {
				t.Errorf("booked: %+v", e)
			}
			if row.cost >= 0 {
				if e.BilledMicros != row.cost || e.ExpenseMicros != row.cost || e.BilledSource != row.source || e.SettlementID != "" ||
					len(e.Postings) != 2 || e.Postings[0].Account != "wallet:account" || e.Postings[0].AmountMicros != -row.cost ||
					e.Postings[1].Account != "expense:anonymous:"+row.id {
					t.Errorf("booked: %+v", e)
				}
			}
			asked := all[row.id].asked[0]
			for name := range asked.Header {
				if strings.HasPrefix(name, "X-Tokenbuddy-") {
					t.Errorf("the provider was sent %s", name)
				}
			}
			sent := chatOf(row.id, row.members)
			if row.id == "streams" { // it is asked for its usage, and the client had not asked
				sent = `{"stream_options":{"include_usage":true},` + sent[1:]
				if strings.Contains(res.body, "usage") {
					t.Errorf("the client sees %s", res.body)
				}
			}
			if string(asked.Body) != sent {
				t.Errorf("the provider was sent %s", asked.Body)
			}
			bearer, key := asked.Header.Get("Authorization"), asked.Header.Get("X-Api-Key")
			if row.id == "anthropic" && (bearer != "" || key != providerKey) || row.id != "anthropic" && (bearer != "Bearer "+providerKey || key != "") {
				t.Errorf("the provider was sent the key as %q and %q", bearer, key)
			}
		})
	}
	if n := bought.purchases(); n != 1 {
		t.Errorf("%d purchases at the seller that tokens are bought from", n)
	}
	for id, p := range all {
		if i := slices.IndexFunc(p.asked, func(a inference) bool { return !strings.HasPrefix(a.Path, "/v1/") }); i >= 0 {
			t.Errorf("%s was asked for %s", id, p.asked[i].Path)
		}
	}
	s.verify()
	_, status := s.look("/tokenbuddy/status")
	_, sellers := s.look("/tokenbuddy/sellers")
	if strings.Contains(s.log.String()+string(status)+string(sellers), providerKey) {
		t.Error("the key is shown")
	}
}
