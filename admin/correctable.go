package admin

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// correctable is a counter of money that may turn out to be less. A counter does not go down: what it has counted too much is taken from what the same
// labels have next.
type correctable struct {
	*prometheus.CounterVec
	mu    sync.Mutex
	ahead map[string]money.Micros // what was counted too much, by labels
}

func newCorrectable(o prometheus.CounterOpts, labels []string) *correctable {
	return &correctable{CounterVec: prometheus.NewCounterVec(o, labels), ahead: make(map[string]money.Micros)}
}

func (c *correctable) add(micros money.Micros, labels ...string) {
	c.WithLabelValues(labels...).Add(float64(c.take(micros, labels)))
}

// take gives what is to be counted now.
func (c *correctable) take(micros money.Micros, labels []string) money.Micros {
	c.mu.Lock()
	defer c.mu.Unlock()
	if micros >= 0 && len(c.ahead) == 0 {
		return micros
	}
	key := strings.Join(labels, "\x00")
	micros -= c.ahead[key]
	if micros < 0 {
		c.ahead[key] = -micros
		return 0
	}
	delete(c.ahead, key)
	return micros
}
