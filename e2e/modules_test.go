package e2e

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	caddyserver "github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/crypto/bcrypt"
)

func init() {
	caddyserver.RegisterModule(unflushable{})
	httpcaddyfile.RegisterHandlerDirective("unflushable", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return unflushable{}, nil
	})
}

// unflushable is a handler whose writer can't flush, as those of some modules that cache or look into answers.
type unflushable struct{}

func (unflushable) CaddyModule() caddyserver.ModuleInfo {
	return caddyserver.ModuleInfo{ID: "http.handlers.unflushable", New: func() caddyserver.Module { return unflushable{} }}
}

func (unflushable) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
}

// TestAmongModules puts the gateway behind and beside other Caddy modules: streams come whole, on time and to the byte, plain answers
// and the gateway's own errors as they are, and what breaks off has no clean end.
func TestAmongModules(t *testing.T) {
	t.Parallel()
	hashed, err := bcrypt.GenerateFromPassword([]byte("pw"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	auth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Ticket") != "good" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("X-User", "grace")
	}))
	t.Cleanup(auth.Close)
	const (
		keyed  = "\t\tmember grace {\n\t\t\tkey sk-grace-key\n\t\t}\n"
		basic  = "basic_auth {\n grace %s\n}\n"
		around = "encode zstd gzip\ntracing {\n span llm\n}\nintercept {\n @bad status 404 500 502\n handle_response @bad {\n respond \"replaced\" 418\n }\n}\n"
	)
	fromBasic := "\t\tmember_from {http.auth.user.id}\n\t\tmember grace {\n\t\t}\n"
	fromHeader := "\t\tmember_from {http.request.header.X-User}\n\t\tmember grace {\n\t\t}\n"
	forward := "forward_auth " + strings.TrimPrefix(auth.URL, "http://") + " {\n uri /check\n copy_headers X-User\n}\n"
	basicHeader := []string{"Authorization", "Basic Z3JhY2U6cHc="}
	key := []string{"Authorization", "Bearer sk-grace-key"}
	rows := []struct {
		name, before, after string // the directive
		members, prefix     string
		header              []string
		late                bool // events wait for the writer
	}{
		{name: "encode", before: "encode zstd gzip\n", members: keyed, header: append([]string{"Accept-Encoding", "gzip"}, key...)},
		{name: "unflushable", before: "unflushable\n", members: keyed, header: key, late: true},
		{name: "handle_path", before: "handle_path /ai/* {\n", after: "\n}\n", members: keyed, prefix: "/ai", header: key},
		{name: "handle", before: "handle /v1/* {\n", after: "\n}\nhandle {\n respond elsewhere 299\n}\n", members: keyed, header: key},
		{name: "intercept", before: "intercept {\n @bad status 418\n handle_response @bad {\n respond \"replaced\" 500\n }\n}\n", members: keyed, header: key},
		{name: "tracing", before: "tracing {\n span llm\n}\n", members: keyed, header: key},
		{name: "basic auth", before: fmt.Sprintf(basic, hashed), members: fromBasic, header: basicHeader},
		{name: "forward auth", before: forward, members: fromHeader, header: []string{"X-Ticket", "good"}},
		{name: "all of them", before: fmt.Sprintf(basic, hashed) + around + "handle_path /ai/* {\n", after: "\n}\n", members: fromBasic, prefix: "/ai", header: append([]string{"Accept-Encoding", "gzip"}, basicHeader...)},
	}
	more := make(chan struct{})
	stream := func(q *speech, text string) string {
		return q.begin + q.text(text) + q.text(strings.Repeat(" and more", 1000)) + q.end
	}
	s := newStage(t)
	s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		q := speechOf(r.URL.Path)
		switch text := string(body); {
		case !strings.Contains(text, `"stream":true`):
			sayJSON(200, q.plain("plain"))(w, r, body)
		case strings.Contains(text, "to break"):
			streamOf(q.begin+q.text("broken"))(w, r, body)
			panic(http.ErrAbortHandler)
		default:
			first := q.begin + q.text("first")
			streamOf(first)(w, r, body)
			select {
			case <-more:
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, strings.TrimPrefix(stream(q, "first"), first))
		}
	}, priced("m"))
	registry := serveDocument(t, s.lists)
	s.caddy = newCaddy(t, "")
	s.env = []string{"OTEL_TRACES_EXPORTER=none"}
	var file strings.Builder
	file.WriteString(s.global(""))
	for range rows {
		s.sites = append(s.sites, freeAddress(t))
	}
	for i, row := range rows {
		fmt.Fprintf(&file, "http://%s {\nbind 127.0.0.1\nroute {\n%s\ntokenbuddy {\n%s%s}\n%s\n}\nhandle_errors {\n respond \"an error of Caddy's\" 599\n}\n}\n",
			s.sites[i], row.before, market(registry, ""), row.members, row.after)
	}
	s.write(file.String())
	s.start()
	for i, row := range rows {
		for _, q := range speeches {
			t.Run(row.name+"/"+q.api, func(t *testing.T) {
				path := row.prefix + q.path
				a := s.ask(i, "POST", path, q.body(`"model":"m",`, "Hello"), withoutCoding(row.header)...)
				if a.StatusCode != 200 || a.body != q.plain("plain") || a.cut != nil {
					t.Errorf("plain: status %d, %v: %.300q", a.StatusCode, a.cut, a.body)
				}
				assertOnTime(t, "http://"+s.sites[i]+path, q, row.header, row.late, stream(q, "first"), more)
				if row.late { // what breaks off before it was let go is no answer at all
					assertNoAnswer(t, "http://"+s.sites[i]+path, q.body(`"model":"m","stream":true,`, "to break"), row.header)
					return
				}
				a = s.ask(i, "POST", path, q.body(`"model":"m","stream":true,`, "to break"), withoutCoding(row.header)...)
				rest, ok := strings.CutPrefix(a.body, q.begin+q.text("broken"))
				if !ok || a.cut == nil {
					t.Errorf("broken: status %d, %v: %.300q", a.StatusCode, a.cut, a.body)
				}
				assertErrorEvent(t, "broken", q.api, rest)
				if strings.Contains(row.before, "@bad status 404") {
					return // a 404 is what it replaces
				}
				a = s.ask(i, "POST", path, q.body(`"model":"none",`, "Hello"), withoutCoding(row.header)...)
				assertRefused(t, "no model", a, refusedNoModel, q.api == "messages")
			})
		}
	}
	s.verify()
}

// assertNoAnswer asks for what breaks off before anything of it is sent.
func assertNoAnswer(t *testing.T, url, body string, header []string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("a clean end after %q", got)
	}
}

// withoutCoding is a list of headers without Accept-Encoding, which has Go's client leave an answer compressed.
func withoutCoding(header []string) (kept []string) {
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] != "Accept-Encoding" {
			kept = append(kept, header[i], header[i+1])
		}
	}
	return kept
}

// assertOnTime asks for a stream whose seller goes on only when its first event has come, unless that is late.
func assertOnTime(t *testing.T, url string, q *speech, header []string, late bool, want string, more chan<- struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(q.body(`"model":"m","stream":true,`, "Hello")))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if late {
		go func() { more <- struct{}{} }()
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body io.Reader = res.Body
	if res.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			t.Fatal(err)
		}
	}
	first := make([]byte, len(q.begin+q.text("first")))
	if _, err := io.ReadFull(body, first); err != nil {
		t.Fatalf("the first events did not come by themselves: %v", err)
	}
	if !late {
		more <- struct{}{}
	}
	rest, err := io.ReadAll(body)
	if got := string(first) + string(rest); got != want || err != nil {
		t.Errorf("%v, %d bytes: %.500q", err, len(got), got)
	}
	if res.Header.Get("Cache-Control") != "no-transform" || res.Header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("headers %v", res.Header)
	}
}
