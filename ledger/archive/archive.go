// Package archive owns the form of the files that closed months of a ledger are moved into: entries as they were stored, in
// compressed blocks that can be read one by one, with what proves that none of them is another. What an entry says is the ledger's.
//
// A file is zstd, and so zstd -dc reads it: a line of JSON with the Header, a line for each entry, a line with the Trailer and its
// seal. Each of these, and each block of entries, is a frame of its own, with a checksum. A last frame, which zstd skips, says where
// the trailer is. The trailer has the SHA-256 of each block, and the ledger keeps that of the trailer: so a block that is read alone is
// known to be whole. The same entries make the same file.
package archive

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// layout is the number of this form. A file of another one is not read.
const layout = 1

// Header is the first line of a file.
type Header struct {
	Archive      int    `json:"archive"` // version of the layout
	Ledger       string `json:"ledger"`  // identity
	Month        string `json:"month"`   // 2006-01, UTC
	First        uint64 `json:"first"`   // sequence number of the first entry
	PreviousHash string `json:"previousHash"`
}

// Trailer is what the last line of a file says.
type Trailer struct {
	First        uint64    `json:"first"`
	Last         uint64    `json:"last"` // sequence number of the last entry
	Entries      uint64    `json:"entries"`
	PreviousHash string    `json:"previousHash"` // of the entry before the first; empty: there is none
	Hash         string    `json:"hash"`         // of the last entry
	From         time.Time `json:"from"`         // of the first entry
	To           time.Time `json:"to"`           // of the last entry
	Accounts     []Sum     `json:"accounts"`     // what the entries have moved in each account, sorted by name
	Blocks       []Block   `json:"blocks"`
}

// Sum is what the entries of a file have moved in one account.
type Sum struct {
	Account      string       `json:"account"`
	AmountMicros money.Micros `json:"amountMicros"`
}

// Block is a frame of entries.
type Block struct {
	First  uint64 `json:"first"` // sequence number of its first entry
	At     int64  `json:"at"`    // offset of its frame in the file
	Size   int    `json:"size"`  // of its frame
	Text   int    `json:"text"`  // of what is in it
	SHA256 string `json:"sha256"`
}

// ending is the last line.
type ending struct {
	Trailer json.RawMessage `json:"trailer"`
	Seal    []byte          `json:"seal"`
}

// Seal proves with a ledger's key that it was that ledger which has written something. The same text has the same seal.
type Seal interface {
	Stamp(record string, text []byte) []byte
	Stamped(record string, text, stamp []byte) bool
}

// sealOf is what the seal of a ledger's file is for.
func sealOf(ledger string) string { return "archive/" + ledger }

// ErrUnusable is in every error about a file that is missing, or is not what it was.
var ErrUnusable = errors.New("put it back from a copy: caddy tokenbuddy verify says whether it is the right one")

// Error says what is wrong with a file.
type Error struct {
	Path    string
	Problem string
}

func (e *Error) Error() string {
	return fmt.Sprintf("the archive file %s %s; %v", e.Path, e.Problem, ErrUnusable)
}

// Is tells that it is ErrUnusable.
func (e *Error) Is(target error) bool { return target == ErrUnusable }

func unusable(path, format string, v ...any) error {
	return &Error{path, fmt.Sprintf(format, v...)}
}

// The last frame: a magic number that says "skip", the length of what follows, and where the trailer's frame is.
const (
	skipMagic   = 0x184D2A5E
	footerMagic = "tokenbud"
	footerSize  = 8 + 8 + 8 + len(footerMagic)

	blockText  = 512 << 10 // of entries, before it is compressed
	maxRecord  = 2 << 20   // far above the largest entry
	maxTrailer = 64 << 20
)

func footer(at, size int64) []byte {
	b := binary.LittleEndian.AppendUint32(nil, skipMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(footerSize-8))
	b = binary.LittleEndian.AppendUint64(b, uint64(at))
	b = binary.LittleEndian.AppendUint64(b, uint64(size))
	return append(b, footerMagic...)
}

func readFooter(b []byte) (at, size int64, ok bool) {
	if len(b) != footerSize || binary.LittleEndian.Uint32(b) != skipMagic || string(b[24:]) != footerMagic {
		return 0, 0, false
	}
	at, size = int64(binary.LittleEndian.Uint64(b[8:])), int64(binary.LittleEndian.Uint64(b[16:]))
	return at, size, at >= 0 && size > 0 && size <= maxTrailer
}
