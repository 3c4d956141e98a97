package relay

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"time"

	"code.dny.dev/ssrf"

	"github.com/tokenbuddy/caddy-tokenbuddy/relay/internal/http1"
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
	operator, stranger *schemes
}

// NewCarrier makes a Carrier. It opens nothing yet.
func NewCarrier(o CarrierOptions) *Carrier {
	g := &guard{networks: o.Networks, public: ssrf.New(ssrf.WithAnyPort())}
	return &Carrier{
		operator: newSchemes(o.Connect, nil, nil),
		stranger: newSchemes(o.Connect, g.https, g.http),
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
	c.stranger.CloseIdleConnections()
}

// schemes are the transports for each scheme, as what may be dialled depends on it. Nearly everything that goes by http goes by
// plain; http is for what that does not serve.
type schemes struct {
	https, http *http.Transport
	plain       *http1.Transport
}

func newSchemes(connect time.Duration, https, http control) *schemes {
	return &schemes{https: newTransport(connect, https), http: newTransport(connect, http), plain: newPlain(newDialer(connect, http).DialContext)}
}

func (s *schemes) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case r.URL.Scheme != "http":
		return s.https.RoundTrip(r) // refuses what is neither
	case s.plain.Serves(r):
		return s.plain.RoundTrip(r)
	}
	return s.http.RoundTrip(r)
}

// CloseIdleConnections lets an http.Client that is made of it close them too.
func (s *schemes) CloseIdleConnections() {
	s.https.CloseIdleConnections()
	s.http.CloseIdleConnections()
	s.plain.CloseIdleConnections()
}

// Of the connections that lie idle.
const (
	maxIdle        = 1024
	maxIdlePerHost = 512 // a team has that many requests under way at one seller; more are dialled anew
	idleTime       = 90 * time.Second
)

// maxHead bounds an answer's headers, in bytes.
const maxHead = 64 << 10

func newDialer(connect time.Duration, check control) *net.Dialer {
	return &net.Dialer{Timeout: connect, ControlContext: check}
}

func newPlain(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http1.Transport {
	return http1.New(http1.Options{Dial: dial, MaxIdle: maxIdle, MaxIdlePerHost: maxIdlePerHost, IdleTime: idleTime, MaxHead: maxHead})
}

func newTransport(connect time.Duration, check control) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // the environment's would see every prompt
		DialContext:            newDialer(connect, check).DialContext,
		TLSHandshakeTimeout:    connect,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: maxHead,
		HTTP2: &http.HTTP2Config{
			// A connection that died without a word is found before many requests have been put on it.
			SendPingTimeout: 15 * time.Second,
			PingTimeout:     15 * time.Second,
			// What a seller may send ahead of a client that reads slowly.
			MaxReceiveBufferPerStream: 1 << 20,
		},
	}
}
