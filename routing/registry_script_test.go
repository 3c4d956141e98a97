package routing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// script is a registry that gives one answer after another, the last one for good.
type script struct {
	mu      sync.Mutex
	start   time.Time
	answers []answer
	asked   []string // "second If-None-Match"
	last    *http.Request
}

type answer struct {
	status int
	body   string
	header http.Header
	err    error
	after  time.Duration
	hang   bool // no answer until the request is cancelled
	slow   bool // headers, then no body
}

func ok(body, etag string) answer {
	a := answer{status: http.StatusOK, body: body, header: http.Header{}}
	if etag != "" {
		a.header.Set("ETag", etag)
	}
	return a
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked = append(s.asked, strings.TrimSpace(fmt.Sprint(int(time.Since(s.start).Seconds()), " ", req.Header.Get("If-None-Match"))))
	s.last = req
	a := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.mu.Unlock()
	time.Sleep(a.after)
	if a.hang {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	if a.err != nil {
		return nil, a.err
	}
	resp := &http.Response{
		StatusCode: a.status, Header: a.header, ContentLength: -1,
		Body: io.NopCloser(strings.NewReader(a.body)), Request: req,
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	if a.slow {
		resp.Body = io.NopCloser(stalled{req.Context()})
	}
	return resp, nil
}

// asks gives when the registry was asked so far, and with which ETag.
func (s *script) asks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// request gives the last request.
func (s *script) request() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// then changes what comes next.
func (s *script) then(answers ...answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = answers
}

// after lets time pass inside a bubble, and waits until all that was due has been done.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// memory is a cache that a test can look into.
type memory struct {
	body  []byte
	etag  string
	err   error
	saves int
	full  int // how many saves find no room yet
}

func (m *memory) Load() ([]byte, string, error) { return m.body, m.etag, m.err }

func (m *memory) Save(body []byte, etag string) error {
	if m.full > 0 {
		m.full--
		return errors.New("no room")
	}
	m.body, m.etag, m.saves = slices.Clone(body), etag, m.saves+1
	return nil
}

// start runs a registry over a script inside a bubble. The returned function ends it and waits for that.
func start(t *testing.T, o RegistryOptions, answers ...answer) (*Registry, *script, *observer.ObservedLogs, func()) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	s := &script{start: time.Now(), answers: answers}
	o.Logger, o.Transport = zap.New(core), s
	if o.URL == "" {
		o.URL = "https://registry.example/sellers.json"
	}
	r, err := NewRegistry(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	return r, s, logs, func() {
		cancel()
		<-done
	}
}

func sellers(list ...string) string {
	var entries []string
	for _, s := range list {
		entries = append(entries, fmt.Sprintf(`{"id":%q,"url":"https://%s.example","models":["m"]}`, s, s))
	}
	return `{"version":"` + strings.Join(list, "+") + `","sellers":[` + strings.Join(entries, ",") + `]}`
}
