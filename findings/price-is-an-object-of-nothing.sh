#!/usr/bin/env bash
# A tool in Go whose price is a decimal.Decimal asks the model for an object with nothing in it, and one in *big.Int for a text that can't be read; "within 30" is 30 nanoseconds. No generator of schemas has it right.
#
# Seen 2026-12-01 with github.com/sashabaranov/go-openai 1.43.0 (its package jsonschema), github.com/invopop/jsonschema 0.14.0, which the examples of OpenAI's and Anthropic's SDKs for Go use, github.com/google/jsonschema-go 0.4.3, which MCP's
# official SDK makes its tools' schemas with, and github.com/shopspring/decimal 1.4.0 (Go 1.26).
# Expected: the schema that is made of a struct allows what encoding/json reads into that struct, so that the model writes what the program takes. Whoever keeps floats away from money has decimal.Decimal or *big.Int in his structs, which read themselves from a number or
# a text. The generators look at what a type is made of, two fields that nobody may see, and not at how it is read: an object without any properties, and no others allowed. Strict sellers hold the model to it, so it can say {} and nothing else; that is an error when
# it is read, after each try, each of them paid, and a check by the schema refuses 0.25, which would be read. Google's knows *big.Int and says "string", which *big.Int doesn't take from JSON: the number, which it does take, is refused by the schema, so that no call of such a tool can succeed. A
# time.Duration is a whole number of nanoseconds, and nothing tells the model so: asked for seconds it says 30. go-openai has times as empty objects as well. A test that calls the tool's function by itself sees none of this.
# So arguments of tools have amounts as int64 or string, with the unit in the name, and are made into money behind that.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	google "github.com/google/jsonschema-go/jsonschema"
	invopop "github.com/invopop/jsonschema"
	goopenai "github.com/sashabaranov/go-openai/jsonschema"
	"github.com/shopspring/decimal"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// field is the arguments of a tool with one field.
type field[T any] struct {
	Value T `json:"value"`
}

func show[T any](name string, values ...string) {
	var tool field[T]
	fmt.Println(name)
	byGoOpenAI := must(goopenai.GenerateSchemaForType(tool))
	byGoogle := must(google.For[field[T]](nil))
	reflector := invopop.Reflector{DoNotReference: true, Anonymous: true}
	invopops, _ := reflector.Reflect(&tool).Properties.Get("value")
	part := byGoOpenAI.Properties["value"]
	for _, def := range byGoOpenAI.Defs {
		part = def
	}
	says := func(schema any) string { return string(must(json.Marshal(schema))) }
	fmt.Printf("  go-openai: %s\n  invopop: %s\n  google: %s\n", says(part), says(invopops), says(byGoogle.Properties["value"]))
	resolved := must(byGoogle.Resolve(nil))
	for _, value := range values {
		var arguments any
		text := []byte(`{"value":` + value + `}`)
		if err := json.Unmarshal(text, &arguments); err != nil {
			panic(err)
		}
		fits := byGoOpenAI.Unmarshal(string(text), &field[T]{}) == nil
		fitsGoogle := resolved.Validate(arguments) == nil
		tool = field[T]{}
		err := json.Unmarshal(text, &tool)
		read := fmt.Sprint(tool.Value)
		if err != nil {
			read = "an error"
		}
		fmt.Printf("  %s: taken by go-openai: %v, allowed by google: %v; encoding/json has %s\n", value, fits, fitsGoogle, read)
	}
}

func main() {
	show[decimal.Decimal]("decimal.Decimal", `{}`, `0.25`, `"0.25"`)
	show[*big.Int]("*big.Int", `{}`, `1250000`, `"1250000"`)
	show[time.Duration]("time.Duration", `30`, `"30s"`)
	show[time.Time]("time.Time", `{}`, `"2026-12-01T00:00:00Z"`)
}
GO
{ go mod init probe && go get github.com/sashabaranov/go-openai@v1.43.0 github.com/invopop/jsonschema@v0.14.0 github.com/google/jsonschema-go@v0.4.3 github.com/shopspring/decimal@v1.4.0 && go get .; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/sashabaranov/go-openai github.com/invopop/jsonschema github.com/google/jsonschema-go github.com/shopspring/decimal
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
decimal.Decimal
  go-openai: {"type":"object","additionalProperties":false}
  invopop: {"properties":{},"additionalProperties":false,"type":"object"}
  google: {"type":"object","properties":{},"additionalProperties":false}
  {}: taken by go-openai: false, allowed by google: true; encoding/json has an error
  0.25: taken by go-openai: false, allowed by google: false; encoding/json has 0.25
  "0.25": taken by go-openai: false, allowed by google: false; encoding/json has 0.25
*big.Int
  go-openai: {"type":"object","additionalProperties":false}
  invopop: {"properties":{},"additionalProperties":false,"type":"object"}
  google: {"type":["null","string"]}
  {}: taken by go-openai: false, allowed by google: false; encoding/json has an error
  1250000: taken by go-openai: false, allowed by google: false; encoding/json has 1250000
  "1250000": taken by go-openai: false, allowed by google: true; encoding/json has an error
time.Duration
  go-openai: {"type":"integer"}
  invopop: {"type":"integer"}
  google: {"type":"integer"}
  30: taken by go-openai: true, allowed by google: true; encoding/json has 30ns
  "30s": taken by go-openai: false, allowed by google: false; encoding/json has an error
time.Time
  go-openai: {"type":"object","additionalProperties":false}
  invopop: {"type":"string","format":"date-time"}
  google: {"type":"string"}
  {}: taken by go-openai: false, allowed by google: false; encoding/json has an error
  "2026-12-01T00:00:00Z": taken by go-openai: false, allowed by google: true; encoding/json has 2026-12-01 00:00:00 +0000 UTC
SEEN
