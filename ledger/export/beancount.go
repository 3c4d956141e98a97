package export

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// beancount writes for Beancount, version 2 and 3. Its accounts begin with one of five words, and have ASCII letters,
// digits and hyphens in them, the first being a capital or a digit.
type beancount struct{ journal }

func newBeancount(w io.Writer, o Options) *beancount {
	b := &beancount{newJournal(w, o)}
	b.line(`;; -*- mode: beancount; coding: utf-8 -*-`)
	b.line(`option "title" "tokenbuddy ledger"`)
	b.line(`option "operating_currency" "USD"`)
	return b
}

func (b *beancount) Entry(e *ledger.Entry) error {
	day := b.day(e)
	if len(e.Postings) == 0 {
		b.line("\n; %s %s %s: %s, nothing was paid", day, e.ID, legible(e.Seller), legible(subject(e)))
		return b.out.Flush()
	}
	for _, p := range e.Postings {
		b.open(day, p.Account)
	}
	b.put("\n", day, " ", mark(e), " ", beancountText(e.Seller), " ", beancountText(subject(e)), "\n")
	b.put("  id: ", beancountText(e.ID), "\n")
	for _, d := range details(e) {
		b.put("  ", d.name, ": ", beancountText(d.value), "\n")
	}
	for _, p := range e.Postings {
		b.put("  ", b.name(p.Account, beancountAccount), "  ", p.AmountMicros.Fixed(), " USD\n")
	}
	return b.out.Flush()
}

// open declares an account before its first use. All have the same depth for their kind, so that none is below another,
// whose balance would then count it in.
func (b *beancount) open(day, account string) {
	if b.declares(account) {
		b.line("\n%s open %s USD", day, beancountAccount(account))
		b.line("  account: %s", beancountText(account))
	}
}

// End asserts the balances of all accounts but the wallets, to the micro, on the day after the last entry: an assertion counts from the morning of its day.
func (b *beancount) End(balances []ledger.Account) error {
	day := b.last.AddDate(0, 0, 1).Format(time.DateOnly)
	balances = asserted(balances)
	if len(balances) > 0 {
		b.line("")
	}
	for _, a := range balances {
		b.open(day, a.Account)
		b.line("%s balance %s  %s ~ 0 USD", day, beancountAccount(a.Account), a.BalanceMicros.Fixed())
	}
	return b.out.Flush()
}

// beancountRoots says what the kinds of accounts are to Beancount.
var beancountRoots = map[string]string{
	"wallet":     "Assets:Wallet",
	"pending":    "Assets:Pending",
	"credit":     "Assets:Credit",
	"fleet":      "Assets:Fleet", // prepaid as well, of what gateways share
	"expense":    "Expenses:Inference",
	"waste":      "Expenses:Waste",
	"disputed":   "Expenses:Disputed", // a claim that nobody has acknowledged is no asset
	"adjustment": "Income:Adjustment",
}

// beancountAccount is the name of an account in Beancount: another one for each other account.
func beancountAccount(account string) string {
	return accountName(account, beancountRoots, "Equity:Other", beancountName)
}

// beancountName writes a name with what Beancount allows, so that it can be read and told from every other name.
//
// Letters, digits and hyphens stay. Any other byte is -X and two hex digits, and so is a hyphen that an X follows. A small
// letter at the beginning becomes a capital, and a capital there gets X- before it; what else may begin a name, and a small x,
// is X and two hex digits. The empty name is X.
func beancountName(name string) string {
	const literal = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if name == "" {
		return "X"
	}
	var out strings.Builder
	switch c := name[0]; {
	case '0' <= c && c <= '9':
		out.WriteByte(c)
	case 'a' <= c && c <= 'z' && c != 'x':
		out.WriteByte(c - 'a' + 'A')
	case 'A' <= c && c <= 'Z':
		out.WriteString("X-")
		out.WriteByte(c)
	default:
		fmt.Fprintf(&out, "X%02X", c)
	}
	for i := 1; i < len(name); i++ {
		c := name[i]
		switch {
		case strings.IndexByte(literal, c) >= 0, c == '-' && (i+1 == len(name) || name[i+1] != 'X'):
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "-X%02X", c)
		}
	}
	return out.String()
}

var beancountEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// beancountText is a string of Beancount's.
func beancountText(s string) string { return `"` + beancountEscaper.Replace(legible(s)) + `"` }
