package words_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/words"
)

// TestRead: what stands after a word is what its usage says, and an error tells which word it was, and on which line.
func TestRead(t *testing.T) {
	for block, want := range map[string]string{
		"":                               "",
		"{\n}":                           "",
		"{\nid a\n}":                     "id=a",
		"{\nid a\nurls b\nurls c d\n}":   "id=a urls=b urls=c,d",
		"{\ntext \"\"\n}":                "text=",
		"{\nquiet\n}":                    "quiet=",
		"now":                            `it takes no argument, but here is "now", at Testfile:1`,
		"{\nids a\n}":                    `unknown word "ids": expected one of id, urls, text, quiet, at Testfile:2`,
		"{\nid a\nid b\n}":               "id is there twice, at Testfile:3",
		"{\nid\n}":                       `id: something is missing after it: expected "id <name>", at Testfile:2`,
		"{\nid a b\n}":                   `id: 2 words stand after it: expected "id <name>", at Testfile:2`,
		"{\nurls\n}":                     `urls: something is missing after it: expected "urls <url> [<url...>]", at Testfile:2`,
		"{\nid \"\"\n}":                  `id: an empty word stands after it: expected "id <name>", at Testfile:2`,
		"{\nquiet please\n}":             `quiet: 1 words stand after it: expected "quiet", at Testfile:2`,
		"{\nid a {\nb\n}\n}":             `id: unexpected block: expected "id <name>", at Testfile:3`,
		"{\nid hunter2\nurls hunter2\n}": "id: it is the secret, at Testfile:2",
	} {
		var got []string
		take := func(name string) func([]string) error {
			return func(args []string) error {
				if args != nil && args[0] == "hunter2" {
					return errors.New("it is the secret")
				}
				got = append(got, name+"="+strings.Join(args, ","))
				return nil
			}
		}
		err := words.Read(caddyfile.NewTestDispenser("method "+block), []words.Word{
			{Name: "id", Usage: "<name>", Set: take("id")},
			{Name: "urls", Usage: "<url> [<url...>]", Repeat: true, Set: take("urls")},
			{Name: "text", Usage: "<text>", Empty: true, Set: take("text")},
			{Name: "quiet", Set: take("quiet")},
		})
		is := strings.Join(got, " ")
		if err != nil {
			is = err.Error()
		}
		if is != want {
			t.Errorf("%q: %s, want %s", block, is, want)
		}
	}
}

// TestCheckSecret: anything but one placeholder may be the secret itself, and is not repeated.
func TestCheckSecret(t *testing.T) {
	const example = "{file./run/secrets/key}"
	for _, good := range []string{example, "{env.KEY}"} {
		if err := words.CheckSecret(good, example); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "hunter2", "{env.KEY}hunter2", "{$hunter2}", "{}"} {
		if err := words.CheckSecret(bad, example); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), example) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
