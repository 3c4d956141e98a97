package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestExports writes files of two periods that go together, for programs that want other beginnings, and of chosen entries.
func TestExports(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	s := startBooks(t)
	cut := time.Now().UTC().Format(time.RFC3339Nano)
	s.ask(0, "POST", "/v1/chat/completions", chatOf("big", ""), "Authorization", "Bearer sk-bob-key", "X-Request-Id", "later")
	s.entryOf("later")
	at := func(args ...string) []string { return append(args, "--address", s.admin) }
	file := func(name string) string { return filepath.Join(s.dir, name) }

	s.good(at("export", "--format", "beancount", "--opens", "new", "--to", cut, "-o", file("first.beancount"))...)
	s.good(at("export", "--format", "beancount", "--opens", "new", "--from", cut, "-o", file("second.beancount"))...)
	second := s.good(at("export", "--format", "beancount", "--opens", "new", "--from", cut)...)
	if opens := regexp.MustCompile(`(?m)^\S+ open (\S+)`).FindAllStringSubmatch(second, -1); len(opens) != 1 || opens[0][1] != "Expenses:Inference:Bob:Large" {
		t.Errorf("the second period opens %q in\n%s", opens, second)
	}
	if all := s.good(at("export", "--format", "beancount", "--from", cut)...); strings.Count(all, " open ") < 2 {
		t.Errorf("by itself it opens too little:\n%s", all)
	}
	if none := s.good(at("export", "--format", "beancount", "--opens", "none")...); strings.Contains(none, " open ") {
		t.Error("--opens none opens accounts")
	}
	if _, err := exec.LookPath("bean-check"); err == nil {
		both := filepath.Join(s.dir, "both.beancount")
		if err := os.WriteFile(both, []byte("include \"first.beancount\"\ninclude \"second.beancount\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "bean-check", "--no-cache", both).CombinedOutput(); err != nil {
			t.Errorf("the files of two periods do not go together: %v\n%s", err, out)
		}
	}
	whole := s.good(at("export", "--format", "beancount")...)
	if strings.Contains(whole, "balance Assets:Wallet") || !strings.Contains(whole, "balance Assets:Credit:Acme") {
		t.Errorf("the balances at the end are\n%s", whole)
	}

	plain, marked := s.good(at("export")...), s.good(at("export", "--bom")...)
	if marked != "\ufeff"+plain {
		t.Errorf("--bom writes %.40q", marked)
	}
	for words, args := range map[string][]string{
		"--bom is for":   {"export", "--format", "jsonl", "--bom"},
		"--opens is for": {"export", "--opens", "new"},
		"--opens is all": {"export", "--format", "hledger", "--opens", "some"},
	} {
		s.bad(words, at(args...)...)
	}

	// What is chosen is the same wherever it is read from, and is what the whole has of it.
	lines := strings.SplitAfter(s.good(at("export", "--format", "jsonl")...), "\n")
	for flags, has := range map[string]string{
		"--member ada":               `"member":"ada"`,
		"--model small":              `"model":"small"`,
		"--seller acme":              `"seller":"acme"`,
		"--member bob --model small": `"member":"bob"`,
	} {
		var want strings.Builder
		for _, line := range lines {
			if strings.Contains(line, has) && (!strings.Contains(flags, "--member bob") || strings.Contains(line, `"model":"small"`)) {
				want.WriteString(line)
			}
		}
		args := append([]string{"export", "--format", "jsonl"}, strings.Fields(flags)...)
		if got := s.good(at(args...)...); got != want.String() || got == "" {
			t.Errorf("%s gives\n%s\nwant\n%s", flags, got, want.String())
		}
	}
}
