package command

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// bar says on a terminal how far something is that takes long: from its first second on, so that what is quick shows none.
type bar struct {
	out   io.Writer // nil: nobody looks
	what  string    // is counted
	drawn time.Time // or begun
}

const (
	barPause = 200 * time.Millisecond
	barWidth = 30
)

// newBar begins a bar for a command, on its standard error if that is a terminal.
func newBar(cmd *cobra.Command, what string) *bar {
	b := &bar{what: what, drawn: time.Now().Add(time.Second - barPause)}
	if f, ok := cmd.ErrOrStderr().(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		b.out = f
	}
	return b
}

// at draws how much is done, of so many if that is known.
func (b *bar) at(done, total uint64) {
	if b.out == nil || time.Since(b.drawn) < barPause {
		return
	}
	b.drawn = time.Now()
	line := humanize.Comma(int64(done)) + " " + b.what
	if total > 0 {
		full := int(min(done, total) * barWidth / total)
		line = fmt.Sprintf("[%s%s] %d %%  %s of %s %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full),
			min(done, total)*100/total, humanize.Comma(int64(done)), humanize.Comma(int64(total)), b.what)
	}
	fmt.Fprintf(b.out, "\r\x1b[K%s", line)
}

// end takes the bar away.
func (b *bar) end() {
	if b.out != nil {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}
