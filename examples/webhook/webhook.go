// Package webhook is a handler for Caddy's events: it posts each to a URL, such as the incoming webhook of a chat.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() { caddy.RegisterModule(new(Webhook)) }

// Webhook is the handler: `on <event> webhook <url>`.
type Webhook struct {
	// URL is where events are posted, as {"text": "…"}: what Slack, Mattermost and Rocket.Chat take. Whoever has it can write there, so
	// keep it out of the config with a placeholder.
	URL string `json:"url"`

	url    string
	client http.Client
}

// CaddyModule returns the Caddy module information.
func (*Webhook) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.webhook", New: func() caddy.Module { return new(Webhook) }}
}

// UnmarshalCaddyfile reads `webhook <url>`.
func (h *Webhook) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // webhook
	if !d.AllArgs(&h.URL) {
		return d.Err("webhook: expected one URL")
	}
	return nil
}

// Provision resolves the config.
func (h *Webhook) Provision(caddy.Context) error {
	address, err := caddy.NewReplacer().ReplaceOrErr(h.URL, true, true)
	if err != nil {
		return fmt.Errorf("webhook: url: %w", err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("webhook: expected an http or https URL") // without saying what is there: it is a secret
	}
	h.url, h.client.Timeout = address, 10*time.Second
	return nil
}

// Handle posts an event. It may take its time: the gateway waits for no handler.
func (h *Webhook) Handle(ctx context.Context, e caddy.Event) error {
	body, err := json.Marshal(map[string]string{"text": text(e)})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("webhook: the request can't be made")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := h.client.Do(req)
	if err != nil {
		return fmt.Errorf("webhook: %w", errors.Unwrap(err)) // the error around it has the URL in it
	}
	defer res.Body.Close()
	if res.StatusCode > 299 {
		return fmt.Errorf("webhook: it answered with status %d", res.StatusCode)
	}
	return nil
}

// text says an event in a line.
func text(e caddy.Event) string {
	var facts []string
	for name, value := range e.Data {
		facts = append(facts, fmt.Sprintf("%s: %v", name, value))
	}
	slices.Sort(facts)
	return "tokenbuddy " + e.Name() + ": " + strings.Join(facts, ", ")
}
