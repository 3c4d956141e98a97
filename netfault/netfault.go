// Package netfault owns what is said of a call that has failed on its way, in words of our own: what a transport says of it may quote
// the other side.
package netfault

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// Why says why no connection could be made, as of whoever was called: "its name has no address". It is empty where the error tells
// nothing of the name, of TLS or of a certificate.
func Why(err error) string {
	var (
		dns       *net.DNSError
		hostname  x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		cert      *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &dns):
		return "its name has no address"
	case errors.As(err, &hostname):
		return "its certificate is for another name"
	case errors.As(err, &authority):
		return "its certificate is signed by an unknown authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has expired or is not valid yet"
	case errors.As(err, &cert):
		return "its certificate is not valid"
	case errors.As(err, &record):
		return "it does not speak TLS"
	case errors.As(err, &alert):
		return "the TLS handshake failed"
	}
	return ""
}

// Rule gives the part of an error that says that a rule of this gateway's keeps the call from the address, which is no fault of whoever
// was to be called: an error with a method Forbidden that is true. Its text is ours.
func Rule(err error) (rule error, ok bool) {
	own, ok := errors.AsType[interface {
		error
		Forbidden() bool
	}](err)
	return own, ok && own.Forbidden()
}
