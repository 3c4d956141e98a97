package tokenbuddy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/encode"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/encode/gzip"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/encode/zstd"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/cockroachdb/datadriven"

	"github.com/tokenbuddy/caddy-tokenbuddy/config"
)

// adapt gives the JSON of a whole Caddyfile, indented.
func adapt(t *testing.T, body string) (string, error) {
	t.Helper()
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(body), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return "", err
	}
	for _, w := range warnings {
		t.Errorf("warning: %s", w)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, adapted, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n", nil
}

// TestRefused shows the error for each mistake, with file and line.
func TestRefused(t *testing.T) {
	const block = ":8080\ntokenbuddy https://r.example {\n\tpayment mock\n"
	datadriven.RunTest(t, "testdata/refused/errors", func(t *testing.T, d *datadriven.TestData) string {
		body := d.Input + "\n"
		switch d.Cmd {
		case "block":
			body = block + body + "}\n"
		case "seller":
			body = block + "seller acme https://a.example {\n" + body + "}\n}\n"
		}
		_, err := adapt(t, body)
		if err == nil {
			return "accepted"
		}
		if strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: a secret in the error: %v", d.Pos, err)
		}
		return strings.TrimPrefix(err.Error(), "parsing caddyfile tokens for 'tokenbuddy': ")
	})
}

const adaptRule = "----------\n"

// TestAdapt compares with what stands under the line of dashes; UPDATE_GOLDEN=1 writes that anew.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no goldens", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			golden, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			body, want, ok := strings.Cut(string(golden), adaptRule)
			if !ok {
				t.Fatal("no line of dashes")
			}
			got, err := adapt(t, body)
			if err != nil {
				t.Fatal(err)
			}
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(file, []byte(body+adaptRule+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if formatted := string(caddyfile.Format([]byte(body))); formatted != body {
				t.Errorf("caddy fmt would change it to:\n%s", formatted)
			}
			checkLoads(t, got)
		})
	}
}

// checkLoads: what the adapter writes is accepted as JSON, strictly, by the same rules, and says the same again.
func checkLoads(t *testing.T, adapted string) {
	t.Helper()
	raw := handlerJSON(t, adapted)
	var c config.Config
	if err := caddy.StrictUnmarshalJSON(raw, &c); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Errorf("as JSON: %v", err)
	}
	again, err := json.Marshal(&c)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := compact(t, again), compact(t, raw); got != want {
		t.Errorf("as JSON it says\n%s\nwant\n%s", got, want)
	}
}

// handlerJSON finds the handler's own configuration, wherever it is, without the member "handler".
func handlerJSON(t *testing.T, adapted string) []byte {
	t.Helper()
	var whole any
	if err := json.Unmarshal([]byte(adapted), &whole); err != nil {
		t.Fatal(err)
	}
	var find func(v any) map[string]any
	find = func(v any) map[string]any {
		switch v := v.(type) {
		case map[string]any:
			if v["handler"] == "tokenbuddy" {
				return v
			}
			for _, child := range v {
				if m := find(child); m != nil {
					return m
				}
			}
		case []any:
			for _, child := range v {
				if m := find(child); m != nil {
					return m
				}
			}
		}
		return nil
	}
	handler := find(whole)
	if handler == nil {
		t.Fatal("no handler in", adapted)
	}
	delete(handler, "handler")
	raw, err := json.Marshal(handler)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// compact gives JSON with the members of every object in order.
func compact(t *testing.T, raw []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSecretsStayPlaceholders: neither the adapted configuration nor the resolved one's own JSON has what a placeholder
// stands for.
func TestSecretsStayPlaceholders(t *testing.T) {
	t.Setenv("TB_TEST_KEY", "hunter2hunter2")
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("hunter3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	adapted, err := adapt(t, ":8080 {\n\ttokenbuddy https://r.example {\n\t\tpayment mock\n\t\tmember a {\n\t\t\tkey {env.TB_TEST_KEY}\n\t\t}\n"+
		"\t\tledger badger {\n\t\t\tkey {file."+file+"}\n\t\t}\n\t}\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	var c config.Config
	if err := caddy.StrictUnmarshalJSON(handlerJSON(t, adapted), &c); err != nil {
		t.Fatal(err)
	}
	s, err := c.Settings(caddy.NewReplacer())
	if err != nil {
		t.Fatal(err)
	}
	if s.LedgerKeySecret != "hunter3" {
		t.Errorf("the ledger's key is %q", s.LedgerKeySecret)
	}
	after, err := json.Marshal(&c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{adapted, string(after)} {
		if strings.Contains(text, "hunter") || !strings.Contains(text, "{env.TB_TEST_KEY}") {
			t.Errorf("placeholders are not as they were: %s", text)
		}
	}
}

// FuzzUnmarshalCaddyfile: no input makes the reader panic, and what it accepts is a right configuration as JSON too.
func FuzzUnmarshalCaddyfile(f *testing.F) {
	files, err := filepath.Glob("testdata/adapt/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		golden, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		body, _, _ := strings.Cut(string(golden), adaptRule)
		if i := strings.Index(body, "\ttokenbuddy"); i >= 0 {
			f.Add(strings.TrimSuffix(body[i+1:], "}\n"))
		}
	}
	f.Add("tokenbuddy { {\n} }")
	f.Add("tokenbuddy https://r.example {\n\tpayment")
	f.Add("tokenbuddy https://r.example {\n\tpayment mock {\n\tselection manual {\n")
	f.Fuzz(func(t *testing.T, body string) {
		tokens, err := caddyfile.Tokenize([]byte(body), "Caddyfile")
		if err != nil || len(tokens) == 0 {
			return
		}
		var h Handler
		if h.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)) != nil {
			return
		}
		raw, err := json.Marshal(&h.Config)
		if err != nil {
			t.Fatal(err)
		}
		var again config.Config
		if err := caddy.StrictUnmarshalJSON(raw, &again); err != nil {
			t.Fatal(err)
		}
		if err := again.Check(); err != nil {
			t.Errorf("accepted as Caddyfile, but as JSON: %v", err)
		}
	})
}

// expected are the words of a block, as the error of an unknown one lists them.
var expected = regexp.MustCompile(`unknown word "nonsense": expected one of (.*), at `)

// TestEveryWordIsTold looks for every word that a block takes in the two places that show all of them: the comment of UnmarshalCaddyfile, and
// docs/caddyfile.md.
func TestEveryWordIsTold(t *testing.T) {
	docs, err := os.ReadFile("docs/caddyfile.md")
	if err != nil {
		t.Fatal(err)
	}
	_, all, _ := strings.Cut(string(docs), "## All words")
	_, all, _ = strings.Cut(all, "\ttokenbuddy {")
	all, _, _ = strings.Cut(all, "```")
	source, err := os.ReadFile("caddyfile.go")
	if err != nil {
		t.Fatal(err)
	}
	_, syntax, _ := strings.Cut(string(source), "//\ttokenbuddy [")
	shown := map[string]map[string]bool{
		"docs/caddyfile.md":                 wordsOf(strings.ReplaceAll(all, "\n\t", "\n")),
		"the comment of UnmarshalCaddyfile": wordsOf(strings.ReplaceAll(syntax, "\n//\t", "\n")),
	}
	n := 0
	for block, around := range map[string]string{
		"": "%s", "registry": "registry https://r.example {\n%s\n}", "seller": "seller acme https://a.example {\n%s\n}", "purchase": "purchase {\n%s\n}",
		"prewarm": "prewarm {\n%s\n}", "failover": "failover {\n%s\n}", "member": "member ada {\n%s\n}", "group": "group build {\n%s\n}",
		"member_default": "member_default {\n%s\n}", "budgets": "budgets {\n%s\n}", "ledger": "ledger badger {\n%s\n}", "fleet": "fleet postgres postgres://db/x {\n%s\n}",
	} {
		_, err := adapt(t, ":8080\ntokenbuddy {\n"+fmt.Sprintf(around, "nonsense")+"\n}\n")
		list := expected.FindStringSubmatch(fmt.Sprint(err))
		if list == nil {
			t.Fatalf("%s: %v", block, err)
		}
		for word := range strings.SplitSeq(list[1], ", ") {
			n++
			for where, words := range shown {
				if alone := block == "prewarm" && word == "off"; !words[block+" "+word] && !alone {
					t.Errorf("%s does not show %s %s", where, block, word)
				}
			}
		}
	}
	if n < 70 {
		t.Errorf("only %d words were found", n)
	}
}

// wordsOf gives the first word of each line, after the block that it is in.
func wordsOf(text string) map[string]bool {
	words, block := make(map[string]bool), ""
	for line := range strings.Lines(text) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch inner := strings.HasPrefix(line, "\t\t"); {
		case inner:
			words[block+" "+word] = true
		default:
			words[" "+word], block = true, word
		}
	}
	return words
}
