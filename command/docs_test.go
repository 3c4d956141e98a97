package command

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// written finds what the docs have after `caddy tokenbuddy`, up to the end of the line or of the code.
var written = regexp.MustCompile("caddy tokenbuddy ([a-z][^`\n#|]*)")

// TestDocs holds the docs against the commands: each command and flag that there is stands there, and each that stands there is.
func TestDocs(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	docs := ""
	for _, page := range append(pages, "../README.md", "../CHANGELOG.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		docs += string(text) + "\n"
	}
	tokenbuddy := &cobra.Command{Use: "tokenbuddy"}
	Command().CobraFunc(tokenbuddy)

	n := 0
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		words := strings.TrimPrefix(cmd.CommandPath(), "tokenbuddy ")
		if !strings.Contains(docs, "`"+words) && !strings.Contains(docs, "caddy tokenbuddy "+words) {
			parent, last := filepath.Split(strings.ReplaceAll(words, " ", "/"))
			row := regexp.MustCompile("(?m)^\\| `" + strings.TrimSuffix(parent, "/") + "`.*`" + last + "`") // such as `members add`, `set`, in a row
			if !row.MatchString(docs) {
				t.Errorf("the docs do not tell of %s", words)
			}
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if n++; !strings.Contains(docs, "--"+f.Name) {
				t.Errorf("the docs do not tell of --%s of %s", f.Name, words)
			}
		})
		for _, c := range cmd.Commands() {
			visit(c)
		}
	}
	for _, c := range tokenbuddy.Commands() {
		visit(c)
	}
	if n < 100 {
		t.Errorf("only %d flags were found", n)
	}

	lines := written.FindAllStringSubmatch(docs, -1)
	for _, line := range lines {
		cmd, _, err := tokenbuddy.Find(strings.Fields(line[1]))
		if err != nil || cmd == tokenbuddy {
			t.Errorf("%s: there is no such command: %v", line[0], err)
			continue
		}
		for word := range strings.FieldsSeq(line[1]) {
			name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
			if strings.HasPrefix(word, "--") && cmd.Flags().Lookup(strings.TrimRight(name, ",.:;)")) == nil {
				t.Errorf("%s: %s takes no --%s", line[0], cmd.CommandPath(), name)
			}
		}
	}
	if len(lines) < 50 {
		t.Errorf("only %d commands were found", len(lines))
	}
}
