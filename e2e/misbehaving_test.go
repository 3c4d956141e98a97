package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestGuestsMisbehavePaying has a payment method fail at each step in each way there is. The request is served by another seller,
// nothing is paid before Pay, and what Pay or Track have left open is known as soon as the method behaves.
func TestGuestsMisbehavePaying(t *testing.T) {
	t.Parallel()
	for _, try := range []struct {
		step, fault string
		unpaid      bool // it is over, and nothing was paid
		moves       int  // payments in the end
	}{
		{"check", "panic", true, 0},
		{"check", "exit", true, 0},
		{"limit", "panic", true, 0},
		{"limit", "spent", true, 0},
		{"prepare", "panic", true, 0},
		{"prepare", "proof", true, 0},
		{"pay", "panic", false, 0},
		{"pay", "exit", false, 0},
		{"pay", "block", false, 0},
		{"paid", "panic", false, 1},
		{"paid", "error", false, 1},
		{"paid", "proof", false, 1},
		{"paid", "kind", false, 1},
		{"paid", "link", false, 1},
		{"track", "panic", false, 1},
		{"track", "proof", false, 1},
		{"track", "error", false, 1},
	} {
		t.Run(try.step+" "+try.fault, func(t *testing.T) {
			t.Parallel()
			g := newGuestStage(t, 1)
			g.open(g.body("", ""))
			g.orders(func(c guestCall) order {
				switch {
				case c.Step == try.step:
					return order{Fault: try.fault}
				case c.Step == "paid" && try.step == "track", c.Step == "track" && try.step == "pay": // not known before it behaves
					return order{Fault: "pending"}
				}
				return order{}
			})
			seller := "good"
			if try.fault == "error" { // that is soon cleared up, and the request may wait for it
				seller = ""
			}
			g.served("first", seller)
			for step, ended := range map[string]bool{"check": true, "prepare": true, "pay": try.fault == "panic" || try.fault == "exit"} {
				if want := fmt.Sprintf(`tokenbuddy_payment_method_faults_total{method="misbehaving",step=%q}`, step); step == try.step && ended && try.fault != "proof" && !g.faults(want) {
					t.Errorf("the metrics lack %s", want)
				}
			}
			if try.unpaid {
				outcome := "failed"
				if try.step == "limit" {
					outcome = "budget_exceeded"
				}
				eventually(t, "the purchase has failed", func() bool {
					return g.faults(fmt.Sprintf(`tokenbuddy_purchases_total{outcome=%q,seller="bad0"}`, outcome))
				})
			} else if n := len(purchasesIn(g.caddy, "failed")) + len(purchasesIn(g.caddy, "disputed")); n > 0 {
				t.Errorf("%d purchases have ended while the fate of the money is not known", n)
			}
			if try.step == "pay" && try.fault == "block" { // the call never comes back: only another process can ask
				begun := time.Now()
				g.terminate()
				g.endedStuck(begun)
				g.orders(nil)
				g.start()
			} else if !try.unpaid && try.step == "track" { // the next process takes it up at its start, with the same guest
				eventually(t, "it was tracked", func() bool { return g.count("track", "") > 0 })
				g.stop()
				g.start()
				eventually(t, "it was tracked again", func() bool { return g.count("track", "") > 1 })
				g.served("after a restart", "good")
			}
			g.orders(nil)
			if !try.unpaid {
				state := "failed"
				if try.moves > 0 {
					state = "granted"
				}
				eventually(t, "the purchase is "+state, func() bool { return len(purchasesIn(g.caddy, state)) > 0 })
			}
			if n, _ := g.moved(); n != try.moves {
				t.Errorf("%d payments, want %d", n, try.moves)
			}
			if got, want := g.balances()["wallet:misbehaving"], int64(-5_000_000*try.moves); got != want {
				t.Errorf("the wallet has %d, want %d", got, want)
			}
			g.well()
		})
	}
}

// purchasesIn are the purchases by the misbehaving method that have come to a state.
func purchasesIn(c *caddy, state string) (all []entry) {
	for _, e := range c.entries("purchase") {
		if e.State == state && strings.HasPrefix(e.Seller, "bad") {
			all = append(all, e)
		}
	}
	return all
}

// TestGuestsMisbehaveNewest has a payment be pending while the config is corrected: the newest instance is asked, and the old one
// is cleaned up after its last use, whatever it does then.
func TestGuestsMisbehaveNewest(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"", "panic", "block"} {
		t.Run("cleanup "+fault, func(t *testing.T) {
			t.Parallel()
			g := newGuestStage(t, 1)
			g.open(g.body("old", ""))
			g.orders(func(c guestCall) order {
				switch {
				case c.Label == "old" && (c.Step == "paid" || c.Step == "track"):
					return order{Fault: "pending"}
				case c.Step == "cleanup" && c.Label == "old":
					return order{Fault: fault}
				}
				return order{}
			})
			g.served("first", "good")
			file := g.file()
			if err := g.load(strings.Replace(file, " old\n", " new\n", 1)); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the newest instance is asked", func() bool { return g.count("track", "new") > 0 })
			eventually(t, "the purchase is granted", func() bool { return len(purchasesIn(g.caddy, "granted")) > 0 })
			eventually(t, "the old instance is cleaned up", func() bool { return g.count("cleanup", "old") == 1 })
			if g.count("cleanup", "new") != 0 {
				t.Error("the new instance was cleaned up while it is in use")
			}
			begun := time.Now()
			g.terminate()
			g.endedStuck(begun)
			if g.count("cleanup", "old") != 1 || g.count("cleanup", "new") != 1 {
				t.Errorf("cleaned up: old %d times, new %d times", g.count("cleanup", "old"), g.count("cleanup", "new"))
			}
			g.start()
			g.well()
		})
	}
}

// TestGuestsMisbehaveRefused has guests fail at their end in a config that is refused, when it is loaded or when it starts: the one that is in force
// serves on, and what comes next is taken.
func TestGuestsMisbehaveRefused(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"panic", "block"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			g := newGuestStage(t, 1)
			g.open(g.body("old", g.policy()))
			g.orders(func(c guestCall) order {
				if strings.HasPrefix(c.Step, "cleanup") {
					return order{Fault: fault}
				}
				return order{}
			})
			file := g.file()
			for what, wrong := range map[string]string{
				"loaded": strings.Replace(file, g.body("old", ""), g.body("twice", "")+g.body("wrong", ""), 1),
				"starts": strings.Replace(file, " old\n", " wrong\n", 1) + fmt.Sprintf("\n%s {\n\trespond taken\n}\n", g.good.URL),
			} {
				begun := time.Now()
				if err := g.load(wrong); err == nil {
					t.Fatalf("%s: it is taken:\n%s", what, wrong)
				}
				if status, _ := g.look("/tokenbuddy/status"); status != http.StatusOK {
					t.Errorf("%s: the status: %d", what, status)
				}
				if took := time.Since(begun); took > patience {
					t.Errorf("%s: it took %s", what, took)
				}
				g.served("after it was "+what, "")
			}
			if err := g.load(strings.Replace(file, " old\n", " new\n", 1)); err != nil {
				t.Error(err)
			}
			g.served("corrected", "")
			begun := time.Now()
			g.terminate()
			g.endedStuck(begun)
			g.start()
			g.well()
		})
	}
}

// TestGuestsMisbehaveChoosing has a selection policy fail in each way there is: the registry's order serves, and only what the
// policy means is asked.
func TestGuestsMisbehaveChoosing(t *testing.T) {
	t.Parallel()
	g := newGuestStage(t, 0)
	other := g.seller("other", answerPlain, priced("m"))
	g.open(g.policy())
	for _, fault := range []string{"panic", "exit", "invent", "block"} {
		g.orders(faultIn("order", order{Fault: fault}))
		begun := time.Now()
		g.served("order "+fault, "good")
		if took := time.Since(begun); took > patience {
			t.Errorf("%s: it took %s", fault, took)
		}
	}
	if !g.faults(`tokenbuddy_selection_policy_faults_total{call="order",policy="misbehaving"}`) {
		t.Error("the metrics lack the policy's faults")
	}
	g.orders(faultIn("order", order{Fault: "double", Sellers: []string{"other", "good"}}))
	g.served("double", "good")

	// What it leaves out is not asked, though the conversation was there before.
	talk := []string{"X-Session-Id", "talk"}
	g.orders(faultIn("order", order{Sellers: []string{"other", "good"}}))
	g.served("talk 1", "other", talk...)
	g.orders(faultIn("order", order{Sellers: []string{"good"}}))
	g.served("talk 2", "good", talk...)
	asked := len(other.inferences())
	g.orders(faultIn("order", order{Fault: "nothing"}))
	a := g.infer("nothing", "m", "")
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || strings.Contains(a.body, "model_not_found") {
		t.Errorf("it leaves all out: status %d, %v: %s", a.StatusCode, a.Header, a.body)
	}
	if n := len(other.inferences()); n != asked {
		t.Error("a seller was asked that the policy has left out")
	}
	g.well()
}

// TestGuestsMisbehaveQuery looks at what a policy may know of a request.
func TestGuestsMisbehaveQuery(t *testing.T) {
	t.Parallel()
	g := newGuestStage(t, 0)
	g.open(g.policy() + "\t\tmember ada {\n\t\t\tkey a-long-key-of-ada\n\t\t}\n")
	body := chatOf("m", `"stream":true,"max_tokens":50,"tools":[{"type":"function","function":{"name":"f"}}],`)
	g.ask(0, http.MethodPost, "/v1/chat/completions", body, "Authorization", "Bearer a-long-key-of-ada")
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.calls {
		if c.Step != "order" {
			continue
		}
		q := c.Query
		if q.Member != "ada" || q.Model != "m" || q.Protocol != "chat_completions" || q.Path != "/v1/chat/completions" ||
			!q.Streamed || !q.Tools || q.PromptTokens <= 0 || q.MaxTokens != 50 || q.Now.IsZero() {
			t.Errorf("the policy sees %+v", q)
		}
		return
	}
	t.Error("the policy was not asked")
}

// TestGuestsMisbehaveGathering has a policy fail in the background, where it chooses among many sellers: requests are served,
// reloads and the admin endpoint do not wait for it, and the process ends.
func TestGuestsMisbehaveGathering(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"panic", "exit", "invent", "block"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			g := newGuestStage(t, 0)
			for i := range 20 {
				g.lists = append(g.lists, listing{ID: fmt.Sprint("idle", i), URL: g.good.URL, Models: []any{priced("m")}})
			}
			g.orders(faultIn("gather", order{Fault: fault}))
			g.open(g.policy())
			eventually(t, "it was asked to gather", func() bool { return g.count("gather", "") > 0 })
			g.served("first", "good")
			begun := time.Now()
			if err := g.load(strings.Replace(g.file(), g.policy(), strings.TrimSuffix(g.policy(), "\n")+" again\n", 1)); err != nil {
				t.Fatal(err)
			}
			if status, _ := g.look("/tokenbuddy/status"); status != http.StatusOK {
				t.Errorf("the status: %d", status)
			}
			if took := time.Since(begun); took > patience {
				t.Errorf("a reload took %s", took)
			}
			g.served("second", "good")
			begun = time.Now()
			g.terminate()
			g.endedStuck(begun)
			g.start()
			g.well()
		})
	}
}

// TestGuestsMisbehaveSelected puts a policy over the config's at run time: any that Caddy has, loaded as a config loads it, and
// one that can't be loaded changes nothing.
func TestGuestsMisbehaveSelected(t *testing.T) {
	t.Parallel()
	g := newGuestStage(t, 0)
	g.seller("other", answerPlain, priced("m"))
	g.open("", "")
	put := func(body string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+g.admin+"/tokenbuddy/selection", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	selected := fmt.Sprintf(`{"policy":"misbehaving","args":[%q]}`, g.URL)
	for _, fault := range []string{"error", "panic"} {
		g.orders(faultIn("provision", order{Fault: fault}))
		if status := put(selected); status != http.StatusBadRequest {
			t.Errorf("%s while it is loaded: status %d", fault, status)
		}
		g.served("refused "+fault, "good")
	}
	before := g.count("cleanup policy", "")
	g.orders(faultIn("order", order{Sellers: []string{"other"}}))
	if status := put(selected); status != http.StatusOK {
		t.Fatalf("selected: status %d", status)
	}
	g.served("selected", "other")
	g.stop()
	g.start()
	g.served("after a restart", "other")
	if status := put(`{"policy":"default_first"}`); status != http.StatusOK {
		t.Errorf("another: status %d", status)
	}
	g.served("another", "good")
	eventually(t, "both sites' policies are cleaned up", func() bool { return g.count("cleanup policy", "") >= before+2 })
	g.well()
}

// TestGuestsMisbehaveShutdown ends the process while each call of the guests blocks for ever.
func TestGuestsMisbehaveShutdown(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"check", "prepare", "pay", "track", "order", "cleanup", "cleanup policy"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			g := newGuestStage(t, 1)
			var stuck atomic.Bool
			g.orders(func(c guestCall) order {
				switch {
				case c.Step == step:
					stuck.Store(true)
					return order{Fault: "block"}
				case c.Step == "paid":
					return order{Fault: "pending"}
				}
				return order{}
			})
			g.open(g.body("", g.policy()))
			go func() {
				if res, err := g.send(t.Context(), "/v1/chat/completions", chatBody); err == nil {
					_ = res.Body.Close()
				}
			}()
			eventually(t, "a call is stuck", func() bool { return stuck.Load() || strings.HasPrefix(step, "cleanup") && g.count("paid", "") > 0 })
			begun := time.Now()
			g.terminate()
			g.endedStuck(begun)
			g.orders(nil)
			g.start()
			g.well()
		})
	}
}
