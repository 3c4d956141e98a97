package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

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
		a.Protocols != routing.Protocols(dialect.Messages) {
		t.Errorf("seller a: %+v", a)
	}
	if len(a.Models) != 2 || a.Models[0].ID != "m" || *a.Models[0].Price != money.NoPrice || a.Models[1].ID != "n" ||
		*a.Models[1].Price != (money.Price{Input: 1_250_000, Output: 10_000_000, CacheRead: 0, CacheWrite: money.Unknown, AudioIn: money.At(0), WebSearch: money.At(10_000_000)}) {
		t.Errorf("models of a: %+v", a.Models)
	}
	if b.Protocols != routing.AllProtocols || len(b.Models) != 2 || b.Models[0].ID != "p" || b.Models[1].ID != "o" ||
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
