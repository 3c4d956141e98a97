package e2e

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// TestMembers has members show keys that the config has in every form, and members that another module knows.
func TestMembers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("sk-file-key"), 0o600); err != nil {
		t.Fatal(err)
	}
	hashed, err := bcrypt.GenerateFromPassword([]byte("pw"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	s.seller("acme", answerPlain, priced("m", "m-latest"), "gpt-1", "gpt-2", "vendor/gpt-1")
	s.open(fmt.Sprintf(`
		member plain {
			key sk-plain
		}
		member hashed {
			key sha256:%x
		}
		member upper {
			key sha256:%X
		}
		member filed {
			key {file.%s}
		}
		member globbed {
			key sk-glob-key
			models gpt-* m
		}
		model_alias fast m
		model_alias gpt-9 vendor/gpt-1
`, sha256.Sum256([]byte("sk-hash-key")), sha256.Sum256([]byte("sk-upper")), file),
		"\t\tbasic_auth {\n\t\t\tgrace "+string(hashed)+"\n\t\t}\n+++\n\t\tmember_from {http.auth.user.id}\n\t\tmember grace {\n\t\t\tmodels gpt-*\n\t\t}\n",
		"\t\tmember_from {http.request.header.X-User}\n\t\tmember keyed {\n\t\t\tkey sk-keyed\n\t\t}\n",
	)
	asked := 0
	try := func(site int, model string, status int, member string, header ...string) {
		t.Helper()
		asked++
		id := fmt.Sprint("member ", asked)
		a := s.ask(site, "POST", "/v1/chat/completions", chatOf(model, ""), append(header, "X-Request-Id", id)...)
		if a.StatusCode != status {
			t.Errorf("%v for %s: status %d, want %d: %s", header, model, a.StatusCode, status, a.body)
		} else if status == 200 {
			if e := s.entryOf(id); e.Member != member || e.RequestedModel != model {
				t.Errorf("%v for %s: booked on %s, %s", header, model, e.Member, e.RequestedModel)
			}
		}
	}
	for key, member := range map[string]string{"sk-plain": "plain", "sk-hash-key": "hashed", "sk-upper": "upper", "sk-file-key": "filed"} {
		try(0, "m", 200, member, "Authorization", "Bearer "+key)
		try(0, "m", 200, member, "Authorization", "bearer "+key)
		try(0, "m", 200, member, "X-Api-Key", key)
	}
	try(0, "m", 401, "", "X-Api-Key", fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("sk-hash-key"))))
	try(0, "m", 401, "", "X-Api-Key", fmt.Sprintf("%x", sha256.Sum256([]byte("sk-hash-key"))))
	try(0, "m", 401, "", "X-Api-Key", "{file."+file+"}")
	for model, status := range map[string]int{
		"m": 200, "fast": 200, "m-latest": 200, "gpt-1": 200, "gpt-2": 200, "vendor/gpt-1": 403, "gpt-9": 403, "gpt-none": 404,
	} {
		try(0, model, status, "globbed", "X-Api-Key", "sk-glob-key")
	}
	grace := []string{"Authorization", "Basic Z3JhY2U6cHc="}
	try(1, "gpt-1", 200, "grace", grace...)
	try(1, "m", 403, "", grace...)
	try(1, "gpt-1", 401, "", "Authorization", "Basic Z3JhY2U6eA==")
	try(1, "gpt-1", 401, "")
	try(1, "gpt-1", 401, "", "X-Api-Key", "sk-plain")

	try(2, "m", 200, "x:y", "X-User", "x:y")
	try(2, "m", 200, "keyed", "X-User", "keyed")
	try(2, "m", 200, "keyed", "X-Api-Key", "sk-keyed")
	try(2, "m", 401, "")
	try(2, "m", 401, "", "X-User", "")
	if balance, ok := s.balances()["expense:x%3Ay:m"]; !ok || balance <= 0 {
		t.Errorf("the accounts are %v", s.balances())
	}
	s.verify()
}

// TestPagesOfOtherSites: a member whom another module knows by what a browser sends along pays for no page that is not the site's own.
func TestPagesOfOtherSites(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, "m")
	s.open("\t\tmember_from {http.request.header.X-User}\n\t\tmember keyed {\n\t\t\tkey sk-keyed\n\t\t}\n")
	for name, row := range map[string]struct {
		kind   string
		header []string
		status int
	}{
		"no browser":               {"application/json", nil, 200},
		"no browser, no kind":      {"", nil, 200},
		"a form":                   {"text/plain", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 401},
		"a form, urlencoded":       {"application/x-www-form-urlencoded", []string{"Sec-Fetch-Site", "cross-site"}, 401},
		"bytes of no kind":         {"", []string{"Sec-Fetch-Site", "cross-site"}, 401},
		"JSON behind plain text":   {"text/plain; application/json", []string{"Sec-Fetch-Site", "cross-site"}, 401},
		"a neighbour":              {"text/plain", []string{"Sec-Fetch-Site", "same-site"}, 401},
		"an old browser":           {"text/plain", []string{"Origin", "https://evil.example"}, 401},
		"a sandbox":                {"text/plain", []string{"Origin", "null"}, 401},
		"an old browser, own page": {"text/plain", []string{"Origin", "http://" + s.site}, 200},
		"own page":                 {"text/plain", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://" + s.site}, 200},
		"asked whether it may":     {"application/json; charset=utf-8", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://chat.example"}, 200},
		"with a key":               {"text/plain", []string{"Sec-Fetch-Site", "cross-site", "X-Api-Key", "sk-keyed"}, 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.site+"/v1/chat/completions", strings.NewReader(chatBody))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-User", "ada")
		if row.kind != "" {
			req.Header.Set("Content-Type", row.kind)
		}
		for i := 0; i+1 < len(row.header); i += 2 {
			req.Header.Set(row.header[i], row.header[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != row.status {
			t.Errorf("%s: status %d, want %d", name, res.StatusCode, row.status)
		}
	}
	for method, path := range map[string]string{"GET": "/v1/models", "DELETE": "/v1/responses/resp_1", "POST": "/v1/responses/resp_1/cancel"} {
		if a := s.ask(0, method, path, "", "X-User", "ada", "Sec-Fetch-Site", "cross-site"); a.StatusCode == 401 {
			t.Errorf("%s, which costs nothing: status %d", path, a.StatusCode)
		}
	}
}

// TestLoopbackOnly asks a gateway without members from this machine, from a page in a browser, and from elsewhere.
func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, "m")
	s.open("")
	for name, row := range map[string]struct {
		header []string
		status int
	}{
		"no key":       {nil, 200},
		"any key":      {[]string{"Authorization", "Bearer whatever"}, 200},
		"any other":    {[]string{"X-Api-Key", "whatever"}, 200},
		"browser":      {[]string{"Origin", "https://evil.example"}, 401},
		"own page":     {[]string{"Origin", "http://" + s.site}, 401},
		"opaque":       {[]string{"Origin", "null"}, 401},
		"empty":        {[]string{"Origin", ""}, 401},
		"empty first":  {[]string{"Origin", "", "Origin", "https://evil.example"}, 401},
		"browser, key": {[]string{"Origin", "https://evil.example", "Authorization", "Bearer whatever"}, 401},
	} {
		a := s.ask(0, "POST", "/v1/chat/completions", chatBody, append(row.header, "X-Request-Id", name)...)
		if a.StatusCode != row.status {
			t.Errorf("%s: status %d: %s", name, a.StatusCode, a.body)
		} else if row.status == 401 {
			assertRefused(t, name, a, refusedKey, false)
		} else if e := s.entryOf(name); e.Member != "anonymous" {
			t.Errorf("%s: booked on %s", name, e.Member)
		}
		if a := s.ask(0, "GET", "/v1/models", "", row.header...); a.StatusCode != row.status {
			t.Errorf("%s: GET /v1/models: status %d", name, a.StatusCode)
		}
	}
	t.Run("elsewhere", func(t *testing.T) {
		own := outsideAddress(t)
		_, port, _ := net.SplitHostPort(freeAddress(t)) // so it is free there too, nearly always
		other := newStage(t)
		other.lists = s.lists
		other.caddy = newCaddy(t, "")
		other.write(other.global("") + "http://:" + port + " {\n\tbind 127.0.0.1 " + own + "\n\ttokenbuddy {\n" + market(serveDocument(t, s.lists), "") + "\t}\n}\n")
		other.start()
		for host, status := range map[string]int{own: 401, "127.0.0.1": 200} {
			res, err := http.Post("http://"+net.JoinHostPort(host, port)+"/v1/chat/completions", "application/json", strings.NewReader(chatBody))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != status {
				t.Errorf("from %s: status %d, want %d", host, res.StatusCode, status)
			}
		}
	})
}

// TestLoopbackBehindProxy: where a proxy is trusted, who is anonymous has to be on this machine by every name of the chain. A
// client writes the first of them itself.
func TestLoopbackBehindProxy(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, "m")
	for kind, options := range map[string]string{
		"first name counts": "\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8 ::1\n\t}\n",
		"strict":            "\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8 ::1\n\t\ttrusted_proxies_strict\n\t}\n",
	} {
		t.Run(kind, func(t *testing.T) {
			c := newCaddy(t, "")
			c.write(c.global(options) + siteOf(c.site, market(serveDocument(t, s.lists), "")))
			c.start()
			for name, row := range map[string]struct {
				chain  []string
				other  []string // lines of the list Forwarded
				status int
			}{
				"no chain":             {nil, nil, 200},
				"here":                 {[]string{"127.0.0.1"}, nil, 200},
				"here over here":       {[]string{"::1, 127.0.0.1"}, nil, 200},
				"elsewhere":            {[]string{"203.0.113.9"}, nil, 401},
				"says that it is here": {[]string{"127.0.0.1, 203.0.113.9"}, nil, 401},
				"in two lines":         {[]string{"127.0.0.1", "203.0.113.9"}, nil, 401},
				"in its first line":    {[]string{"203.0.113.9", "127.0.0.1"}, nil, 401},
				"no address":           {[]string{"127.0.0.1, unknown"}, nil, 401},
				"in another list":      {[]string{"127.0.0.1"}, []string{"for=203.0.113.9"}, 401},
				"in its second line":   {[]string{"127.0.0.1"}, []string{"", "for=203.0.113.9"}, 401},
			} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.site+"/v1/chat/completions", strings.NewReader(chatBody))
				if err != nil {
					t.Fatal(err)
				}
				req.Header["X-Forwarded-For"] = row.chain
				req.Header["Forwarded"] = row.other
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != row.status {
					t.Errorf("%s: status %d, want %d", name, res.StatusCode, row.status)
				}
			}
		})
	}
}

// outsideAddress is an address of this machine that is not loopback: who connects to it comes from it.
func outsideAddress(t *testing.T) string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Skip(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}
