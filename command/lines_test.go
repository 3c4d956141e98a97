package command

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"testing"
)

// TestLines gives lines that are longer than the reader's buffer as they are, and takes half a line for no end.
func TestLines(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, test := range []struct {
		name, in string
		lines    []string
		end      error
	}{
		{"nothing", "", nil, io.EOF},
		{"whole lines", "a\n\nb\n", []string{"a", "", "b"}, io.EOF},
		{"longer than the buffer", long + "\na\n" + long + long + "\n", []string{long, "a", long + long}, io.EOF},
		{"half a line", "a\nb", []string{"a"}, io.ErrUnexpectedEOF},
		{"half a long line", "a\n" + long, []string{"a"}, io.ErrUnexpectedEOF},
		{"as long as the buffer, and no end", strings.Repeat("x", 16), nil, io.ErrUnexpectedEOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := lineReader{in: bufio.NewReaderSize(strings.NewReader(test.in), 16)}
			var lines []string
			line, err := r.next()
			for ; err == nil; line, err = r.next() {
				lines = append(lines, string(line))
			}
			if !slices.Equal(lines, test.lines) || err != test.end {
				t.Errorf("%q, then %v", lines, err)
			}
		})
	}
}
