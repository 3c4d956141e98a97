package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Entry is what a Writer has to know of an entry.
type Entry struct {
	Hash string
	Time time.Time
	Raw  []byte // as it was stored: a line of JSON
}

// Written is a file as it was written.
type Written struct {
	Trailer
	Bytes      int64
	SHA256     string // of the file
	TrailerSum string // the SHA-256 of its trailer
}

// Writer writes a file. It keeps one block in memory, and what the trailer says.
type Writer struct {
	out    io.Writer
	sum    hash.Hash
	at     int64
	zstd   *zstd.Encoder
	header Header
	text   []byte // of the block
	frame  []byte
	first  uint64 // of the block
	next   uint64
	sums   map[string]money.Micros
	t      Trailer
}

// NewWriter begins a file.
func NewWriter(out io.Writer, h Header) (*Writer, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	h.Archive = layout
	w := &Writer{out: out, sum: sha256.New(), zstd: z, header: h, first: h.First, next: h.First, sums: map[string]money.Micros{}}
	w.t = Trailer{First: h.First, PreviousHash: h.PreviousHash, Hash: h.PreviousHash, Blocks: []Block{}}
	line, err := json.Marshal(h)
	if err == nil {
		_, err = w.write(append(line, '\n'))
	}
	return w, err
}

// Moved notes what an entry has moved in an account.
func (w *Writer) Moved(account string, amount money.Micros) { w.sums[account] += amount }

// Add writes the next entry. Full says that a block was written.
func (w *Writer) Add(e Entry) (full bool, err error) {
	if len(e.Raw) > maxRecord || slices.Contains(e.Raw, '\n') {
		return false, fmt.Errorf("entry %d is no line of JSON", w.next)
	}
	if w.next == w.header.First {
		w.t.From = e.Time.UTC()
	}
	w.t.To, w.t.Hash, w.t.Last = e.Time.UTC(), e.Hash, w.next
	w.t.Entries++
	w.next++
	w.text = append(append(w.text, e.Raw...), '\n')
	if len(w.text) < blockText {
		return false, nil
	}
	return true, w.endBlock()
}

func (w *Writer) endBlock() error {
	if len(w.text) == 0 {
		return nil
	}
	b := Block{First: w.first, At: w.at, Text: len(w.text), SHA256: sumOf(w.text)}
	size, err := w.write(w.text)
	b.Size = size
	w.t.Blocks = append(w.t.Blocks, b)
	w.text, w.first = w.text[:0], w.next
	return err
}

// Close ends the file. It does not close what it was written to. Seal may be nil.
func (w *Writer) Close(seal Seal) (Written, error) {
	if w.t.Entries == 0 {
		return Written{}, errors.New("there are no entries in it")
	}
	if err := w.endBlock(); err != nil {
		return Written{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(w.sums)) {
		w.t.Accounts = append(w.t.Accounts, Sum{name, w.sums[name]})
	}
	trailer, err := json.Marshal(w.t)
	if err != nil {
		return Written{}, err
	}
	end := ending{Trailer: trailer}
	if seal != nil {
		end.Seal = seal.Stamp(sealOf(w.header.Ledger), trailer)
	}
	line, err := json.Marshal(end)
	if err != nil {
		return Written{}, err
	}
	at := w.at
	size, err := w.write(append(line, '\n'))
	if err == nil {
		err = w.put(footer(at, int64(size)))
	}
	return Written{w.t, w.at, hex.EncodeToString(w.sum.Sum(nil)), sumOf(trailer)}, err
}

// write writes a frame, and gives its size.
func (w *Writer) write(text []byte) (int, error) {
	w.frame = w.zstd.EncodeAll(text, w.frame[:0])
	return len(w.frame), w.put(w.frame)
}

func (w *Writer) put(b []byte) error {
	w.sum.Write(b)
	w.at += int64(len(b))
	_, err := w.out.Write(b)
	return err
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
