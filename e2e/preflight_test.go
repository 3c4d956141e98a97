package e2e

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestPreflight has a browser ask before a page of another origin does, on the site that the docs have for that: whatever the answer is, the page
// may read it.
func TestPreflight(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	site := ""
	for _, match := range docsBlock.FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(match[2], "Access-Control-Allow-Origin") {
			site = match[2]
		}
	}
	c := newCaddy(t, "")
	registry := registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain))
	words := strings.NewReplacer("gateway.example.com {", "http://"+c.site+" {\n\tbind 127.0.0.1", "{env.TOKENBUDDY_KEY_ADA}", "sk-ada-key",
		"tokenbuddy https://registry.example.com/sellers.json {", "tokenbuddy {\n\t\tregistry "+registry.URL+"\n\t\tseller_networks 127.0.0.0/8")
	c.write(c.global("") + words.Replace(site))
	c.start()

	const origin = "https://chat.example.com"
	req, err := http.NewRequest(http.MethodOptions, c.url("/v1/chat/completions"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
	} {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if h := res.Header; res.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != origin ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "x-stainless-lang") || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("the preflight: %d %v", res.StatusCode, h)
	}
	for body, status := range map[string]int{chatOf("m", ""): 200, chatOf("m", `"stream":true,`): 200, chatOf("none", ""): 404} {
		res, _ := c.post("/v1/chat/completions", body, "Origin", origin, "Authorization", "Bearer sk-ada-key")
		if res.StatusCode != status || res.Header.Get("Access-Control-Allow-Origin") != origin || res.Header.Get("Access-Control-Expose-Headers") != "*" {
			t.Errorf("%s: %d %v", body, res.StatusCode, res.Header)
		}
	}
	if res, _ := c.post("/v1/chat/completions", chatOf("m", ""), "Origin", origin); res.StatusCode != 401 || res.Header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("without a key: %d %v", res.StatusCode, res.Header)
	}
}
