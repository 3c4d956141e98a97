package export

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// hledger writes a journal for hledger, which Ledger takes as well. It is in ASCII: hledger reads files in the encoding of its user's locale.
type hledger struct{ journal }

func newHledger(w io.Writer, o Options) *hledger {
	h := &hledger{newJournal(w, o)}
	h.line("; tokenbuddy ledger")
	if o.Opens == OpensNone {
		return h
	}
	h.line("commodity USD\n    format 1000.000000 USD")
	for _, name := range detailNames { // which a pedantic Ledger wants
		h.line("tag %s", name)
	}
	return h
}

func (h *hledger) Entry(e *ledger.Entry) error {
	day := h.day(e)
	if len(e.Postings) == 0 {
		h.line("\n; %s %s %s: %s, nothing was paid", day, e.ID, hledgerText(e.Seller), hledgerText(subject(e)))
		return h.out.Flush()
	}
	for _, p := range e.Postings {
		h.open(p.Account)
	}
	h.put("\n", day, " ", mark(e), " (", hledgerText(e.ID), ") ", hledgerText(e.Seller), " | ", hledgerText(subject(e)), "\n")
	for _, d := range details(e) {
		h.put("    ; ", d.name, ": ", hledgerText(d.value), "\n")
	}
	for _, p := range e.Postings {
		h.put("    ", h.name(p.Account, hledgerAccount), "  ", p.AmountMicros.Fixed(), " USD\n")
	}
	return h.out.Flush()
}

// open declares an account, which a strict check wants.
func (h *hledger) open(account string) {
	if h.declares(account) {
		h.line("\naccount %s", hledgerAccount(account))
	}
}

// End asserts the balances of all accounts but the wallets with a transaction that moves nothing.
func (h *hledger) End(balances []ledger.Account) error {
	balances = asserted(balances)
	if len(balances) == 0 {
		return h.out.Flush()
	}
	for _, a := range balances {
		h.open(a.Account)
	}
	h.line("\n%s * the balances of all accounts but the wallets", h.last.Format(time.DateOnly))
	for _, a := range balances {
		h.line("    %s  0.000000 USD = %s USD", hledgerAccount(a.Account), a.BalanceMicros.Fixed())
	}
	return h.out.Flush()
}

// hledgerRoots says what the kinds of accounts are to hledger.
var hledgerRoots = map[string]string{
	"wallet":     "assets:wallet",
	"pending":    "assets:pending",
	"credit":     "assets:credit",
	"fleet":      "assets:fleet",
	"expense":    "expenses:inference",
	"waste":      "expenses:waste",
	"disputed":   "expenses:disputed", // a claim that nobody has acknowledged is no asset
	"adjustment": "revenues:adjustment",
}

// hledgerAccount is the name of an account in hledger: another one for each other account.
func hledgerAccount(account string) string {
	return accountName(account, hledgerRoots, "equity:other", hledgerName)
}

// hledgerName writes a name so that it can be told from every other name.
func hledgerName(name string) string {
	if name == "" {
		return "%" // as no other name is written
	}
	return escape(name, "-._~/+@")
}

// hledgerText is a text in a description or a comment, with nothing in it that would end either.
func hledgerText(s string) string { return escape(s, " -._~/+@:=?!&#'\"()<>*$^") }

// escape writes every byte but ASCII letters, digits and those that are allowed as % and two hex digits. The bytes allowed
// don't have % among them, so that no two texts are written alike.
func escape(s, allowed string) string {
	i := 0
	for i < len(s) && plainLetter(s[i], allowed) {
		i++
	}
	if i == len(s) {
		return s
	}
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case plainLetter(c, allowed):
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// plainLetter tells whether a byte is written as it is.
func plainLetter(c byte, allowed string) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(allowed, c) >= 0
}
