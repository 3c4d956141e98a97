package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// What is seldom meant is taken, and told of: an operator may want it so.
func TestDoubts(t *testing.T) {
	const (
		registry = `"registry":{"url":"https://registry.example/sellers.json"},"payments":[{"method":"mock"}],`
		pinned   = `"sellers":[{"id":"a","url":"https://a.example","models":["m"],"payment":["mock"]}],"payments":[{"method":"mock"}],`
		account  = `"sellers":[{"id":"a","url":"https://a.example","models":["m"],"api_key":"sk-ours-of-a"}],`
	)
	for _, test := range []struct{ config, want string }{
		{registry + `"purchase":{"daily_limit":"4.99"}`, "purchase daily_limit: 4.99 is less than the amount of one purchase, 5.00"},
		{pinned + `"purchase":{"amount":"10","session_limit":"9"}`, "purchase session_limit: 9.00 is less than the amount of one purchase, 10.00"},
		{registry + `"purchase":{"seller_limit":"1","daily_limit":"2"}`, "purchase daily_limit: 2.00 is less than the amount of one purchase, 5.00\npurchase seller_limit: 1.00 is less"},
		{registry + `"purchase":{"amount":"0.50","seller_limit":"0.5"}`, ""},
		{registry + `"purchase":{"daily_limit":"0"}`, ""},
		{account + `"purchase":{"daily_limit":"1"}`, ""},
		{registry + `"selection":{"policy":"manual","seller":"A"},"exclude":["A"]`, "selection manual: the seller A stands in exclude"},
		{registry + `"selection":{"policy":"manual","seller":"B"},"exclude":["A"]`, ""},
		{registry + `"selection":{"policy":"manual"}`, ""},
		{pinned + `"selection":{"policy":"manual"}`, "selection manual: it keeps to nobody"},
		{pinned + `"selection":{"policy":"manual"},"default_seller":"a"`, ""},
		{pinned + `"selection":{"policy":"cheapest"}`, ""},
		{pinned + `"affinity":0`, ""},
	} {
		c := new(Config)
		if err := json.Unmarshal([]byte("{"+test.config+"}"), c); err != nil {
			t.Fatal(err)
		}
		settings, err := c.Settings(caddy.NewReplacer())
		if err != nil {
			t.Errorf("%s: %v", test.config, err)
			continue
		}
		var said []string
		for _, d := range c.Doubts(settings) {
			said = append(said, d.Word+": "+d.Hint)
		}
		for i, want := range strings.Split(test.want, "\n") {
			if want == "" && len(said) > 0 || want != "" && (i >= len(said) || !strings.HasPrefix(said[i], want)) {
				t.Errorf("%s: %q, want %q", test.config, said, test.want)
			}
		}
	}
}
