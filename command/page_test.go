package command

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
)

// Two doors may be open in one browser, which sends what each has given it to both: it does not tell ports apart.
func TestTwoDoors(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer admin.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	doors := []*door{{word: "sesame"}, {word: "simsim"}}
	for _, d := range doors {
		d.ctx, d.gateway = t.Context(), &gateway{address: strings.TrimPrefix(admin.URL, "http://")}
		server := httptest.NewServer(d)
		defer server.Close()
		d.host = strings.TrimPrefix(server.URL, "http://")
		if status := get(t, browser, "http://"+d.host+"/tokenbuddy/?door="+d.word); status != http.StatusOK {
			t.Fatalf("with the word: %d", status)
		}
	}
	for i, d := range doors {
		if status := get(t, browser, "http://"+d.host+"/tokenbuddy/live"); status != http.StatusOK {
			t.Errorf("the door %d is shut by another: %d", i, status)
		}
	}
}

func get(t *testing.T, c *http.Client, url string) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// Who comes through the door to the page, and to what.
func TestDoor(t *testing.T) {
	var asked []string
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.RequestURI())
		if r.URL.Path == "/tokenbuddy/none" {
			http.Error(w, `{"error":"there is none"}`, http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
	}))
	defer admin.Close()
	d := &door{ctx: t.Context(), gateway: &gateway{address: strings.TrimPrefix(admin.URL, "http://")}, host: "127.0.0.1:8019", word: "sesame"}
	const cookie = "door-8019=sesame"
	for _, test := range []struct {
		what, method, target string
		header               []string
		status               int
		asked                string
	}{
		{"the address that was printed", "GET", "/tokenbuddy/?door=sesame", nil, 303, ""},
		{"a wrong one", "GET", "/tokenbuddy/?door=sesam", []string{"Cookie", cookie}, 403, ""},
		{"no word", "GET", "/tokenbuddy/", nil, 403, ""},
		{"the page", "GET", "/tokenbuddy/?ledger=%2Fx", []string{"Cookie", cookie, "Sec-Fetch-Site", "none"}, 200, "GET /tokenbuddy/?ledger=%2Fx"},
		{"what it asks for", "GET", "/tokenbuddy/live", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}, 200, "GET /tokenbuddy/live"},
		{"what is not there", "GET", "/tokenbuddy/none", []string{"Cookie", cookie}, 404, "GET /tokenbuddy/none"},
		{"a button", "POST", "/tokenbuddy/sellers?pause=a", []string{"Cookie", cookie, "Origin", "http://127.0.0.1:8019"}, 200, "POST /tokenbuddy/sellers?pause=a"},
		{"a member's, of an odd name", "POST", "/tokenbuddy/members/a..b%2Fc/raise?usd=1", []string{"Cookie", cookie}, 200, "POST /tokenbuddy/members/a..b%2Fc/raise?usd=1"},
		{"a member's, of a name that is a detour", "POST", "/tokenbuddy/members/x%2F..%2F..%2F..%2Fload/raise", []string{"Cookie", cookie}, 403, ""},
		{"another site", "POST", "/tokenbuddy/sellers?pause=a", []string{"Cookie", cookie, "Origin", "https://evil.example"}, 403, ""},
		{"another site's frame", "GET", "/tokenbuddy/", []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"another port's page", "GET", "/tokenbuddy/", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-site"}, 403, ""},
		{"another name", "GET", "http://evil.example/tokenbuddy/", []string{"Cookie", cookie}, 403, ""},
		{"Caddy's config", "GET", "/config/", []string{"Cookie", cookie}, 403, ""},
		{"by a detour", "GET", "/tokenbuddy/../config/", []string{"Cookie", cookie}, 403, ""},
		{"by a hidden one", "GET", "/tokenbuddy/%2e%2e/config/", []string{"Cookie", cookie}, 403, ""},
		{"another method", "DELETE", "/tokenbuddy/selection", []string{"Cookie", cookie}, 403, ""},
	} {
		asked = nil
		r := httptest.NewRequest(test.method, test.target, nil)
		if r.Host == "example.com" {
			r.Host = d.host
		}
		for i := 0; i+1 < len(test.header); i += 2 {
			r.Header.Set(test.header[i], test.header[i+1])
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if got := strings.Join(asked, ", "); w.Code != test.status || got != test.asked {
			t.Errorf("%s: %d %s, asked for %q, want %d and %q", test.what, w.Code, w.Body, got, test.status, test.asked)
		}
		switch {
		case w.Code == 303 && (w.Header().Get("Location") != pagePath || !strings.Contains(w.Header().Get("Set-Cookie"), "HttpOnly; SameSite=Strict")):
			t.Errorf("%s: %v", test.what, w.Header())
		case w.Code == 200 && w.Header().Get("Content-Security-Policy") == "":
			t.Errorf("%s: its header is lost", test.what)
		}
	}
	admin.Close()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/tokenbuddy/live", nil)
	r.Host = d.host
	r.Header.Set("Cookie", cookie)
	if d.ServeHTTP(w, r); w.Code != http.StatusBadGateway {
		t.Errorf("of no Caddy: %d", w.Code)
	}
}
