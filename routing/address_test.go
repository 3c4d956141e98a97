package routing

import "testing"

// TestAddress is where a provider's paths are: as it prints its URL, and with what stands where /v1 would.
func TestAddress(t *testing.T) {
	for _, test := range []struct{ url, prefix, want string }{
		{"https://p.example", "", "https://p.example/v1/chat/completions?q=1"},
		{"https://p.example/v1", "", "https://p.example/v1/chat/completions?q=1"},
		{"https://p.example/api/v1/?k=2", "", "https://p.example/api/v1/chat/completions?k=2&q=1"},
		{"https://p.example", "/api/v3", "https://p.example/api/v3/chat/completions?q=1"},
		{"https://p.example/v1", "/api/v3/", "https://p.example/api/v3/chat/completions?q=1"},
		{"https://p.example", "/", "https://p.example/chat/completions?q=1"}, // nothing stands there
		{"https://p.example/inference", "/", "https://p.example/inference/chat/completions?q=1"},
	} {
		s, err := NewPinned(Pin{ID: "p", URL: test.url, Account: true, PathPrefix: test.prefix})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Address("/v1/chat/completions", "q=1"); got != test.want {
			t.Errorf("%s with path_prefix %q: %s, want %s", test.url, test.prefix, got, test.want)
		}
	}
}
