package e2e

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestKey has members ask how they stand, and compares with what their answers say and what is booked.
func TestKey(t *testing.T) {
	t.Parallel()
	body := chatOf("m", `"max_tokens":30,`)
	s := newStage(t)
	seller := s.seller("acme", settledBy(answerPlain, "Billed-Micros", "60"), priced("m"))
	s.open(`
		member ada {
			key key-of-ada
			daily_budget 0.0005
			monthly_budget 1
		}
		member bob {
			key key-of-bob
		}
		member eve {
			key key-of-eve
			weekly_budget 1
		}
		member fay {
			key key-of-fay
			daily_budget 0.000199
		}
		member gus {
			key key-of-gus
			daily_budget 0.000199
			monthly_budget 0.000199
		}
		group build {
			members eve
			monthly_budget 0.000300
		}
`)
	type data struct {
		Label          string   `json:"label"`
		Limit          *float64 `json:"limit"`
		LimitRemaining *float64 `json:"limit_remaining"`
		LimitReset     *string  `json:"limit_reset"`
		Usage          float64  `json:"usage"`
		UsageDaily     float64  `json:"usage_daily"`
		UsageWeekly    float64  `json:"usage_weekly"`
		UsageMonthly   float64  `json:"usage_monthly"`
	}
	key := func(member string) data {
		t.Helper()
		a := s.ask(0, http.MethodGet, "/v1/key", "", "Authorization", "Bearer key-of-"+member)
		var said struct{ Data data }
		if err := json.Unmarshal([]byte(a.body), &said); a.StatusCode != http.StatusOK || err != nil || a.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v: %s", a.StatusCode, a.Header, a.body)
		}
		return said.Data
	}
	for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodHead} {
		a := s.ask(0, method, "/v1/key", "", "Authorization", "Bearer key-of-ada")
		if a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") != http.MethodGet {
			t.Errorf("%s: status %d, Allow %q", method, a.StatusCode, a.Header.Get("Allow"))
		}
	}
	infer := func(member string) *answered {
		return s.ask(0, http.MethodPost, "/v1/chat/completions", body, "Authorization", "Bearer key-of-"+member)
	}
	is := func(member string, limit, left int64, reset string, usage int64) {
		t.Helper()
		k := key(member)
		usd := func(micros int64) float64 {
			f, _ := strconv.ParseFloat(strconv.FormatInt(micros, 10)+"e-6", 64)
			return f
		}
		if k.Label != member || k.Usage != usd(usage) || k.UsageDaily != usd(usage) || k.UsageWeekly != usd(usage) || k.UsageMonthly != usd(usage) {
			t.Errorf("%s: %+v", member, k)
		}
		switch {
		case reset == "":
			if k.Limit != nil || k.LimitRemaining != nil || k.LimitReset != nil {
				t.Errorf("%s without a budget: %+v", member, k)
			}
		case k.Limit == nil || *k.Limit != usd(limit) || *k.LimitRemaining != usd(left) || *k.LimitReset != reset:
			t.Errorf("%s: %v %v %v", member, *k.Limit, *k.LimitRemaining, *k.LimitReset)
		}
	}
	is("ada", 500, 500, "daily", 0)
	is("bob", 0, 0, "", 0)
	is("eve", 300, 300, "monthly", 0)
	a := infer("ada")
	left, err := strconv.ParseInt(a.Header.Get("X-TokenBuddy-Budget-Left-Micros"), 10, 64)
	if err != nil || left >= 500 || left < 400 || a.Header.Get("X-TokenBuddy-Budget-Warning") != "" {
		t.Errorf("%d: %v", a.StatusCode, a.Header)
	}
	is("ada", 500, 440, "daily", 60)
	for range 6 {
		a := s.ask(0, http.MethodPost, "/v1/chat/completions", body, "Authorization", "Bearer key-of-ada", "X-TokenBuddy-Project", "website")
		if a.StatusCode != http.StatusOK {
			t.Errorf("%d: %s", a.StatusCode, a.body)
		}
	}
	if a := s.ask(0, http.MethodPost, "/v1/chat/completions", body, "Authorization", "Bearer key-of-ada", "X-TokenBuddy-Project", "two words"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a project that can't be booked: %d: %s", a.StatusCode, a.body)
	}
	if asked := seller.inferences(); len(asked) != 7 || asked[6].Header.Get("X-TokenBuddy-Project") != "" {
		t.Errorf("the seller was asked %d times, and told of the project", len(asked))
	}
	if out := s.good("ledger", "--by", "project", "--address", s.admin); !strings.Contains(out, "website") || !strings.Contains(out, "0.000360") {
		t.Errorf("the statement by project:\n%s", out)
	}
	if out := s.good("export", "--format", "csv", "--address", s.admin); strings.Count(out, ",,website,0,\r\n") != 6 {
		t.Errorf("the export:\n%s", out)
	}
	is("ada", 500, 80, "daily", 420)
	a = infer("ada")
	if a.StatusCode != http.StatusPaymentRequired || a.Header.Get("X-TokenBuddy-Budget-Warning") != "daily 80" || a.Header.Get("X-TokenBuddy-Budget-Left-Micros") != "80" ||
		!strings.Contains(a.body, "Your daily budget of $0.0005 does not cover") || !strings.Contains(a.body, "$0.00042 is spent") || !strings.Contains(a.body, "It begins anew at 20") {
		t.Errorf("%d %v: %s", a.StatusCode, a.Header, a.body)
	}
	// Where both are spent it is the month's that counts: at midnight there would be another refusal.
	infer("gus")
	infer("gus")
	longest := "Your monthly budget of $0.000199"
	if time.Now().UTC().AddDate(0, 0, 1).Day() == 1 { // both begin anew at once
		longest = "Your daily budget of $0.000199"
	}
	if a := infer("gus"); a.StatusCode != http.StatusPaymentRequired || !strings.Contains(a.body, longest) {
		t.Errorf("with both spent: %d: %s", a.StatusCode, a.body)
	}
	infer("fay")
	infer("fay")
	if a := infer("fay"); a.StatusCode != http.StatusPaymentRequired || a.Header.Get("X-TokenBuddy-Budget-Warning") != "" || a.Header.Get("X-TokenBuddy-Budget-Left-Micros") != "79" {
		t.Errorf("with 120 of 199 spent: %d %v: %s", a.StatusCode, a.Header, a.body)
	}
	for a = infer("eve"); a.StatusCode == http.StatusOK; a = infer("eve") {
	}
	if a.StatusCode != http.StatusPaymentRequired || !strings.Contains(a.body, "The monthly budget of your group build of $0.0003 does not cover") {
		t.Errorf("%d: %s", a.StatusCode, a.body)
	}
	if a := infer("bob"); a.StatusCode != http.StatusOK || a.Header.Get("X-TokenBuddy-Budget-Left-Micros") != "" {
		t.Errorf("without a budget: %d %v", a.StatusCode, a.Header)
	}
	is("bob", 0, 0, "", 60)
	if a := s.ask(0, http.MethodGet, "/v1/key", "", "Authorization", "Bearer key-of-nobody"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody's key: status %d", a.StatusCode)
	}
	_, metrics := s.look("/metrics")
	for _, line := range []string{
		`tokenbuddy_budget_warnings_total{budget="daily",group="",member="ada",percent="80"} 1`,
		`tokenbuddy_budget_warnings_total{budget="daily",group="",member="ada",percent="100"} 1`,
		`tokenbuddy_budget_warnings_total{budget="monthly",group="build",member="",percent="80"} 1`,
		`tokenbuddy_budget_warnings_total{budget="monthly",group="build",member="",percent="100"} 1`,
	} {
		if !strings.Contains(string(metrics), line) {
			t.Errorf("no %s", line)
		}
	}
	s.verify()
}
