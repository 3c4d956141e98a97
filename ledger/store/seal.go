package store

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrWrongKey is in the error of Open when the key is not the one that the ledger was made with.
var ErrWrongKey = errors.New("the key is wrong")

// ErrSealed says that a sealed record was not made with this key for this place, or was changed.
var ErrSealed = errors.New("the sealed part can't be opened: it was changed, or moved here from another record")

// Sealer encrypts what gives money away (XChaCha20-Poly1305). What it belongs to (the key of its record, or more of
// it) is sealed in, so that a sealed value that is moved to another record does not open.
type Sealer struct {
	aead   cipher.AEAD
	stamps []byte // the key of stamps
}

// NewSealer takes a key of KeySize bytes.
func NewSealer(key []byte) (*Sealer, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("ledger: the key has %d bytes, it needs %d: use LoadKey or KeyFromSecret", len(key), KeySize)
	}
	stamps, err := stampKey(key)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead, stamps}, nil
}

// Seal gives a random nonce and the encrypted text.
func (s *Sealer) Seal(record string, plain []byte) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, plain, []byte(record))
}

// Open gives what was sealed for that record, or ErrSealed.
func (s *Sealer) Open(record string, sealed []byte) ([]byte, error) {
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return nil, ErrSealed
	}
	nonce, text := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	plain, err := s.aead.Open(nil, nonce, text, []byte(record))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
