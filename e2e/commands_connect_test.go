package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
)

// startConnect starts a gateway with a member, and gives what one of its clients is told to set, once a shell has read it.
func startConnect(t *testing.T) (c *caddy, shell func(client, then string) string) {
	c = newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain)), "\t\tmember ada {\n\t\t\tkey sk-of-ada\n\t\t}\n"))
	c.start()
	return c, func(client, then string) string {
		t.Helper()
		cmd := exec.Command("sh", "-e", "-c", c.good("connect", client, "--model", "m", "--address", c.admin)+"\n"+then)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TOKENBUDDY_KEY=sk-of-ada", "ANTHROPIC_API_KEY=of-an-account"}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", client, err, out)
		}
		return string(out)
	}
}

// TestConnect has clients read what connect prints for them: each comes to the gateway that connect has found, as a member.
func TestConnect(t *testing.T) { // not parallel: the SDKs read the environment
	c, shell := startConnect(t)
	if _, err := exec.LookPath("curl"); err != nil {
		t.Log("NOT TESTED: there is no curl here")
	} else if out := shell("curl", ""); !strings.Contains(out, `"id":"m"`) || !strings.Contains(out, `"choices"`) {
		t.Errorf("curl gets\n%s", out)
	}
	for _, client := range []string{"openai", "anthropic", "claude"} {
		t.Run(client, func(t *testing.T) {
			t.Setenv("ANTHROPIC_API_KEY", "")
			for line := range strings.Lines(shell(client, "env")) {
				if name, value, _ := strings.Cut(strings.TrimSpace(line), "="); strings.HasPrefix(name, "OPENAI_") || strings.HasPrefix(name, "ANTHROPIC_") {
					t.Setenv(name, value)
				}
			}
			before := len(c.entries("inference"))
			answer := ""
			if client == "openai" {
				sdk := openai.NewClient()
				res, err := sdk.Chat.Completions.New(t.Context(), chatParams("m"))
				if err != nil {
					t.Fatal(err)
				}
				answer = res.Choices[0].Message.Content
			} else {
				sdk := anthropic.NewClient()
				res, err := sdk.Messages.New(t.Context(), messageParams("m"))
				if err != nil {
					t.Fatal(err)
				}
				answer = res.ID
			}
			if all := c.entries("inference"); len(all) != before+1 || all[before].Member != "ada" || answer == "" {
				t.Errorf("answered %q, and booked as %+v", answer, all[before:])
			}
			if key := os.Getenv("ANTHROPIC_API_KEY"); client == "claude" && key != "" {
				t.Errorf("Claude Code is left with two keys: %s", key)
			}
		})
	}
}

// TestConnectFiles reads the config files that connect prints, and looks for what does not belong there.
func TestConnectFiles(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	c, _ := startConnect(t)
	var said struct {
		URL     string `json:"url"`
		Clients []struct {
			Client string `json:"client"`
			Files  []struct{ Path, Content string }
		} `json:"clients"`
	}
	out := c.good("connect", "--json", "--model", "m", "--address", c.admin)
	if err := json.Unmarshal([]byte(out), &said); err != nil || said.URL != "http://"+c.site || len(said.Clients) != 13 {
		t.Fatalf("%v:\n%s", err, out)
	}
	var opencode struct {
		Model    string
		Provider map[string]struct {
			Options struct{ BaseURL, APIKey string }
			Models  map[string]any
		}
	}
	for _, client := range said.Clients {
		switch client.Client {
		case "codex":
			if s := client.Files[0].Content; !strings.Contains(s, fmt.Sprintf("\nbase_url = %q\nenv_key = \"TOKENBUDDY_KEY\"\n", c.url("/v1"))) {
				t.Errorf("for Codex it is\n%s", s)
			}
		case "opencode":
			if err := json.Unmarshal([]byte(client.Files[0].Content), &opencode); err != nil {
				t.Error(err)
			}
		}
	}
	if p := opencode.Provider["tokenbuddy"]; opencode.Model != "tokenbuddy/m" || p.Models["m"] == nil ||
		p.Options.BaseURL != c.url("/v1") || p.Options.APIKey != "{env:TOKENBUDDY_KEY}" {
		t.Errorf("for opencode it is %+v", opencode)
	}
	out += c.good("connect", "--config", c.caddyfile(), "--adapter", "caddyfile")
	for _, secret := range []string{"sk-of-ada", "registry", "acme", "mock"} {
		if strings.Contains(out, secret) {
			t.Errorf("connect lets %s out of the config:\n%s", secret, out)
		}
	}
	if out := c.good("connect", "curl", "--url", "https://gateway.example.com/v1"); !strings.Contains(out, " https://gateway.example.com/v1/models\n") ||
		strings.Contains(out, "Codex") || strings.Contains(out, "Only this machine") {
		t.Errorf("with --url it is\n%s", out)
	}
	for words, args := range map[string][]string{
		"unexpected word":        {"connect", "telnet", "--address", c.admin},
		"--url is":               {"connect", "--url", "gateway.example.com"},
		"--model is":             {"connect", "--model", "a\nb", "--address", c.admin},
		"none of the others":     {"connect", "--url", "https://gateway.example.com", "--address", c.admin},
		"say with --url where":   {"connect", "--address", freeAddress(t)},
		"with tokenbuddy that h": {"connect", "--address", emptyCaddy(t).admin},
	} {
		c.bad(words, args...)
	}
}

// emptyCaddy starts a Caddy that has no gateway.
func emptyCaddy(t *testing.T) *caddy {
	c := newCaddy(t, "")
	c.write(c.global(""))
	c.start()
	return c
}
