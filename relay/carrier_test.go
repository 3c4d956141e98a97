package relay

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestCarrier(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/compressed":
			w.Header().Set("Content-Encoding", "gzip")
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("x", 100<<10))
		}
	})
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it does not like to be refused
	secure.StartTLS()
	defer secure.Close()

	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	outside := NewCarrier(CarrierOptions{})
	inside := NewCarrier(CarrierOptions{Networks: loopback})
	for _, c := range []*Carrier{outside, inside} {
		defer c.Close()
		c.operator.https.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		c.stranger.https.TLSClientConfig = c.operator.https.TLSClientConfig.Clone()
	}
	unknown := NewCarrier(CarrierOptions{Networks: loopback})
	defer unknown.Close()

	for _, c := range []struct {
		name string
		by   http.RoundTripper
		url  string
		want string // of the error
	}{
		{"operator, http", outside.Operator(), plain.URL, ""},
		{"operator, https", outside.Operator(), secure.URL, ""},
		{"stranger, http", outside.Stranger(), plain.URL, "seller_networks would allow it"},
		{"stranger, https", outside.Stranger(), secure.URL, "seller_networks would allow it"},
		{"stranger by name", outside.Stranger(), strings.Replace(plain.URL, "127.0.0.1", "localhost", 1), "seller_networks would allow it"},
		{"stranger inside, http", inside.Stranger(), plain.URL, ""},
		{"stranger inside, https", inside.Stranger(), secure.URL, ""},
		{"certificate of nobody", unknown.Stranger(), secure.URL, "unknown authority"},
		{"another scheme", inside.Stranger(), "ftp" + strings.TrimPrefix(plain.URL, "http"), "no connection"},
		{"headers without end", inside.Stranger(), secure.URL + "/header", "no answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, err := Send(t.Context(), Call{URL: c.url, Header: http.Header{}, Body: Splice(nil), Transport: c.by})
			if err == nil {
				defer resp.Body.Close()
				if strings.HasPrefix(c.url, "https") && resp.ProtoMajor != 2 {
					t.Errorf("it came by %s", resp.Proto)
				}
			}
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
		})
	}
	for path, check := range map[string]func(*http.Response) bool{
		"/elsewhere":  func(r *http.Response) bool { return r.StatusCode == http.StatusFound },
		"/compressed": func(r *http.Response) bool { return Compressed(r.Header) },
	} {
		for _, url := range []string{plain.URL, secure.URL} {
			resp, err := Send(t.Context(), Call{URL: url + path, Header: http.Header{}, Body: Splice(nil), Transport: inside.Stranger()})
			if err != nil || !check(resp) {
				t.Fatalf("%s%s: %v, %v", url, path, resp, err)
			}
			_ = resp.Body.Close()
		}
	}
	for _, tr := range []*http.Transport{outside.operator.http, outside.operator.https, outside.stranger.http, outside.stranger.https} {
		if tr.Proxy != nil {
			t.Error("a transport has a proxy")
		}
	}
}
