package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// notOurs says what to do where this user may not open what belongs to a ledger: nothing of that is damaged.
func notOurs(what string, err error) error {
	return fmt.Errorf("ledger: %s: this user may not read and write that: run this as the user to whom it belongs, or give it to the one that Caddy "+
		"runs as (chown -R): %w", what, err)
}

// Which files the store opens, by their names, and by how these end.
var (
	storeFiles = []string{badger.ManifestFilename, badger.KeyRegistryFileName, "DISCARD", journalName}
	storeExts  = []string{".sst", valueLogExt, logExt}
)

// accessible is fs.ErrPermission where this user may not open a file of the store. Badger has no error value for it.
func accessible(dir string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	for _, f := range files {
		if !slices.Contains(storeFiles, f.Name()) && !slices.Contains(storeExts, filepath.Ext(f.Name())) {
			continue
		}
		file, err := os.OpenFile(filepath.Join(dir, f.Name()), os.O_RDWR, 0)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return err
		case err == nil:
			_ = file.Close() // nothing was written
		}
	}
	return nil // what else is wrong is found by who reads them
}
