package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"sort"

	"github.com/klauspost/compress/zstd"
)

// File is an open file. One goroutine uses it.
type File struct {
	Trailer
	Header     Header
	TrailerSum string // the SHA-256 of its trailer

	path  string
	file  *os.File
	size  int64
	seal  []byte
	line  []byte // the trailer's JSON
	zstd  *zstd.Decoder
	frame []byte
	text  []byte
}

// Open opens a file, and reads its ends. It says nothing of the entries, which are checked as they are read.
func Open(path string) (*File, error) {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unusable(path, "is missing")
	}
	if err != nil {
		return nil, unusable(path, "can't be read: %v", err)
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxTrailer))
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	f := &File{path: path, file: in, zstd: z}
	if err := f.readEnds(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() {
	f.zstd.Close()
	_ = f.file.Close() // it was only read
}

// Path is where it is.
func (f *File) Path() string { return f.path }

func (f *File) readEnds() error {
	info, err := f.file.Stat()
	if err != nil {
		return unusable(f.path, "can't be read: %v", err)
	}
	f.size = info.Size()
	foot := make([]byte, footerSize)
	if _, err := f.file.ReadAt(foot, max(f.size-int64(footerSize), 0)); err != nil {
		return unusable(f.path, "is cut off: it has %d bytes", f.size)
	}
	at, size, ok := readFooter(foot)
	if !ok || at+size+int64(footerSize) != f.size {
		return unusable(f.path, "is cut off or was changed: its end is not that of an archive")
	}
	line, err := f.readFrame(at, int(size))
	var end ending
	if err != nil || json.Unmarshal(line, &end) != nil || json.Unmarshal(end.Trailer, &f.Trailer) != nil {
		return unusable(f.path, "was changed: its trailer can't be read")
	}
	f.line, f.seal, f.TrailerSum = bytes.Clone(end.Trailer), end.Seal, sumOf(end.Trailer)
	if err := f.checkBlocks(at); err != nil {
		return err
	}
	line, err = f.readFrame(0, int(f.Blocks[0].At))
	if err != nil || json.Unmarshal(line, &f.Header) != nil || f.Header.Archive == 0 {
		return unusable(f.path, "was changed: its header can't be read")
	}
	if f.Header.Archive != layout {
		return unusable(f.path, "has the layout %d, this program knows %d", f.Header.Archive, layout)
	}
	if f.Header.First != f.First || f.Header.PreviousHash != f.PreviousHash {
		return unusable(f.path, "was changed: header and trailer are not of one file")
	}
	return nil
}

// checkBlocks looks whether the blocks are one after the other, from the header to the trailer.
func (f *File) checkBlocks(end int64) error {
	bad := unusable(f.path, "was changed: its blocks do not follow one another")
	t := &f.Trailer
	if len(t.Blocks) == 0 || t.Last-t.First+1 != t.Entries || t.Blocks[0].First != t.First {
		return bad
	}
	for i, b := range t.Blocks {
		next, seq := end, t.Last+1
		if i+1 < len(t.Blocks) {
			next, seq = t.Blocks[i+1].At, t.Blocks[i+1].First
		}
		if b.At <= 0 || b.At+int64(b.Size) != next || b.First >= seq || b.Text > blockText+maxRecord {
			return bad
		}
	}
	return nil
}

// Sealed tells whether the trailer was sealed with the ledger's key.
func (f *File) Sealed(seal Seal) bool {
	return seal.Stamped(sealOf(f.Header.Ledger), f.line, f.seal)
}

// readFrame reads what is in a frame. It is good until the next one is read.
func (f *File) readFrame(at int64, size int) ([]byte, error) {
	if int64(size) > f.size {
		return nil, io.ErrUnexpectedEOF
	}
	if cap(f.frame) < size {
		f.frame = make([]byte, size)
	}
	f.frame = f.frame[:size]
	if _, err := f.file.ReadAt(f.frame, at); err != nil {
		return nil, err
	}
	text, err := f.zstd.DecodeAll(f.frame, f.text[:0])
	f.text = text[:0]
	return text, err
}

// Entries calls yield with each entry from a sequence number on, as it was stored; the bytes are good during the call only. Nothing is
// given of a block that is not what it was. An error of yield ends it and is given back.
func (f *File) Entries(from uint64, yield func(seq uint64, raw []byte) error) error {
	first := max(sort.Search(len(f.Blocks), func(i int) bool { return f.Blocks[i].First > from })-1, 0)
	for i := first; i < len(f.Blocks); i++ {
		next := f.Last + 1
		if i+1 < len(f.Blocks) {
			next = f.Blocks[i+1].First
		}
		if err := f.block(f.Blocks[i], next, from, yield); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) block(b Block, next, from uint64, yield func(seq uint64, raw []byte) error) error {
	text, err := f.readFrame(b.At, b.Size)
	if err != nil || sumOf(text) != b.SHA256 {
		return unusable(f.path, "was changed: entries %d to %d in it are not what they were", b.First, next-1)
	}
	if uint64(bytes.Count(text, []byte{'\n'})) != next-b.First {
		return unusable(f.path, "was changed: there are not %d entries from %d on", next-b.First, b.First)
	}
	for seq := b.First; seq < next; seq++ {
		end := bytes.IndexByte(text, '\n')
		if seq >= from {
			if err := yield(seq, text[:end:end]); err != nil {
				return err
			}
		}
		text = text[end+1:]
	}
	return nil
}

// Find gives the sequence number of the first entry that is good, where those after one that is good are so too; Last+1: none is. It
// reads one entry of some blocks, and one block.
func (f *File) Find(good func(raw []byte) (bool, error)) (uint64, error) {
	var fault error
	// The block before the first one that begins with a good entry has the first good one in it, or that one is it.
	i := sort.Search(len(f.Blocks), func(i int) bool {
		if fault != nil {
			return true
		}
		ok := false
		err := f.Entries(f.Blocks[i].First, func(_ uint64, raw []byte) (err error) {
			if ok, err = good(raw); err == nil {
				err = errEnough
			}
			return err
		})
		if !errors.Is(err, errEnough) {
			fault = err
		}
		return ok
	})
	if fault != nil {
		return 0, fault
	}
	found := f.Last + 1
	if i < len(f.Blocks) {
		found = f.Blocks[i].First
	}
	if i == 0 {
		return found, nil
	}
	err := f.Entries(f.Blocks[i-1].First, func(seq uint64, raw []byte) error {
		if seq == found {
			return errEnough
		}
		ok, err := good(raw)
		if err == nil && ok {
			found = seq
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return found, err
}

var errEnough = errors.New("enough")

// SumFile gives the size of a file, and its SHA-256.
func SumFile(path string) (size int64, sum string, err error) {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, "", unusable(path, "is missing")
	}
	if err != nil {
		return 0, "", unusable(path, "can't be read: %v", err)
	}
	defer in.Close()
	h := sha256.New()
	if size, err = io.Copy(h, in); err != nil {
		return size, "", unusable(path, "can't be read: %v", err)
	}
	return size, hex.EncodeToString(h.Sum(nil)), nil
}
