package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

// TestFleetOfSites: two sites of one Caddy in one fleet are one gateway of it, also after a reload, and one that changes the fleet is refused. What is set
// aside for purchases is spent while the database is away, once.
func TestFleetOfSites(t *testing.T) {
	t.Parallel()
	acme := newSeller(t, "acme", settledBy(answerPlain, "Billed-Micros", "40"))
	registry, pg := registryOf(t, []string{"m"}, acme), pgtest.New(t)
	c := newCaddy(t, "")
	c.env = append(c.env, "FLEET_DSN="+pg.DSN())
	sites := []string{c.site, freeAddress(t)}
	write := func(name, more string) {
		config := c.global("")
		for _, site := range sites {
			config += siteOf(site, market(registry, fmt.Sprintf(`
		fleet postgres {env.FLEET_DSN} {
			name %s
			purchase_ahead 1
		}
		purchase {
			amount 1
			daily_limit 2
		}
		member eve {
			key key-of-eve
		}
%s`, name, more)))
		}
		c.write(config)
	}
	serve := func(what string) {
		t.Helper()
		for _, c.site = range sites {
			res, err := c.send(context.Background(), "/v1/chat/completions", chatOf("m", `"max_tokens":30,`), "Authorization", "Bearer key-of-eve")
			if err != nil {
				t.Fatal(what, err)
			}
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s, %s: status %d: %s", what, c.site, res.StatusCode, body)
			}
		}
	}
	var said admin.Fleet
	says := func() *admin.Fleet {
		_, out := c.look("/tokenbuddy/fleet")
		said = admin.Fleet{}
		_ = json.Unmarshal(out, &said)
		return &said
	}
	write("gw", "")
	c.start()
	whole := func() bool { // two sites are one gateway
		return says().Here.StoreUp && !said.Here.Fenced && len(said.Gateways) == 1 && said.Here.OwnAsideMicros == 1_000_000
	}
	eventually(t, "its part is set aside", whole)
	write("other", "")
	if out, err := c.tryReload(); err == nil || !strings.Contains(out, "restart the process") {
		t.Errorf("a reload that changes the fleet: %v: %s", err, out)
	}
	write("gw", "\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t}\n")
	c.reload()
	eventually(t, "it is the same after a reload", whole)
	pg.Kill(t)
	serve("the database is away") // one site buys, and the other spends of the same token
	pg.Restart(t)
	eventually(t, "as much is set aside again", whole)
	serve("the database is back")
	if n := acme.purchases(); n != 1 {
		t.Errorf("%d purchases", n)
	}
	c.verify()
}
