package routing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// RegistryOptions says where the registry is and how it is fetched.
type RegistryOptions struct {
	URL     string        // of the document; user info in it goes as basic authentication
	Refresh time.Duration // between two fetches; default: 60 s
	Timeout time.Duration // of one fetch, to the whole body; default: 10 s
	MaxSize int64         // of the document in bytes; default: 8 MiB
	Cache   Cache         // where the last good document outlives the process; nil: nowhere
	Logger  *zap.Logger   // nil: no log
	// Transport carries the requests; required. It must not follow redirects.
	Transport http.RoundTripper
}

// The defaults of RegistryOptions.
const (
	DefaultRefresh = 60 * time.Second
	DefaultTimeout = 10 * time.Second
	DefaultMaxSize = 8 << 20
)

// againSoon is the wait after a very first fetch that was refused a connection, where there has never been a document: a registry
// that stands in the same Caddy is there a moment later, when all of its sites listen. Requests wait for that second fetch.
const againSoon = 100 * time.Millisecond

// firstRetry is the wait after a fetch that failed; it doubles up to Refresh.
const firstRetry = time.Second

// ErrNoDocument says that there has never been a registry document.
var ErrNoDocument = errors.New("there is no registry document yet")

// Registry fetches the registry's document in the background and keeps the last good one.
type Registry struct {
	o   RegistryOptions
	url *url.URL // without user info
	log *zap.Logger

	doc   atomic.Pointer[Document]
	first chan struct{} // closed when Ready need not wait any longer
	once  sync.Once

	fetching chan struct{} // has a place for the one fetch that is under way

	deliver  sync.Mutex // held while watchers are called, so that each sees every document, in order
	mu       sync.Mutex // guards what follows
	watchers []*watcher // in the order in which they came; replaced, never changed in place
	state    fetchState
}

type watcher struct{ callback func(*Document) }

// fetchState is what is known of the fetches so far.
type fetchState struct {
	etag    string            // of the document that is kept
	sum     [sha256.Size]byte // of the document's bytes
	unsaved []byte            // the document that the cache has not yet; nil: it has it
	told    bool              // the log says that it could not be saved
	fetched time.Time         // when the registry last confirmed the document; zero: not since the start
	failed  error             // of the last fetch
}

// NewRegistry makes a registry that has not fetched anything: [Registry.Run] does.
func NewRegistry(o RegistryOptions) (*Registry, error) {
	if err := CheckRegistryURL(o.URL); err != nil {
		return nil, err
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("registry: the URL does not parse")
	}
	if o.Transport == nil {
		return nil, errors.New("registry: no transport")
	}
	if o.Refresh <= 0 {
		o.Refresh = DefaultRefresh
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxSize <= 0 {
		o.MaxSize = DefaultMaxSize
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Registry{
		o: o, url: u, first: make(chan struct{}), fetching: make(chan struct{}, 1),
		log: o.Logger.With(zap.String("registry", redact(u))),
	}, nil
}

// CheckRegistryURL tells what is wrong with the URL of a registry, without quoting it.
func CheckRegistryURL(raw string) error {
	if u, err := url.Parse(raw); err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("registry: not an http or https URL, such as https://registry.example/sellers.json")
	}
	return nil
}

// redact gives the URL without what may be secret in it.
func redact(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return shown.String()
}

// Run loads the cached document, fetches at once and then each Refresh, sooner after a failure, until the context ends. It
// is called once.
func (r *Registry) Run(ctx context.Context) {
	defer r.release()
	r.loadCache()
	// What a second fetch or a long document takes beyond the time-out is nobody's wait.
	defer time.AfterFunc(r.o.Timeout, r.release).Stop()
	first, retry := true, min(firstRetry, r.o.Refresh)
	for {
		wait := r.o.Refresh
		err := r.fetchOnce(ctx)
		if first && r.doc.Load() == nil && errors.Is(err, syscall.ECONNREFUSED) && sleep(ctx, againSoon) {
			err = r.fetchOnce(ctx)
		}
		first = false
		if ctx.Err() != nil {
			return
		} else if err != nil {
			wait, retry = retry, min(2*retry, r.o.Refresh)
		} else {
			retry = min(firstRetry, r.o.Refresh)
		}
		r.release()
		if !sleep(ctx, wait) {
			return
		}
	}
}

// sleep waits, and tells whether the context is still there then.
func sleep(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// Refresh fetches the document now, beside the schedule, and waits until all that watch have seen it. The error says, in words
// without secrets, why the document that is there has not been confirmed; it stays.
func (r *Registry) Refresh(ctx context.Context) error {
	if err := r.fetchOnce(ctx); err != nil {
		return fmt.Errorf("registry %s: %w", redact(r.url), err)
	}
	r.release()
	return nil
}

// fetchOnce fetches while nobody else does, and notes how that went.
func (r *Registry) fetchOnce(ctx context.Context) error {
	select {
	case r.fetching <- struct{}{}:
		defer func() { <-r.fetching }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := r.fetch(ctx)
	if err != nil && ctx.Err() == nil {
		r.fail(err)
	}
	r.save()
	return err
}

// release lets those go on who wait in Ready.
func (r *Registry) release() { r.once.Do(func() { close(r.first) }) }

// Document gives the last good document, nil when there has never been one.
func (r *Registry) Document() *Document { return r.doc.Load() }

// Ready returns nil when there is a document, which every watcher has then seen. When there has never been one it waits
// for the end of the first fetch, and where that was refused a connection for the end of one more: at most Timeout from the start
// of Run.
func (r *Registry) Ready(ctx context.Context) error {
	if r.doc.Load() != nil {
		return nil
	}
	select {
	case <-r.first:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.doc.Load() != nil {
		return nil
	}
	return fmt.Errorf("registry %s: %w", redact(r.url), ErrNoDocument)
}

// Watch calls back with each new document, and before it returns with the one there is. Calls come one after another, from
// the goroutine of Run or of Refresh; the callback must not call Watch. Once stop has returned, at most one call that was due still
// comes.
func (r *Registry) Watch(callback func(*Document)) (stop func()) {
	r.deliver.Lock()
	defer r.deliver.Unlock()
	w := &watcher{callback}
	r.mu.Lock()
	r.watchers = append(slices.Clip(r.watchers), w)
	r.mu.Unlock()
	if doc := r.doc.Load(); doc != nil {
		callback(doc)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.watchers = slices.DeleteFunc(slices.Clone(r.watchers), func(other *watcher) bool { return other == w })
	}
}

// swap puts a new document in the old one's place, after everyone who watches has seen it.
func (r *Registry) swap(doc *Document) {
	r.deliver.Lock()
	defer r.deliver.Unlock()
	r.mu.Lock()
	watchers := r.watchers
	r.mu.Unlock()
	for _, w := range watchers {
		w.callback(doc)
	}
	r.warnMoved(r.doc.Load(), doc)
	r.doc.Store(doc)
}

// RegistryStatus is what the status page tells of the registry.
type RegistryStatus struct {
	URL     string `json:"url"` // without user info and query
	Version string `json:"version"`
	Sellers int    `json:"sellers"`
	LeftOut int    `json:"leftOut"`
	// FetchedAt is when the registry last confirmed the document; absent when it has not since the start.
	FetchedAt  time.Time `json:"fetchedAt,omitzero"`
	AgeSeconds *int64    `json:"ageSeconds,omitempty"` // since FetchedAt
	LastError  string    `json:"lastError,omitempty"`  // of the last fetch; absent when it was good
	ETag       bool      `json:"etag"`                 // the document has one, so that an unchanged one is not sent again
	Stale      bool      `json:"stale"`                // the document there is has not been confirmed by the last fetch
}

// Status tells how the registry is doing.
func (r *Registry) Status() RegistryStatus {
	r.mu.Lock()
	state := r.state
	r.mu.Unlock()
	s := RegistryStatus{URL: redact(r.url), FetchedAt: state.fetched.UTC(), ETag: state.etag != ""}
	if doc := r.doc.Load(); doc != nil {
		s.Version, s.Sellers, s.LeftOut = doc.Version, len(doc.Sellers), doc.LeftOut
		s.Stale = state.failed != nil || state.fetched.IsZero()
	}
	if !state.fetched.IsZero() {
		age := int64(time.Since(state.fetched) / time.Second)
		s.AgeSeconds = &age
	}
	if state.failed != nil {
		s.LastError = state.failed.Error()
	}
	return s
}
