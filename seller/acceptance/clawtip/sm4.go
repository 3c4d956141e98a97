package clawtip

import (
	"crypto/cipher"
	"errors"

	"github.com/emmansun/gmsm/padding"
)

// seal and open are SM4 in ECB mode with PKCS#7, which is what the rail speaks. It keeps secret what is in it and proves nothing about
// where its blocks come from: see docs/seller.md.
func seal(block cipher.Block, plain []byte) []byte {
	data := padding.NewPKCS7Padding(uint(block.BlockSize())).Pad(plain)
	for rest := data; len(rest) > 0; rest = rest[block.BlockSize():] {
		block.Encrypt(rest, rest)
	}
	return data
}

// open reads whole blocks.
func open(block cipher.Block, data []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(data) == 0 || len(data)%size != 0 {
		return nil, errors.New("not a number of whole blocks")
	}
	plain := make([]byte, len(data))
	for at := 0; at < len(data); at += size {
		block.Decrypt(plain[at:], data[at:])
	}
	return padding.NewPKCS7Padding(uint(size)).Unpad(plain)
}
