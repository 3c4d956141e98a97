package eip3009

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// Key signs for one address. However it is printed or encoded, only its address is seen.
type Key struct {
	secret  *secp256k1.PrivateKey
	address Address
}

// ParseKey reads 32 bytes in hexadecimal digits, with or without "0x"; white space around them is left out, as files end with
// a line. No error says anything of what was read.
func ParseKey(s string) (*Key, error) {
	b, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(s), "0x"))
	if err != nil || len(b) != 32 {
		return nil, errors.New("not a key: expected 32 bytes as 64 hexadecimal digits")
	}
	var scalar secp256k1.ModNScalar
	if overflow := scalar.SetByteSlice(b); overflow || scalar.IsZero() {
		return nil, errors.New("not a key: the number is out of range")
	}
	secret := secp256k1.NewPrivateKey(&scalar)
	return &Key{secret: secret, address: addressOf(secret.PubKey())}, nil
}

// Address is the account that the key signs for.
func (k *Key) Address() Address { return k.address }

// Sign signs a digest.
func (k *Key) Sign(digest Hash) (s Signature) {
	compact := ecdsa.SignCompact(k.secret, digest[:], false) // v, r, s
	copy(s[:64], compact[1:])
	s[64] = compact[0]
	return s
}

// Format prints the address, whatever was asked for.
func (k *Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[key of %s]", k.address.String()) }

// MarshalText refuses: a key is written nowhere.
func (k *Key) MarshalText() ([]byte, error) { return nil, errors.New("a key is not written down") }

// Recover gives the address whose key has signed the digest. It refuses a v other than 27 and 28 and a high s, as the token
// contracts do.
func Recover(digest Hash, s Signature) (Address, error) {
	refused := errors.New("not a signature of this")
	if s[64] != 27 && s[64] != 28 {
		return Address{}, refused
	}
	var high secp256k1.ModNScalar
	if high.SetByteSlice(s[32:64]) || high.IsOverHalfOrder() {
		return Address{}, refused
	}
	var compact [65]byte
	compact[0] = s[64]
	copy(compact[1:], s[:64])
	public, _, err := ecdsa.RecoverCompact(compact[:], digest[:])
	if err != nil {
		return Address{}, refused
	}
	return addressOf(public), nil
}

func addressOf(public *secp256k1.PublicKey) (a Address) {
	sum := Keccak(public.SerializeUncompressed()[1:])
	copy(a[:], sum[12:])
	return a
}
