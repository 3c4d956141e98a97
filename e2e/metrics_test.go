package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMetricsFromZero looks at a gateway that was never asked: what may happen to its sellers, members and budgets is there, and is zero.
func TestMetricsFromZero(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, priced("m"))
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t\tdaily_budget 5\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-key\n\t\t}\n" +
		"\t\tgroup build {\n\t\t\tmembers ada\n\t\t\tmonthly_budget 9\n\t\t}\n\t\tpurchase {\n\t\t\tdaily_limit 20\n\t\t}\n")
	var metrics string
	scrape := func() {
		_, body := s.look("/metrics")
		metrics = string(body)
	}
	has := func(line string) bool { return strings.Contains(metrics, "\n"+line+"\n") }
	eventually(t, "the registry's document", func() bool {
		scrape()
		return has(`tokenbuddy_registry_sellers 1`)
	})
	scrape() // a seller's series are made by the scrape that first sees it, which may have read some of them before
	for _, line := range []string{
		`tokenbuddy_outcomes_total{outcome="failed",protocol="messages"} 0`,
		`tokenbuddy_outcomes_total{outcome="purchase_limit",protocol="responses"} 0`,
		`tokenbuddy_refusals_total{reason="insufficient_quota"} 0`,
		`tokenbuddy_refusals_total{reason="daily_limit"} 0`,
		`tokenbuddy_attempts_total{kind="ok",seller="acme"} 0`,
		`tokenbuddy_attempts_total{kind="deadline",seller="acme"} 0`,
		`tokenbuddy_failovers_total{kind="soft_5xx"} 0`,
		`tokenbuddy_first_content_seconds_count{seller="acme"} 0`,
		`tokenbuddy_purchases_total{outcome="failed",seller="acme"} 0`,
		`tokenbuddy_purchases_paid_not_granted_total{seller="acme"} 0`,
		`tokenbuddy_purchases_refused_total{lacks="daily_limit",seller="acme"} 0`,
		`tokenbuddy_wasted_micros_total{seller="acme"} 0`,
		`tokenbuddy_disputed_micros_total{seller="acme"} 0`,
		`tokenbuddy_renewals_total{seller="acme"} 0`,
		`tokenbuddy_estimates_total{seller="acme"} 0`,
		`tokenbuddy_credit_micros{seller="acme"} 0`,
		`tokenbuddy_pending_micros{seller="acme"} 0`,
		`tokenbuddy_dispute_micros{seller="acme"} 0`,
		`tokenbuddy_circuit_state{seller="acme"} 0`,
		`tokenbuddy_budget_warnings_total{budget="monthly",group="build",member="",percent="80"} 0`,
		`tokenbuddy_budget_micros{group="",member="ada",period="daily"} 5e+06`,
		`tokenbuddy_budget_micros{group="build",member="",period="monthly"} 9e+06`,
		`tokenbuddy_held_micros{group="",member="ada",period="daily"} 0`,
		`tokenbuddy_spent_micros{group="",member="bob",period="weekly"} 0`,
		`tokenbuddy_bought_micros{ledger="` + s.ledgerDir() + `",limit="daily"} 0`,
		`tokenbuddy_purchase_limit_micros{ledger="` + s.ledgerDir() + `",limit="daily"} 2e+07`,
		`tokenbuddy_ledger_ok{ledger="` + s.ledgerDir() + `"} 1`,
		`tokenbuddy_models_unserved 0`,
	} {
		if !has(line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if strings.Contains(metrics, `tokenbuddy_budget_micros{group="",member="bob"`) {
		t.Error("there is a budget of a member that has none")
	}
	s.ask(0, "POST", "/v1/chat/completions", chatOf("m", ""), "Authorization", "Bearer sk-bob-key", "X-Request-Id", "one")
	s.entryOf("one")
	eventually(t, "what it cost, and how it ended", func() bool {
		scrape()
		return strings.Contains(metrics, `tokenbuddy_billed_by_seller_micros_total{model="m",seller="acme"}`) &&
			has(`tokenbuddy_outcomes_total{outcome="ok",protocol="chat_completions"} 1`)
	})
	for _, line := range []string{
		`tokenbuddy_purchases_total{outcome="granted",seller="acme"} 1`, `tokenbuddy_attempts_total{kind="ok",seller="acme"} 1`,
		`tokenbuddy_first_content_seconds_count{seller="acme"} 1`, `tokenbuddy_outcomes_total{outcome="ok",protocol="chat_completions"} 1`,
	} {
		if !has(line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// TestMetricsAreDocumented compares the names of the docs with those of the metrics, both ways.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	_, body := s.look("/metrics")
	compareMetrics(t, body, func(name string) bool { return !strings.HasPrefix(name, ofFleets) })
}

// ofFleets begins the names of metrics that a gateway has in a fleet alone.
const ofFleets = "tokenbuddy_fleet_"

// compareMetrics compares the names of the docs with those of a gateway's metrics, both ways, of those that are meant.
func compareMetrics(t *testing.T, metrics []byte, meant func(name string) bool) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Metrics\n")
	section, _, _ = strings.Cut(section, "\n## ")
	others := func(one []string) bool { return !meant(one[1]) }
	documented := slices.DeleteFunc(regexp.MustCompile("`(tokenbuddy_[a-z_]+)`").FindAllStringSubmatch(section, -1), others)
	if len(documented) < 10 {
		t.Fatalf("the docs have %d metrics", len(documented))
	}
	there := slices.DeleteFunc(regexp.MustCompile(`(?m)^# TYPE (tokenbuddy_[a-z_]+) `).FindAllStringSubmatch(string(metrics), -1), others)
	// These have no series before there is what they are about.
	rare := []string{
		"tokenbuddy_wallet_micros", "tokenbuddy_payment_method_faults_total", "tokenbuddy_selection_policy_faults_total", "tokenbuddy_budget_warnings_total",
		"tokenbuddy_budget_micros", "tokenbuddy_held_micros", "tokenbuddy_fleet_tokens_micros",
	}
	has := func(all [][]string, name string) bool {
		return slices.ContainsFunc(all, func(one []string) bool { return one[1] == name })
	}
	for _, m := range documented {
		if !has(there, m[1]) && !slices.Contains(rare, m[1]) {
			t.Errorf("the docs have %s, the metrics have not", m[1])
		}
	}
	for _, m := range there {
		if !has(documented, m[1]) {
			t.Errorf("the metrics have %s, the docs have not", m[1])
		}
	}
}
