package seller

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// TestAdapt adapts testdata/*.txt: a Caddyfile, a line of dashes, and the JSON it stands for.
func TestAdapt(t *testing.T) {
	t.Setenv("STATE_DIR", t.TempDir())
	t.Setenv("UPSTREAM_KEY", "sk-of-the-seller")
	files, err := os.ReadDir("testdata")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			file, want, ok := strings.Cut(string(data), "----------\n")
			if !ok {
				t.Fatal("no line of ten dashes")
			}
			got, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(file), map[string]any{"filename": "Caddyfile"})
			if err != nil || len(warnings) != 0 {
				t.Fatalf("%v %v", warnings, err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, got, "", "\t"); err != nil {
				t.Fatal(err)
			}
			if pretty.String() != strings.TrimSpace(want) {
				t.Errorf("got:\n%s", pretty.String())
			}
			var cfg *caddy.Config
			if err := json.Unmarshal(got, &cfg); err != nil {
				t.Fatal(err)
			}
			if err := caddy.Validate(cfg); err != nil {
				t.Error(err)
			}
			if left, _ := os.ReadDir(os.Getenv("STATE_DIR")); len(left) != 0 {
				t.Errorf("validating wrote %v", left)
			}
		})
	}
}

func TestCaddyfileErrors(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{"tokenbuddy_seller", "expected the seller's id, at Caddyfile:2"},
		{"tokenbuddy_seller -x", `id "-x": expected 1 to 64 letters`},
		{"tokenbuddy_seller x y", `unexpected "y", expected nothing after the id, at Caddyfile:2`},
		{"tokenbuddy_seller x {\nprize 1\n}", `unknown word "prize", expected one of max_credit, model, name, pace,`},
		{"tokenbuddy_seller x {\npace 1s\npace 2s\n}", "pace stands here a second time, expected it once, at Caddyfile:4"},
		{"tokenbuddy_seller x {\nname\n}", "name: expected a text, at Caddyfile:3"},
		{"tokenbuddy_seller x {\nname a b\n}", `name: unexpected "b", expected one argument, at Caddyfile:3`},
		{"tokenbuddy_seller x {\nurl ftp://x\n}", "url: expected an http or https URL"},
		{"tokenbuddy_seller x {\nurl https://me:pw@x\n}", "url: expected an http or https URL"},
		{"tokenbuddy_seller x {\nmodel\n}", "model: got 0 arguments, expected <id>"},
		{"tokenbuddy_seller x {\nmodel a 1\n}", "model: got 2 arguments, expected <id>"},
		{"tokenbuddy_seller x {\nmodel a 1 2 3 4 5\n}", "model: got 6 arguments, expected <id>"},
		{"tokenbuddy_seller x {\nmodel a 1 -2\n}", `model a: "-2" is not an amount`},
		{"tokenbuddy_seller x {\nmodel a 1 2\nmodel b {\nalias a\n}\n}", `model "a" is named twice: expected`},
		{"tokenbuddy_seller x {\nmodel a {\nname b\n}\n}", `model a: unknown word "name", expected alias, at Caddyfile:4`},
		{"tokenbuddy_seller x {\nmodel a {\nalias\n}\n}", "alias: expected at least one model id, at Caddyfile:4"},
		{"tokenbuddy_seller x {\ntoken_ttl soon\n}", `token_ttl: "soon" is no duration, expected`},
		{"tokenbuddy_seller x {\ntoken_ttl 0s\n}", "token_ttl 0s: expected a duration from 1s to"},
		{"tokenbuddy_seller x {\nmax_credit 0\n}", "max_credit: expected more than 0"},
		{"tokenbuddy_seller x {\nmax_credit 1e3\n}", `"1e3" is not an amount`},
		{"tokenbuddy_seller x {\npace 1m\n}", "pace 1m0s: expected a duration from 0s to 10s, at Caddyfile:3"},
		{"tokenbuddy_seller x {\nsettlement loud\n}", `settlement "loud": expected one of ["event" "header" "both" "none"]`},
		{"tokenbuddy_seller x {\nsettlement_at\n}", "settlement_at: expected start, middle, end, or late"},
		{"tokenbuddy_seller x {\nsettlement_at top\n}", `settlement_at "top": expected one of`},
		{"tokenbuddy_seller x {\nsettlement_at late\n}", "late: expected a duration, at Caddyfile:3"},
		{"tokenbuddy_seller x {\nsettlement_at end 5s\n}", `settlement_at: unexpected "5s", expected nothing after end`},
		{"tokenbuddy_seller x {\npayment\n}", "payment: expected at least one method"},
		{"tokenbuddy_seller x {\npayment card\n}", `payment "card": expected one of ["clawtip" "mock" "receipt" "unruly" "x402"]`},
		{"tokenbuddy_seller x {\npayment mock mock\n}", `payment: "mock" stands here twice, expected it once`},
		{"tokenbuddy_seller x {\npayment any card\n}", "payment any: expected any <name> insecurely"},
		{"tokenbuddy_seller x {\npayment any Card! insecurely\n}", "payment any: expected the name of a payment method"},
		{"tokenbuddy_seller x {\npayment any mock insecurely\n}", "that is not mock"},
		{"tokenbuddy_seller x {\npayment any card insecurely\npayment any card insecurely\n}", `payment: "card" stands here twice`},
		{"tokenbuddy_seller x {\nstate\n}", "state: expected a file, at Caddyfile:3"},
		{"tokenbuddy_seller x {\nstate {\n}\n}", "state: expected a file, at Caddyfile:3"},
		{"tokenbuddy_seller x {\nupstream\n}", "upstream: got 0 arguments, expected <url>, at Caddyfile:3"},
		{"tokenbuddy_seller x {\nupstream ftp://x {\nno_key\n}\n}", "url: expected an http or https URL without user info"},
		{"tokenbuddy_seller x {\nupstream http://x/v1/chat/completions {\nno_key\n}\n}", "url: it is the address of one API, expected what all of them stand below"},
		{"tokenbuddy_seller x {\nupstream http://x\n}", "upstream: neither api_key nor no_key: expected"},
		{"tokenbuddy_seller x {\nupstream http://x {\nno_key\n}\n}", "upstream: price is missing: what has no price is not sold"},
		{"tokenbuddy_seller x {\nupstream http://x {\nkey x\n}\n}", `upstream: unknown word "key", expected one of api_key, auth_header,`},
		{"tokenbuddy_seller x {\nupstream http://x {\nno_key\nno_key\n}\n}", "upstream: no_key stands here a second time, expected it once, at Caddyfile:5"},
		{"tokenbuddy_seller x {\nupstream http://x {\nno_key please\n}\n}", `no_key: unexpected "please", expected nothing after it, at Caddyfile:4`},
		{"tokenbuddy_seller x {\nupstream http://x {\nno_key\napi_key k\nprice a 1 2\n}\n}", "upstream: both api_key and no_key: expected one of them"},
		{"tokenbuddy_seller x {\nupstream http://x {\nno_key\nauth_header x-api-key\nprice a 1 2\n}\n}", "auth_header: goes with api_key"},
		{"tokenbuddy_seller x {\nupstream http://x {\napi_key k\nauth_header content-length\nprice a 1 2\n}\n}", "auth_header: header content-length: it is not for the config to set"},
		{"tokenbuddy_seller x {\nupstream http://x {\napi_key k\nauth_header x-api-key\nheader X-Api-Key v\nprice a 1 2\n}\n}", "header X-Api-Key: the key is sent in it"},
		{"tokenbuddy_seller x {\nupstream http://x {\nheader authorization x\n}\n}", "header Authorization: expected the key as api_key"},
		{"tokenbuddy_seller x {\nupstream http://x {\nheader connection x\n}\n}", "header connection: it is not for the config to set"},
		{"tokenbuddy_seller x {\nupstream http://x {\nheader x-a 1\nheader X-A 2\n}\n}", "header X-A stands here a second time"},
		{"tokenbuddy_seller x {\nupstream http://x {\npath_prefix v1beta\n}\n}", `path_prefix "v1beta": expected a path that begins with /`},
		{"tokenbuddy_seller x {\nupstream http://x {\nprotocols smtp\n}\n}", `protocols "smtp": expected one of ["chat_completions"`},
		{"tokenbuddy_seller x {\nupstream http://x {\nmodels from\n}\n}", "models from: expected <path>"},
		{"tokenbuddy_seller x {\nupstream http://x {\nmodel a is b\n}\n}", "model: expected <id> as <theirs>"},
		{"tokenbuddy_seller x {\nupstream http://x {\nprice a 1\n}\n}", "price: got 2 arguments, expected <model> <input> <output>"},
		{"tokenbuddy_seller x {\nupstream http://x {\nprice a 1 much\n}\n}", `price a: "much" is not an amount`},
		{"tokenbuddy_seller x {\nupstream http://x {\nprice a 1 2\nprice a 1 2\n}\n}", "price a stands here a second time, expected it once, at Caddyfile:5"},
		{"tokenbuddy_seller x {\nupstream http://x {\nno_key\nmodels a b\nprice a 1 2\n}\n}", `models: "b" has no price: expected price b <input> <output>`},
		{"tokenbuddy_seller x {\nupstream http://x {\nno_key\nmodels a\nprice a 1 2\nprice b 1 2\n}\n}", `price: "b" is not among the models`},
		{"tokenbuddy_seller x {\nupstream http://x {\nno_key\nmodel a as b\nprice b 1 2\n}\n}", `model "a" has no price: expected price a`},
		{"tokenbuddy_seller x {\nmodel a 1 2\nupstream http://x {\nno_key\nprice a 1 2\n}\n}", "model: it is the toy's, and goes with no upstream"},
		{"tokenbuddy_seller x {\nupstream http://x {\nno_key\nprice a 1 2\n}\npace 1s\n}", "pace: it is the toy's, and goes with no upstream"},
	} {
		_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("http://x {\n"+c.lines+"\n}\n"), map[string]any{"filename": "Caddyfile"})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%q:\ngot  %v\nwant %s", c.lines, err, c.want)
		}
	}
}

// TestConfigErrors are those that only JSON or a placeholder can bring.
func TestConfigErrors(t *testing.T) {
	t.Setenv("BAD_URL", "ftp://x")
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	for _, c := range []struct{ config, want string }{
		{`{}`, "id"},
		{`{"id":"x","models":[]}`, "models: an empty list"},
		{`{"id":"x","payment":[]}`, "payment: an empty list"},
		{`{"id":"x","payment":["card"]}`, "payment"},
		{`{"id":"x","payment_any_insecurely":["mock"]}`, "payment any"},
		{`{"id":"x","models":[{"id":"a","input_price_micros_per_1m":1}]}`, "expected an input and an output price"},
		{`{"id":"x","models":[{"id":"a","cache_read_price_micros_per_1m":1}]}`, "a cache price without"},
		{`{"id":"x","models":[{"id":"a","input_price_micros_per_1m":-1,"output_price_micros_per_1m":1}]}`, "expected prices from 0"},
		{`{"id":"x","models":[{"id":"a"},{"id":"b","aliases":["a"]}]}`, "named twice"},
		{`{"id":"x","max_credit_micros":-1}`, "max_credit"},
		{`{"id":"x","settlement_at":"late"}`, "settlement_delay"},
		{`{"id":"x","settlement_delay":5}`, "settlement_delay"},
		{`{"id":"x","url":"{env.BAD_URL}"}`, "url"},
		{`{"id":"x","state":"{env.NOT_SET}"}`, "state: a placeholder"},
		{`{"id":"x","upstream":{}}`, "upstream: url: expected the upstream's base URL"},
		{`{"id":"x","upstream":{"url":"{env.BAD_URL}","no_key":true,"prices":[{"model":"a","input_price_micros_per_1m":1,"output_price_micros_per_1m":1}]}}`, "upstream: url: expected an http or https URL"},
		{`{"id":"x","upstream":{"url":"http://x","api_key":"{env.NOT_SET}","prices":[{"model":"a","input_price_micros_per_1m":1,"output_price_micros_per_1m":1}]}}`, "upstream: api_key: a placeholder is unknown"},
		{`{"id":"x","upstream":{"url":"http://x","no_key":true,"prices":[{"model":"a","input_price_micros_per_1m":-1,"output_price_micros_per_1m":1}]}}`, "expected prices from 0"},
		{`{"id":"x","upstream":{"url":"http://x","no_key":true,"prices":[{"model":"a","input_price_micros_per_1m":1,"output_price_micros_per_1m":1}]},"settlement":"both"}`, "settlement: it is the toy's"},
		{`{"id":"x","upstream":{"url":"http://x","no_key":true,"prices":[{"model":"a"}]}}`, "price a: expected an input and an output price"},
		{`{"id":"x","upstream":{"url":"http://x","no_key":true,"prices":[{"model":"a","input_price_micros_per_1m":1}]}}`, "expected an input and an output price"},
	} {
		var s Seller
		if err := caddy.StrictUnmarshalJSON([]byte(c.config), &s); err != nil {
			t.Fatal(err)
		}
		err := s.Provision(ctx)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.config, err, c.want)
		}
		if err := s.Cleanup(); err != nil {
			t.Error(err)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	t.Setenv("SELLER_HOST", "seller.example")
	s := newSeller(t, "url https://{env.SELLER_HOST}\nname {env.SELLER_HOST}")
	w := ask(t, s, "GET", "/registry.json", "")
	if !strings.Contains(w.Body.String(), `"name":"seller.example","url":"https://seller.example"`) {
		t.Error(w.Body)
	}
}
