package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestFleetPage has the page of one gateway show both, and what is spent at both.
func TestFleetPage(t *testing.T) {
	t.Parallel()
	acme := newSeller(t, "acme", settledBy(answerPlain, "Billed-Micros", "40"))
	f := newFleet(t, 2, []*fakeSeller{acme}, "", "\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t\tdaily_budget 1\n\t\t}\n")
	for i := range 4 {
		if status, _, body := f.ask(i%2, "key-of-ada"); status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
	}
	res, err := http.Get("http://" + f.gateways[0].admin + "/tokenbuddy/live")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	events := bufio.NewScanner(res.Body)
	events.Buffer(nil, 1<<20)
	var s struct {
		Fleet struct {
			Name, Store string
			Books       bool
			Gateways    []struct {
				Name, State string
				Self        bool
				Shipped     int
			}
		}
		Money   struct{ SpentTodayMicros int64 }
		Members []struct {
			DayMicros int64
			Budgets   []struct{ SpentMicros, LimitMicros int64 }
		}
	}
	for events.Scan() {
		line, ok := strings.CutPrefix(events.Text(), "data: ")
		if !ok {
			continue
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		if len(s.Fleet.Gateways) == 2 && s.Fleet.Gateways[1].Shipped > 0 && len(s.Members) == 1 && len(s.Members[0].Budgets) == 1 && s.Members[0].Budgets[0].SpentMicros == 160 {
			break
		}
	}
	if err := events.Err(); err != nil {
		t.Fatal(err)
	}
	g := s.Fleet.Gateways
	if s.Fleet.Name != "gw-0" || s.Fleet.Store != "up" || !s.Fleet.Books || g[0].Name != "gw-0" || !g[0].Self || g[1].Name != "gw-1" || g[1].Self || g[1].State != "there" {
		t.Errorf("%+v", s.Fleet)
	}
	var rows []struct {
		DayMicros, WeekMicros, MonthMicros int64
		AsOf                               time.Time
	}
	_, body := f.gateways[0].look("/tokenbuddy/members")
	if err := json.Unmarshal(body, &rows); err != nil || len(rows) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	if r := rows[0]; r.DayMicros != 160 || r.WeekMicros != 160 || r.MonthMicros != 160 || time.Since(r.AsOf) > time.Minute {
		t.Errorf("%+v", r)
	}
	req, err := http.NewRequest(http.MethodGet, f.gateways[0].url("/v1/key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer key-of-ada")
	if res, err = http.DefaultClient.Do(req); err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var key struct {
		Data struct {
			Usage        json.Number `json:"usage"`
			UsageDaily   json.Number `json:"usage_daily"`
			UsageWeekly  json.Number `json:"usage_weekly"`
			UsageMonthly json.Number `json:"usage_monthly"`
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&key); err != nil || key.Data.UsageDaily != "0.00016" || key.Data.UsageWeekly != key.Data.UsageDaily || key.Data.UsageMonthly != key.Data.UsageDaily ||
		key.Data.Usage != key.Data.UsageMonthly {
		t.Errorf("%v: %+v", err, key)
	}
	if s.Members[0].DayMicros != 160 || s.Money.SpentTodayMicros != 80 || s.Members[0].Budgets[0].LimitMicros != 1_000_000 {
		t.Errorf("%+v %+v", s.Members, s.Money)
	}
}
