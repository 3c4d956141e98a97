package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// keyVariable is the environment variable that is meant to hold a member's key. The key itself is nowhere in what is printed.
const (
	keyVariable = "TOKENBUDDY_KEY"
	keyValue    = "$" + keyVariable // as a variable's value: what is in that one
)

// client is what makes a program use the gateway: to be copied as it is.
type client struct {
	Name        string     `json:"client"` // as the command's argument
	Title       string     `json:"title"`
	Files       []file     `json:"files,omitempty"`
	Unset       []string   `json:"unset,omitempty"` // variables that would be in the way
	Environment []variable `json:"environment,omitempty"`
	Commands    []string   `json:"commands,omitempty"` // for a POSIX shell

	home  string                           // the file below the home directory that --write changes; empty: there is none
	merge func(old []byte) ([]byte, error) // puts what the client needs into what the file holds, nil where there is no file
}

// file is a part of a config file.
type file struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

// variable is one of the environment.
type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"` // keyValue stands for the key
}

// clientNames are what connect may be asked for, in the order in which it prints them.
var clientNames = []string{
	"codex", "claude", "opencode", "kilo", "copilot", "qwen", "pi", "cline", "continue", "openai", "anthropic", "ai-sdk", "curl",
}

// clientsOf says for each client how it comes to the gateway at url, without a slash at its end, for a model.
func clientsOf(url, model string) []client {
	return []client{
		{
			Name: "codex", Title: "Codex", Files: []file{{"~/.codex/config.toml", codexConfig(url, model)}},
			home: ".codex/config.toml", merge: mergeCodex(url, model),
		},
		claudeClient(url, model),
		{
			Name: "opencode", Title: "opencode", Files: []file{{"opencode.json", opencodeConfig(url, model)}},
			home: ".config/opencode/opencode.json", merge: mergeJSON(opencodeConfig(url, model)),
		},
		{ // one of opencode's children: its words are the same
			Name: "kilo", Title: "Kilo Code CLI", Files: []file{{"~/.config/kilo/kilo.json", opencodeConfig(url, model)}},
			home: ".config/kilo/kilo.json", merge: mergeJSON(opencodeConfig(url, model)),
		},
		{Name: "copilot", Title: "GitHub Copilot CLI", Environment: []variable{
			{"COPILOT_PROVIDER_BASE_URL", url + "/v1"},
			{"COPILOT_PROVIDER_TYPE", "openai"},
			{"COPILOT_PROVIDER_API_KEY", keyValue},
			{"COPILOT_MODEL", model},
		}},
		{
			Name: "qwen", Title: "Qwen Code", Files: []file{{"~/.qwen/settings.json", qwenConfig(url, model)}},
			home: ".qwen/settings.json", merge: mergeJSON(qwenConfig(url, model)),
		},
		{
			Name: "pi", Title: "pi", Files: []file{{"~/.pi/agent/models.json", piConfig(url, model)}},
			Commands: []string{"pi --provider tokenbuddy --model " + shellWord(model)},
			home:     ".pi/agent/models.json", merge: mergeJSON(piConfig(url, model)),
		},
		{Name: "cline", Title: "Cline", Commands: []string{
			fmt.Sprintf(`cline auth --provider openai-compatible --apikey "%s" --baseurl %s --modelid %s`, keyValue, shellWord(url+"/v1"), shellWord(model)),
		}},
		{
			Name: "continue", Title: "Continue", Files: []file{{"~/.continue/config.yaml", continueConfig(url, model)}},
			home: ".continue/config.yaml", merge: mergeContinue(continueConfig(url, model)),
		},
		{Name: "openai", Title: "OpenAI SDKs", Environment: []variable{
			{"OPENAI_BASE_URL", url + "/v1"}, {"OPENAI_API_KEY", keyValue},
		}},
		{Name: "anthropic", Title: "Anthropic SDKs", Environment: []variable{
			{"ANTHROPIC_BASE_URL", url}, {"ANTHROPIC_API_KEY", keyValue},
		}},
		{Name: "ai-sdk", Title: "AI SDK", Files: []file{{"a module of yours", aiSDK(url, model)}}},
		{Name: "curl", Title: "curl", Commands: []string{
			curl(url+"/v1/models", ""),
			curl(url+"/v1/chat/completions", `{"model":`+quoted(model)+`,"messages":[{"role":"user","content":"Hello, who are you?"}]}`),
		}},
	}
}

// claudeClient names the model for each slot that Claude Code has one for: what it asks for by itself sellers may not know.
func claudeClient(url, model string) client {
	slots := []variable{
		{"ANTHROPIC_MODEL", model},
		{"ANTHROPIC_DEFAULT_OPUS_MODEL", model},
		{"ANTHROPIC_DEFAULT_SONNET_MODEL", model},
		{"ANTHROPIC_DEFAULT_HAIKU_MODEL", model},
		{"CLAUDE_CODE_SUBAGENT_MODEL", model},
	}
	return client{
		// With ANTHROPIC_API_KEY set too, it would ask which of the two is meant.
		Name: "claude", Title: "Claude Code", Unset: []string{"ANTHROPIC_API_KEY"},
		Environment: append([]variable{{"ANTHROPIC_BASE_URL", url}, {"ANTHROPIC_AUTH_TOKEN", keyValue}}, slots...),
		home:        ".claude/settings.json", merge: mergeJSON(claudeConfig(url, slots)),
	}
}

// curl is a command that asks the gateway, with a body if there is one.
func curl(url, body string) string {
	command := fmt.Sprintf(`curl -H "Authorization: Bearer $%s" %s`, keyVariable, shellWord(url))
	if body != "" {
		command += " -H 'Content-Type: application/json' \\\n  -d " + shellWord(body)
	}
	return command
}

// quoted writes a string for JSON, and so for TOML, whose escapes are a superset.
func quoted(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // strings can be encoded
	return strings.TrimSpace(b.String())
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// shellWord writes a string so that a POSIX shell takes it as it is.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// print prints what is to be copied. What is for the shell can also be read by one, comments and all.
func (c *client) print(w io.Writer) {
	for _, f := range c.Files {
		fmt.Fprintf(w, "\n# %s, in %s\n%s", c.Title, f.Path, f.Content)
	}
	if len(c.Unset)+len(c.Environment)+len(c.Commands) > 0 {
		fmt.Fprintf(w, "\n# %s, in a shell\n", c.Title)
	}
	for _, name := range c.Unset {
		fmt.Fprintf(w, "unset %s\n", name)
	}
	for _, v := range c.Environment {
		value := shellWord(v.Value)
		if v.Value == keyValue {
			value = `"` + v.Value + `"`
		}
		fmt.Fprintf(w, "export %s=%s\n", v.Name, value)
	}
	for _, command := range c.Commands {
		fmt.Fprintln(w, command)
	}
}
