package command

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func pageCommand() *cobra.Command {
	var from gatewayFlags
	var listen string
	cmd := &cobra.Command{
		Use:   "page",
		Short: "Opens the gateway's page to a browser on this machine",
		Long: `
Opens a door on this machine to the page of the gateway, and to nothing else of the admin endpoint, until it is interrupted. Caddy refuses a
browser that comes to its admin endpoint by typing the address, and a Unix socket has none. The address that it prints lets in
the browser that opens it first; whoever else comes needs it as well.`,
		Example: `  caddy tokenbuddy page
  caddy tokenbuddy page --address unix//run/caddy.sock --listen 127.0.0.1:8019`,
		Args: noWords,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			g, err := from.gateway()
			if err != nil {
				return err
			}
			there, err := g.send(ctx, http.MethodGet, pagePath, "text/html", nil)
			if err != nil {
				return err
			}
			there.Body.Close()
			listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
			if err != nil {
				return fmt.Errorf("--listen %s: %w", listen, err)
			}
			if ip, _ := listener.Addr().(*net.TCPAddr); ip == nil || !ip.IP.IsLoopback() {
				_ = listener.Close() // nobody came
				return fmt.Errorf("--listen %s: expected an address of this machine alone, such as 127.0.0.1:8019", listen)
			}
			d := &door{ctx: ctx, gateway: g, host: listener.Addr().String(), word: rand.Text()}
			fmt.Fprintf(cmd.OutOrStdout(), "Open http://%s%s?%s\nEnd with Ctrl-C.\n", d.host, pagePath, url.Values{doorWord: {d.word}, "ledger": meant(g.of)}.Encode())
			server := &http.Server{Handler: d, ReadHeaderTimeout: 10 * time.Second}
			defer context.AfterFunc(ctx, func() { _ = server.Close() })()
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		}),
	}
	from.addTo(cmd)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "Address of this machine at which the page is, port 0: any that is free")
	return cmd
}

// meant is the ledger in a query: none where none was named.
func meant(ledger string) []string {
	if ledger == "" {
		return nil
	}
	return []string{ledger}
}

const (
	pagePath = "/tokenbuddy/"
	doorWord = "door" // in the address that is printed, and then in a cookie
)

// door lets one browser's page through to the admin endpoint, and nothing else.
type door struct {
	ctx     context.Context
	gateway *gateway
	host    string // host:port of the door
	word    string // who knows it is let in
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if why := d.refuses(r); why != "" {
		http.Error(w, why, http.StatusForbidden)
		return
	}
	if r.URL.Query().Has(doorWord) { // the word goes out of the address
		//nolint:gosec // it goes over loopback, where there is no TLS
		http.SetCookie(w, &http.Cookie{Name: d.cookie(), Value: d.word, Path: pagePath, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		back := url.URL{Path: pagePath, RawQuery: url.Values{"ledger": meant(r.URL.Query().Get("ledger"))}.Encode()}
		http.Redirect(w, r, back.String(), http.StatusSeeOther)
		return
	}
	d.pass(w, r)
}

// cookie is the name of the door's: browsers don't tell ports apart, and another door may be open.
func (d *door) cookie() string { return doorWord + "-" + d.host[strings.LastIndex(d.host, ":")+1:] }

// refuses says why a request is not let through; empty: it is. A page of another site knows no word and is sent no cookie, and what its browser
// says of it is asked as well.
func (d *door) refuses(r *http.Request) string {
	word := r.URL.Query().Get(doorWord)
	if cookie, err := r.Cookie(d.cookie()); err == nil && word == "" {
		word = cookie.Value
	}
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	switch {
	case r.Host != d.host:
		return "This is not " + r.Host + "."
	case origin != "" && origin != "http://"+d.host, site != "" && site != "same-origin" && site != "none":
		return "Another site has sent this."
	case subtle.ConstantTimeCompare([]byte(word), []byte(d.word)) != 1:
		return "Open the address that caddy tokenbuddy page has printed."
	case !strings.HasPrefix(r.URL.Path, pagePath) || slices.Contains(strings.Split(r.URL.Path, "/"), ".."):
		return "Only the page is here."
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return "The page sends no " + r.Method + "."
	}
	return ""
}

// pass asks the admin endpoint, as the other commands do.
func (d *door) pass(w http.ResponseWriter, r *http.Request) {
	header := http.Header{"Connection": {"close"}, "Accept": {r.Header.Get("Accept")}}
	res, err := answered(r.Context(), func() (*http.Response, error) {
		return caddycmd.AdminAPIRequest(d.gateway.address, r.Method, r.URL.RequestURI(), header, nil)
	})
	if err != nil {
		status, body, refused := refusal(err)
		if !refused {
			status, body = http.StatusBadGateway, `{"error":"no Caddy answers at its admin endpoint"}`
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // JSON, of the admin endpoint; a browser that has left needs none
		return
	}
	defer res.Body.Close()
	for _, ctx := range []context.Context{d.ctx, r.Context()} {
		defer context.AfterFunc(ctx, func() { res.Body.Close() })()
	}
	maps.Copy(w.Header(), res.Header)
	w.WriteHeader(res.StatusCode)
	flush, buffer := http.NewResponseController(w).Flush, make([]byte, 32<<10)
	for {
		n, err := res.Body.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil || flush() != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
