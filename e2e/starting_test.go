package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestLookingWhileStarting looks in from the moment on at which the admin endpoint answers, which is before the config has started: it is
// waited for a while, and never said that there is no gateway.
func TestLookingWhileStarting(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string]time.Duration{"a moment": 500 * time.Millisecond, "long": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := newMaster(t)
			policy.orders(faultIn("provision", order{After: slow}))
			c := newCaddy(t, fmt.Sprintf("\t\tseller own http://127.0.0.1:9 {\n\t\t\tno_key\n\t\t\tmodels m\n\t\t}\n\t\tselection misbehaving %s\n", policy.URL))
			c.launch()
			var said []int
			eventually(t, "the status", func() bool {
				res, err := http.Get("http://" + c.admin + "/tokenbuddy/status")
				if err != nil {
					return false // it does not listen yet
				}
				res.Body.Close()
				said = append(said, res.StatusCode)
				if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "1" {
					t.Errorf("when to ask again: %v", res.Header)
				}
				return res.StatusCode != http.StatusServiceUnavailable
			})
			if n := len(said); said[n-1] != http.StatusOK || (n > 1) != (slow > time.Second) {
				t.Errorf("the answers are %d", said)
			}
		})
	}
}

// TestLookingWithoutGateway looks in where the config has no gateway, which is said at once.
func TestLookingWithoutGateway(t *testing.T) {
	t.Parallel()
	c := newCaddy(t, "")
	c.write(c.global(""))
	c.start()
	began := time.Now()
	if status, body := c.look("/tokenbuddy/status"); status != http.StatusNotFound || time.Since(began) > 2*time.Second {
		t.Errorf("%d after %v: %s", status, time.Since(began), body)
	}
}
