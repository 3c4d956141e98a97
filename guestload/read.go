package guestload

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Read has a guest, which is what an error calls it, read its own words of a Caddyfile, and gives the JSON that it makes of them, with its name as the
// member key. The module says itself where in the Caddyfile it has found an error; of one that is Misbehaved nobody does.
func Read(guest string, d *caddyfile.Dispenser, namespace, name, key string) (json.RawMessage, error) {
	return Load(guest, "read", func() (json.RawMessage, error) {
		module, err := caddyfile.UnmarshalModule(d, namespace+"."+name)
		if err != nil {
			return nil, err
		}
		return caddyconfig.JSONModuleObject(module, key, name, nil), nil // which is the module's code as well
	}, func() {})
}
