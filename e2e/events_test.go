package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	caddyserver "github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() { caddyserver.RegisterModule(new(listener)) }

// listener is an event handler of the tests' Caddys: `on * e2e <file>` writes our events down, and with stuck behind it does not return.
type listener struct {
	File  string `json:"file"`
	Stuck string `json:"stuck,omitempty"`
}

func (*listener) CaddyModule() caddyserver.ModuleInfo {
	return caddyserver.ModuleInfo{ID: "events.handlers.e2e", New: func() caddyserver.Module { return new(listener) }}
}

func (l *listener) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	d.Args(&l.File, &l.Stuck)
	return nil
}

func (l *listener) Handle(ctx context.Context, e caddyserver.Event) error {
	if e.Origin() == nil || e.Origin().CaddyModule().ID != "tokenbuddy" {
		return nil
	}
	line, err := json.Marshal(map[string]any{"name": e.Name(), "data": e.Data})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(append(line, '\n'))
	if l.Stuck != "" {
		<-ctx.Done()
	}
	return err
}

// TestEvents has what operators want to hear of happen, and listens.
func TestEvents(t *testing.T) {
	t.Parallel()
	s, file := eventful(t, "")
	ask := func(who, model string) { s.asked(who, model) }
	ask("ada", "m")
	for range 8 {
		ask("bob", "broken")
	}
	ask("bob", "unsold")
	ask("bob", "dear")
	ask("bob", "paid")
	s.ask(0, "POST", "/v1/chat/completions", chatOf("long", `"max_tokens":1000,`), "Authorization", "Bearer sk-cyd-key")
	all := map[string]map[string]any{}
	s.members("add", "eve")
	names := []string{"member_changed", "budget_spent", "circuit_opened", "purchase_failed", "overbilled", "disputed", "budget_warning"}
	eventually(t, "an event of each kind", func() bool {
		b, _ := os.ReadFile(file)
		for line := range strings.Lines(string(b)) {
			var e struct {
				Name string
				Data map[string]any
			}
			if err := json.Unmarshal([]byte(line), &e); err == nil {
				all[e.Name] = e.Data
			}
		}
		for _, name := range names {
			if all[name] == nil {
				return false
			}
		}
		return true
	})
	for name, want := range map[string]map[string]any{
		"budget_spent":    {"member": "ada", "group": "", "period": "daily", "percent": 100.0, "budget_micros": 1.0, "spent_micros": 0.0},
		"budget_warning":  {"member": "cyd", "group": "", "period": "daily", "percent": 80.0, "budget_micros": 2100.0, "spent_micros": 1810.0},
		"circuit_opened":  {"seller": "breaks"},
		"member_changed":  {"member": "eve", "change": "add", "from": "127.0.0.1"},
		"purchase_failed": {"seller": "refuses", "method": "mock", "outcome": "failed"},
		"disputed":        {"seller": "takes", "method": "mock", "outcome": "disputed", "amount_micros": 5_000_000.0},
		"overbilled":      {"seller": "greedy", "model": "dear", "billed_micros": 60000.0},
	} {
		for member, value := range want {
			if got := all[name][member]; got != value {
				t.Errorf("%s: %s is %v, want %v", name, member, got, value)
			}
		}
	}
	b, _ := os.ReadFile(file)
	for _, secret := range []string{"sk-ada-key", "sk-bob-key", "sk-cyd-key", "Hello"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%q is in the events", secret)
		}
	}
	s.verify()
}

// TestStuckListener has an event handler never return: requests are answered as ever.
func TestStuckListener(t *testing.T) {
	t.Parallel()
	s, file := eventful(t, " stuck")
	s.asked("ada", "m")
	eventually(t, "an event", func() bool {
		_, err := os.Stat(file)
		return err == nil
	})
	began := time.Now()
	for range 20 {
		if a := s.asked("bob", "dear"); a.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", a.StatusCode, a.body)
		}
	}
	if took := time.Since(began); took > patience {
		t.Errorf("twenty requests have taken %v", took)
	}
	if b, _ := os.ReadFile(file); strings.Count(string(b), "\n") != 1 {
		t.Errorf("it is stuck, and has heard %s", b)
	}
}

func (s *stage) asked(who, model string) *answered {
	return s.ask(0, "POST", "/v1/chat/completions", chatOf(model, ""), "Authorization", "Bearer sk-"+who+"-key")
}

// eventful is a gateway whose sellers and members do what there are events of, and the file in which these are.
func eventful(t *testing.T, how string) (s *stage, file string) {
	s = newStage(t)
	s.seller("acme", answerPlain, priced("m"))
	s.seller("breaks", sayJSON(500, `{}`), priced("broken"))
	s.seller("greedy", settledBy(answerPlain, "Billed-Micros", "60000"), map[string]any{"id": "dear", "inputPriceMicrosPer1m": 1, "outputPriceMicrosPer1m": 1})
	s.seller("long", sayJSON(200, `{"choices":[{"message":{"content":"Hello"}}],"usage":{"prompt_tokens":10,"completion_tokens":900}}`), priced("long"))
	s.buying("takes", nil, func(w http.ResponseWriter, _ obj) {
		w.WriteHeader(http.StatusPaymentRequired)
		_, _ = io.WriteString(w, `{"error":{"code":"payment_refused"}}`)
	}, priced("paid"))
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/purchase/") {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(refuses.Close)
	s.lists = append(s.lists, listing{ID: "refuses", URL: refuses.URL, Models: []any{priced("unsold")}})
	s.prepare("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t\tdaily_budget 0.000001\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-key\n\t\t}\n" +
		"\t\tmember cyd {\n\t\t\tkey sk-cyd-key\n\t\t\tdaily_budget 0.0021\n\t\t}\n")
	file = s.listen(how)
	s.start()
	return s, file
}

// listen has the config write all events into a file, from the next start on.
func (c *caddy) listen(how string) (file string) {
	file = filepath.Join(c.t.TempDir(), "events")
	config, err := os.ReadFile(c.caddyfile())
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(strings.Replace(string(config), "{\n", "{\n\tevents {\n\t\ton * e2e "+file+how+"\n\t}\n", 1))
	return file
}
