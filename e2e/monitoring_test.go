package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

// needPrometheus in the environment makes it a failure that prometheus and promtool are not installed. CI sets it.
const needPrometheus = "TOKENBUDDY_NEED_PROMETHEUS"

// monitoring is where the dashboard and the alerts are.
var monitoring = filepath.Join("..", "docs", "monitoring")

func findPrometheus(t *testing.T) {
	t.Helper()
	for _, program := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv(needPrometheus) != "" {
				t.Fatalf("%s is not installed", program)
			}
			t.Skipf("NOT CHECKED: %s is not installed, so nobody says that the dashboard and the alerts are any good", program)
		}
	}
}

// TestMonitoring has a Prometheus scrape a gateway that was asked for all sorts of things, and evaluates every query of the dashboard and
// of the alerts there: each gives a series, and the names are as promtool wants them.
func TestMonitoring(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	findPrometheus(t)
	s := startMonitored(t)
	_, metrics := s.look("/metrics")
	promtool(t, own(string(metrics)), "check", "metrics")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		promtool(t, "", args...)
	}
	p := startPrometheus(t, s.admin)
	eventually(t, "three scrapes of the gateway", func() bool {
		return p.value(`min(count_over_time(tokenbuddy_ledger_ok[1m])) >= 3 and min(count_over_time(tokenbuddy_billed_by_seller_micros_total[1m])) >= 2`)
	})
	queries := append(dashboardQueries(t), p.alerts()...)
	if len(queries) < 50 {
		t.Errorf("there are %d queries", len(queries))
	}
	for _, q := range queries {
		// What is compared gives nothing while it does not hold: with bool it says so.
		told := regexp.MustCompile(` (==|!=|>=|<=|>|<) `).ReplaceAllString(q, " $1 bool ")
		if !p.value(told) {
			t.Errorf("nothing comes of %s", q)
		}
	}
	for _, q := range []string{"tokenbuddy_no_such_metric", `sum(tokenbuddy_attempts_total{kind="mistyped"})`} {
		if p.value(q) {
			t.Errorf("something comes of %s", q)
		}
	}
}

// startMonitored is a gateway of a fleet with members, budgets and limits, that has served, failed and refused.
func startMonitored(t *testing.T) *stage {
	s := newStage(t)
	s.seller("acme", settledBy(answerPlain, "Settlement-Id", "s1", "Billed-Micros", "1000", "Balance-Micros", "4000000"), priced("large"))
	s.seller("fails", settledBy(sayJSON(500, `{}`), "Settlement-Id", "f1", "Billed-Micros", "5"), priced("large-2"))
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t\tdaily_budget 5\n\t\t}\n\t\tgroup build {\n\t\t\tmembers ada\n\t\t\tmonthly_budget 9\n\t\t}\n" +
		"\t\tprewarm {\n\t\t\tmodels large\n\t\t}\n\t\tpurchase {\n\t\t\tdaily_limit 20\n\t\t}\n" + keyOfAll +
		fmt.Sprintf("\t\tfleet postgres %q {\n\t\t\ttokens shared\n\t\t}\n", pgtest.New(t).DSN()))
	for i, model := range []string{"large", "large-2", "unknown"} {
		id := fmt.Sprint("seen ", i)
		s.ask(0, "POST", "/v1/chat/completions", chatOf(model, ""), "Authorization", "Bearer sk-ada-key", "X-Request-Id", id)
	}
	s.entryOf("seen 0")
	return s
}

// own are the lines of our own metrics.
func own(metrics string) string {
	var b strings.Builder
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "tokenbuddy_") || strings.HasPrefix(line, "# HELP tokenbuddy_") || strings.HasPrefix(line, "# TYPE tokenbuddy_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func promtool(t *testing.T, input string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Dir, cmd.Stdin = monitoring, strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// dashboardQueries are the queries of all panels, and of the variables, for all sellers and members.
func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(monitoring, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct {
				Type, Definition string
			}
		}
	}
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	var ids []int
	for _, p := range dashboard.Panels {
		if slices.Contains(ids, p.ID) || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q has no place or no id of its own, or shows nothing", p.Title)
		}
		ids = append(ids, p.ID)
		for _, target := range p.Targets {
			queries = append(queries, target.Expr)
		}
	}
	for _, v := range dashboard.Templating.List {
		if of := regexp.MustCompile(`^label_values\((.*), \w+\)$`).FindStringSubmatch(v.Definition); of != nil {
			queries = append(queries, of[1])
		}
	}
	fill := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$seller", ".*", "$member", ".*")
	for i, q := range queries {
		if queries[i] = fill.Replace(q); strings.Contains(queries[i], "$") {
			t.Errorf("there is a variable that nobody knows in %s", queries[i])
		}
	}
	return queries
}

// prometheus is one that runs, with our alerts.
type prometheus struct {
	t   *testing.T
	url string
}

func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	alerts, err := filepath.Abs(filepath.Join(monitoring, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [%q]\nscrape_configs:\n  - job_name: tokenbuddy\n    static_configs:\n      - targets: [%q]\n",
		alerts, target)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus said:\n%s", said.String())
		}
	})
	p := &prometheus{t, "http://" + address}
	eventually(t, "a Prometheus that is ready", func() bool {
		status, _ := p.get("/-/ready")
		return status == http.StatusOK
	})
	return p
}

func (p *prometheus) get(path string) (status int, body []byte) {
	res, err := http.Get(p.url + path)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	body, _ = io.ReadAll(res.Body)
	return res.StatusCode, body
}

// value tells whether a query gives a series.
func (p *prometheus) value(query string) bool {
	status, body := p.get("/api/v1/query?query=" + url.QueryEscape(query))
	var answer struct {
		Data  struct{ Result []json.RawMessage }
		Error string
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		p.t.Errorf("%s: status %d, %v %s", query, status, err, answer.Error)
	}
	return len(answer.Data.Result) > 0
}

// alerts are the queries of the alerts, as Prometheus has loaded them.
func (p *prometheus) alerts() (queries []string) {
	_, body := p.get("/api/v1/rules")
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Query, Health string }
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		p.t.Fatal(err)
	}
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			if r.Health == "err" {
				p.t.Errorf("the alert %s can't be evaluated", r.Name)
			}
			queries = append(queries, r.Query)
		}
	}
	if len(queries) == 0 {
		p.t.Error("Prometheus has loaded no alerts")
	}
	return queries
}
