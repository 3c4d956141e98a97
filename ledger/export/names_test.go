package export

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

var (
	beancountValid = regexp.MustCompile(`^(Assets|Expenses|Income|Equity)(:[A-Z0-9][A-Za-z0-9-]*)+$`)
	hledgerValid   = regexp.MustCompile(`^(assets|expenses|revenues|equity)(:[!-9<-Z^-z~]+)+$`)
)

// FuzzNames gives two pairs of names: where they differ, so do the accounts, and each is one that the program takes.
func FuzzNames(f *testing.F) {
	for _, seed := range [][4]string{
		{"ada", "x", "Ada", "x"},
		{"x41da", "", "Ada", ""},
		{"a-X2E", "b", "a.", "b"},
		{"a:b", "c", "a", "b:c"},
		{"-X", "X-", "X", "-"},
		{"", " ", "%", "%20"},
		{"x-Ada", "m", "Ada", "m"},
		{"x", "m", "", "m"},
		{"\n", "m", "\r", "m"},
		{"é", "e\u0301", "\u202e", ";"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		for _, s := range []string{a, b, c, d} {
			if !utf8.ValidString(s) {
				t.Skip("the ledger makes names UTF-8")
			}
		}
		account := func(member, model string) string {
			escape := strings.NewReplacer("%", "%25", ":", "%3A")
			return "expense:" + escape.Replace(member) + ":" + escape.Replace(model)
		}
		one, other := account(a, b), account(c, d)
		if kind, of := ledger.SplitAccount(one); kind != "expense" || len(of) != 2 || of[0] != a || of[1] != b {
			t.Fatalf("%q is split into %s %q", one, kind, of)
		}
		for name, of := range map[string]func(string) string{"beancount": beancountAccount, "hledger": hledgerAccount} {
			if same := of(one) == of(other); same != (one == other) {
				t.Errorf("%s: %q is %q, and %q is %q", name, one, of(one), other, of(other))
			}
		}
		if got := beancountAccount(one); !beancountValid.MatchString(got) || strings.Count(got, ":") != 3 {
			t.Errorf("beancount: %q is %q", one, got)
		}
		if got := hledgerAccount(one); !hledgerValid.MatchString(got) || strings.Count(got, ":") != 3 {
			t.Errorf("hledger: %q is %q", one, got)
		}
		for _, text := range []string{beancountText(a), hledgerText(a)} {
			if strings.ContainsAny(text, "\n\r\x00") {
				t.Errorf("%q is written as %q", a, text)
			}
		}
		if text := hledgerText(a); strings.ContainsAny(text, ";,|") {
			t.Errorf("%q is written as %q", a, text)
		}
	})
}

// TestBeancountName shows how names are written.
func TestBeancountName(t *testing.T) {
	for name, want := range map[string]string{
		"ada": "Ada", "Ada": "X-Ada", "gpt-4.1": "Gpt-4-X2E1", "meta-llama/llama-3:free": "Meta-llama-X2Fllama-3-X3Afree", "4o": "4o",
		"x": "X78", "": "X", "-": "X2D", "a-X": "A-X2DX", "é": "XC3-XA9",
	} {
		if got := beancountName(name); got != want {
			t.Errorf("%q is written as %q, want %q", name, got, want)
		}
	}
}

// What has been paid and is still there is an asset, whoever of a fleet may spend it.
func TestPrepaidIsAnAsset(t *testing.T) {
	for account, want := range map[string][2]string{
		"credit:acme": {"Assets:Credit:Acme", "assets:credit:acme"},
		"fleet:acme":  {"Assets:Fleet:Acme", "assets:fleet:acme"},
	} {
		if got := [2]string{beancountAccount(account), hledgerAccount(account)}; got != want {
			t.Errorf("%s is %v", account, got)
		}
	}
}
