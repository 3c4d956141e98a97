package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exampleFiles are the files of the examples that stand whole in docs/extending.md.
var exampleFiles = []string{
	"roundrobin/roundrobin.go", "roundrobin/roundrobin_test.go", "roundrobin/caddy/main.go", "roundrobin/Caddyfile",
	"approval/approval.go", "approval/approval_test.go", "approval/caddy/main.go", "approval/Caddyfile",
}

// TestExtendingPage holds the page for authors of guests against the examples that are built and run. UPDATE_GOLDEN=1 writes the
// page anew.
func TestExtendingPage(t *testing.T) {
	page := filepath.Join("..", "docs", "extending.md")
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, name := range exampleFiles {
		file, err := os.ReadFile(filepath.Join("..", "examples", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		language := "caddyfile"
		if strings.HasSuffix(name, ".go") {
			language = "go"
		}
		block := regexp.MustCompile("(?s)`examples/" + regexp.QuoteMeta(name) + "`:\n\n```" + language + "\n(.*?)```\n")
		found := block.FindStringSubmatchIndex(text)
		switch {
		case found == nil:
			t.Errorf("%s does not stand in %s", name, page)
		case text[found[2]:found[3]] == string(file):
		case os.Getenv("UPDATE_GOLDEN") != "":
			text = text[:found[2]] + string(file) + text[found[3]:]
		default:
			t.Errorf("%s stands in another form in %s: write it anew with UPDATE_GOLDEN=1", name, page)
		}
	}
	if text != string(b) {
		if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestXcaddyLines: what the pages of the examples build by xcaddy runs their Caddyfiles, which have a seller in them.
func TestXcaddyLines(t *testing.T) {
	pages, err := filepath.Glob("../examples/*/README.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(err)
	}
	n := 0
	for _, page := range append(pages, "../docs/extending.md", "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "xcaddy build ") {
				continue
			}
			n++
			if !strings.Contains(line, "--with github.com/tokenbuddy/caddy-tokenbuddy/seller") {
				t.Errorf("%s: %s builds no seller", page, strings.TrimSpace(line))
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d lines were found", n)
	}
}

// TestExamples builds the Caddys of the examples and runs them with their Caddyfiles, but for the ports. It wants
// TOKENBUDDY_EXAMPLES in the environment, as it links two programs.
func TestExamples(t *testing.T) {
	if os.Getenv("TOKENBUDDY_EXAMPLES") == "" {
		t.Skip("TOKENBUDDY_EXAMPLES is not set")
	}
	for name, look := range map[string]func(*testing.T, *caddy){"roundrobin": lookAtTurns, "approval": lookAtApproval, "webhook": lookAtWebhook} {
		t.Run(name, func(t *testing.T) {
			c := newCaddy(t, "")
			c.program = filepath.Join(t.TempDir(), "caddy")
			build := exec.Command("go", "build", "-o", c.program, "./caddy")
			build.Dir = filepath.Join("..", "examples", name)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("building: %v\n%s", err, out)
			}
			b, err := os.ReadFile(filepath.Join(build.Dir, "Caddyfile"))
			if err != nil {
				t.Fatal(err)
			}
			c.write(onOtherPorts(t, c, string(b)))
			c.start()
			look(t, c)
			c.verify()
			c.stop()
		})
	}
}

// onOtherPorts is an example's Caddyfile with ports that nobody listens on.
func onOtherPorts(t *testing.T, c *caddy, file string) string {
	file = strings.Replace(file, "{\n", "{\n\tadmin "+c.admin+"\n", 1)
	ports := regexp.MustCompile(`(?m)^:(\d+) \{$`).FindAllStringSubmatch(file, -1)
	for _, port := range ports {
		address := freeAddress(t)
		if port[1] == "8080" {
			address = c.site
		}
		_, free, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		file = strings.NewReplacer(":"+port[1]+" {", ":"+free+" {", "127.0.0.1:"+port[1], "127.0.0.1:"+free).Replace(file)
	}
	return file
}

const toyBody = `{"model":"toy-1","messages":[{"role":"user","content":"Hello"}]}`

// lookAtTurns looks whether the sellers take turns.
func lookAtTurns(t *testing.T, c *caddy) {
	var turns []string
	for range 4 {
		res, body := c.post("/v1/chat/completions", toyBody)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", res.StatusCode, body)
		}
		turns = append(turns, res.Header.Get("X-TokenBuddy-Seller"))
	}
	if want := []string{"acme", "bolt", "acme", "bolt"}; !slices.Equal(turns, want) {
		t.Errorf("served by %v, want %v", turns, want)
	}
}

// lookAtWebhook looks whether what stands in the place of a chat has heard that a budget is spent.
func lookAtWebhook(t *testing.T, c *caddy) {
	req, err := http.NewRequest(http.MethodPost, "http://"+c.site+"/v1/chat/completions", strings.NewReader(toyBody))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer sk-ada-for-play")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusPaymentRequired {
		t.Errorf("status %d", res.StatusCode)
	}
	eventually(t, "the chat hears of it", func() bool { return c.log.has(`"uri":"/chat"`) || c.log.has(`"uri": "/chat"`) })
}

// lookAtApproval looks whether the service has paid.
func lookAtApproval(t *testing.T, c *caddy) {
	res, body := c.post("/v1/chat/completions", toyBody)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	eventually(t, "the purchase is booked", func() bool { return len(c.entries("purchase")) > 0 })
	if got := c.balances()["wallet:approval"]; got != -5_000_000 {
		t.Errorf("the wallet has %d: %s", got, fmt.Sprint(c.entries("purchase")))
	}
}
