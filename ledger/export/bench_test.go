package export_test

import (
	"io"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/export"
)

// BenchmarkWriter writes entries of every kind.
func BenchmarkWriter(b *testing.B) {
	books := newBooks(b)
	books.everything("p1", "ada", "meta-llama/llama-3:free", "acme", "mock")
	entries, _ := books.read()
	for _, format := range export.Formats {
		b.Run(format, func(b *testing.B) {
			w, err := export.New(format, io.Discard, export.Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := w.Entry(entries[i%len(entries)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
