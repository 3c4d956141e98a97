package admin

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
)

// answer says what was found, as JSON.
func answer(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}

// secret answers with what must be nowhere else.
func secret(w http.ResponseWriter, v any) error {
	w.Header().Set("Cache-Control", "no-store")
	return answer(w, http.StatusOK, v)
}

// notAllowed refuses a method, and says which are allowed.
func notAllowed(w http.ResponseWriter, allowed string) error {
	w.Header().Set("Allow", allowed)
	return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("use %s", allowed)}
}

// bad refuses what is asked for, in words.
func bad(format string, args ...any) error {
	return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf(format, args...)}
}
