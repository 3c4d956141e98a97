package page

import (
	"net/http"
	"sync"
)

// servers are those whose end somebody waits for, each with a channel that is closed then. A server that shuts down waits for its requests,
// and Caddy for the server.
var servers sync.Map

// ending is closed when the server of a request shuts down.
func ending(r *http.Request) <-chan struct{} {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return nil
	}
	if ended, ok := servers.Load(server); ok {
		return ended.(chan struct{})
	}
	mine := make(chan struct{})
	ended, there := servers.LoadOrStore(server, mine)
	if !there {
		server.RegisterOnShutdown(func() {
			close(mine)
			servers.Delete(server)
		})
	}
	return ended.(chan struct{})
}
