package export

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// journal is what the plain-text formats have in common: lines, accounts that are declared once, and the time of the newest entry.
type journal struct {
	out    *bufio.Writer
	opened map[string]bool // accounts of the ledger
	last   time.Time       // of the newest entry
}

func newJournal(w io.Writer) journal {
	return journal{out: bufio.NewWriter(w), opened: make(map[string]bool)}
}

// line writes a line. The buffer keeps its first error for Flush.
func (j *journal) line(format string, v ...any) {
	fmt.Fprintf(j.out, format, v...)
	_ = j.out.WriteByte('\n')
}

// opens tells whether an account is met for the first time.
func (j *journal) opens(account string) bool {
	known := j.opened[account]
	j.opened[account] = true
	return !known
}
