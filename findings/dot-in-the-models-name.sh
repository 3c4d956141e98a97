#!/usr/bin/env bash
# The price of gpt-4.1 is there for viper's Get and gone from its Unmarshal, and ten dollars spent on gpt-4 are ",55" in conf's file after a call of gpt-4.1.
#
# Seen 2026-11-29 with github.com/spf13/viper 1.21.0, github.com/knadh/koanf/v2 2.4.1, github.com/tidwall/sjson 1.2.5 (Go 1.26), conf 15.1.0,
# lodash 4.18.1 and nconf 0.13.0 (Node 20.20).
# Expected: a name in a file is a name in the program, whichever way it is asked for, and a counter under it is that name's. Models have dots in their
# names, colons ("deepseek-r1:free") and capitals. viper takes keys apart at the dot and puts them together again when it gives out
# all: there is no gpt-4.1 then, and a gpt-4 that nobody has written, though Get and UnmarshalKey have the right one; capitals it has
# made small. koanf, for the same purpose, keeps both. conf (which electron-store is built on), lodash and sjson put gpt-4.1 into
# gpt-4, as the second place of a list that takes the place of its number: what was spent is gone, and JavaScript adds
# the next five dollars to a list, which makes a text of it. nconf does the same at the colon. None has an error, and with gpt-5 all are right.
# So names of models belong into values, or into maps that are read and written whole, and never into a path; and a price
# list has to be refused where a model that is configured has no price.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts conf@15.1.0 lodash@4.18.1 nconf@0.13.0
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"fmt"
	"log"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/viper"
	"github.com/tidwall/sjson"
)

const config = `
prices:
  gpt-5: 1.25
  gpt-4.1: 2
  Qwen/Qwen3-8B: 0.1
`

type settings struct{ Prices map[string]any }

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	var all settings
	var prices map[string]any
	v := viper.New()
	v.SetConfigType("yaml")
	must(v.ReadConfig(strings.NewReader(config)))
	must(v.Unmarshal(&all))
	must(v.UnmarshalKey("prices", &prices))
	fmt.Println("viper, Get:", v.Get("prices.gpt-4.1"))
	fmt.Println("viper, UnmarshalKey:", prices)
	fmt.Println("viper, Unmarshal:", all.Prices)

	k := koanf.New(".")
	must(k.Load(rawbytes.Provider([]byte(config)), yaml.Parser()))
	all = settings{}
	must(k.Unmarshal("", &all))
	fmt.Println("koanf, Unmarshal:", all.Prices)

	spent := "{}"
	for _, model := range []string{"gpt-4", "gpt-4.1"} {
		var err error
		spent, err = sjson.Set(spent, "spent."+model, 5)
		must(err)
	}
	fmt.Println("sjson:", spent)
}
GO
go mod init probe 2>/dev/null
go get github.com/spf13/viper@v1.21.0 github.com/knadh/koanf/v2@v2.4.1 github.com/knadh/koanf/parsers/yaml@v1.1.1 \
	github.com/knadh/koanf/providers/rawbytes@v1.0.0 github.com/tidwall/sjson@v1.2.5 2>/dev/null
go list -m github.com/spf13/viper github.com/knadh/koanf/v2 github.com/tidwall/sjson

cat >probe.mjs <<'JS'
import Conf from 'conf'
import lodash from 'lodash'
import nconf from 'nconf'

const calls = ['gpt-4', 'gpt-4.1', 'gpt-4', 'deepseek-r1', 'deepseek-r1:free']
const conf = new Conf({ cwd: process.cwd(), projectName: 'probe' })
const object = {}
nconf.use('memory')
for (const model of calls) {
  conf.set(`spent.${model}`, (conf.get(`spent.${model}`) ?? 0) + 5)
  lodash.update(object, `spent.${model}`, spent => (spent ?? 0) + 5)
  nconf.set(`spent:${model}`, (nconf.get(`spent:${model}`) ?? 0) + 5)
}
console.log('five dollars for each of:', calls.join(' '))
console.log('conf:', JSON.stringify(conf.store.spent))
console.log('lodash:', JSON.stringify(object.spent))
console.log('nconf:', JSON.stringify(nconf.get('spent')))
JS
{ go run . && node probe.mjs; } | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
viper, Get: 2
viper, UnmarshalKey: map[gpt-4.1:2 gpt-5:1.25 qwen/qwen3-8b:0.1]
viper, Unmarshal: map[gpt-4:map[1:2] gpt-5:1.25 qwen/qwen3-8b:0.1]
koanf, Unmarshal: map[Qwen/Qwen3-8B:0.1 gpt-4.1:2 gpt-5:1.25]
sjson: {"spent":{"gpt-4":[null,5]}}
five dollars for each of: gpt-4 gpt-4.1 gpt-4 deepseek-r1 deepseek-r1:free
conf: {"gpt-4":",55","deepseek-r1":5,"deepseek-r1:free":5}
lodash: {"gpt-4":",55","deepseek-r1":5,"deepseek-r1:free":5}
nconf: {"gpt-4":10,"gpt-4.1":5,"deepseek-r1":{"free":5}}
SEEN
