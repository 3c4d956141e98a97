package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
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

// TestConfigDocumented: each exported field of the configuration has a comment; the fields are the public reference.
func TestConfigDocumented(t *testing.T) {
	var lines []string
	for _, file := range []string{"config.go", "price.go", "purchase.go", "prewarm.go", "failover.go", "fleet.go", "ledger.go"} {
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
		ApproveConfig{},
		PrewarmConfig{},
		FailoverConfig{},
		MemberConfig{},
		KeyConfig{},
		GroupConfig{},
		BudgetsConfig{},
		RateConfig{},
		LedgerConfig{},
		FleetConfig{},
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
