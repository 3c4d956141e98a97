package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// turnSeller answers in each of the APIs, names itself in its answers, and can be made to fail some conversations.
type turnSeller struct {
	*fakeSeller
	mu   sync.Mutex
	down map[string]bool // conversations, by their name
}

func newTurnSeller(s *stage, id, model string) *turnSeller {
	f := &turnSeller{down: make(map[string]bool)}
	f.fakeSeller = s.seller(id, f.answer, priced(model))
	return f
}

func (f *turnSeller) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	var ask struct {
		User   string `json:"user"`
		Stream bool   `json:"stream"`
	}
	_ = json.Unmarshal(body, &ask)
	f.mu.Lock()
	down := f.down[ask.User]
	f.mu.Unlock()
	q := &question{speech: speechOf(r.URL.Path), mark: f.id, stream: ask.Stream}
	switch {
	case down:
		sayJSON(http.StatusInternalServerError, errorBody("server_error"))(w, r, body)
	case ask.Stream:
		sayStream(strings.ReplaceAll(q.good(), `"id":"r"`, `"id":"resp_`+f.id+`"`))(w, r, body)
	default:
		sayJSON(http.StatusOK, strings.Replace(q.good(), `"id":"r"`, `"id":"resp_`+f.id+`"`, 1))(w, r, body)
	}
}

// fail makes the seller fail a conversation, or serve it again.
func (f *turnSeller) fail(name string, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down[name] = down
}

// conversation is one that grows with each turn.
type conversation struct {
	name   string // in its requests
	site   int
	model  string
	path   string
	stream bool
	more   string   // members that each turn has
	header []string // that each turn has
	turns  []string // what was said
}

// turn asks the next question, and gives the seller that answered it.
func (c *conversation) turn(t *testing.T, s *stage) string {
	t.Helper()
	a := c.ask(s)
	if a.StatusCode != http.StatusOK || a.cut != nil {
		t.Errorf("%s, turn %d: status %d, %v: %s", c.name, len(c.turns)/2+1, a.StatusCode, a.cut, a.body)
	}
	c.turns = append(c.turns, fmt.Sprintf(`{"role":"assistant","content":"Answer %d"}`, len(c.turns)/2))
	return a.Header.Get("X-TokenBuddy-Seller")
}

func (c *conversation) ask(s *stage) *answered {
	c.turns = append(c.turns, fmt.Sprintf(`{"role":"user","content":"Question %d of %s"}`, len(c.turns)/2, c.name))
	messages, said := "messages", strings.Join(c.turns, ",")
	if c.path == "/v1/responses" {
		messages = "input"
	}
	body := fmt.Sprintf(`{"model":%q,"max_tokens":64,"user":%q,"stream":%t,%s%q:[%s]}`, c.model, c.name, c.stream, c.more, messages, said)
	return s.ask(c.site, http.MethodPost, c.path, body, c.header...)
}

// TestConversationStays has conversations of eight turns with four sellers that are alike. Each stays where it began until that
// seller fails, then moves, and stays there, also when the first is well again. Only manual selection never moves.
func TestConversationStays(t *testing.T) {
	t.Parallel()
	policies := []string{"default_first", "cheapest", "fastest", "weighted", "manual"}
	s := newStage(t)
	sellers := make(map[string]*turnSeller)
	var bodies []string
	for i, policy := range policies {
		for j := range 4 {
			id := fmt.Sprintf("%s.%d", policy, j)
			sellers[id] = newTurnSeller(s, id, policy)
		}
		// What a failed turn does to a seller's health is not to decide where the other conversations go.
		body := "\t\tfailover {\n\t\t\tretries 0\n\t\t}\n\t\tselection " + policy
		if policy == "manual" {
			body += fmt.Sprintf(" %s.2", policy)
		}
		bodies = append(bodies, body+"\n\t\tdefault_seller "+fmt.Sprintf("%s.%d\n", policy, i%4))
	}
	s.open(bodies...)
	for site, policy := range policies {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			first := make(map[string]int)
			for _, c := range conversationsOf(site, policy) {
				home := c.turn(t, s)
				first[home]++
				for range 3 {
					if at := c.turn(t, s); at != home {
						t.Errorf("%s, turn %d: at %s, began at %s", c.name, len(c.turns)/2, at, home)
					}
				}
				sellers[home].fail(c.name, true)
				if policy == "manual" {
					if a := c.ask(s); a.StatusCode == http.StatusOK || a.Header.Get("X-TokenBuddy-Seller") != home {
						t.Errorf("%s: status %d by %s", c.name, a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"))
					}
					sellers[home].fail(c.name, false)
					if at := c.turn(t, s); at != home {
						t.Errorf("%s has moved to %s", c.name, at)
					}
					continue
				}
				next := c.turn(t, s)
				if next == home {
					t.Fatalf("%s: served by %s, which fails", c.name, next)
				}
				sellers[home].fail(c.name, false)
				for range 3 {
					if at := c.turn(t, s); at != next {
						t.Errorf("%s, turn %d: at %s, had moved to %s", c.name, len(c.turns)/2, at, next)
					}
				}
			}
			t.Logf("conversations began at %v", first)
			if policy == "manual" {
				for id, seller := range sellers {
					if n := len(seller.inferences()); strings.HasPrefix(id, "manual.") && id != "manual.2" && n+seller.purchases() != 0 {
						t.Errorf("%s was asked %d times and bought from %d times", id, n, seller.purchases())
					}
				}
			}
		})
	}
	t.Cleanup(s.verify)
}

// conversationsOf are conversations that can be told apart in each of the ways there are.
func conversationsOf(site int, model string) []*conversation {
	var all []*conversation
	for i, c := range []conversation{
		{path: "/v1/chat/completions"},
		{path: "/v1/chat/completions", stream: true},
		{path: "/v1/messages", more: `"system":"Be brief.",`},
		{path: "/v1/messages", stream: true},
		{path: "/v1/responses", stream: true},
		{path: "/v1/responses", more: `"prompt_cache_key":"KEY",`},
		{path: "/v1/chat/completions", header: []string{"X-Session-Id", "KEY"}},
		{path: "/v1/messages", header: []string{"X-Claude-Code-Session-Id", "KEY"}},
	} {
		c.site, c.model, c.name = site, model, fmt.Sprintf("%s %d", model, i)
		c.more = strings.ReplaceAll(c.more, "KEY", c.name)
		for j := range c.header {
			c.header[j] = strings.ReplaceAll(c.header[j], "KEY", c.name)
		}
		all = append(all, &c)
	}
	return all
}

// TestPreviousResponse has a response made by a seller that is not the first choice. What builds on it goes to that seller and
// nowhere else: not when others are preferred, and not when it fails.
func TestPreviousResponse(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"default_first", "weighted"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			sellers := make(map[string]*turnSeller)
			for j := range 4 {
				id := fmt.Sprint("s", j)
				sellers[id] = newTurnSeller(s, id, "m")
			}
			s.open("\t\taffinity off\n\t\tselection " + policy + "\n\t\tfailover {\n\t\t\tretries 0\n\t\t}\n")
			for i, stream := range []bool{false, true} {
				c := &conversation{name: fmt.Sprint("c", i), model: "m", path: "/v1/responses", stream: stream}
				sellers["s0"].fail(c.name, true)
				maker := c.turn(t, s)
				sellers["s0"].fail(c.name, false)
				if maker == "s0" || maker == "" {
					t.Fatalf("served by %q", maker)
				}
				c.more = fmt.Sprintf(`"previous_response_id":"resp_%s",`, maker)
				for range 4 {
					c.turns = nil // as clients do that leave it to the seller to remember
					if at := c.turn(t, s); at != maker {
						t.Errorf("a response of %s was continued by %s", maker, at)
					}
				}
				before := asked(sellers)
				sellers[maker].fail(c.name, true)
				if a := c.ask(s); a.StatusCode < 500 || a.Header.Get("X-TokenBuddy-Seller") != maker {
					t.Errorf("status %d by %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"))
				}
				for id, n := range asked(sellers) {
					if id != maker && n != before[id] {
						t.Errorf("%s was asked to continue a response of %s", id, maker)
					}
				}
				sellers[maker].fail(c.name, false)
				if at := c.turn(t, s); at != maker {
					t.Errorf("a response of %s was continued by %s", maker, at)
				}
			}
			s.verify()
		})
	}
}

// asked is how often each seller was asked.
func asked(sellers map[string]*turnSeller) map[string]int {
	n := make(map[string]int)
	for id, s := range sellers {
		n[id] = len(s.inferences())
	}
	return n
}

// TestRefusedTurn has the seller of a conversation find one turn at fault, inside a stream before there is content: it goes on being the
// conversation's, and has not failed.
func TestRefusedTurn(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	good := streamOf(roleEvent + textEvent("Hi") + endEvents)
	s.seller("first", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Header.Get("X-Request-Id") == "served" {
			sayJSON(500, errorBody("server_error"))(w, r, body)
			return
		}
		good(w, r, body)
	}, priced("m"))
	s.seller("second", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Header.Get("X-Request-Id") == "refused" {
			sayStream(roleEvent+"data: {\"error\":{\"message\":\"not so\",\"type\":\"invalid_request_error\"}}\n\n")(w, r, body)
			return
		}
		good(w, r, body)
	}, priced("m"))
	s.open("\t\tdefault_seller first\n\t\tfailover {\n\t\t\tretries 0\n\t\t}\n")
	for _, id := range []string{"served", "refused", "served again"} {
		a := s.infer(id, "m", `"stream":true,`)
		if a.StatusCode != http.StatusOK || a.Header.Get("X-TokenBuddy-Seller") != "second" {
			t.Errorf("%s: status %d of %q: %s", id, a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
		}
	}
	if e := s.entryOf("refused"); e.Status != "failed" {
		t.Errorf("booked %+v", e)
	}
}
