#!/usr/bin/env bash
# Embeddings that come as numbers, as the API's own default has it, are a quarter as many zeros for openai's Node SDK up to 6, without an error.
#
# Seen 2026-11-28 with openai 6.49.0 and 7.59.0, @langchain/openai 1.5.8, @langchain/core 1.4.0, ai 6.0.326, @ai-sdk/openai-compatible
# 2.0.92 (Node 20.20), github.com/openai/openai-go/v3 3.96.0 and github.com/sashabaranov/go-openai 1.43.0 (Go 1.26).
# Expected: who names no encoding gets numbers, and reads them. openai for Node asks for base64 where its user has named nothing, to save
# bytes, and version 6 takes for base64 whatever comes: a list of four numbers is read as four bytes, and these as one float, 0.
# LangChain, which is built on it, has the same. Version 7 reads both, and the others read numbers. A server that does not know the
# field is enough for it, and so is a gateway that drops what it does not know, or answers from a cache that a client of another
# language has filled. The usage is right and is paid; the index that is built with the answer finds nothing. So a gateway has to hand
# encoding_format on, look at what comes back, and have it in the key of its cache; a client is safe when it names "float".
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 openai7@npm:openai@7.59.0 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	community "github.com/sashabaranov/go-openai"
)

func main() {
	if os.Args[1] == "openai-go" {
		client := openai.NewClient(option.WithAPIKey("k"), option.WithBaseURL(os.Args[2]))
		answer, err := client.Embeddings.New(context.Background(), openai.EmbeddingNewParams{
			Model: "m", Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("hi")},
		})
		fmt.Print(answer.Data[0].Embedding, ", error ", err)
		return
	}
	config := community.DefaultConfig("k")
	config.BaseURL = os.Args[2]
	answer, err := community.NewClientWithConfig(config).CreateEmbeddings(context.Background(), community.EmbeddingRequest{
		Model: "m", Input: "hi",
	})
	fmt.Print(answer.Data[0].Embedding, ", error ", err)
}
GO
go mod init probe 2>/dev/null
go get github.com/openai/openai-go/v3@v3.96.0 github.com/sashabaranov/go-openai@v1.43.0 2>/dev/null
go list -m github.com/openai/openai-go/v3 github.com/sashabaranov/go-openai
go build -o probe .

cat >probe.mjs <<'JS'
import http from 'node:http'
import { execFile } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { OpenAIEmbeddings } from '@langchain/openai'
import { embed } from 'ai'
import OpenAI from 'openai'
import OpenAI7 from 'openai7'

let format
const server = http.createServer(async (request, response) => {
  format = JSON.parse(await text(request)).encoding_format ?? 'nothing'
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({
    object: 'list', model: 'm', usage: { prompt_tokens: 1, total_tokens: 1 },
    data: [{ object: 'embedding', index: 0, embedding: [0.5, -0.25, 0.125, 0.75] }],
  }))
})
server.listen(0, '127.0.0.1', async () => {
  const baseURL = `http://127.0.0.1:${server.address().port}`
  const run = async name => (await promisify(execFile)('./probe', [name, baseURL])).stdout
  const node = async (OpenAI, more) => {
    const { data, usage } = await new OpenAI({ apiKey: 'k', baseURL }).embeddings.create({ model: 'm', input: 'hi', ...more })
    return `[${data[0].embedding.join(' ')}], usage ${usage.total_tokens}`
  }
  const clients = {
    'openai': () => node(OpenAI, {}),
    'openai, told "float"': () => node(OpenAI, { encoding_format: 'float' }),
    'openai 7': () => node(OpenAI7, {}),
    'langchain': async () =>
      `[${(await new OpenAIEmbeddings({ apiKey: 'k', model: 'm', configuration: { baseURL } }).embedQuery('hi')).join(' ')}]`,
    'ai': async () => {
      const model = createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL }).textEmbeddingModel('m')
      return `[${(await embed({ model, value: 'hi' })).embedding.join(' ')}]`
    },
    'openai-go': () => run('openai-go'),
    'go-openai': () => run('go-openai'),
  }
  for (const [name, call] of Object.entries(clients)) {
    const got = await call()
    console.log(`${name}: asks for ${format}, has ${got}`)
  }
  process.exit()
})
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai: asks for base64, has [0], usage 1
openai, told "float": asks for float, has [0.5 -0.25 0.125 0.75], usage 1
openai 7: asks for base64, has [0.5 -0.25 0.125 0.75], usage 1
langchain: asks for base64, has [0]
ai: asks for float, has [0.5 -0.25 0.125 0.75]
openai-go: asks for nothing, has [0.5 -0.25 0.125 0.75], error <nil>
go-openai: asks for nothing, has [0.5 -0.25 0.125 0.75], error <nil>
SEEN
