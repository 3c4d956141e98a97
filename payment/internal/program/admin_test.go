package program

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// probe is an app that asks where the admin endpoint of its config is.
type probe struct{}

var asked error

func init() { caddy.RegisterModule(probe{}) }

func (probe) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "tokenbuddy_admin_probe", New: func() caddy.Module { return new(probe) }}
}

func (probe) Provision(ctx caddy.Context) error { asked = AdminIsLocal(ctx); return nil }
func (probe) Start() error                      { return nil }
func (probe) Stop() error                       { return nil }

func TestAdminIsLocal(t *testing.T) {
	for admin, words := range map[string]string{
		`{"disabled":true}`:                             "",
		`{"disabled":true,"listen":":2019"}`:            "",
		`{"listen":"localhost:2019"}`:                   "",
		`{"listen":"127.0.0.1:2019"}`:                   "",
		`{"listen":"127.9.9.9:1"}`:                      "",
		`{"listen":"[::1]:2019"}`:                       "",
		`{"listen":"unix//run/caddy.sock"}`:             "",
		`{"listen":"unix//run/caddy.sock|0222"}`:        "",
		`{}`:                                            "",
		`null`:                                          "",
		`{"listen":":2019"}`:                            "listens on :2019",
		`{"listen":"0.0.0.0:2019"}`:                     "listens on 0.0.0.0:2019",
		`{"listen":"[::]:2019"}`:                        "beyond this machine",
		`{"listen":"192.0.2.7:2019"}`:                   "beyond this machine",
		`{"listen":"admin.example:2019"}`:               "beyond this machine",
		`{"listen":"localhost.example:2019"}`:           "beyond this machine",
		`{"listen":"fd/3"}`:                             "beyond this machine",
		`{"disabled":true,"remote":{"listen":":2021"}}`: "remote admin endpoint",
		`{"listen":"localhost:2019","remote":{}}`:       "remote admin endpoint",
	} {
		var cfg caddy.Config
		if err := json.Unmarshal([]byte(`{"admin":`+admin+`,"apps":{"tokenbuddy_admin_probe":{}}}`), &cfg); err != nil {
			t.Fatal(err)
		}
		asked = nil
		if err := caddy.Validate(&cfg); err != nil {
			t.Fatalf("%s: %v", admin, err)
		}
		if words == "" && asked != nil || words != "" && (asked == nil || !strings.Contains(asked.Error(), words)) {
			t.Errorf("%s: %v; want %q", admin, asked, words)
		}
	}
}
