package netfault

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
)

const secret = "a stranger's words"

// What is told is why, and nothing that a stranger wrote.
func TestWhy(t *testing.T) {
	expired := x509.CertificateInvalidError{Reason: x509.Expired, Detail: secret}
	revoked := x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign, Detail: secret}
	for _, c := range []struct {
		want string
		err  error
	}{
		{"its name has no address", &net.OpError{Op: "dial", Err: &net.DNSError{Err: secret, Name: secret}}},
		{"its certificate is for another name", &tls.CertificateVerificationError{Err: x509.HostnameError{Host: secret, Certificate: new(x509.Certificate)}}},
		{"its certificate is signed by an unknown authority", fmt.Errorf("tls: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})},
		{"its certificate has expired or is not valid yet", &tls.CertificateVerificationError{Err: expired}},
		{"its certificate is not valid", &tls.CertificateVerificationError{Err: revoked}},
		{"it does not speak TLS", tls.RecordHeaderError{Msg: secret, RecordHeader: [5]byte{'H', 'T', 'T', 'P', '/'}}},
		{"the TLS handshake failed", &net.OpError{Op: "remote error", Err: tls.AlertError(40)}},
		{"", errors.New(secret)},
		{"", io.EOF},
		{"", nil},
	} {
		if got := Why(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

// fence is the error of a transport that lets nobody through, or everybody.
type fence bool

func (fence) Error() string     { return "the address is refused" }
func (f fence) Forbidden() bool { return bool(f) }

func TestRule(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&net.OpError{Op: "dial", Err: fence(true)}, true},
		{fence(false), false},
		{errors.New(secret), false},
		{nil, false},
	} {
		rule, ok := Rule(c.err)
		if ok != c.want {
			t.Errorf("%v: %v", c.err, ok)
		}
		if ok && rule.Error() != "the address is refused" {
			t.Errorf("%v: the rule says %q", c.err, rule)
		}
	}
}
