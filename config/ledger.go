package config

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
)

// LedgerConfig says where the ledger is. Sites may share one; they must then agree on its key and on retain.
type LedgerConfig struct {
	// What the ledger is kept in. Default: "badger", which is all there is.
	Store string `json:"store,omitempty"`

	// Its directory, which one process uses: an absolute path. Default: tokenbuddy in Caddy's data directory.
	Dir string `json:"dir,omitempty"`

	// What tokens are encrypted with at rest. A secret. Default: a file tokenbuddy.key in Caddy's data directory, made at
	// the first start and readable by its owner alone.
	Key string `json:"key,omitempty"`

	// How long entries stay in the ledger's store, a day at least. Months (UTC) that ended longer ago are moved into archive files
	// beside the directory, at the start and once a day. Default: they stay.
	Retain caddy.Duration `json:"retain,omitempty"`
}

func (c *Config) ledgerWord() word {
	return word{
		name: "ledger", usage: "badger [<dir>]",
		set: func(args []string) error {
			c.Ledger = &LedgerConfig{Store: args[0]}
			if len(args) > 1 {
				c.Ledger.Dir = args[1]
			}
			return nil
		},
		block: func() []word {
			return []word{
				{name: "key", usage: "<secret>", secret: true, set: text(&c.Ledger.Key)},
				{name: "retain", usage: "<duration>", set: retention(&c.Ledger.Retain)},
			}
		},
	}
}

func (l *LedgerConfig) check() error {
	if l == nil {
		return nil
	}
	if l.Store != "" && l.Store != ledgerStore {
		return fmt.Errorf("%q is no store: expected %s", l.Store, ledgerStore)
	}
	return cmp.Or(checkLedgerDir(l.Dir), at("key", checkSecret(l.Key)), at("retain", checkRetention(l.Retain)))
}

const ledgerStore = "badger"

// place gives the ledger's directory and the secret for its key, which is empty where a key file is to be used.
func (l *LedgerConfig) place(repl *caddy.Replacer) (dir, key string, err error) {
	if l == nil {
		l = new(LedgerConfig)
	}
	if l.Dir == "" {
		dir, err = filepath.Abs(filepath.Join(caddy.AppDataDir(), "tokenbuddy"))
	} else if dir, err = repl.ReplaceOrErr(l.Dir, true, true); err == nil {
		err = checkLedgerDir(dir)
	}
	if err != nil {
		return "", "", err
	}
	if l.Key != "" {
		if key, err = resolveSecret(repl, l.Key); err != nil {
			return "", "", at("key", err)
		}
	}
	return dir, key, nil
}
