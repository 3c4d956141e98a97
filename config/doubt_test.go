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
		{
			`"registry":{"url":"https://r.example"},"payments":[{"method":"mock","name":"account"}]`,
			"payment account: what it pays is booked in wallet:account",
		},
		{
			`"sellers":[{"id":"a","url":"https://a.example","no_key":true,"models_from":"/v1/models","prices":[{"model":"*","input":"1","output":"2"},{"model":"m","input":"1","output":"2"}]}]`,
			"seller a price *: it is the price of a model of that very name, and of no other",
		},
		{registry + `"model_aliases":{"gpt-*":"m"}`, "model_alias gpt-*: it stands for requests of that very name, and of no other"},
		{registry + `"members":[{"name":"ada","key":"SHA256:` + strings.Repeat("aB", 32) + `"}]`, "member ada key: it is the key itself, and not the hash of one"},
		{registry + `"members":[{"name":"ada","key":"key-of-a"},{"name":"bob","keys":[{"key":"key-of-bob"},{"key":"k1"}]}]`, "member bob key: it is shorter than 8 characters"},
		{registry + `"members":[{"name":"ada","keys":[{"key":"key-of-ada"},{"key":"sha256=` + strings.Repeat("ab", 32) + `"}]}]`, "member ada key: it is the key itself"},
		{registry + `"members":[{"name":"ada","key":"sha256:` + strings.Repeat("aB", 32) + `"},{"name":"bob","key":"` + strings.Repeat("ab", 32) + `"}]`, ""},
		{
			`"registry":{"url":"https://r.example/{env.TB_TEST_TOKEN}/s.json"},"payments":[{"method":"mock"}]`,
			"registry url: {env.TB_TEST_TOKEN} is not resolved there",
		},
		{
			`"sellers":[{"id":"a","url":"https://a.example/v1?key={file./run/secrets/a}","no_key":true,"models":["{env.M}"]}]`,
			"seller a url: {file./run/secrets/a} is not resolved\nseller a models: {env.M} is not resolved",
		},
		{
			`"sellers":[{"id":"a","url":"https://a.example","no_key":true,"prices":[{"model":"{env.M}","input":"1","output":"2"}],"names":{"n":"{env.N}"}}]`,
			"seller a price {env.M}: {env.M} is not resolved\nseller a model n: {env.N} is not resolved",
		},
		{
			registry + `"model_aliases":{"best":"{env.BEST}"},"prewarm":{"models":["{env.BEST}"]},"members":[{"name":"{env.ADA}","key":"key-of-ada","models":["{env.GLOB}"]}],` +
				`"groups":[{"name":"{env.TEAM}","members":["{env.ADA}"]}]`,
			"model_alias best: {env.BEST}\nprewarm models: {env.BEST}\nmember {env.ADA} name: {env.ADA}\nmember {env.ADA} models: {env.GLOB}\ngroup {env.TEAM} name: {env.TEAM}\n" +
				"group {env.TEAM} members: {env.ADA}",
		},
		{registry + `"member_from":"{http.auth.user.id}","member_default":{"models":["{env.GLOB}"]}`, "member_default models: {env.GLOB}"},
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
