package command

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// says runs `caddy tokenbuddy` in this process and gives its error.
func says(args ...string) error { return saysUntil(context.Background(), args...) }

// saysUntil is says for a command that is interrupted when the context ends.
func saysUntil(ctx context.Context, args ...string) error {
	caddy, described := &cobra.Command{Use: "caddy", SilenceErrors: true, SilenceUsage: true}, Command()
	tokenbuddy := &cobra.Command{Use: described.Name}
	described.CobraFunc(tokenbuddy)
	caddy.AddCommand(tokenbuddy)
	caddy.SetOut(io.Discard)
	caddy.SetErr(io.Discard)
	caddy.SetArgs(append([]string{"tokenbuddy"}, args...))
	return caddy.ExecuteContext(ctx)
}

// TestList: what lists by its name alone lists by the word list too, with the same flags.
func TestList(t *testing.T) {
	tokenbuddy := &cobra.Command{Use: "tokenbuddy"}
	Command().CobraFunc(tokenbuddy)
	for _, of := range []string{"members", "purchases", "sellers"} {
		parent, _, err := tokenbuddy.Find([]string{of})
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := tokenbuddy.Find([]string{of, "list"})
		if err != nil || list == parent {
			t.Errorf("there is no %s list", of)
			continue
		}
		if a, b := parent.Flags().FlagUsages(), list.Flags().FlagUsages(); a != b {
			t.Errorf("%s takes\n%s, and %s list\n%s", of, a, of, b)
		}
	}
}

// TestWords gives commands words that they do not take: each says what it takes instead.
func TestWords(t *testing.T) {
	for args, want := range map[string]string{
		"books":                            `there is no command "books": see caddy tokenbuddy --help`,
		"members ada":                      `there is no command "ada": see caddy tokenbuddy members --help`,
		"sellers stop acme":                `there is no command "stop": see caddy tokenbuddy sellers --help`,
		"fleet eu-1":                       `there is no command "eu-1": see caddy tokenbuddy fleet --help`,
		"members raise ada":                `something is missing: expected caddy tokenbuddy members raise <name> <usd> [flags]`,
		"purchases show":                   `something is missing: expected caddy tokenbuddy purchases show <id> [flags]`,
		"members add ada bob":              `unexpected word "bob": expected caddy tokenbuddy members add <name> [flags]`,
		"request one two":                  `unexpected word "two": expected caddy tokenbuddy request [<id>] [flags]`,
		"backup a.backup":                  `unexpected word "a.backup": expected caddy tokenbuddy backup -o <file> [flags]`,
		"archive 2026-01-01":               `unexpected word "2026-01-01": expected caddy tokenbuddy archive --before <day> [flags]`,
		"fleet session new one":            `unexpected word "one": expected caddy tokenbuddy fleet session new [flags]`,
		"connect emacs":                    `unexpected word "emacs": expected one of ` + strings.Join(clientNames, ", "),
		"connect codex claude":             `unexpected word "claude": expected caddy tokenbuddy connect [` + strings.Join(clientNames, "|") + `] [flags]`,
		"export --member=":                 "--member is empty: leave it out, or say which",
		"export --model=":                  "--model is empty: leave it out, or say which",
		"purchases --seller=":              "--seller is empty: leave it out, or say which",
		"request --outcome=":               "--outcome is empty: leave it out, or say which",
		"ledger --ledger=":                 "--ledger is empty: leave it out, or say which",
		"ledger --from=":                   "--from is empty: leave it out, or say which",
		"export --to=":                     "--to is empty: leave it out, or say which",
		"ledger --zone=":                   "--zone is empty: leave it out, or say which",
		"verify --of=":                     "--of is empty: leave it out, or say which",
		"export --output=":                 "--output is empty: leave it out, or say which",
		"backup --output=":                 "--output is empty: leave it out, or say which",
		"members --address=":               "--address is empty: leave it out, or say which",
		"members --config=":                "--config is empty: leave it out, or say which",
		"connect --url=":                   "--url is empty: leave it out, or say which",
		"verify --ledger a --key=":         "--key is empty: leave it out, or say which",
		"members rotate ada --keep=":       "--keep is empty: leave it out, or say which",
		"members raise ada 1 --until=":     "--until is empty: leave it out, or say which",
		"members raise ada 1 --reference=": "--reference is empty: leave it out, or say which",
		"restore a --ledger=":              "--ledger is empty: leave it out, or say which",
	} {
		if err := says(strings.Fields(args)...); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
}
