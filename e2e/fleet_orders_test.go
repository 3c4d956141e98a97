package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// TestFleetOrders gives orders to one gateway: they hold at the others within seconds, and over a restart. With the store away what is
// known holds, and orders are refused.
func TestFleetOrders(t *testing.T) {
	t.Parallel()
	acme, bolt := newSeller(t, "acme", answerPlain), newSeller(t, "bolt", answerPlain)
	f := newFleet(t, 2, []*fakeSeller{acme, bolt}, "", "\t\tmember known {\n\t\t\tkey key-of-known\n\t\t}\n")
	one, two := f.gateways[0], f.gateways[1]
	status := func(gateway int, key string, want int) func() bool {
		return func() bool {
			status, _, _ := f.ask(gateway, key)
			return status == want
		}
	}
	key := strings.Fields(one.members("add", "ada", "--daily-budget", "5"))
	ada := key[slices.IndexFunc(key, func(word string) bool { return strings.HasPrefix(word, "tb-") })]
	if !status(0, ada, http.StatusOK)() {
		t.Error("the key does not open where it was made")
	}
	eventually(t, "the key opens at the other gateway", status(1, ada, http.StatusOK))
	two.members("disable", "ada")
	eventually(t, "the member is disabled at the first", status(0, ada, http.StatusUnauthorized))

	two.good("sellers", "pause", "acme", "--address", two.admin)
	eventually(t, "the seller is paused at the first", func() bool {
		return slices.Contains(one.orders(), "pause acme")
	})
	asked := len(acme.inferences())
	if !status(0, "key-of-known", http.StatusOK)() || len(acme.inferences()) != asked {
		t.Error("a seller that was paused at the other gateway was asked")
	}

	f.pg.Stop(t)
	two.noMembers("away", "enable", "ada")
	two.stop()
	f.pg.Restart(t)
	one.members("enable", "ada")
	two.start()
	eventually(t, "what was said while it was away", status(1, ada, http.StatusOK))
	if !slices.Contains(two.orders(), "enable ada") {
		t.Errorf("the other gateway's books have %q", two.orders())
	}
	for _, c := range f.gateways {
		c.verify()
	}
}

// TestFleetResponses goes on from a response at another gateway than the one that it was made at, at once.
func TestFleetResponses(t *testing.T) {
	t.Parallel()
	var made atomic.Int64
	makes := func(name string) *fakeSeller {
		return newSeller(t, name, func(w http.ResponseWriter, r *http.Request, body []byte) {
			sayJSON(200, strings.Replace(speeches[1].plain("Hi"), `"id":"r"`, fmt.Sprintf(`"id":"resp_%s_%d"`, name, made.Add(1)), 1))(w, r, body)
		})
	}
	f := newFleet(t, 2, []*fakeSeller{makes("acme"), makes("bolt")}, "", "\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t}\n")
	ask := func(gateway int, previous string) (status int, id string) {
		t.Helper()
		body := `{"model":"m","input":"Hello"` + previous + `}`
		res, out := f.gateways[gateway].post("/v1/responses", body, "Authorization", "Bearer key-of-ada")
		_, after, _ := strings.Cut(string(out), `"id":"`)
		id, _, _ = strings.Cut(after, `"`)
		return res.StatusCode, id
	}
	if status, _ := ask(1, `,"previous_response_id":"resp_unknown"`); status != http.StatusNotFound {
		t.Errorf("status %d of what nobody has made", status)
	}
	for range 10 {
		status, id := ask(0, "")
		if status != http.StatusOK || id == "" {
			t.Fatalf("status %d, id %q", status, id)
		}
		status, next := ask(1, `,"previous_response_id":"`+id+`"`)
		if status != http.StatusOK || !strings.HasPrefix(next, strings.Join(strings.Split(id, "_")[:2], "_")) {
			t.Errorf("what goes on from %s at the other gateway gets status %d, id %q", id, status, next)
		}
	}
	f.pg.Stop(t) // nobody can say now that another gateway has not made it
	if status, _ := ask(1, `,"previous_response_id":"resp_unknown"`); status != http.StatusServiceUnavailable {
		t.Errorf("status %d of what nobody is known to have made, with the store away", status)
	}
	f.pg.Restart(t)
	eventually(t, "the store says that nobody has made it", func() bool {
		status, _ := ask(1, `,"previous_response_id":"resp_unknown"`)
		return status == http.StatusNotFound
	})
}
