#!/usr/bin/env bash
# Vectors that come with their numbers, the last one first, are given to the wrong texts by four clients of four; with one of three missing two of them hand back two, and no error.
#
# Seen 2026-11-30 with openai 6.49.0, @langchain/openai 1.5.8, @langchain/core 1.4.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, @llamaindex/openai 0.4.23,
# @llamaindex/core 0.6.23 (Node 20.20), github.com/sashabaranov/go-openai 1.43.0 and github.com/tmc/langchaingo 0.1.14 (Go 1.26).
# Expected: each vector has an "index", which is there to say whose it is, and a client that hands back bare vectors, in the order of the texts, has put them
# there; where one is missing it says so. Nobody looks at it; the two SDKs hand on the list as it is. The vendors' lists are in order, so that all is well with
# them, and so in each test. A gateway that divides a batch among sellers, asks again for what has failed or fills a part from a cache has the numbers right and
# the vectors come as they are ready; whoever leaves out an empty text has one less. Nothing is an error, but for LangChain's TypeError and langchaingo at one
# that is missing. The usage is right and is paid, and every document of the index bears another one's vector, which is noticed, if ever, by what is found. So a
# gateway puts a list of vectors in order before it answers, and answers with an error where it is not as long as the question; and a program counts what it
# gets.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps openai@6.49.0 @langchain/openai@1.5.8 @langchain/core@1.4.0 ai@6.0.326 \
	@ai-sdk/openai-compatible@2.0.92 @llamaindex/openai@0.4.23 @llamaindex/core@0.6.23 @llamaindex/env@0.1.31 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { OpenAIEmbeddings } from '@langchain/openai'
import { OpenAIEmbedding } from '@llamaindex/openai'
import { embedMany } from 'ai'
import OpenAI from 'openai'

let given
const server = http.createServer(async (request, response) => { // the vector of the text "3" is [3]
  let body = ''
  for await (const piece of request) body += piece
  const { input, encoding_format: encoding } = JSON.parse(body)
  const vector = text => encoding === 'base64' ? Buffer.from(new Float32Array([Number(text)]).buffer).toString('base64') : [Number(text)]
  const data = given(input.map((text, index) => ({ object: 'embedding', index, embedding: vector(text) })))
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ object: 'list', data, model: 'm', usage: { prompt_tokens: 3, total_tokens: 3 } }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}/v1`, apiKey = 'k', texts = ['1', '2', '3']
const ways = {
  'openai, its list': async () => (await new OpenAI({ apiKey, baseURL }).embeddings.create({ model: 'm', input: texts })).data.map(item => item.embedding),
  langchain: () => new OpenAIEmbeddings({ apiKey, model: 'm', configuration: { baseURL } }).embedDocuments(texts),
  ai: async () => (await embedMany({ model: createOpenAICompatible({ name: 'p', apiKey, baseURL }).embeddingModel('m'), values: texts })).embeddings,
  llamaindex: () => new OpenAIEmbedding({ apiKey, model: 'text-embedding-3-small', baseURL }).getTextEmbeddings(texts),
}
const answers = { 'in order': data => data, 'last first': data => data.toReversed(), 'without the second': data => data.filter(item => item.index !== 1) }
for (const [name, way] of Object.entries(ways))
  for (const [what, change] of Object.entries(answers)) {
    given = change
    console.log(`${name}, ${what}: ${await way().then(JSON.stringify, error => `error, ${error.message.split('\n')[0]}`)}`)
  }
process.exit()
JS
cat >main.go <<'GO'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"

	goopenai "github.com/sashabaranov/go-openai"
	"github.com/tmc/langchaingo/llms/openai"
)

type item struct {
	Object    string        `json:"object"`
	Index     int           `json:"index"`
	Embedding []json.Number `json:"embedding"`
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	var given func(data []item) []item
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		var asked struct{ Input []string }
		check(json.NewDecoder(request.Body).Decode(&asked))
		var data []item
		for index, text := range asked.Input {
			data = append(data, item{"embedding", index, []json.Number{json.Number(text)}})
		}
		answer.Header().Set("Content-Type", "application/json")
		check(json.NewEncoder(answer).Encode(map[string]any{"object": "list", "model": "m", "data": given(data), "usage": map[string]int{"prompt_tokens": 3, "total_tokens": 3}}))
	}))
	ctx, texts := context.Background(), []string{"1", "2", "3"}
	config := goopenai.DefaultConfig("k")
	config.BaseURL = server.URL
	model, err := openai.New(openai.WithToken("k"), openai.WithBaseURL(server.URL), openai.WithEmbeddingModel("m"))
	check(err)
	ways := []struct {
		name string
		do   func() ([][]float32, error)
	}{
		{"go-openai, its list", func() (vectors [][]float32, _ error) {
			answer, err := goopenai.NewClientWithConfig(config).CreateEmbeddings(ctx, goopenai.EmbeddingRequest{Input: texts, Model: "m"})
			for _, item := range answer.Data {
				vectors = append(vectors, item.Embedding)
			}
			return vectors, err
		}},
		{"langchaingo", func() ([][]float32, error) { return model.CreateEmbedding(ctx, texts) }},
	}
	for _, way := range ways {
		for _, kind := range []struct {
			name   string
			change func(data []item) []item
		}{
			{"in order", func(data []item) []item { return data }},
			{"last first", func(data []item) []item { slices.Reverse(data); return data }},
			{"without the second", func(data []item) []item { return slices.Delete(data, 1, 2) }},
		} {
			given = kind.change
			vectors, err := way.do()
			if err != nil {
				fmt.Printf("%s, %s: error, %v\n", way.name, kind.name, err)
				continue
			}
			text, err := json.Marshal(vectors)
			check(err)
			fmt.Printf("%s, %s: %s\n", way.name, kind.name, text)
		}
	}
}
GO
{
	go mod init probe
	go get github.com/sashabaranov/go-openai@v1.43.0 github.com/tmc/langchaingo/llms/openai@v0.1.14
} 2>go.log || { cat go.log; exit 1; }
go list -m github.com/sashabaranov/go-openai github.com/tmc/langchaingo
{
	node probe.mjs 2>/dev/null
	go run .
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, its list, in order: [[1],[2],[3]]
openai, its list, last first: [[3],[2],[1]]
openai, its list, without the second: [[1],[3]]
langchain, in order: [[1],[2],[3]]
langchain, last first: [[3],[2],[1]]
langchain, without the second: error, Cannot read properties of undefined (reading 'embedding')
ai, in order: [[1],[2],[3]]
ai, last first: [[3],[2],[1]]
ai, without the second: [[1],[3]]
llamaindex, in order: [[1],[2],[3]]
llamaindex, last first: [[3],[2],[1]]
llamaindex, without the second: [[1],[3]]
go-openai, its list, in order: [[1],[2],[3]]
go-openai, its list, last first: [[3],[2],[1]]
go-openai, its list, without the second: [[1],[3]]
langchaingo, in order: [[1],[2],[3]]
langchaingo, last first: [[3],[2],[1]]
langchaingo, without the second: error, unexpected length of response
SEEN
