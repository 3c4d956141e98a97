package x402

import "net/http"

// Via has the nodes reached by a transport.
func (m *Method) Via(t http.RoundTripper) { m.client.Transport = t }
