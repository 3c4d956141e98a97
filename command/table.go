package command

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

// table is one for people, with columns that are aligned.
type table struct {
	words []int // the columns of words, which are aligned to the left; those of numbers are to the right
	rows  [][]string
}

// rule, as a row, is a line across the table.
var rule []string

// columns measures texts in a terminal's columns: most of East Asia's letters take two, and what is put over a letter none.
var columns = &runewidth.Condition{StrictEmojiNeutral: true}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns.StringWidth(cell))
		}
	}
	for _, row := range t.rows {
		var line strings.Builder
		for i, width := range widths {
			cell := strings.Repeat("-", width)
			if row != nil {
				cell = ""
				if i < len(row) {
					cell = row[i]
				}
			}
			if i > 0 {
				line.WriteString("  ")
			}
			space := strings.Repeat(" ", width-columns.StringWidth(cell))
			if slices.Contains(t.words, i) {
				line.WriteString(cell + space)
			} else {
				line.WriteString(space + cell)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}
