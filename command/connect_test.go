package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestSites finds gateways in configs as Caddy has them, of Caddyfiles and not.
func TestSites(t *testing.T) {
	const gate = `{"handler":"tokenbuddy","registry":{"url":"https://r.example/"},"members":[{"name":"ada","key":"secret"}]}`
	nested := func(host string) string {
		return `{"match":[{"host":["` + host + `"]}],"handle":[{"handler":"subroute","routes":[{"handle":[` + gate + `]}]}],"terminal":true}`
	}
	for _, c := range []struct{ what, server, want string }{
		{"a name", `"listen":[":443"],"routes":[` + nested("gateway.example.com") + `]`, "https://gateway.example.com"},
		{"two names", `"listen":[":443"],"routes":[` + nested(`b.example.com","a.example.com`) + `]`, "https://a.example.com https://b.example.com"},
		{"a name over http", `"listen":[":80"],"routes":[` + nested("gateway.example.com") + `]`, "http://gateway.example.com"},
		{"another port", `"listen":["127.0.0.1:8443"],"routes":[` + nested("gateway.example.com") + `]`, "https://gateway.example.com:8443"},
		{"http on another port", `"listen":[":8081"],"automatic_https":{"skip":["a.example.com"]},"routes":[` + nested("a.example.com") + `]`, "http://a.example.com:8081"},
		{"auto_https off", `"listen":[":8081"],"automatic_https":{"disable":true},"routes":[` + nested("a.example.com") + `]`, "http://a.example.com:8081"},
		{"any host", `"listen":[":8080"],"routes":[{"handle":[` + gate + `]}]`, "http://localhost:8080"},
		{"any host, bound", `"listen":["192.0.2.1:8080"],"routes":[{"handle":[` + gate + `]}]`, "http://192.0.2.1:8080"},
		{"any address", `"listen":["[::]:8080"],"routes":[{"handle":[` + gate + `]}]`, "http://localhost:8080"},
		{"IPv6", `"listen":["[2001:db8::1]:80"],"routes":[{"handle":[` + gate + `]}]`, "http://[2001:db8::1]"},
		{"any host, tls", `"listen":[":443"],"tls_connection_policies":[{}],"routes":[{"handle":[` + gate + `]}]`, "https://localhost"},
		{
			"a host of a wildcard's site",
			`"listen":[":443"],"routes":[{"match":[{"host":["*.example.com"]}],"handle":[{"handler":"subroute","routes":[` + nested("gw.example.com") + `]}]}]`,
			"https://gw.example.com",
		},
		{
			"below a path",
			`"listen":[":443"],"routes":[{"match":[{"host":["a.example.com"]}],"handle":[{"handler":"subroute","routes":[` +
				`{"match":[{"path":["/llm/*"]}],"handle":[{"handler":"subroute","routes":[{"handle":[{"handler":"rewrite","strip_path_prefix":"/llm"}]},{"handle":[` + gate + `]}]}]},` +
				`{"handle":[` + gate + `]}]}]}]`,
			"https://a.example.com https://a.example.com/llm",
		},
		{
			"named routes",
			`"listen":[":443"],"named_routes":{"gw":{"handle":[{"handler":"invoke","name":"inner"}]},"inner":{"handle":[{"handler":"invoke","name":"gw"},` + gate + `]}},` +
				`"routes":[{"match":[{"host":["a.example.com","b.example.com"]}],"handle":[{"handler":"subroute","routes":[{"handle":[{"handler":"invoke","name":"gw"}]}]}]},` +
				`{"match":[{"host":["c.example.com"]}],"handle":[{"handler":"invoke","name":"other"}]}]`,
			"https://a.example.com https://b.example.com",
		},
		{"a wildcard", `"listen":[":443"],"routes":[` + nested("*.example.com") + `]`, ""},
		{"a placeholder", `"listen":[":443"],"routes":[` + nested("{env.HOST}") + `]`, ""},
		{"a port that is a placeholder", `"listen":[":{env.PORT}"],"routes":[{"handle":[` + gate + `]}]`, ""},
		{"a socket", `"listen":["unix//run/caddy.sock"],"routes":[{"handle":[` + gate + `]}]`, ""},
		{"a seller", `"listen":[":443"],"routes":[{"handle":[{"handler":"tokenbuddy_seller","routes":7}]}]`, ""},
		{"what can't be read", `"listen":7,"routes":[{"handle":[` + gate + `]}]`, ""},
	} {
		got := strings.Join(sites([]byte(`{"apps":{"http":{"servers":{"srv0":{`+c.server+`}}}}}`)), " ")
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	if got := sites([]byte(`{"apps":{"http":{"http_port":8080,"servers":{"a":{"listen":[":8080"],"routes":[` + nested("a.example.com") + `]}}}}}`)); !slices.Equal(got, []string{"http://a.example.com:8080"}) {
		t.Errorf("with another port for HTTP: %q", got)
	}
	if got := sites([]byte("null")); got != nil {
		t.Errorf("without a config: %q", got)
	}
}

func TestParseBase(t *testing.T) {
	for said, want := range map[string]string{
		"https://gateway.example.com": "https://gateway.example.com", "https://gateway.example.com/v1/": "https://gateway.example.com",
		"http://10.0.0.1:8080/llm/": "http://10.0.0.1:8080/llm", "http://10.0.0.1:8080/llm/v1": "http://10.0.0.1:8080/llm",
		"gateway.example.com": "", "ftp://gateway.example.com": "", "https://ada:key@gateway.example.com": "", "https://gateway.example.com/?key=1": "",
		"https://": "", "https://gateway.example.com/#x": "", "https://a b": "", "": "",
	} {
		got := ""
		if u, err := parseBase(said); err == nil {
			got = u.String()
		} else if !strings.Contains(err.Error(), "such as https://") || strings.Contains(err.Error(), "key") {
			t.Errorf("%q: %v", said, err)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", said, got, want)
		}
	}
}

// TestClients writes a model's id, which may be anything, as each language has it.
func TestClients(t *testing.T) {
	const model = `it's "<1>" \ €`
	for _, c := range clientsOf("https://gateway.example.com", model) {
		var out bytes.Buffer
		c.print(&out)
		want := map[string]string{
			"codex":     `model = "it's \"<1>\" \\ €"`,
			"claude":    `export ANTHROPIC_MODEL='it'\''s "<1>" \ €'`,
			"opencode":  `"models": {"it's \"<1>\" \\ €": {}}`,
			"kilo":      `"models": {"it's \"<1>\" \\ €": {}}`,
			"openai":    `export OPENAI_BASE_URL=https://gateway.example.com/v1`,
			"anthropic": `export ANTHROPIC_BASE_URL=https://gateway.example.com`,
			"copilot":   `export COPILOT_MODEL='it'\''s "<1>" \ €'`,
			"qwen":      `  "model": {"name": "it's \"<1>\" \\ €"}`,
			"pi":        `pi --provider tokenbuddy --model 'it'\''s "<1>" \ €'`,
			"cline":     `cline auth --provider openai-compatible --apikey "$TOKENBUDDY_KEY" --baseurl https://gateway.example.com/v1 --modelid 'it'\''s "<1>" \ €'`,
			"continue":  `  model: "it's \"<1>\" \\ €"`,
			"ai-sdk":    "  includeUsage: true,\n  supportsStructuredOutputs: true,\n});\n" + `export const model = tokenbuddy("it's \"<1>\" \\ €");`,
			"curl":      `-d '{"model":"it'\''s \"<1>\" \\ €",`,
		}[c.Name]
		if want == "" || !strings.Contains(out.String(), want+"\n") && !strings.Contains(out.String(), "  "+want) {
			t.Errorf("for %s it prints\n%s", c.Name, out.String())
		}
		for _, f := range c.Files {
			var v map[string]any
			if strings.HasSuffix(f.Path, ".json") && (json.Unmarshal([]byte(f.Content), &v) != nil || c.Name == "opencode" && fmt.Sprint(v["model"]) != "tokenbuddy/"+model) {
				t.Errorf("%s is\n%s", f.Path, f.Content)
			}
		}
	}
}
