package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestPageOfMembers has members look at their own rows on the site, and at nobody else's.
func TestPageOfMembers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", settledBy(answerPlain, "Billed-Micros", "60"), priced("m"), priced("n"))
	members := `
		member ada {
			key key-of-ada
			daily_budget 0.5
		}
		member a:b {
			key key-of-a:b
		}
`
	s.open(members+"\n\t\tpage\n", members)
	for _, request := range []struct{ key, id, model string }{{"key-of-ada", "ada-1", "m"}, {"key-of-ada", "ada-2", "n"}, {"key-of-a:b", "ab-1", "m"}, {"key-of-a:b", "ab-2", "none"}} {
		s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf(request.model, `"max_tokens":30,`), "Authorization", "Bearer "+request.key, "X-Request-Id", request.id)
	}
	type row struct {
		Key           string
		Requests      int64
		ExpenseMicros int64
	}
	var own struct {
		Member    string
		DayMicros int64
		Budgets   []struct{ Period string }
		Days      map[string][]row
		Requests  []struct {
			RequestID     string
			Outcome       string
			ExpenseMicros int64
		}
	}
	look := func(key string) string {
		t.Helper()
		a := s.ask(0, http.MethodGet, "/tokenbuddy/own", "", "Authorization", "Bearer "+key)
		own.Budgets, own.Days, own.Requests = nil, nil, nil
		if err := json.Unmarshal([]byte(a.body), &own); a.StatusCode != http.StatusOK || err != nil || a.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v: %s", a.StatusCode, err, a.body)
		}
		return a.body
	}
	eventually(t, "the books", func() bool { look("key-of-ada"); return own.DayMicros == 120 && own.Requests[1].ExpenseMicros == 60 })
	if own.Member != "ada" || len(own.Budgets) != 1 || own.Budgets[0].Period != "daily" || len(own.Requests) != 2 || own.Requests[0].RequestID != "ada-2" ||
		len(own.Days["model"]) != 2 || own.Days["model"][0] != (row{"m", 1, 60}) || len(own.Days["day"]) != 1 || own.Days["day"][0].ExpenseMicros != 120 {
		t.Errorf("ada sees %+v", own)
	}
	eventually(t, "the books", func() bool { look("key-of-a:b"); return own.DayMicros == 60 })
	body := look("key-of-a:b")
	if len(own.Requests) != 2 || own.Requests[0].Outcome != "refused" || len(own.Days["model"]) != 1 || own.Days["model"][0] != (row{"m", 1, 60}) || own.Budgets == nil || strings.Contains(body, "ada") {
		t.Errorf("a:b sees %s", body)
	}
	if strings.Contains(body, "http://") || strings.Contains(body, "tokenId") {
		t.Errorf("a member sees where the sellers are, or a token: %s", body)
	}

	for _, key := range [][]string{nil, {"Authorization", "Bearer key-of-nobody"}} {
		if a := s.ask(0, http.MethodGet, "/tokenbuddy/own", "", key...); a.StatusCode != http.StatusUnauthorized || strings.Contains(a.body, "ada") {
			t.Errorf("with the key %v: %d %s", key, a.StatusCode, a.body)
		}
	}
	a := s.ask(0, http.MethodGet, "/tokenbuddy/", "")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, `data-view="member"`) || !strings.Contains(a.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page: %d %v", a.StatusCode, a.Header)
	}
	for _, other := range [][2]string{
		{"GET", "/tokenbuddy/live"}, {"GET", "/tokenbuddy"}, {"GET", "/tokenbuddy/status"}, {"POST", "/tokenbuddy/"}, {"POST", "/tokenbuddy/own"}, {"POST", "/tokenbuddy/sellers?pause=acme"}, {"GET", "/x/tokenbuddy/own"},
	} {
		if a := s.ask(0, other[0], other[1], "", "Authorization", "Bearer key-of-ada"); a.StatusCode != 299 {
			t.Errorf("%s %s is not the next handler's: %d %s", other[0], other[1], a.StatusCode, a.body)
		}
	}
	for _, path := range []string{"/tokenbuddy/", "/tokenbuddy/own"} {
		if a := s.ask(1, http.MethodGet, path, "", "Authorization", "Bearer key-of-ada"); a.StatusCode != 299 {
			t.Errorf("%s on a site without a page: %d %s", path, a.StatusCode, a.body)
		}
	}
}

// TestPageKnowsWho asks for no key where the site knows who it is by other means.
func TestPageKnowsWho(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, priced("m"))
	s.open("\n\t\tpage\n")
	if a := s.ask(0, http.MethodGet, "/tokenbuddy/", ""); !strings.Contains(a.body, `data-view="known"`) {
		t.Error("a key is asked for of anonymous")
	}
	if a := s.ask(0, http.MethodGet, "/tokenbuddy/own", ""); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `"member":"anonymous"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	// A page whose name has come to be this machine's asks as its own origin: a browser says nothing of it then.
	file, err := os.ReadFile(s.caddyfile())
	if err != nil {
		t.Fatal(err)
	}
	s.write(strings.Replace(string(file), "http://127.0.0.1:", "http://:", 1))
	s.reload()
	for host, want := range map[string]int{"evil.example": 401, "evil.example:80": 401, "localhost.evil.example": 401, "LOCALHOST:1": 200, "tokens.localhost": 200, "[::1]:80": 200, "[::1]": 200, "[fd00::1]": 401, "127.9.9.9": 200} {
		for _, path := range []string{"/tokenbuddy/own", "/v1/key"} {
			if a := s.ask(0, http.MethodGet, path, "", hostHeader, host); a.StatusCode != want {
				t.Errorf("%s of %s: %d %s", path, host, a.StatusCode, a.body)
			}
		}
	}
}

// TestPageOfOperators: what a page of another site sends is refused, and what the own page sends is done.
func TestPageOfOperators(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, priced("m"))
	s.open("")
	eventually(t, "the registry's seller", func() bool {
		_, body := s.look("/tokenbuddy/sellers")
		return strings.Contains(string(body), `"acme"`)
	})
	press := func(header ...string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.admin+"/tokenbuddy/sellers?pause=acme", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
			if header[i] == "Host" {
				req.Host = header[i+1]
			}
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	for _, test := range []struct {
		what   string
		header []string
		status int
	}{
		{"a page of another site", []string{"Origin", "https://evil.example", "Sec-Fetch-Mode", "cors"}, 403},
		{"a form of another site", []string{"Origin", "https://evil.example", "Sec-Fetch-Mode", "navigate"}, 403},
		{"a page of no origin", []string{"Origin", "null", "Sec-Fetch-Mode", "cors"}, 400},
		{"a page that wants no answer", []string{"Sec-Fetch-Mode", "no-cors"}, 400},
		{"a name that was bound anew", []string{"Host", "evil.example"}, 403},
		{"the page itself", []string{"Origin", "http://" + s.admin, "Sec-Fetch-Mode", "cors"}, 200},
		{"a command", nil, 200},
	} {
		if got := press(test.header...); got != test.status {
			t.Errorf("%s: %d, want %d", test.what, got, test.status)
		}
	}
	if status, body := s.look("/tokenbuddy/"); status != 200 || !strings.Contains(string(body), `data-view="operator"`) {
		t.Errorf("%d %.80s", status, body)
	}
	if status, _ := s.look("/tokenbuddy/none"); status != 404 {
		t.Errorf("what is not there: %d", status)
	}
}
