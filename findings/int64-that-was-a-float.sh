#!/usr/bin/env bash
# A tool of MCP's official Go SDK whose argument is an int64 is called with 9007199254740992 for 9007199254740993; mcp-go's GetInt makes 12 of 12.5, and 12.0 is an error to its other way.
#
# Seen 2026-12-01 with github.com/modelcontextprotocol/go-sdk 1.8.0 and github.com/mark3labs/mcp-go 1.2.1 (Go 1.26), each as a server, asked over HTTP by the first one's client, which sends the
# arguments as they are written here.
# Expected: a Go struct with an int64 in it is read from JSON to the last digit, as encoding/json does, and what isn't a whole number is an error; amounts in a token's units and ids of chats are above 2^53 every day.
# The official SDK checks the arguments by the schema that it made of the struct, and for that has them as float64 for a while; what the handler gets is made of these, so that an amount
# is another one without an error. 12.0 and 1e3, which JSON's schema takes for whole numbers, are read. A typed handler of mcp-go's reads all digits, and 12.0 is an error to it,
# which models write. Its request's own GetInt has both: a float64 cut to whole numbers, 12 cents of 12.5, and a text that looks like one, though the tool said "number". So
# amounts go through MCP as text with digits alone, which the tool itself reads, as they do through JSON elsewhere.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'

cat >main.go <<'GO'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type payment struct {
	Units int64 `json:"units"`
}

// official has a tool whose argument is a struct with an int64.
func official() string {
	s := mcp.NewServer(&mcp.Implementation{Name: "pay", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "typed"}, func(_ context.Context, _ *mcp.CallToolRequest, p payment) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint("pays ", p.Units)}}}, nil, nil
	})
	return httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)).URL
}

// other has the same by mcp-go, and one that asks the request for an int.
func other() string {
	s := server.NewMCPServer("pay", "1")
	s.AddTool(mcpgo.NewTool("typed", mcpgo.WithNumber("units")),
		mcpgo.NewTypedToolHandler(func(_ context.Context, _ mcpgo.CallToolRequest, p payment) (*mcpgo.CallToolResult, error) {
			return mcpgo.NewToolResultText(fmt.Sprint("pays ", p.Units)), nil
		}))
	s.AddTool(mcpgo.NewTool("GetInt", mcpgo.WithNumber("units")), func(_ context.Context, r mcpgo.CallToolRequest) (*mcpgo.CallToolResult, error) {
		return mcpgo.NewToolResultText(fmt.Sprint("pays ", r.GetInt("units", 0))), nil
	})
	return httptest.NewServer(server.NewStreamableHTTPServer(s)).URL + "/mcp"
}

func main() {
	ctx := context.Background()
	var read payment
	fmt.Println("encoding/json:", json.Unmarshal([]byte(`{"units":9007199254740993}`), &read), read.Units)
	for _, side := range []struct {
		name, url string
		tools     []string
	}{{"go-sdk", official(), []string{"typed"}}, {"mcp-go", other(), []string{"typed", "GetInt"}}} {
		client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, nil)
		session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: side.url}, nil)
		if err != nil {
			panic(err)
		}
		for _, tool := range side.tools {
			for _, units := range []string{"9007199254740993", "1000000000000000001", "12.0", "1e3", "12.5", `"12"`} {
				result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: json.RawMessage(`{"units":` + units + `}`)})
				if err != nil {
					panic(err)
				}
				said := result.Content[0].(*mcp.TextContent).Text
				if result.IsError {
					said = "is an error"
				}
				fmt.Printf("%s, %s: %s %s\n", side.name, tool, units, said)
			}
		}
	}
}
GO
{ go mod init probe && go get github.com/modelcontextprotocol/go-sdk/mcp@v1.8.0 github.com/mark3labs/mcp-go/mcp@v1.2.1 github.com/mark3labs/mcp-go/server@v1.2.1; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/modelcontextprotocol/go-sdk github.com/mark3labs/mcp-go
go run . 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
encoding/json: <nil> 9007199254740993
go-sdk, typed: 9007199254740993 pays 9007199254740992
go-sdk, typed: 1000000000000000001 pays 1000000000000000000
go-sdk, typed: 12.0 pays 12
go-sdk, typed: 1e3 pays 1000
go-sdk, typed: 12.5 is an error
go-sdk, typed: "12" is an error
mcp-go, typed: 9007199254740993 pays 9007199254740993
mcp-go, typed: 1000000000000000001 pays 1000000000000000001
mcp-go, typed: 12.0 is an error
mcp-go, typed: 1e3 is an error
mcp-go, typed: 12.5 is an error
mcp-go, typed: "12" is an error
mcp-go, GetInt: 9007199254740993 pays 9007199254740992
mcp-go, GetInt: 1000000000000000001 pays 1000000000000000000
mcp-go, GetInt: 12.0 pays 12
mcp-go, GetInt: 1e3 pays 1000
mcp-go, GetInt: 12.5 pays 12
mcp-go, GetInt: "12" pays 12
SEEN
