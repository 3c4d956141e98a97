package ledger

import "github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"

// KeySize is the length of a ledger's key in bytes.
const KeySize = store.KeySize

// KeyFromSecret derives a ledger's key from a configured secret of any length.
func KeyFromSecret(secret string) []byte { return store.KeyFromSecret(secret) }

// LoadKey reads the key file at path, and makes one where there is none.
func LoadKey(path string) ([]byte, error) { return store.LoadKey(path) }

// ReadKey reads the key file at path; fs.ErrNotExist where there is none.
func ReadKey(path string) ([]byte, error) { return store.ReadKey(path) }
