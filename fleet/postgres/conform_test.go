package postgres_test

import (
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
)

func TestConforms(t *testing.T) {
	c := shared(t)
	database := c.Database(t)
	fleettest.Run(t, func(t testing.TB) fleet.Store { return open(t, c.Addr(), database) })
}
