#!/usr/bin/env bash
# 3e-7, as JavaScript writes a token's price, is a text to two YAML readers of five, a limit of 1_000 is a text and no limit to two others, and 0100 is 64 to three.
#
# Seen 2026-11-30 with js-yaml 5.5.0, yaml 2.9.1 (Node 20.20), gopkg.in/yaml.v3 3.0.1, github.com/goccy/go-yaml 1.19.2 (Go 1.26) and Debian's python3-yaml 6.0-3+b2.
# Expected: YAML is one format, and what looks like a number is one. There are two versions of it in use, and readers in between. JSON.stringify and yaml write
# 0.0000003 as 3e-7; goccy and PyYAML want a point in a number that has an exponent, and have the text "3e-7": a price list from one program stops
# the next, or costs nothing there. js-yaml's 3.e-7 all can read. PyYAML wants the exponent's sign as well. 1_000 is a thousand in Go and Python
# and a text in Node, where whatever is compared with it is false: a limit that nobody is ever above. What begins with a 0 is octal in Go and
# Python, and an id of digits and an e, 12e03, is 12000 in three. No reader says a word. So a gateway's files have prices in whole
# millionths or in quotes, and ids in quotes, and its reader refuses a text where a number belongs.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts js-yaml@5.5.0 yaml@2.9.1
npm ls --depth=0
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download python3-yaml=6.0-3+b2
dpkg -x python3-yaml_*.deb root
export PYTHONPATH=$tmp/root/usr/lib/python3/dist-packages

cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"os"

	"github.com/goccy/go-yaml"
	three "gopkg.in/yaml.v3"
)

func main() {
	text, err := os.ReadFile("values.yaml")
	if err != nil {
		panic(err)
	}
	for name, read := range map[string]func([]byte, any) error{"yaml.v3": three.Unmarshal, "goccy": func(b []byte, to any) error { return yaml.Unmarshal(b, to) }} {
		var values []any
		if err := read(text, &values); err != nil {
			panic(err)
		}
		out, _ := json.Marshal(values)
		if err := os.WriteFile(name+".json", out, 0o600); err != nil {
			panic(err)
		}
	}
}
GO
cat >read.py <<'PY'
import json, yaml
json.dump(yaml.safe_load(open('values.yaml')), open('PyYAML.json', 'w'))
PY
cat >write.mjs <<'JS'
import { writeFileSync } from 'node:fs'
import { dump } from 'js-yaml'
import { stringify } from 'yaml'

console.log(`js-yaml writes ${dump([0.0000003]).trim()}, yaml ${stringify([0.0000003]).trim()}, JSON ${JSON.stringify([0.0000003])}`)
writeFileSync('values.yaml', process.argv.slice(2).map(value => `- ${value}\n`).join(''))
JS
cat >read.mjs <<'JS'
import { readFileSync } from 'node:fs'
import { load } from 'js-yaml'
import { parse } from 'yaml'

const text = readFileSync('values.yaml', 'utf8')
const all = { 'js-yaml': load(text), yaml: parse(text) }
for (const name of ['yaml.v3', 'goccy', 'PyYAML']) all[name] = JSON.parse(readFileSync(`${name}.json`, 'utf8'))
for (const [i, value] of process.argv.slice(2).entries())
  console.log(`${value}: ${Object.entries(all).map(([name, values]) => `${name} ${JSON.stringify(values[i])}`).join(', ')}`)
console.log(`1001 is above the limit: ${1001 > all.yaml[5]}, 999 is below it: ${999 < all.yaml[5]}`)
JS
{ go mod init probe && go get github.com/goccy/go-yaml@v1.19.2 gopkg.in/yaml.v3@v3.0.1; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/goccy/go-yaml gopkg.in/yaml.v3
values=(0.0000003 3e-7 3.e-7 3.0e-7 3.0e7 1_000 0100 12e03)
{
	node write.mjs "${values[@]}"
	go run .
	python3 read.py
	node read.mjs "${values[@]}"
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
js-yaml writes - 3.e-7, yaml - 3e-7, JSON [3e-7]
0.0000003: js-yaml 3e-7, yaml 3e-7, yaml.v3 3e-7, goccy 3e-7, PyYAML 3e-7
3e-7: js-yaml 3e-7, yaml 3e-7, yaml.v3 3e-7, goccy "3e-7", PyYAML "3e-7"
3.e-7: js-yaml 3e-7, yaml 3e-7, yaml.v3 3e-7, goccy 3e-7, PyYAML 3e-7
3.0e-7: js-yaml 3e-7, yaml 3e-7, yaml.v3 3e-7, goccy 3e-7, PyYAML 3e-7
3.0e7: js-yaml 30000000, yaml 30000000, yaml.v3 30000000, goccy 30000000, PyYAML "3.0e7"
1_000: js-yaml "1_000", yaml "1_000", yaml.v3 1000, goccy 1000, PyYAML 1000
0100: js-yaml 100, yaml 100, yaml.v3 64, goccy 64, PyYAML 64
12e03: js-yaml 12000, yaml 12000, yaml.v3 12000, goccy "12e03", PyYAML "12e03"
1001 is above the limit: false, 999 is below it: false
SEEN
