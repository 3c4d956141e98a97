package seller

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
)

// maxJournal is how large the journal becomes, in bytes, before the state file is written anew.
const maxJournal = 8 << 20

// journal is where changes of the books are written down: a file beside the state file, a line for each change, with its
// checksum. The state file and the journal of its generation are the books; a journal of an earlier generation is in the state
// file already. Changes that come while others are being written are written together.
type journal struct {
	mu         sync.Mutex // held while files are written
	file       *os.File   // nil: the state file has to be written first
	size       int64
	generation uint64        // of the state file
	written    atomic.Uint64 // changes that are on the disk
	failing    atomic.Bool   // the last write has failed

	// Under Books.mu:
	pending []byte // lines that are not
	noted   uint64 // changes so far
}

func journalOf(state string) string { return state + ".journal" }

// castagnoli is the checksum of a line.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// line gives the line that v becomes: its checksum, a space, its JSON.
func line(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts, integers, times of this century and JSON that was read always encode
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(data, castagnoli), data)
}

// unline reads a line, without its line end.
func unline(b []byte, v any) bool {
	sum, data, ok := bytes.Cut(b, []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	return ok && err == nil && len(sum) == 8 && uint32(want) == crc32.Checksum(data, castagnoli) && json.Unmarshal(data, v) == nil
}

// opening is the first line of a journal.
type opening struct {
	Generation uint64 `json:"generation"`
}

// readJournal gives the changes since the state file of this generation. Only a last write may be torn: it was never told to
// anyone.
func readJournal(path string, generation uint64) ([]change, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	var first opening
	head, rest, _ := bytes.Cut(data, []byte("\n"))
	switch {
	case !unline(head, &first):
		return nil, fmt.Errorf("journal %s is damaged at its beginning: move it away to go on from its state file alone", path)
	case first.Generation < generation:
		return nil, nil
	case first.Generation > generation:
		return nil, fmt.Errorf("journal %s goes on from a later state file than the one that is there: put that back, or move the journal away", path)
	}
	var changes []change
	torn := 0
	for n := 2; len(rest) > 0; n++ {
		var b []byte
		var whole bool
		b, rest, whole = bytes.Cut(rest, []byte("\n"))
		var c change
		switch ok := whole && unline(b, &c); {
		case ok && torn > 0:
			return nil, fmt.Errorf("journal %s is damaged in line %d: put a copy back, or move it away to go on from its state file alone", path, torn)
		case ok:
			changes = append(changes, c)
		case torn == 0:
			torn = n
		}
	}
	return changes, nil
}

// note plans to write a change down. b.mu is held.
func (b *Books) note(c change) {
	if b.file == "" {
		return
	}
	b.journal.pending = append(b.journal.pending, line(c)...)
	b.journal.noted++
}

// save writes down what has been noted. When it returns without an error, all changes that were noted before the call are on the
// disk. After an error it is not known what of them is; the next call writes all of the books anew.
func (b *Books) save() error {
	if b.file == "" {
		return nil
	}
	j := &b.journal
	b.mu.Lock()
	noted := j.noted
	b.mu.Unlock()
	if j.written.Load() >= noted && !j.failing.Load() {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.written.Load() >= noted && !j.failing.Load() {
		return nil
	}
	var err error
	if j.file == nil || j.size > maxJournal {
		err = b.checkpoint()
	} else {
		err = b.extend()
	}
	j.failing.Store(err != nil)
	return err
}

// extend writes what has been noted to the journal. b.journal.mu is held.
func (b *Books) extend() error {
	j := &b.journal
	b.mu.Lock()
	lines, noted := j.pending, j.noted
	j.pending = nil
	b.mu.Unlock()
	_, err := j.file.Write(lines)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		_ = j.file.Close()
		j.file = nil
		return fmt.Errorf("state: %w", err)
	}
	j.size += int64(len(lines))
	j.written.Store(noted)
	return nil
}

// checkpoint writes the state file of the next generation, and begins its journal. b.journal.mu is held.
func (b *Books) checkpoint() error {
	j := &b.journal
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
	b.mu.Lock()
	st, noted := b.snapshot(), j.noted
	j.pending = nil
	b.mu.Unlock()
	st.Generation = j.generation + 1
	data, err := json.Marshal(st)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(b.file), 0o700), atomicfile.Bytes(b.file, data))
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	// From here on the old journal is in the state file.
	j.generation = st.Generation
	j.written.Store(noted)
	path, first := journalOf(b.file), line(opening{st.Generation})
	err = atomicfile.Bytes(path, first)
	if err == nil {
		j.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	}
	if err != nil {
		j.file = nil // the books are written; the next change writes them anew
		b.warn(fmt.Errorf("state: %w", err))
		return nil
	}
	j.size = int64(len(first))
	return nil
}

// Destruct writes down what is not yet; the pool calls it when nobody holds the books any more.
func (b *Books) Destruct() error {
	err := b.save()
	b.journal.mu.Lock()
	defer b.journal.mu.Unlock()
	if b.journal.file != nil {
		err = errors.Join(err, b.journal.file.Close())
		b.journal.file = nil
	}
	return errors.Join(err, b.giveUp())
}
