package market

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
)

// Resolve gives the one name of a ledger's directory, whichever way it is written, and whether or not it is there yet.
func Resolve(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real, nil
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(dir))
	if err != nil {
		return dir, nil // made with the ledger
	}
	return filepath.Join(parent, filepath.Base(dir)), nil
}

// KeyFile is where the key of ledgers is that have none in the config: in Caddy's data directory.
func KeyFile() string { return filepath.Join(caddy.AppDataDir(), "tokenbuddy.key") }

// AnchorFile is the anchor file of the ledger in a directory, as Resolve gives it: beside the key file, so that who loses or
// replaces the directory does not do the same to what tells of it.
func AnchorFile(dir string) string {
	name := sha256.Sum256([]byte(dir))
	return filepath.Join(caddy.AppDataDir(), fmt.Sprintf("tokenbuddy-%x.anchor", name[:8]))
}
