package e2e

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/page"
)

// docsBlock is a block of code in the docs.
var docsBlock = regexp.MustCompile("(?ms)^[ \t]*```(caddyfile|sh|console)\n(.*?)^[ \t]*```")

// docsBlocks gives the blocks of these languages in README and docs, by the file and a number.
func docsBlocks(t *testing.T, languages ...string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string][]string{}
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range docsBlock.FindAllStringSubmatch(string(text), -1) {
			if slices.Contains(languages, match[1]) {
				blocks[filepath.Base(file)] = append(blocks[filepath.Base(file)], match[2])
			}
		}
	}
	if len(blocks) == 0 {
		t.Fatal("no blocks")
	}
	return blocks
}

// guest is the error of a Caddyfile that wants a module of examples/, whose own test runs it.
var guest = regexp.MustCompile(`has no such (selection policy|payment method) built in|module not registered: events\.handlers\.webhook`)

// TestDocsCaddyfiles adapts every Caddyfile of the docs. What is no whole file is a part of a site, or of the directive.
func TestDocsCaddyfiles(t *testing.T) {
	const directive = ":8080 {\n\ttokenbuddy {\n"
	around := []struct{ before, after string }{
		{"", ""},
		{":8080 {\n", "\n}\n"},
		{directive, "\n\t}\n}\n"},
		{directive + "\t\tregistry https://r.example/\n\t\tpayment mock\n", "\n\t}\n}\n"},
		{directive + "\t\tpayment mock\n", "\n\t}\n}\n"},
		{directive + "\t\tregistry https://r.example/\n", "\n\t}\n}\n"},
		{":8080 {\n\ttokenbuddy_seller acme {\n", "\n\t}\n}\n"},
	}
	adapter := caddyconfig.GetAdapter("caddyfile")
	n := 0
	for file, blocks := range docsBlocks(t, "caddyfile") {
		for i, block := range blocks {
			n++
			var errs []error
			for _, a := range around {
				_, _, err := adapter.Adapt([]byte(a.before+block+a.after), map[string]any{"filename": "Caddyfile"})
				errs = append(errs, err)
			}
			if slices.Contains(errs, nil) || guest.MatchString(errors.Join(errs...).Error()) {
				continue
			}
			t.Errorf("%s, the Caddyfile number %d, as it is and as a part of others: %v\n%s", file, i+1, errors.Join(errs...), block)
		}
	}
	if n < 25 {
		t.Errorf("only %d Caddyfiles were found", n)
	}
}

// TestDocsCommands runs every command of the docs, as it stands there, beside a gateway that runs: none is refused for its words.
func TestDocsCommands(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	s := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, market(registryOf(t, []string{"m"}, s), "\t\tgroup build {\n\t\t\tdaily_budget 20\n\t\t\tmembers bot\n\t\t}\n\t\tmember bot {\n\t\t\tkey sk-of-bot-1234\n\t\t}\n"))
	c.start()
	c.post("/v1/chat/completions", chatOf("m", ""), "Authorization", "Bearer sk-of-bot-1234")
	if err := os.MkdirAll(filepath.Join(c.dir, "backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^\s*(?:\$ )?(?:caddy|go run \./cmd/caddy) (tokenbuddy .*)$`)
	n := 0
	for file, blocks := range docsBlocks(t, "sh", "console") {
		for _, block := range blocks {
			for _, match := range line.FindAllStringSubmatch(block, -1) {
				n++
				c.runAsWritten(t, file, match[1])
			}
		}
	}
	if n < 12 {
		t.Errorf("only %d commands were found", n)
	}
}

// runAsWritten has a shell run the words after `caddy`.
func (c *caddy) runAsWritten(t *testing.T, file, words string) {
	t.Helper()
	words = strings.ReplaceAll(words, "/backups/", "backups/")
	if !strings.Contains(words, "--url") && !strings.Contains(words, "--undo") {
		if before, comment, ok := strings.Cut(words, " #"); ok {
			words = before + " --address " + c.admin + " #" + comment
		} else {
			words += " --address " + c.admin
		}
	}
	serves := strings.HasPrefix(words, "tokenbuddy page") // until it is told to stop
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	caddyCommand := c.command()
	run := `caddy() { "` + caddyCommand.Path + `" "$@"; }; caddy ` + words
	if serves { // what ends the shell ends it too
		run = `exec "` + caddyCommand.Path + `" ` + words
	}
	sh := exec.CommandContext(ctx, "sh", "-c", run)
	sh.WaitDelay = time.Second
	sh.Dir, sh.Env = c.dir, caddyCommand.Env
	out := new(output)
	sh.Stdout, sh.Stderr = out, out
	if serves {
		go func() {
			for !out.has("http://") && ctx.Err() == nil {
				pause(ctx, 20*time.Millisecond)
			}
			cancel()
		}()
	}
	err := sh.Run()
	if serves && out.has("http://") {
		return
	}
	// doctor says what is wrong with what it finds by its exit code.
	if err != nil && !strings.HasPrefix(words, "tokenbuddy doctor") {
		t.Errorf("%s: caddy %s: %v\n%s", file, words, err, out)
	}
}

// logged finds the events in a program's text.
var logged = regexp.MustCompile(`(?:\.(?:Debug|Info|Warn|Error|fail)\(|zap\.\w+Level, )"([a-z]+(?:\.[a-z0-9_]+)+)"`)

// TestDocsLogs looks for a row of every event that is logged in the tables of the docs: the seller's in its own page.
func TestDocsLogs(t *testing.T) {
	told := map[string]string{} // the first cells of all rows, by page
	for _, page := range []string{"monitoring.md", "seller.md"} {
		docs, err := os.ReadFile("../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(docs)) {
			if cells := strings.SplitN(line, " | ", 2); strings.HasPrefix(line, "| `") && len(cells) == 2 {
				told[page] += cells[0] + "\n"
			}
		}
	}
	n := 0
	err := fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains([]string{"bench", "e2e", "examples", "findings"}, path) || path != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		page := "monitoring.md"
		if strings.HasPrefix(path, "seller/") {
			page = "seller.md"
		}
		text, err := os.ReadFile(filepath.Join("..", path))
		for _, match := range logged.FindAllStringSubmatch(string(text), -1) {
			n++
			if !strings.Contains(told[page], "`"+match[1]+"`") {
				t.Errorf("docs/%s has no row for %s, which %s logs", page, match[1], path)
			}
		}
		return err
	})
	if err != nil || n < 100 {
		t.Errorf("%d events were found, %v", n, err)
	}
}

// TestDocsFields looks for every member of what members and accountants are answered, in the row or the table of the docs that tells of it.
func TestDocsFields(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	between := func(begin, end string) string {
		_, rest, found := strings.Cut(string(text), begin)
		part, _, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Fatalf("there is no part of the docs from %q to %q", begin, end)
		}
		return part
	}
	summary := between("| `GET /tokenbuddy/ledger/summary` |", "\n")
	for what, told := range map[reflect.Type]string{
		reflect.TypeFor[ledger.Statement](): between("| `GET /tokenbuddy/ledger/statement` |", "\n") + summary, // it says "the tokens"
		reflect.TypeFor[ledger.Row]():       summary + "`keys`",                                                // which the parameter by tells of
		reflect.TypeFor[page.Own]():         between("| of `GET /tokenbuddy/own` | |", "\n\n") + summary + "`keys`",
	} {
		members := membersOf(what)
		for _, name := range members {
			if !strings.Contains(told, "`"+name+"`") {
				t.Errorf("%s: docs/operations.md does not say what %s is", what, name)
			}
		}
		if len(members) < 5 {
			t.Errorf("%s: members %v", what, members)
		}
	}
}

// membersOf are the names of a type's members in JSON, and of those in it.
func membersOf(t reflect.Type) (names []string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return membersOf(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name != "" {
			names = append(names, name)
		}
		names = append(names, membersOf(f.Type)...)
	}
	return names
}

// TestDocsFolders looks for every folder with a package of the module in what contributors are told of the folders.
func TestDocsFolders(t *testing.T) {
	files, err := filepath.Glob("../*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, file := range files {
		folder := filepath.Base(filepath.Dir(file))
		if !told[folder] && !strings.Contains(string(text), "| `"+folder+"/` |") {
			t.Errorf("docs/architecture.md does not tell of %s/", folder)
		}
		told[folder] = true
	}
}

var (
	docsFence  = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```")
	docsTitle  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	docsLink   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	docsNoSlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestDocsLinks follows every link of the pages to what is in the repository: the file is there, and has the title.
func TestDocsLinks(t *testing.T) {
	titles := map[string]map[string]bool{} // of each page, as links write them
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "*/README.md", "*/*/README.md"} {
		pages, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			texts[page], titles[page] = docsFence.ReplaceAllString(string(text), ""), map[string]bool{}
			for _, title := range docsTitle.FindAllStringSubmatch(texts[page], -1) {
				slug := docsNoSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(title[1])), "")
				titles[page][strings.ReplaceAll(slug, " ", "-")] = true
			}
		}
	}
	n := 0
	for page, text := range texts {
		for _, link := range docsLink.FindAllStringSubmatch(text, -1) {
			if strings.Contains(link[1], "://") || strings.HasPrefix(link[1], "mailto:") {
				continue
			}
			n++
			file, title, _ := strings.Cut(link[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), filepath.FromSlash(file))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, link[1], err)
			} else if there, ok := titles[target]; title != "" && (!ok || !there[title]) {
				t.Errorf("%s links to %s: there is no such title", page, link[1])
			}
		}
	}
	if n < 150 {
		t.Errorf("only %d links were found", n)
	}
}

// TestDocsGuests looks for every interface that a guest may have in the tables of what those who write one are told.
func TestDocsGuests(t *testing.T) {
	text, err := os.ReadFile("../docs/extending.md")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^type ([A-Z]\w+) interface`)
	for _, folder := range []string{"payment", "selection"} {
		files, err := filepath.Glob("../" + folder + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			code, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range declared.FindAllStringSubmatch(string(code), -1) {
				name := match[1]
				if row := "\n| `" + name + "` |"; folder == "payment" && name != "Method" && !strings.Contains(string(text), row) || !strings.Contains(string(text), name+"`") {
					t.Errorf("docs/extending.md does not say what a %s.%s is for", folder, name)
				}
			}
		}
	}
}
