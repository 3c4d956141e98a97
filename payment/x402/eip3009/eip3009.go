// Package eip3009 is the arithmetic of a transfer with authorization: EIP-712 digests, signatures over them and who made
// them. It does no I/O and knows nothing of sellers.
//
// Signatures are deterministic (RFC 6979) with a low s, so there is one right signature of an authorization by a key.
package eip3009

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/sha3"
)

// Hash is a Keccak-256 sum, or another word of 32 bytes, such as a nonce.
type Hash [32]byte

// Keccak gives the Keccak-256 of the parts, one after the other. It is the one from before the standard: SHA3-256 pads
// differently.
func Keccak(parts ...[]byte) (h Hash) {
	k := sha3.NewLegacyKeccak256()
	for _, p := range parts {
		_, _ = k.Write(p) // never fails
	}
	k.Sum(h[:0])
	return h
}

// ParseHash reads "0x" and 64 hexadecimal digits.
func ParseHash(s string) (h Hash, err error) {
	if !unhex(h[:], s) {
		return Hash{}, errors.New("not a word of 32 bytes: expected 0x and 64 hexadecimal digits")
	}
	return h, nil
}

// String gives "0x" and 64 lower-case digits.
func (h Hash) String() string { return "0x" + hex.EncodeToString(h[:]) }

// Address is an account or a contract.
type Address [20]byte

// ParseAddress reads "0x" and 40 hexadecimal digits. Where they are of both cases, the case must be the checksum of EIP-55.
func ParseAddress(s string) (a Address, err error) {
	if !unhex(a[:], s) {
		return Address{}, errors.New("not an address: expected 0x and 40 hexadecimal digits")
	}
	digits := s[2:]
	if digits != strings.ToLower(digits) && digits != strings.ToUpper(digits) && a.String() != s {
		return Address{}, errors.New("not an address: the case of its letters is not its checksum")
	}
	return a, nil
}

// String gives the address with the checksum of EIP-55.
func (a Address) String() string {
	b := []byte(hex.EncodeToString(a[:]))
	sum := Keccak(b)
	for i, c := range b {
		if c >= 'a' && sum[i/2]>>(4*(1-i%2))&8 != 0 {
			b[i] = c - 'a' + 'A'
		}
	}
	return "0x" + string(b)
}

// MarshalText gives what String gives.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAddress reads.
func (a *Address) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAddress(string(text))
	return err
}

func unhex(to []byte, s string) bool {
	if len(s) != 2+2*len(to) || s[:2] != "0x" {
		return false
	}
	_, err := hex.Decode(to, []byte(s[2:]))
	return err == nil
}

// Uint256 is a whole number from 0 to 2^256-1, big-endian.
type Uint256 [32]byte

// NewUint256 gives n as a word.
func NewUint256(n uint64) (u Uint256) {
	for i := range 8 {
		u[31-i] = byte(n >> (8 * i))
	}
	return u
}

// ParseUint256 reads decimal digits and nothing else: no sign, point, exponent or leading zero.
func ParseUint256(s string) (u Uint256, err error) {
	if s == "" || len(s) > 78 || len(s) > 1 && s[0] == '0' || strings.Trim(s, "0123456789") != "" {
		return Uint256{}, errors.New("not a whole number in decimal digits")
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || n.BitLen() > 256 {
		return Uint256{}, errors.New("not a whole number below 2^256")
	}
	n.FillBytes(u[:])
	return u, nil
}

// String gives decimal digits.
func (u Uint256) String() string { return new(big.Int).SetBytes(u[:]).String() }

// Uint64 gives the number where it fits 64 bits.
func (u Uint256) Uint64() (n uint64, fits bool) {
	for _, b := range u[:24] {
		if b != 0 {
			return 0, false
		}
	}
	for _, b := range u[24:] {
		n = n<<8 | uint64(b)
	}
	return n, true
}

// Domain is the token contract that an authorization is for, as EIP-712 wants it.
type Domain struct {
	Name     string
	Version  string
	ChainID  uint64
	Contract Address
}

var domainType = Keccak([]byte("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"))

// Separator is the domain's hash.
func (d Domain) Separator() Hash {
	name, version, chain, contract := Keccak([]byte(d.Name)), Keccak([]byte(d.Version)), NewUint256(d.ChainID), word(d.Contract)
	return Keccak(domainType[:], name[:], version[:], chain[:], contract[:])
}

// Authorization lets anybody who has it signed move Value of From's tokens to To, once, at a time after ValidAfter and
// before ValidBefore (seconds, on the clock of the chain).
type Authorization struct {
	From, To                Address
	Value                   Uint256
	ValidAfter, ValidBefore Uint256
	Nonce                   Hash
}

var transferType = Keccak([]byte("TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter," +
	"uint256 validBefore,bytes32 nonce)"))

// Ends is when it moves nothing any more: ValidBefore, where that is further than anybody plans thousands of years from now.
func (a Authorization) Ends() time.Time {
	seconds, fits := a.ValidBefore.Uint64()
	if !fits || seconds > 1<<40 {
		seconds = 1 << 40
	}
	return time.Unix(int64(seconds), 0)
}

// Hash is the authorization's hash, without its domain.
func (a Authorization) Hash() Hash {
	from, to := word(a.From), word(a.To)
	return Keccak(transferType[:], from[:], to[:], a.Value[:], a.ValidAfter[:], a.ValidBefore[:], a.Nonce[:])
}

// Digest is what is signed.
func (a Authorization) Digest(d Domain) Hash {
	separator, hash := d.Separator(), a.Hash()
	return Keccak([]byte{0x19, 0x01}, separator[:], hash[:])
}

func word(a Address) (w [32]byte) {
	copy(w[12:], a[:])
	return w
}

// Signature is r, s and v; v is 27 or 28.
type Signature [65]byte

// ParseSignature reads "0x" and 130 hexadecimal digits.
func ParseSignature(s string) (sig Signature, err error) {
	if !unhex(sig[:], s) {
		return Signature{}, fmt.Errorf("not a signature: expected 0x and %d hexadecimal digits", 2*len(sig))
	}
	return sig, nil
}

// Text gives "0x" and 130 lower-case digits. It is not named String: a signature is a secret until it is cashed, and must not
// come out where somebody prints it.
func (s Signature) Text() string { return "0x" + hex.EncodeToString(s[:]) }

// Format prints nothing of the signature.
func (Signature) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[signature]") }
