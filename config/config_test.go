package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// The modules that configurations name are registered where they are put together, in the root.
func TestMain(m *testing.M) {
	caddy.RegisterModule(payment.Mock{})
	for _, policy := range routing.Policies {
		caddy.RegisterModule(policy)
	}
	os.Exit(m.Run())
}

func readConfig(t *testing.T, raw string) *Config {
	t.Helper()
	var c Config
	if err := caddy.StrictUnmarshalJSON([]byte(raw), &c); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return &c
}

// with adds members to the smallest configuration that is right.
func with(members string) string {
	return `{"registry":{"url":"https://r.example"},"payments":[{"method":"mock"}],` + members + `}`
}

const member1 = `"members":[{"name":"alice","key":"key-of-a"}]`

func TestCheck(t *testing.T) {
	seller := func(members string) string {
		return `{"payments":[{"method":"mock"}],"sellers":[{"id":"acme","url":"https://a.example",` + members + `}]}`
	}
	for _, test := range []struct{ json, want string }{
		{with(member1), ""},
		{`{}`, "it has nobody to buy from: expected a registry, a seller, or both"},
		{`{"registry":{"url":"https://r.example"}}`, "payment: none is there to buy with: expected at least one, such as payment mock"},
		{`{"registry":{"url":""}}`, "registry url: it is missing"},
		{`{"registry":{"url":"r"}}`, `registry url: "r" is not an http or https URL: expected one such as https://registry.example/sellers.json`},
		{`{"registry":{"url":"https://r.example","refresh":"-1s"}}`, "registry refresh: -1s is out of range: expected at least 1ms and at most a year"},
		{`{"registry":{"url":"https://r.example","refresh":60}}`, "registry refresh: 60ns is out of range: expected at least 1ms and at most a year"},
		{`{"registry":{"url":"https://r.example","timeout":"366d"}}`, "registry timeout: 8784h0m0s is out of range: expected at least 1ms and at most a year"},
		{`{"registry":{"url":"https://r.example","max_size":-1}}`, "registry max_size: -1 bytes is out of range: expected more than 0 and at most 1.0 GiB"},

		{`{"sellers":[null]}`, "seller: it is null"},
		{`{"sellers":[{"id":"acme","url":"https://a.example/api/v1/messages","models":["m"],"api_key":"x"}]}`, `seller acme url: "https://a.example/api/v1/messages" is the address of one API: expected what all of them stand below, such as https://openrouter.ai/api/v1`},
		{`{"sellers":[{"id":"acme","url":"https://a.example/v1beta/openai/chat/completions/?k=hunter2","models":["m"],"api_key":"x"}]}`, `seller acme url: "https://a.example/v1beta/openai/chat/completions/" is the address of one API: expected what all of them stand below, such as https://openrouter.ai/api/v1`},
		{`{"sellers":[{"id":"acme","url":"https://a.example/embeddings","models":["m"],"api_key":"x"}]}`, ""},
		{`{"sellers":[{"id":"","url":"https://a.example"}]}`, `seller  id: "" is not a seller's id: expected 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or a digit`},
		{`{"sellers":[{"id":"acme","url":""}]}`, "seller acme url: it is missing"},
		{`{"sellers":[{"id":"acme","url":"https://a.example","models":["m"]}]}`, "seller acme: it has neither payment (a seller that tokens are bought from) nor api_key (a provider with an account) nor no_key (one that wants none): expected one of them"},
		{`{"payments":[{"method":"mock"}],"sellers":[{"id":"a","url":"https://a.example","models":["m"],"payment":["mock"]},{"id":"a","url":"https://a.example","models":["m"],"payment":["mock"]}]}`, "seller a: it is there twice"},
		{seller(`"payment":["mock"]`), "seller acme: it has no models: expected each model that it serves, after models or after price"},
		{seller(`"payment":["mock"],"models":["m"]`), ""},
		{seller(`"payment":["Acme.Pay"],"models":["m"]`), ""},
		{`{"payments":[{"method":"mock"}],"sellers":[{"id":"a","url":"https://a.example","models":["m"],"payment":["mock"]}],"selection":{"policy":"manual","seller":"a"}}`, ""},
		{`{"payments":[{"method":"mock"}],"sellers":[{"id":"a","url":"https://a.example","models":["m"],"payment":["mock"]}],"selection":{"policy":"manual","seller":"A"}}`, "selection manual: there is no seller A: expected the id of a pinned one, since there is no registry"},
		{with(`"selection":{"policy":"manual","seller":"A"}`), ""},
		{with(`"selection":{"policy":"manual"}`), ""},
		{`{"payments":[{"method":"mock"}],"sellers":[{"id":"a","url":"https://a.example","models":["m"],"payment":["mock"]}],"selection":{"policy":"manual"},"default_seller":"a"}`, ""},
		{seller(`"payment":["mock"],"models":["*"]`), `seller acme models: "*" is a pattern: expected the id of each model that the seller serves`},
		{seller(`"payment":["mock"],"models":["a,b"]`), `seller acme models: "a,b" has a comma in it: expected spaces between models, or in JSON a list of them`},
		{seller(`"payment":["mock"],"prices":[{"model":"m","input":"1","output":"2","web_search":"10","audio_in":"x"}]`), `seller acme price m audio_in: "x" is not an amount in US dollars: write a decimal number with at most six decimals, such as 5 or 0.10`},
		{seller(`"payment":["mock"],"prices":[{"model":"m","web_search":"10"}]`), "seller acme price m: expected a price for input and for output, in US dollars per million tokens"},
		{seller(`"payment":["mock"],"models":["m"],"deadline":"-1s"`), "seller acme deadline: -1s is out of range: expected at least 1ms and at most a year"},
		{seller(`"payment":["mock"],"protocols":["chat"]`), `seller acme protocols: "chat" is not a protocol: expected one of chat_completions, responses, messages, completions, embeddings`},
		{seller(`"payment":["mock"],"models":[""]`), `seller acme models: "" is not a model's id: expected 1 to 256 bytes of text`},
		{seller(`"payment":["mock"],"prices":[null]`), "seller acme price: it is null"},
		{seller(`"payment":["mock"],"prices":[{"model":"m","input":"1"}]`), "seller acme price m: expected a price for input and for output, in US dollars per million tokens"},
		{seller(`"payment":["mock"],"prices":[{"model":"m","input":"1","output":"2","cache_write":"-1"}]`), `seller acme price m cache_write: "-1" is not an amount in US dollars: write a decimal number with at most six decimals, such as 5 or 0.10`},
		{seller(`"payment":["mock"],"models":["n"],"prices":[{"model":"m","input":"1","output":"2"}]`), "seller acme price m: the model is not among the seller's models: expected it there as well, or no models at all"},
		{seller(`"payment":["mock"],"models":["m"],"api_key":"x"`), "seller acme api_key: the seller has payment as well: expected one of the two"},
		{seller(`"models":["m"],"api_key":" "`), "seller acme api_key: the secret is empty"},
		{seller(`"api_key":"x","models":["m"]`), ""},
		{seller(`"api_key":"x","models":["m"],"auth_header":"x-api-key"`), ""},
		{seller(`"models":["m"],"api_key":"x","auth_header":"x api key"`), `seller acme auth_header: "x api key" is not the name of a header`},
		{seller(`"models":["m"],"api_key":"x","auth_header":"authorization"`), ""},
		{seller(`"models":["m"],"api_key":"x","auth_header":"content-length"`), "seller acme auth_header: it is for the gateway to set: expected another"},
		{seller(`"models":["m"],"api_key":"x","auth_header":"X-TokenBuddy-Key"`), "seller acme auth_header: what begins so is between gateway and seller: expected another"},
		{seller(`"payment":["mock"],"models":["m"],"auth_header":"x-api-key"`), "seller acme auth_header: there is no api_key to send in it"},

		{with(`"seller_networks":["10.0.0.1"]`), `seller_networks: "10.0.0.1" is not a network: expected CIDR notation, such as 10.8.0.0/16`},
		{with(`"default_seller":"a/b"`), `default_seller: "a/b" is not a seller's id: expected 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or a digit`},
		{with(`"default_seller":"ab"`), ""},
		{with(`"selection":null`), `selection: expected an object with "policy", the name of a selection policy`},
		{with(`"selection":{"policy":1}`), `selection: expected an object with "policy", the name of a selection policy`},
		{with(`"selection":{"policy":"random"}`), "selection random: this Caddy has no such selection policy built in: expected one of cheapest, default_first, fastest, manual, weighted"},
		{with(`"selection":{"policy":"weighted"}`), ""},
		{with(`"selection":{"policy":"manual","seller":"a"}`), ""},
		{with(`"affinity":0`), ""},
		{with(`"affinity":"-1s"`), "affinity: -1s is out of range: expected at least 1ms and at most a year"},
		{with(`"affinity":"10m"`), ""},
		{with(`"model_aliases":{"a":""}`), `model_alias a: "" is not a model's id: expected 1 to 256 bytes of text`},
		{with(`"model_aliases":{"a":"a"}`), "model_alias a: it stands for itself"},
		{with(`"model_aliases":{"a":"b","b":"c"}`), "model_alias a: b is an alias itself: expected the model that it stands for, c"},
		{`{"registry":{"url":"https://r.example"},"payments":[null]}`, `payment: expected an object with "method", the name of a payment method`},
		{`{"registry":{"url":"https://r.example"},"payments":[{"method":"cash"}]}`, "payment cash: this Caddy has no such payment method built in: expected one of mock"},
		{`{"registry":{"url":"https://r.example"},"payments":[{"method":"mock"},{"method":"mock"}]}`, "payment mock: it is there twice"},

		{with(`"purchase":{"amount":"0.0"}`), `purchase amount: "0.0" is nothing: expected more than 0`},
		{with(`"purchase":{"rebuy_below":"0.0000001"}`), `purchase rebuy_below: "0.0000001" is not an amount in US dollars: write a decimal number with at most six decimals, such as 5 or 0.10`},
		{with(`"purchase":{"seller_limit":"-1"}`), `purchase seller_limit: "-1" is not an amount in US dollars: write a decimal number with at most six decimals, such as 5 or 0.10`},
		{with(`"purchase":{"amount":"0.50","seller_limit":"0.5"}`), ""},
		{with(`"purchase":{"seller_limit":"0.00"}`), ""},
		{`{"sellers":[{"id":"own","url":"https://own.example","api_key":"x","models":["m"]}],"purchase":{"daily_limit":"1","session_limit":"2"}}`, ""},
		{with(`"purchase":{"approve":{}}`), "purchase approve: expected above and an amount in US dollars, or first"},
		{with(`"purchase":{"approve":{"above":"-1"}}`), `purchase approve: "-1" is not an amount in US dollars: write a decimal number with at most six decimals, such as 5 or 0.10`},
		{with(`"purchase":{"approve":{"above":"0","first":true}}`), ""},
		{with(`"purchase":{"expiry_margin":-1}`), "purchase expiry_margin: -1ns is out of range: expected at least 1ms and at most a year"},
		{with(`"prewarm":{}`), ""},
		{with(`"prewarm":{"off":true}`), ""},
		{with(`"prewarm":{"off":true,"models":["a"]}`), "prewarm off: it stands beside other words: expected it alone"},
		{with(`"prewarm":{"jitter_min":"5s"}`), "prewarm jitter: expected both a least and a longest wait"},
		{with(`"failover":{"unstreamed_deadline":"-1s"}`), "failover deadline: -1s is out of range: expected at least 1ms and at most a year"},
		{with(`"failover":{"attempt_deadline":"-1s"}`), "failover deadline: -1s is out of range: expected at least 1ms and at most a year"},
		{with(`"failover":{"max_attempts":-1}`), "failover max_attempts: -1: expected a whole number from 0 to 1000"},
		{with(`"failover":{"retries":-1}`), "failover retries: -1: expected a whole number from 0 to 1000"},
		{with(`"failover":{"retries":0}`), ""},
		{with(`"failover":{"cooldown":1000000}`), ""},

		{with(`"members":[null]`), "member: it is null"},
		{with(`"members":[{"name":"a"}]`), "member a: it has no key, and there is no member_from: nobody could be this member"},
		{with(`"members":[{"name":"a"},{"name":"b"}],"member_from":"{x}"`), ""},
		{with(`"members":[{"name":"a","key":"key-of-a"},{"name":"a","key":"another-key"}]`), "member a: it is there twice"},
		{with(`"members":[{"name":"a","key":"key-of-a"},{"name":"b","key":"key-of-a"}]`), "member b key: member a has the same key"},
		{with(`"members":[{"name":"a","key":"hunter 2 hunter"}]`), "member a key: it is empty, or holds a space or control character, which no client could send"},
		{with(`"members":[{"name":"a","key":"key-of-a","models":[""]}]`), `member a models: "" is not a glob of models: expected 1 to 256 bytes of text, such as gpt-5, openai/* or *`},
		{with(`"members":[{"name":"a","key":"key-of-a","rate":{"requests":1}}]`), "member a rate: expected a number of requests and a time"},
		{with(`"members":[{"name":"a","key":"key-of-a","rate":{"per":"1m"}}]`), "member a rate: 0: expected a whole number from 1 to 1000000"},
		{with(`"members":[{"name":"a","key":"key-of-a","rate":{"requests":1,"per":"1m"},"daily_budget":"1","monthly_budget":"1"}]`), ""},
		{with(`"members":[{"name":"a","key":"key-of-a","daily_budget":"1","monthly_budget":"0.5"}]`), `member a monthly_budget: "0.5" is less than the daily_budget of "1": expected at least as much`},
		{with(`"members":[{"name":"a","key":"key-of-a","models":["gpt-*,claude-*"]}]`), `member a models: "gpt-*,claude-*" has a comma in it: expected spaces between models, or in JSON a list of them`},
		{with(`"member_from":"alice"`), `member_from: "alice" is not a placeholder: expected one such as {http.auth.user.id}`},
		{with(`"ledger":{"store":"sqlite"}`), `ledger: "sqlite" is no store: expected badger`},
		{with(`"ledger":{"dir":"some/where"}`), `ledger: "some/where" depends on where Caddy is started: expected an absolute path`},
		{with(`"ledger":{"key":"\n"}`), "ledger key: the secret is empty"},
		{with(`"heartbeat":"-1s"`), "heartbeat: -1s is out of range: expected at least 1ms and at most a year"},
		{with(`"max_body":10`), "max_body: 10 bytes is too small for any request: expected at least 32 B"},
		{with(`"max_body":268435457`), "max_body: 268435457 bytes is out of range: expected more than 0 and at most 256 MiB"},
	} {
		got := ""
		if err := readConfig(t, test.json).Check(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s\ngot:  %s\nwant: %s", test.json, got, test.want)
		}
	}
}

// noEnvironment takes out of the way what the machine's environment may say.
func noEnvironment(t *testing.T) {
	t.Helper()
	t.Setenv(envDeadline, "")
	t.Setenv(envExpiryMargin, "")
	t.Setenv("XDG_DATA_HOME", "/data")
}

func resolve(t *testing.T, raw string) *Settings {
	t.Helper()
	s, err := readConfig(t, raw).Settings(caddy.NewReplacer())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSettingsDefaults(t *testing.T) {
	noEnvironment(t)
	s := resolve(t, with(`"affinity":0`))
	if got, want := *s.Registry, (routing.RegistryOptions{URL: "https://r.example", Refresh: 60 * time.Second, Timeout: 10 * time.Second, MaxSize: 8 << 20}); got != want {
		t.Errorf("registry %+v, want %+v", got, want)
	}
	if want := (purchase.Terms{
		Amount: 5_000_000, RebuyBelow: 100_000, DailyLimit: 50_000_000, SessionLimit: -1, SellerLimit: -1, ExpiryMargin: time.Minute,
	}); s.Terms != want {
		t.Errorf("terms %+v, want %+v", s.Terms, want)
	}
	if want := (Failover{3 * time.Second, routing.Deadlines{Stream: 30 * time.Second, Unstreamed: 280 * time.Second}, 290 * time.Second, 4, 1, 30 * time.Second}); s.Failover != want {
		t.Errorf("failover %+v, want %+v", s.Failover, want)
	}
	if s.MaxBody != 32<<20 {
		t.Errorf("max_body %d", s.MaxBody)
	}
	if !s.Secrets().Members.Empty() || s.MemberFrom != "" || s.DefaultSeller != "" || s.Networks != nil || s.Pinned != nil {
		t.Errorf("%+v", s)
	}
	if s.LedgerDir != filepath.Join(caddy.AppDataDir(), "tokenbuddy") || s.LedgerKeySecret != "" {
		t.Errorf("ledger %q %q", s.LedgerDir, s.LedgerKeySecret)
	}
}

func TestSettings(t *testing.T) {
	noEnvironment(t)
	t.Setenv("TB_TEST_KEY", "alices-key")
	file := filepath.Join(t.TempDir(), "ledger-key")
	if err := os.WriteFile(file, []byte("ledger-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := resolve(t, `{
		"registry": {"url": "https://r.example", "refresh": "90s", "timeout": "2s", "max_size": 100},
		"sellers": [
			{"id": "a", "url": "https://A.example:443/llm/", "payment": ["x", "mock"], "protocols": ["messages"], "models": ["m", "n"],
			 "deadline": "7s", "prices": [{"model": "n", "input": "1.25", "output": "10", "cached_input": "0", "audio_in": "0", "web_search": "10"}]},
			{"id": "b", "url": "http://127.0.0.1:9", "payment": ["mock"],
			 "prices": [{"model": "p", "input": "1", "output": "2", "cached_input": "3", "cache_write": "4"}, {"model": "o", "input": "0", "output": "0"}]}
		],
		"seller_networks": ["10.1.2.3/8", "::ffff:192.168.0.0/112"],
		"default_seller": "b", "model_aliases": {"x": "y"}, "payments": [{"method": "mock"}],
		"purchase": {"amount": "2.5", "rebuy_below": "0", "expiry_margin": 0, "daily_limit": "0", "session_limit": "0", "seller_limit": "0", "approve": {"above": "2.50", "first": true}},
		"failover": {"connect": "1s", "deadline": "2s", "unstreamed_deadline": "3s", "attempt_deadline": "5s", "idle_timeout": "4s", "max_attempts": 5},
		"members": [{"name": "alice", "key": "{env.TB_TEST_KEY}", "models": ["m*"]}], "member_from": "{http.auth.user.id}",
		"ledger": {"dir": "/some/where", "key": "{file.`+file+`}"}, "max_body": 7000}`)
	if got, want := *s.Registry, (routing.RegistryOptions{URL: "https://r.example", Refresh: 90 * time.Second, Timeout: 2 * time.Second, MaxSize: 100}); got != want {
		t.Errorf("registry %+v, want %+v", got, want)
	}
	if want := (purchase.Terms{Amount: 2_500_000, ApproveFrom: 2_500_001, ApproveFirst: true}); s.Terms != want {
		t.Errorf("terms %+v, want %+v", s.Terms, want)
	}
	if want := (Failover{time.Second, routing.Deadlines{Stream: 2 * time.Second, Unstreamed: 3 * time.Second, Attempt: 5 * time.Second}, 4 * time.Second, 5, 1, 30 * time.Second}); s.Failover != want {
		t.Errorf("failover %+v, want %+v", s.Failover, want)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.0.0/16")}; !slices.Equal(s.Networks, want) {
		t.Errorf("networks %v, want %v", s.Networks, want)
	}
	if s.DefaultSeller != "b" || s.Aliases["x"] != "y" || s.MemberFrom != "{http.auth.user.id}" || s.MaxBody != 7000 {
		t.Errorf("%+v", s)
	}
	if s.LedgerDir != "/some/where" || s.LedgerKeySecret != "ledger-secret" {
		t.Errorf("ledger %q %q", s.LedgerDir, s.LedgerKeySecret)
	}
	if m, ok := s.Secrets().Members.ByKey(map[string][]string{"X-Api-Key": {"alices-key"}}); !ok || m.Name != "alice" || m.Allows("x") || !m.Allows("m1") {
		t.Error("alice is not there with her key and models")
	}

	if at := s.DeadlinesAt("a"); at != (routing.Deadlines{Stream: 7 * time.Second, Unstreamed: 7 * time.Second, Attempt: 5 * time.Second}) {
		t.Errorf("deadlines of a: %+v", at)
	}
	if at := s.DeadlinesAt("b"); at != s.Failover.Deadlines {
		t.Errorf("deadlines of b: %+v", at)
	}
	if len(s.Pinned) != 2 {
		t.Fatalf("%d pinned sellers", len(s.Pinned))
	}
	a, b := s.Pinned[0], s.Pinned[1]
	if a.ID != "a" || !a.Pinned || a.BaseURL != "https://a.example/llm" || !slices.Equal(a.Methods, []string{"x", "mock"}) ||
		!a.Protocols.Has(dialect.Messages) || a.Protocols.Has(dialect.ChatCompletions) {
		t.Errorf("seller a: %+v", a)
	}
	if len(a.Models) != 2 || a.Models[0].ID != "m" || *a.Models[0].Price != money.NoPrice || a.Models[1].ID != "n" ||
		*a.Models[1].Price != (money.Price{Input: 1_250_000, Output: 10_000_000, CacheRead: 0, CacheWrite: money.Unknown, AudioIn: money.At(0), WebSearch: money.At(10_000_000)}) {
		t.Errorf("models of a: %+v", a.Models)
	}
	if !b.Protocols.Has(dialect.Embeddings) || len(b.Models) != 2 || b.Models[0].ID != "p" || b.Models[1].ID != "o" ||
		*b.Models[0].Price != (money.Price{Input: 1_000_000, Output: 2_000_000, CacheRead: 3_000_000, CacheWrite: 4_000_000}) {
		t.Errorf("seller b: %+v", b)
	}
}

func TestSettingsEnvironment(t *testing.T) {
	for _, test := range []struct {
		name, deadline, margin, json string
		stream, unstreamed, each     time.Duration
		expiry                       time.Duration
		err                          string
	}{
		{"none", "", "", `"affinity":0`, 30 * time.Second, 280 * time.Second, 0, time.Minute, ""},
		{"both", "1500", "250", `"affinity":0`, 1500 * time.Millisecond, 280 * time.Second, 1500 * time.Millisecond, 250 * time.Millisecond, ""},
		{"no margin", "", "0", `"affinity":0`, 30 * time.Second, 280 * time.Second, 0, 0, ""},
		{
			"subdirectives are stronger", "1500", "250", `"failover":{"deadline":"2s"},"purchase":{"expiry_margin":"3s"}`,
			2 * time.Second, 2 * time.Second, 0, 3 * time.Second, "",
		},
		{
			"one of the two", "1500", "", `"failover":{"unstreamed_deadline":"9s"}`,
			1500 * time.Millisecond, 9 * time.Second, 1500 * time.Millisecond, time.Minute, "",
		},
		{
			"only the second", "", "", `"failover":{"unstreamed_deadline":"9s"}`,
			30 * time.Second, 9 * time.Second, 0, time.Minute, "",
		},
		{"malformed where it does not count", "x", "x", `"failover":{"deadline":"2s"},"purchase":{"expiry_margin":"3s"}`, 2 * time.Second, 2 * time.Second, 0, 3 * time.Second, ""},
		{"malformed deadline", "30s", "", `"affinity":0`, 0, 0, 0, 0, `failover deadline: environment variable TB_PROXYD_REQUEST_DEADLINE_MS: "30s" is not a time: expected whole milliseconds from 1 to 31536000000`},
		{"no time", "0", "", `"affinity":0`, 0, 0, 0, 0, `failover deadline: environment variable TB_PROXYD_REQUEST_DEADLINE_MS: "0" is not a time: expected whole milliseconds from 1 to 31536000000`},
		{"malformed margin", "", "-1", `"affinity":0`, 0, 0, 0, 0, `purchase expiry_margin: environment variable TB_PROXYD_TOKEN_EXPIRY_SAFETY_MARGIN_MS: "-1" is not a time: expected whole milliseconds from 0 to 31536000000`},
	} {
		t.Run(test.name, func(t *testing.T) {
			noEnvironment(t)
			t.Setenv(envDeadline, test.deadline)
			t.Setenv(envExpiryMargin, test.margin)
			s, err := readConfig(t, with(test.json)).Settings(caddy.NewReplacer())
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("got:  %v\nwant: %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Failover.Deadlines.Stream != test.stream || s.Failover.Deadlines.Unstreamed != test.unstreamed ||
				s.Failover.Deadlines.Each != test.each || s.Terms.ExpiryMargin != test.expiry {
				t.Errorf("deadlines %s and %s, expiry margin %s", s.Failover.Deadlines.Stream, s.Failover.Deadlines.Unstreamed, s.Terms.ExpiryMargin)
			}
		})
	}
}

// The key of an account is a bearer token where it stands in Authorization, whether that is said or not.
func TestAccountHeader(t *testing.T) {
	for said, want := range map[string]Account{
		``:                               {Header: "Authorization", Value: "Bearer sk-ours"},
		`,"auth_header":"authorization"`: {Header: "Authorization", Value: "Bearer sk-ours"},
		`,"auth_header":"x-api-key"`:     {Header: "x-api-key", Value: "sk-ours"},
	} {
		s := resolve(t, `{"sellers":[{"id":"own","url":"https://own.example","models":["m"],"api_key":"sk-ours"`+said+`}]}`)
		if got := s.Secrets().Accounts["own"]; !reflect.DeepEqual(got, want) || got.Secrets()[0] != "sk-ours" {
			t.Errorf("%s: %+v, want %+v", said, got, want)
		}
	}
}

func TestSettingsSecrets(t *testing.T) {
	noEnvironment(t)
	t.Setenv("TB_TEST_EMPTY", "")
	t.Setenv("TB_TEST_BLANK", " \n")
	t.Setenv("TB_TEST_KEY", "hunter2hunter2")
	t.Setenv("TB_TEST_SPACED", "hunter 2 hunter")
	t.Setenv("TB_TEST_BAD_HASH", "sha256:hunter2")
	for _, test := range []struct{ json, want string }{
		{`"members":[{"name":"a","key":"{env.TB_TEST_EMPTY}"}]`, "member a key: placeholder {env.TB_TEST_EMPTY} is empty: set the environment variable, or write the file, that it names"},
		{`"members":[{"name":"a","key":"{file./nowhere/at/all}"}]`, "member a key: placeholder {file./nowhere/at/all} is empty: set the environment variable, or write the file, that it names"},
		{`"members":[{"name":"a","key":"{env.TB_TEST_BLANK}"}]`, "member a key: the secret is empty"},
		{`"members":[{"name":"a","key":"{env.TB_TEST_SPACED}"}]`, "member a key: it is empty, or holds a space or control character, which no client could send"},
		{`"members":[{"name":"a","key":"{env.TB_TEST_BAD_HASH}"}]`, "member a key: expected sha256: and the 64 hexadecimal digits of the key's SHA-256"},
		{`"members":[{"name":"a","key":"pass{hunter2}word"}]`, "member a key: it has a placeholder that is not known here: expected one such as {env.NAME} or {file./run/secrets/name}"},
		{`"members":[{"name":"a","key":"hunter2hunter2"},{"name":"b","key":"{env.TB_TEST_KEY}"}]`, "member b key: member a has the same key"},
		{`"ledger":{"key":"{env.TB_TEST_EMPTY}"}`, "ledger key: placeholder {env.TB_TEST_EMPTY} is empty: set the environment variable, or write the file, that it names"},
	} {
		_, err := readConfig(t, with(test.json)).Settings(caddy.NewReplacer())
		if err == nil || err.Error() != test.want {
			t.Errorf("%s\ngot:  %v\nwant: %s", test.json, err, test.want)
		}
	}
}

// TestConfigDocumented: each exported field of the configuration has a comment; the fields are the public reference.
func TestConfigDocumented(t *testing.T) {
	var lines []string
	for _, file := range []string{"config.go", "price.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(source), "\n")...)
	}
	for _, kind := range []any{
		Config{},
		RegistryConfig{},
		SellerConfig{},
		PriceConfig{},
		TermsPriceConfig{},
		PurchaseConfig{},
		PrewarmConfig{},
		FailoverConfig{},
		MemberConfig{},
		KeyConfig{},
		GroupConfig{},
		BudgetsConfig{},
		RateConfig{},
		LedgerConfig{},
	} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(kind)) {
			if field.Name == "JitterMax" || field.Anonymous {
				continue // shares JitterMin's; its own fields are visible
			}
			found := slices.ContainsFunc(lines[1:], func(line string) bool { return strings.HasPrefix(line, "\t"+field.Name+" ") })
			bare := false
			for i, line := range lines[1:] {
				bare = bare || strings.HasPrefix(line, "\t"+field.Name+" ") && !strings.HasPrefix(lines[i], "\t// ")
			}
			if !found || bare {
				t.Errorf("%T.%s has no comment", kind, field.Name)
			}
		}
	}
}

// TestReread: what is written to a file acts, and what would be refused at a start changes nothing.
func TestReread(t *testing.T) {
	noEnvironment(t)
	file := filepath.Join(t.TempDir(), "key")
	write := func(secret string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("key-of-a-1")
	s := resolve(t, with(`"members":[{"name":"a","key":"{file.`+file+`}","keys":[{"key":"key-of-a-0","until":"2020-01-01T00:00:00Z"}]},{"name":"b","key":"key-of-b"}]`))
	if !s.Watched() {
		t.Error("a file is not watched")
	}
	for _, step := range []struct {
		secret  string
		good    string // the key of a by now
		changed bool
		fault   string
	}{
		{"key-of-a-1\n", "key-of-a-1", false, ""},
		{"key-of-a-2\n", "key-of-a-2", true, ""},
		{"", "key-of-a-2", false, "member a key: placeholder {file." + file + "} is empty: set the environment variable, or write the file, that it names"},
		{"key-of-b", "key-of-a-2", false, "member b key: member a has the same key"},
		{"key-of-a-3", "key-of-a-3", true, ""},
	} {
		write(step.secret)
		changed, err := s.Reread()
		if said := ""; err != nil {
			if said = err.Error(); said != step.fault {
				t.Errorf("%q: %s", step.secret, said)
			}
		} else if step.fault != "" {
			t.Errorf("%q: no error", step.secret)
		}
		if changed != step.changed {
			t.Errorf("%q: changed is %t", step.secret, changed)
		}
		for _, key := range []string{"key-of-a-0", "key-of-a-1", "key-of-a-2", "key-of-a-3"} {
			if _, ok := s.Secrets().Members.ByKey(map[string][]string{"X-Api-Key": {key}}); ok != (key == step.good) {
				t.Errorf("after %q, %s is good: %t", step.secret, key, ok)
			}
		}
	}
}
