package seller

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const (
	listFresh    = time.Minute      // how long the upstream's list is good
	healthFresh  = 5 * time.Second  // how long what was seen of its health is, so that nobody can have it asked all the time
	lookTime     = 10 * time.Second // what it may take
	healthTime   = 2500 * time.Millisecond
	maxList      = 8 << 20
	maxListed    = 20_000
	latestSuffix = ":latest" // what Ollama adds to an id without a tag, and takes it without
)

// offer is a model that is sold, and what it is called at the upstream.
type offer struct {
	*Model
	theirs string
}

// catalog knows what is sold of an upstream: by hand, or by the upstream's own list, which is asked for when somebody needs it.
// The last good list stays while the upstream is away. So nothing runs in the background of a config that is only loaded.
type catalog struct {
	upstream *Upstream
	logger   *zap.Logger
	seller   string

	mu      sync.Mutex
	offers  map[string]offer // nil: not known yet
	listed  time.Time        // when the list came
	looked  time.Time
	healthy bool
	why     string        // it is not
	looking chan struct{} // closed when the look that is under way ends; nil: none is
}

func newCatalog(u *Upstream, logger *zap.Logger, seller string) *catalog {
	c := &catalog{upstream: u, logger: logger, seller: seller}
	if len(u.Models) > 0 {
		c.offers = make(map[string]offer)
		for _, id := range u.Models {
			c.offers[id] = offer{u.price(id), cmp.Or(u.Names[id], id)}
		}
	}
	return c
}

func (c *catalog) byHand() bool { return len(c.upstream.Models) > 0 }

// sold gives what is sold, or nil where that is not known: it waits for the first list, and for no other.
func (c *catalog) sold(ctx context.Context) map[string]offer {
	if c.byHand() {
		return c.offers
	}
	c.mu.Lock()
	offers, listed, looked := c.offers, c.listed, c.looked
	var wait <-chan struct{}
	if time.Since(listed) > listFresh && time.Since(looked) > healthFresh || offers == nil && c.looking != nil {
		wait = c.look()
	}
	c.mu.Unlock()
	if offers != nil || wait == nil {
		return offers
	}
	select {
	case <-wait:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offers
}

// ids lists what is sold, in order.
func (c *catalog) ids(ctx context.Context) ([]string, map[string]offer) {
	offers := c.sold(ctx)
	return slices.Sorted(maps.Keys(offers)), offers
}

// well tells whether the upstream answers.
func (c *catalog) well(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	c.mu.Lock()
	if time.Since(c.looked) <= healthFresh {
		defer c.mu.Unlock()
		return c.healthy
	}
	wait := c.look()
	c.mu.Unlock()
	select {
	case <-wait:
	case <-ctx.Done():
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.healthy
}

// look asks the upstream for its list, unless somebody does already. What it gives is closed at the end. c.mu is held.
func (c *catalog) look() <-chan struct{} {
	if c.looking != nil {
		return c.looking
	}
	done := make(chan struct{})
	c.looking = done
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), lookTime)
		defer cancel()
		ids, why := c.ask(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		defer close(done)
		c.looking, c.looked = nil, time.Now()
		c.tell(why)
		if why == "" && !c.byHand() {
			c.offers, c.listed = c.upstream.choose(ids), c.looked
		}
	}()
	return done
}

// tell logs when the upstream comes or goes. c.mu is held.
func (c *catalog) tell(why string) {
	switch {
	case why != "" && why != c.why:
		c.logger.Warn("seller.upstream.away", zap.String("seller", c.seller), zap.String("why", why))
	case why == "" && c.why != "":
		c.logger.Info("seller.upstream.back", zap.String("seller", c.seller))
	}
	c.healthy, c.why = why == "", why
}

// ask gives the ids of the upstream's list, or why there is none, in words of our own.
func (c *catalog) ask(ctx context.Context) (ids []string, why string) {
	u := c.upstream
	address := u.address("/v1/models", "")
	if u.ModelsFrom != "" {
		address = u.at(u.ModelsFrom, "")
	}
	header := u.dress(http.Header{"Accept": {"application/json"}, "Accept-Encoding": {"identity"}, "User-Agent": nil})
	res, err := relay.Send(ctx, relay.Call{Method: http.MethodGet, URL: address, Header: header, Transport: u.carrier.Operator()})
	if err != nil {
		return nil, called(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxList+1))
	switch {
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return nil, "it refuses the key: see api_key and auth_header"
	case c.byHand() && (res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed):
		return nil, "" // it answers, and has no list; none is needed
	case res.StatusCode > 299:
		return nil, fmt.Sprintf("its list of models is status %d", res.StatusCode) + ": see models from"
	case err != nil:
		return nil, "its list of models was cut off"
	case c.byHand():
		return nil, ""
	}
	ids, ok := readList(wire.TrimMark(body))
	if !ok || len(body) > maxList {
		return nil, "its list of models can't be read: name them after models"
	}
	return ids, ""
}

// called tells why a call of the upstream has failed, in words of our own.
func called(err error) string { return strings.Replace(err.Error(), "seller at", "upstream at", 1) }

// readList reads the forms that lists of models have: OpenAI's, Anthropic's, Ollama's, and a list alone.
func readList(body []byte) (ids []string, ok bool) {
	type entry struct {
		ID    string `json:"id"`
		Name  string `json:"name"`
		Model string `json:"model"`
	}
	var doc struct {
		Data   []entry `json:"data"`
		Models []entry `json:"models"`
	}
	entries := []entry{}
	if json.Unmarshal(body, &entries) != nil {
		if json.Unmarshal(body, &doc) != nil || doc.Data == nil && doc.Models == nil {
			// Ollama without a model says {"object":"list","data":null}.
			var list struct {
				Object string `json:"object"`
			}
			return nil, json.Unmarshal(body, &list) == nil && list.Object == "list"
		}
		entries = append(doc.Data, doc.Models...)
	}
	for _, e := range entries[:min(len(entries), maxListed)] {
		if id := cmp.Or(e.ID, e.Model, e.Name); wire.FitModel(id) && !slices.Contains(ids[max(0, len(ids)-1):], id) {
			ids = append(ids, id)
		}
	}
	return ids, true
}

// choose gives what is sold of a list: what has a price, under the names that it is given here.
func (u *Upstream) choose(listed []string) map[string]offer {
	there := make(map[string]bool, len(listed))
	for _, id := range listed {
		there[id] = true
	}
	offers, renamed := make(map[string]offer), make(map[string]bool)
	sell := func(id, theirs string) {
		if there[theirs] || there[theirs+latestSuffix] {
			offers[id] = offer{u.price(id), theirs}
			renamed[theirs], renamed[theirs+latestSuffix] = true, true
		}
	}
	for id, theirs := range u.Names {
		sell(id, theirs)
	}
	for id := range u.prices {
		if id != every && u.Names[id] == "" {
			sell(id, id)
		}
	}
	if u.prices[every] == nil {
		return offers
	}
	for _, id := range listed {
		if _, taken := offers[id]; !taken && !renamed[id] {
			offers[id] = offer{u.price(id), id}
		}
	}
	return offers
}
