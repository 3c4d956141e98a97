package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

const (
	// lookEvery is how often it is looked whether there is something else to see.
	lookEvery = 2 * time.Second
	// silence is how long a stream may be without a word: what is between here and the browser may end it else.
	silence = 15 * time.Second
	// patience is how long a browser may take to read so much.
	patience  = 10 * time.Second
	pieceSize = 16 << 10
	// maxWatchers is how many may watch a market at once.
	maxWatchers = 64
)

var errUseGet = errors.New("use GET")

// shows are what is watched: one for each market, while somebody does.
var shows = stage{by: make(map[*market.Market]*show), look: lookAt}

type stage struct {
	look func(ctx context.Context) func(*market.Market) *Snapshot // begins to look, and looks again each time that it is called

	mu sync.Mutex
	by map[*market.Market]*show
}

// show is what the watchers of one market see. One goroutine looks for them all, and ends with the last of them.
type show struct {
	stop     context.CancelFunc
	watchers map[chan []byte]bool
	last     []byte // what all have seen; nil: nothing yet
}

// join has a watcher see a market. What there is to see comes on the channel, of which the last alone counts; leave ends it.
func (s *stage) join(m *market.Market) (seen <-chan []byte, leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.by[m]
	if v == nil {
		ctx, stop := context.WithCancel(context.Background())
		v = &show{stop: stop, watchers: make(map[chan []byte]bool)}
		s.by[m] = v
		go s.watch(ctx, m, v)
	}
	if len(v.watchers) == maxWatchers {
		return nil, nil, false
	}
	w := make(chan []byte, 1)
	v.watchers[w] = true
	if v.last != nil {
		w <- v.last
	}
	return w, func() { s.leave(m, v, w) }, true
}

func (s *stage) leave(m *market.Market, v *show, w chan []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(v.watchers, w)
	if len(v.watchers) == 0 {
		v.stop()
		delete(s.by, m)
	}
}

// watch looks at a market again and again, and gives the watchers what is new.
func (s *stage) watch(ctx context.Context, m *market.Market, v *show) {
	look := s.look(ctx)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if snapshot := look(m); ctx.Err() == nil {
			if raw, err := json.Marshal(snapshot); err == nil {
				s.give(v, raw)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *stage) give(v *show, raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.Equal(raw, v.last) {
		return
	}
	v.last = raw
	for w := range v.watchers {
		select {
		case <-w: // it has not read the one before
		default:
		}
		w <- raw
	}
}

// stream sends a watcher what there is to see, as events.
func (s *stage) stream(w http.ResponseWriter, r *http.Request, m *market.Market) error {
	seen, leave, ok := s.join(m)
	if !ok {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: fmt.Errorf("%d browsers watch this gateway already: close one", maxWatchers)}
	}
	defer leave()
	c := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	h.Set("X-Content-Type-Options", "nosniff")
	ends := ending(r) // once: of a server that has been told to end nobody is told again
	silent := time.NewTicker(silence)
	defer silent.Stop()
	for {
		event := []byte(":\n\n")
		select {
		case <-r.Context().Done():
			return nil
		case <-ends:
			return nil
		case <-silent.C:
		case raw := <-seen:
			event = fmt.Appendf(nil, "data: %s\n\n", raw)
		}
		for piece := range slices.Chunk(event, pieceSize) { // who is on a slow line reads, and has not left
			select {
			case <-ends: // nobody is waited for until all of it is read
				return nil
			default:
			}
			_ = c.SetWriteDeadline(time.Now().Add(patience)) // where it is not supported, it is waited for longer
			if _, err := w.Write(piece); err != nil || c.Flush() != nil {
				return nil // the browser has left
			}
		}
	}
}
