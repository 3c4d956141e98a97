package relay

import (
	"net"
	"net/http"
	"net/netip"
	"time"

	"code.dny.dev/ssrf"
)

// CarrierOptions say how sellers are reached.
type CarrierOptions struct {
	// Connect bounds dialling (the name's look-up included), and then the TLS handshake. 0 is no limit.
	Connect time.Duration
	// Networks are the private networks in which a stranger may live, with plain http too.
	Networks []netip.Prefix
}

// Carrier holds the transports to sellers and their connections. None of them uses a proxy, follows a redirect, or decodes
// an answer.
type Carrier struct {
	operator *http.Transport
	stranger schemes
}

// NewCarrier makes a Carrier. It opens nothing yet.
func NewCarrier(o CarrierOptions) *Carrier {
	g := &guard{networks: o.Networks, public: ssrf.New(ssrf.WithAnyPort())}
	return &Carrier{
		operator: newTransport(o.Connect, nil),
		stranger: schemes{
			https: newTransport(o.Connect, g.https),
			http:  newTransport(o.Connect, g.http),
		},
	}
}

// Operator reaches URLs that are the operator's word: http or https, any address.
func (c *Carrier) Operator() http.RoundTripper { return c.operator }

// Stranger reaches sellers that a registry names: by https at public addresses, and inside the Networks also by http. The
// address is checked when it is dialled, after DNS, so that a name can't be made to mean something else in between.
func (c *Carrier) Stranger() http.RoundTripper { return c.stranger }

// Close closes the connections that are idle. Requests under way end as they would.
func (c *Carrier) Close() {
	c.operator.CloseIdleConnections()
	c.stranger.https.CloseIdleConnections()
	c.stranger.http.CloseIdleConnections()
}

// schemes is a transport for each scheme, as what may be dialled depends on it.
type schemes struct{ https, http *http.Transport }

func (s schemes) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		return s.http.RoundTrip(r)
	}
	return s.https.RoundTrip(r) // refuses what is neither
}

// CloseIdleConnections lets an http.Client that is made of it close them too.
func (s schemes) CloseIdleConnections() {
	s.https.CloseIdleConnections()
	s.http.CloseIdleConnections()
}

func newTransport(connect time.Duration, check control) *http.Transport {
	dialer := &net.Dialer{Timeout: connect, ControlContext: check}
	return &http.Transport{
		Proxy:                  nil, // the environment's would see every prompt
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    connect,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    512, // a team has that many requests under way at one seller; more are dialled anew
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		HTTP2: &http.HTTP2Config{
			// A connection that died without a word is found before many requests have been put on it.
			SendPingTimeout: 15 * time.Second,
			PingTimeout:     15 * time.Second,
			// What a seller may send ahead of a client that reads slowly.
			MaxReceiveBufferPerStream: 1 << 20,
		},
	}
}
