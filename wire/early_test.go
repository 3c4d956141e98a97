package wire

import (
	"crypto/tls"
	"net/http"
	"testing"
)

// A header that says no, that is there twice or that is empty means the same as the one that is right: RFC 8470 has it so.
func TestReplayable(t *testing.T) {
	for _, test := range []struct {
		method string
		tls    *tls.ConnectionState
		values []string
		want   bool
	}{
		{"POST", nil, nil, false},
		{"POST", &tls.ConnectionState{HandshakeComplete: true}, nil, false},
		{"POST", &tls.ConnectionState{}, nil, true},
		{"DELETE", &tls.ConnectionState{}, nil, true},
		{"GET", &tls.ConnectionState{}, []string{"1"}, false},
		{"HEAD", &tls.ConnectionState{}, nil, false},
		{"POST", nil, []string{"1"}, true},
		{"POST", &tls.ConnectionState{HandshakeComplete: true}, []string{"1"}, true},
		{"POST", nil, []string{"0", "1"}, true},
		{"POST", nil, []string{"1, 1"}, true},
		{"POST", nil, []string{"0"}, true},
		{"POST", nil, []string{""}, true},
	} {
		r := &http.Request{Method: test.method, TLS: test.tls, Header: http.Header{}}
		for _, value := range test.values {
			r.Header.Add("early-data", value)
		}
		if got := Replayable(r); got != test.want {
			t.Errorf("%s, %+v, %q: %v", test.method, test.tls, test.values, got)
		}
	}
}
