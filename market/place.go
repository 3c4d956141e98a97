package market

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/caddyserver/caddy/v2"
)

// Resolve gives the one name of a ledger's directory, whichever way it is written: with links, with "..", in another case where
// the file system does not mind, and whether or not it is there yet.
func Resolve(dir string) (string, error) { return resolve(dir, ignoresCase) }

func resolve(dir string, ignoresCase func(dir string) bool) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	parent, name := filepath.Split(dir)
	if name == "" {
		return dir, nil // the root of a file system
	}
	if parent, err = resolve(parent, ignoresCase); err != nil {
		return "", err
	}
	if ignoresCase(parent) {
		name = nameOnDisk(parent, name)
	}
	dir = filepath.Join(parent, name)
	if to, err := filepath.EvalSymlinks(dir); err == nil && to != dir {
		return resolve(to, ignoresCase) // a link
	}
	return dir, nil
}

// nameOnDisk is how the file system has a name that it takes in any case; one that is not there is to be made in lower case.
func nameOnDisk(dir, name string) string {
	found := strings.ToLower(name)
	entries, _ := os.ReadDir(dir) // errs where it is not there yet
	for _, e := range entries {
		if e.Name() == name {
			return name
		}
		if strings.EqualFold(e.Name(), name) {
			found = e.Name()
		}
	}
	return found
}

// ignoresCase tells whether a directory takes names in any case, by what is in it, else by its own name in the one above.
func ignoresCase(dir string) bool {
	if f, err := os.Open(dir); err == nil {
		names, _ := f.Readdirnames(100)
		_ = f.Close()
		for _, name := range names {
			if swapCase(name) != name {
				return same(filepath.Join(dir, name), filepath.Join(dir, swapCase(name)))
			}
		}
	}
	parent, name := filepath.Split(filepath.Clean(dir))
	if name == "" {
		return false
	}
	if swapCase(name) != name && same(dir, filepath.Join(parent, swapCase(name))) {
		return true
	}
	if _, err := os.Lstat(dir); err != nil {
		return ignoresCase(parent) // it is to be made there
	}
	return false
}

func same(a, b string) bool {
	x, errX := os.Lstat(a)
	y, errY := os.Lstat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

// KeyFile is where the key of ledgers is that have none in the config: in Caddy's data directory.
func KeyFile() string { return filepath.Join(caddy.AppDataDir(), "tokenbuddy.key") }

// AnchorFile is the anchor file of the ledger in a directory, as Resolve gives it: beside the key file, so that who loses or
// replaces the directory does not do the same to what tells of it.
func AnchorFile(dir string) string {
	name := sha256.Sum256([]byte(dir))
	return filepath.Join(caddy.AppDataDir(), fmt.Sprintf("tokenbuddy-%x.anchor", name[:8]))
}

// KeyMade says in which file the ledger's key is, and since when; nothing where it stands in the config.
func (m *Market) KeyMade() (file string, at time.Time) {
	info, err := os.Stat(m.keyFile)
	if m.keyFile == "" || err != nil {
		return "", time.Time{}
	}
	return m.keyFile, info.ModTime().UTC()
}
