package store

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
)

// Stamp proves a text that everybody may read: who does not have the key can't make the stamp of another one. The same text has the
// same stamp. What it belongs to is stamped with it.
func (s *Sealer) Stamp(record string, text []byte) []byte {
	mac := hmac.New(sha256.New, s.stamps)
	mac.Write([]byte(record))
	mac.Write([]byte{0})
	mac.Write(text)
	return mac.Sum(nil)
}

// Stamped tells whether a stamp is that of the text.
func (s *Sealer) Stamped(record string, text, stamp []byte) bool {
	return hmac.Equal(s.Stamp(record, text), stamp)
}

// stampKey is derived from a ledger's key, so that no key serves two algorithms.
func stampKey(key []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, key, nil, "tokenbuddy ledger: stamps", KeySize)
}
