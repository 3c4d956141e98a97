package browser

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// program is the Caddy that the tests start, and database what starts a PostgreSQL. TestMain builds them.
var program, database string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		panic(err)
	}
	if findBrowser() != "" {
		program, database = filepath.Join(dir, "caddy"), filepath.Join(dir, "serve")
		build := exec.Command("go", "build", "-o", dir, "./cmd/caddy", "./fleet/postgres/pgtest/serve")
		build.Dir = filepath.Join("..", "..")
		if said, err := build.CombinedOutput(); err != nil {
			panic(string(said))
		}
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// gateway is a Caddy with a team, a seller that fails, one with an account, and one that is paid after approval.
type gateway struct {
	t           *testing.T
	dir         string
	site, admin string // host:port
	caddy       *exec.Cmd
}

// The names are of strangers, and would be markup.
const (
	bob   = "<b>&bob</b>"
	model = "<img/src=x>"
)

// start starts one; more goes into its directive.
func start(t *testing.T, more ...string) *gateway {
	g := &gateway{t: t, dir: t.TempDir(), site: free(t), admin: free(t)}
	fails := serve(t, 503, `{"error":{"message":"not now"}}`)
	acme := serve(t, 200, `{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":234,"total_tokens":1234}}`)
	shop := free(t)
	g.write(fmt.Sprintf(`{
	admin %[1]s {
		origins %[1]s ""
	}
	auto_https off
	skip_install_trust
	grace_period 5s
}
http://%[2]s {
	bind 127.0.0.1
	tokenbuddy {
		page
		payment mock
		purchase {
			amount 5
			approve first
		}
		default_seller fails
		seller fails %[3]s {
			api_key key-at-fails
			models m %[6]s
			price m 1 2
		}
		seller acme %[4]s {
			api_key key-at-acme
			models m %[6]s
			price m 1 2
			price %[6]s 3 4
		}
		seller shop http://%[5]s {
			payment mock
			models toy-small
			price toy-small 1 2
		}
		prewarm {
			models toy-small
			jitter 10ms 20ms
		}
		member ada {
			key key-of-ada
			daily_budget 0.5
		}
		member %[7]s {
			key key-of-bob
			daily_budget 5
		}
		group build {
			members ada %[7]s
			monthly_budget 20
		}
		%[8]s
	}
}
http://%[5]s {
	bind 127.0.0.1
	tokenbuddy_seller shop {
		model toy-small 1 2
	}
}
`, g.admin, g.site, fails, acme, shop, model, bob, strings.Join(more, "\n")))
	log, err := os.Create(filepath.Join(g.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	caddy := g.command("run")
	caddy.Stdout, caddy.Stderr = log, log
	if err := caddy.Start(); err != nil {
		t.Fatal(err)
	}
	g.caddy = caddy
	t.Cleanup(func() {
		g.stop()
		_ = log.Close()
		if said, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("%s", said[max(0, len(said)-20_000):])
		}
	})
	wait(t, "the gateway", func() bool {
		res, err := http.Get("http://" + g.site + "/tokenbuddy/")
		if err == nil {
			_ = res.Body.Close()
		}
		return err == nil && res.StatusCode == 200
	})
	return g
}

// stop ends it. It may be called again.
func (g *gateway) stop() {
	_ = g.caddy.Process.Signal(os.Interrupt)
	_ = g.caddy.Wait()
}

func (g *gateway) write(caddyfile string) {
	if err := os.WriteFile(filepath.Join(g.dir, "Caddyfile"), []byte(caddyfile), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) command(word string, more ...string) *exec.Cmd {
	c := exec.Command(program, append([]string{word, "--config", filepath.Join(g.dir, "Caddyfile"), "--adapter", "caddyfile"}, more...)...)
	c.Dir = g.dir
	c.Env = append(os.Environ(), "HOME="+g.dir, "XDG_DATA_HOME="+g.dir, "XDG_CONFIG_HOME="+g.dir)
	return c
}

// ask sends a chat request and gives the status.
func (g *gateway) ask(key, id, model string) int {
	body := fmt.Sprintf(`{"model":%q,"max_tokens":300,"messages":[{"role":"user","content":"a secret of the prompt"}]}`, model)
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, "http://"+g.site+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("X-Request-Id", id)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode
}

// get reads JSON from the admin endpoint.
func (g *gateway) get(path string, v any) {
	g.t.Helper()
	res, err := http.Get("http://" + g.admin + "/tokenbuddy/" + path)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(v); err != nil || res.StatusCode != 200 {
		g.t.Fatal(path, res.StatusCode, err)
	}
}

func serve(t *testing.T, status int, body string) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// free is a loopback address that nobody listens on. Its port is none from which the system makes connections: any client, such as the
// browser, could have that one when Caddy wants it.
func free(t *testing.T) string {
	for range 1000 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(20_000))))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: it did not come", what)
		}
	}
}
