// Package export writes a ledger's entries in the formats of other programs: spreadsheets, scripts, and plain-text
// accounting. It gets one entry after the other and keeps none: of all that has passed it remembers the names of the
// accounts alone.
//
// Names come from strangers: clients, registries. Whatever is in them, a file is one that its program reads, and two
// accounts of the ledger are two accounts in it.
package export

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// Opens says which accounts a file of plain-text accounting declares.
type Opens string

// Which accounts are declared.
const (
	OpensAll  Opens = "all"  // each that the file uses
	OpensNew  Opens = "new"  // those that no entry before the file's has used: two files of periods that follow each other go together
	OpensNone Opens = "none" // none
)

// Options say how a file is to be.
type Options struct {
	// Opens is OpensAll where it is empty.
	Opens Opens
	// Known are accounts that entries before the file's have used, for OpensNew.
	Known map[string]bool
	// Zone is that of the days of plain-text accounting; nil: UTC.
	Zone *time.Location
	// BOM begins a CSV with the mark by which Excel knows UTF-8.
	BOM bool
}

// Writer writes entries, oldest first. An error is that of what it writes to, which it does not close.
type Writer interface {
	// Entry writes one entry.
	Entry(e *ledger.Entry) error

	// End writes what comes after the last entry. Balances are those of all accounts where the entries were all that there
	// are, else nil: where the format can say what an account must hold at the end, the program that reads it is made to
	// check our sums.
	End(balances []ledger.Account) error
}

// Liner is a Writer that takes an entry as it is stored, too, which nobody has to read then.
type Liner interface {
	// Line writes one entry, by its JSON.
	Line(raw []byte) error
}

// Formats are the names that New knows.
var Formats = []string{"csv", "jsonl", "beancount", "hledger"}

// New gives a writer of a format, one of Formats.
func New(format string, w io.Writer, o Options) (Writer, error) {
	switch format {
	case "csv":
		return newCSV(w, o), nil
	case "jsonl":
		return newJSONLines(w), nil
	case "beancount":
		return newBeancount(w, o), nil
	case "hledger":
		return newHledger(w, o), nil
	}
	return nil, fmt.Errorf("there is no export format %q: expected one of %s", format, strings.Join(Formats, ", "))
}
