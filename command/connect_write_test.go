package command

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// home is a home directory with a client's file in it.
func home(t *testing.T, c client, text string) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, filepath.FromSlash(c.home))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if text != "" {
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir, path
}

func clientNamed(t *testing.T, name, model string) client {
	t.Helper()
	for _, c := range clientsOf("https://gateway.example.com", model) {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no client named %s", name)
	panic("unreachable")
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestWriteAndUndo: what was there stays, what is ours is in it once, and undo has the file as it was, to the byte and its mode.
func TestWriteAndUndo(t *testing.T) {
	for name, before := range map[string][]string{
		"codex": {
			"", "# mine\nmodel = \"x\"\nmodel_provider = \"azure\" # c\napproval_policy = \"never\"\n\n[model_providers.azure]\nname = \"A\"\nmodel = 1\n",
			"model = 'x'\n[model_providers.tokenbuddy]\nname = \"old\"\n[tui]\nmodel = \"kept\"\n",
		},
		"claude":   {"", `{"env":{"ANTHROPIC_MODEL":"x","MINE":"1"},"permissions":{"allow":["Bash"]},"n":1.50}`},
		"opencode": {"", "{}", `{"provider":{"other":{"models":{"a":{}}}},"model":"other/a"}`},
		"kilo":     {"", `{"provider":{"other":{"models":{"a":{}}}},"model":"other/a"}`},
		"qwen":     {"", `{"modelProviders":{"openai":[{"id":"a","envKey":"A"},{"id":"large-1","envKey":"B"}]}}`},
		"pi":       {"", `{"providers":{"x":{"models":[{"id":"a"}]}}}`},
		"continue": {"", "name: mine\nversion: 1.0.0\nmodels:\n  - name: other # c\n    provider: ollama\n", "name: mine\n"},
	} {
		for _, text := range before {
			c := clientNamed(t, name, "large-1")
			dir, path := home(t, c, text)
			for _, model := range []string{"small-1", "large-1"} {
				again := clientNamed(t, name, model)
				if err := again.write(io.Discard, dir); err != nil {
					t.Fatalf("%s, into %q: %v", name, text, err)
				}
			}
			written := contents(t, path)
			if strings.Count(written, "https://gateway.example.com") != 1 || strings.Contains(written, "small-1") || !strings.Contains(written, "large-1") {
				t.Errorf("%s, into %q:\n%s", name, text, written)
			}
			for _, kept := range []string{"approval_policy", "azure", "kept", "MINE", "Bash", "1.50", "other", `"a"`, "ollama", "# c", "name: mine"} {
				if name == "codex" && kept == "# c" { // it stood behind what is ours now
					continue
				}
				if strings.Contains(text, kept) && !strings.Contains(written, kept) {
					t.Errorf("%s, into %q: %s is gone:\n%s", name, text, kept, written)
				}
			}
			if err := c.undo(io.Discard, dir); err != nil {
				t.Fatal(err)
			}
			if text == "" {
				if _, err := os.Stat(path); err == nil {
					t.Errorf("%s: the file is there that was not", name)
				}
			} else if got := contents(t, path); got != text {
				t.Errorf("%s is %q after undo, and was %q", name, got, text)
			} else if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("%s has mode %s after undo", name, info.Mode())
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*tokenbuddy*")); len(left) > 0 {
				t.Errorf("%s leaves %v", name, left)
			}
			if err := c.undo(io.Discard, dir); err == nil {
				t.Errorf("%s: undone twice", name)
			}
		}
	}
}

// TestUndoOfAChangedFile: what was changed since stays, and what is ours goes, where that can be told; else nothing is touched.
func TestUndoOfAChangedFile(t *testing.T) {
	c := clientNamed(t, "qwen", "large-1")
	dir, path := home(t, c, `{"theme":"x","modelProviders":{"openai":[{"id":"a"}]}}`)
	if err := c.write(io.Discard, dir); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(contents(t, path), `"theme": "x"`, `"theme": "y", "$version": 3`, 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.undo(io.Discard, dir); err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal([]byte(contents(t, path)), &got); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(`{"theme":"y","$version":3,"modelProviders":{"openai":[{"id":"a"}]}}`), &want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("it is %v after undo, want %v", got, want)
	}

	c = clientNamed(t, "codex", "large-1")
	dir, path = home(t, c, "")
	if err := c.write(io.Discard, dir); err != nil {
		t.Fatal(err)
	}
	changed := contents(t, path) + "# more\n"
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.undo(io.Discard, dir); err == nil || contents(t, path) != changed {
		t.Errorf("a changed file: %v, %q", err, contents(t, path))
	}
}

// TestWriteAgainOverChanges: what was changed between two writes outlives undo, or undo refuses and touches nothing.
func TestWriteAgainOverChanges(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"claude": func(text string) string { return strings.Replace(text, `"Bash"`, `"Bash", "Read"`, 1) },
		"codex":  func(text string) string { return text + "# more\n" },
	} {
		c := clientNamed(t, name, "small-1")
		before := map[string]string{"claude": `{"env":{"ANTHROPIC_MODEL":"x"},"permissions":{"allow":["Bash"]}}`, "codex": "model = \"x\"\n"}[name]
		dir, path := home(t, c, before)
		for _, model := range []string{"small-1", "large-1"} {
			c = clientNamed(t, name, model)
			if err := c.write(io.Discard, dir); err != nil {
				t.Fatal(err)
			}
			if model == "small-1" {
				if err := os.WriteFile(path, []byte(change(contents(t, path))), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		written := contents(t, path)
		if !strings.Contains(written, "large-1") || strings.Contains(written, "small-1") {
			t.Errorf("%s: written is\n%s", name, written)
		}
		err := c.undo(io.Discard, dir)
		if name == "codex" {
			if err == nil || contents(t, path) != written || contents(t, path+beforeSuffix) != before {
				t.Errorf("a changed file: %v\n%s", err, contents(t, path))
			}
			continue
		}
		var got, want any
		if err != nil || json.Unmarshal([]byte(contents(t, path)), &got) != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal([]byte(`{"env":{"ANTHROPIC_MODEL":"x"},"permissions":{"allow":["Bash","Read"]}}`), &want)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("it is %v after undo, want %v", got, want)
		}
	}
}

// TestWriteRefuses what it can't read, and leaves it as it is.
func TestWriteRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"codex": "model = ", "claude": "// mine\n{}", "opencode": "[]", "pi": `{"a":1} {}`, "continue": "- a\n",
	} {
		c := clientNamed(t, name, "m")
		dir, path := home(t, c, text)
		if err := c.write(io.Discard, dir); err == nil || contents(t, path) != text {
			t.Errorf("%s, into %q: %v", name, text, err)
		}
	}
	// A table that is written as a dotted key is not seen by lines.
	c := clientNamed(t, "codex", "m")
	dir, path := home(t, c, "model_providers.tokenbuddy.name = \"x\"\n")
	if err := c.write(io.Discard, dir); err == nil {
		t.Errorf("a dotted key: %s", contents(t, path))
	}
	c = clientNamed(t, "openai", "m")
	if err := c.write(io.Discard, t.TempDir()); err == nil {
		t.Error("an SDK has no file")
	}
}

// TestWriteKeepsLinks: a file that is a link to somewhere stays one.
func TestWriteKeepsLinks(t *testing.T) {
	c := clientNamed(t, "pi", "m")
	dir, path := home(t, c, "")
	real_ := filepath.Join(t.TempDir(), "models.json")
	if err := os.WriteFile(real_, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real_, path); err != nil {
		t.Skip(err)
	}
	var out bytes.Buffer
	if err := c.write(&out, dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 || !strings.Contains(contents(t, real_), "tokenbuddy") {
		t.Errorf("%v, %v\n%s", info, err, out.String())
	}
}
