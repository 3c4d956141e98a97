package eip3009

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// vector is a row of shared/payments/eip3009-signatures.json.
type vector struct {
	Name       string `json:"name"`
	PrivateKey string `json:"privateKey"`
	Domain     struct {
		ChainID           uint64  `json:"chainId"`
		Name              string  `json:"name"`
		VerifyingContract Address `json:"verifyingContract"`
		Version           string  `json:"version"`
	} `json:"domain"`
	Authorization struct {
		From, To                       Address
		Nonce                          string
		ValidAfter, ValidBefore, Value string
	} `json:"authorization"`
	DomainSeparator string `json:"domainSeparator"`
	StructHash      string `json:"structHash"`
	Digest          string `json:"digest"`
	Signature       string `json:"signature"`
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile("../../../../shared/payments/eip3009-signatures.json")
	if os.IsNotExist(err) {
		t.Skip("the vectors are not beside this checkout")
	}
	var vectors []vector
	if err != nil || json.Unmarshal(data, &vectors) != nil || len(vectors) != 51 {
		t.Fatalf("%d vectors, %v; want 51", len(vectors), err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			key, err := ParseKey(v.PrivateKey)
			if err != nil {
				t.Fatal(err)
			}
			d := Domain{Name: v.Domain.Name, Version: v.Domain.Version, ChainID: v.Domain.ChainID, Contract: v.Domain.VerifyingContract}
			a := Authorization{
				From: v.Authorization.From, To: v.Authorization.To, Value: number(t, v.Authorization.Value),
				ValidAfter: number(t, v.Authorization.ValidAfter), ValidBefore: number(t, v.Authorization.ValidBefore),
			}
			if a.Nonce, err = ParseHash(v.Authorization.Nonce); err != nil {
				t.Fatal(err)
			}
			same(t, "address", key.Address().String(), a.From.String())
			same(t, "domain separator", d.Separator().String(), v.DomainSeparator)
			same(t, "struct hash", a.Hash().String(), v.StructHash)
			digest := a.Digest(d)
			same(t, "digest", digest.String(), v.Digest)
			sig := key.Sign(digest)
			same(t, "signature", sig.Text(), v.Signature)
			same(t, "value", a.Value.String(), v.Authorization.Value)
			if from, err := Recover(digest, sig); err != nil || from != a.From {
				t.Errorf("recovered %s, %v", from, err)
			}
			digest[0] ^= 1
			if from, err := Recover(digest, sig); err == nil && from == a.From {
				t.Error("another digest gives the same signer")
			}
		})
	}
}

func number(t *testing.T, s string) Uint256 {
	t.Helper()
	u, err := ParseUint256(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestAddress(t *testing.T) {
	// The examples of EIP-55.
	for _, s := range []string{
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
		"0x52908400098527886E0F7030069857D2E4169EE7", "0xde709f2102306220921060314715629080e2fb77",
	} {
		a, err := ParseAddress(s)
		if err != nil || a.String() != s {
			t.Errorf("%s: %s, %v", s, a, err)
		}
		if lower, err := ParseAddress(strings.ToLower(s)); err != nil || lower != a {
			t.Errorf("%s in lower case: %s, %v", s, lower, err)
		}
	}
	for _, s := range []string{
		"", "0x", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed0",
		"0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", // one letter of the other case
		"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beag0",
	} {
		if a, err := ParseAddress(s); err == nil {
			t.Errorf("%q: taken as %s", s, a)
		}
	}
}

func TestUint256(t *testing.T) {
	for _, s := range []string{
		"", "-1", "+1", "0.5", "1e3", "00", "01", " 1", "1 ", "0x1", "1_0", "٥",
		"115792089237316195423570985008687907853269984665640564039457584007913129639936", // 2^256
		strings.Repeat("9", 79),
	} {
		if u, err := ParseUint256(s); err == nil {
			t.Errorf("%q: taken as %s", s, u)
		}
	}
	for s, want := range map[string]uint64{"0": 0, "1": 1, "18446744073709551615": 1<<64 - 1} {
		u := number(t, s)
		if n, fits := u.Uint64(); !fits || n != want || u != NewUint256(want) || u.String() != s {
			t.Errorf("%s: %d, %v", s, n, fits)
		}
	}
	if _, fits := number(t, "18446744073709551616").Uint64(); fits {
		t.Error("2^64 fits 64 bits")
	}
}

func TestRecoverRefuses(t *testing.T) {
	key, err := ParseKey(strings.Repeat("17", 32))
	if err != nil {
		t.Fatal(err)
	}
	digest := Keccak([]byte("a message"))
	good := key.Sign(digest)
	for name, change := range map[string]func(*Signature){
		"v 0":                       func(s *Signature) { s[64] -= 27 },
		"v 31, of a compressed key": func(s *Signature) { s[64] += 4 },
		"high s": func(s *Signature) {
			// n - s is the other signature of the same.
			n := [32]byte{
				0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
				0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
			}
			borrow := 0
			for i := 31; i >= 0; i-- {
				d := int(n[i]) - int(s[32+i]) - borrow
				borrow = 0
				if d < 0 {
					d, borrow = d+256, 1
				}
				s[32+i] = byte(d)
			}
			s[64] ^= 27 ^ 28
		},
		"r zero":       func(s *Signature) { clear(s[:32]) },
		"s zero":       func(s *Signature) { clear(s[32:64]) },
		"all ones":     func(s *Signature) { copy(s[:64], strings.Repeat("\xff", 64)) },
		"another r":    func(s *Signature) { s[5] ^= 1 },
		"v of another": func(s *Signature) { s[64] ^= 27 ^ 28 },
	} {
		sig := good
		change(&sig)
		if a, err := Recover(digest, sig); err == nil && a == key.Address() {
			t.Errorf("%s: taken as a signature of the key", name)
		}
	}
}

func TestKeyShowsNothing(t *testing.T) {
	const secret = "0x1717171717171717171717171717171717171717171717171717171717171717"
	key, err := ParseKey(" " + secret + "\n")
	if err != nil {
		t.Fatal(err)
	}
	sig := key.Sign(Keccak())
	in := struct {
		Key *Key
		Sig Signature
	}{key, sig}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		for _, v := range []any{key, sig, in, &in} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "1717") || strings.Contains(got, sig.Text()[2:20]) {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
	if _, err := json.Marshal(key); err == nil {
		t.Error("a key is written down")
	}
	for _, s := range []string{"", "hunter2", secret[:60], secret + "17", strings.Repeat("00", 32), strings.Repeat("ff", 32)} {
		if _, err := ParseKey(s); err == nil || s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzRecover(f *testing.F) {
	key, err := ParseKey(strings.Repeat("17", 32))
	if err != nil {
		f.Fatal(err)
	}
	sig := key.Sign(Keccak([]byte("a")))
	f.Add([]byte("a"), sig[:])
	f.Add([]byte("b"), sig[:])
	f.Add([]byte("a"), make([]byte, 65))
	f.Fuzz(func(t *testing.T, message, b []byte) {
		var s Signature
		copy(s[:], b)
		digest := Keccak(message)
		if from, err := Recover(digest, s); err == nil && from == key.Address() && s != key.Sign(digest) {
			t.Fatal("a signature that the key has not made")
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
	f.Add("115792089237316195423570985008687907853269984665640564039457584007913129639935")
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseAddress(s); err == nil && !strings.EqualFold(a.String(), s) {
			t.Errorf("%q is read as %s", s, a)
		}
		if u, err := ParseUint256(s); err == nil && u.String() != s {
			t.Errorf("%q is read as %s", s, u)
		}
	})
}
