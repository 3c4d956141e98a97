package store

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
)

// KeySize is the length of a ledger's key in bytes.
const KeySize = 32

// KeyFromSecret derives a ledger's key from a configured secret of any length. The secret should be long and random: it is
// stretched, not slowed down.
func KeyFromSecret(secret string) []byte {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "tokenbuddy ledger: tokens at rest", KeySize)
	if err != nil {
		panic(err) // only for lengths that HKDF can't give
	}
	return key
}

// LoadKey reads the key file at path: 64 hex digits and a newline. Where there is none it makes one with a random key,
// readable by its owner alone, and durable before it is used; of two processes that do so at once both get the same key.
func LoadKey(path string) ([]byte, error) {
	key, err := ReadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("ledger: cannot make the key file: %w", err)
	}
	return ReadKey(path)
}

// LoadKeyOf reads the key file at path of the ledger in a directory, and makes one as LoadKey does where there is no ledger yet. One that is there was
// written with a key: a new one would not open it, and would stand where the old one has to be put back.
func LoadKeyOf(dir, path string) ([]byte, error) {
	switch _, err := os.Stat(filepath.Join(dir, badger.ManifestFilename)); {
	case errors.Is(err, fs.ErrNotExist):
		return LoadKey(path)
	case err != nil:
		return nil, fmt.Errorf("ledger: cannot tell whether there is one in %s: %w", dir, err)
	}
	key, err := ReadKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ledger: %s was written with a key, and the key file %s is gone: put it back from a copy, or, where the config had a key, that (the key "+
			"subdirective); without it the tokens in the ledger are lost", dir, path)
	}
	return key, err
}

// ReadKey reads the key file at path as LoadKey does, and makes none: where there is none the error is fs.ErrNotExist.
func ReadKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: cannot read the key file: %w", err)
	}
	key, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("ledger: the key file %s is malformed: it should be 64 hex digits; restore it from a backup "+
			"(a new key can't open the tokens in the ledger)", path)
	}
	return key, nil
}

// createKey writes a key beside path and links it there, which fails when another process was first.
func createKey(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	key := make([]byte, KeySize)
	rand.Read(key) // never fails
	_, err = fmt.Fprintln(temp, hex.EncodeToString(key))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil {
		return err
	}
	return atomicfile.SyncDir(dir)
}
