package routing

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Cache keeps the last good document of a registry, or of another address, over a restart. It belongs to one: an ETag means nothing to
// another.
type Cache interface {
	// Load gives what was saved last; a nil document and no error when nothing was.
	Load() (document []byte, etag string, err error)
	// Save replaces what is there. After an error what was there before is still there.
	Save(document []byte, etag string) error
}

// FileCache is the path of a file that keeps the document, behind one line of JSON with its ETag and checksum. Its directory is made when
// it is missing. One process uses the file, in which there may be more than one cache with the same path.
type FileCache string

var _ Cache = FileCache("")

// saving lets one save at a time write: while a config is reloaded, two caches may have the same path.
var saving sync.Mutex

type cacheHead struct {
	ETag   string `json:"etag"`
	SHA256 string `json:"sha256"`
}

// Load gives the document as it was saved last, and its ETag; nothing where none was. A file that is damaged is an error.
func (path FileCache) Load() ([]byte, string, error) {
	data, err := os.ReadFile(string(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("cache: %w", err)
	}
	line, document, _ := bytes.Cut(data, []byte("\n"))
	var head cacheHead
	if json.Unmarshal(line, &head) != nil || head.SHA256 != checksum(document) || !validETag(head.ETag) {
		return nil, "", fmt.Errorf("cache %s: the file is damaged; it is ignored, and replaced after the next fetch", string(path))
	}
	return document, head.ETag, nil
}

// Save keeps a document in the place of the one before, durably.
func (path FileCache) Save(document []byte, etag string) error {
	head, err := json.Marshal(cacheHead{ETag: etag, SHA256: checksum(document)})
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	dir := filepath.Dir(string(path))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	saving.Lock()
	defer saving.Unlock()
	if err := atomicfile.Bytes(string(path), append(head, '\n'), document); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return nil
}

func checksum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// validETag bounds what a registry makes us keep and send back: printable ASCII, at most 1024 bytes.
func validETag(s string) bool { return len(s) <= 1024 && wire.Printable(s) }
