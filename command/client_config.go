package command

import (
	"fmt"
	"strings"
)

// What clients have in their config files. The key is in none of them: each names the variable that holds it.

func codexConfig(url, model string) string {
	return codexChoice(model) + "\n" + codexProvider(url)
}

func codexChoice(model string) string {
	return fmt.Sprintf("model = %s\nmodel_provider = \"tokenbuddy\"\n", quoted(model))
}

const codexTable = "[model_providers.tokenbuddy]"

func codexProvider(url string) string {
	return fmt.Sprintf(codexTable+`
name = "TokenBuddy"
base_url = %s
env_key = %s
wire_api = "responses"
`, quoted(url+"/v1"), quoted(keyVariable))
}

func opencodeConfig(url, model string) string {
	return fmt.Sprintf(`{
  "model": %s,
  "provider": {
    "tokenbuddy": {
      "npm": "@ai-sdk/openai-compatible",
      "name": "TokenBuddy",
      "options": {"baseURL": %s, "apiKey": "{env:%s}"},
      "models": {%s: {}}
    }
  }
}
`, quoted("tokenbuddy/"+model), quoted(url+"/v1"), keyVariable, quoted(model))
}

// claudeConfig is for Claude Code's settings, whose variables can't name another one: a command prints the key.
func claudeConfig(url string, slots []variable) string {
	variables := []string{fmt.Sprintf("    %q: %s", "ANTHROPIC_BASE_URL", quoted(url))}
	for _, slot := range slots {
		variables = append(variables, fmt.Sprintf("    %q: %s", slot.Name, quoted(slot.Value)))
	}
	return fmt.Sprintf(`{
  "apiKeyHelper": "printenv %s",
  "env": {
%s
  }
}
`, keyVariable, strings.Join(variables, ",\n"))
}

func qwenConfig(url, model string) string {
	return fmt.Sprintf(`{
  "modelProviders": {
    "openai": [
      {"id": %[1]s, "name": %[1]s, "baseUrl": %[2]s, "envKey": %[3]q}
    ]
  },
  "security": {"auth": {"selectedType": "openai"}},
  "model": {"name": %[1]s}
}
`, quoted(model), quoted(url+"/v1"), keyVariable)
}

// piConfig names the variable where pi has keys: it takes the value of a variable of that name.
func piConfig(url, model string) string {
	return fmt.Sprintf(`{
  "providers": {
    "tokenbuddy": {
      "baseUrl": %s,
      "api": "openai-completions",
      "apiKey": %q,
      "models": [{"id": %s}]
    }
  }
}
`, quoted(url+"/v1"), keyVariable, quoted(model))
}

func continueConfig(url, model string) string {
	return fmt.Sprintf(`name: TokenBuddy
version: 0.0.1
schema: v1
models:
  - name: TokenBuddy
    provider: openai
    model: %s
    apiBase: %s
    apiKey: ${{ secrets.%s }}
    useResponsesApi: false
    roles: [chat, edit, apply]
`, quoted(model), quoted(url+"/v1"), keyVariable)
}

// aiSDK says what the package does not do unasked: to ask for a stream's usage, and to send a schema. It sends any JSON's format in its place.
func aiSDK(url, model string) string {
	return fmt.Sprintf(`import { createOpenAICompatible } from "@ai-sdk/openai-compatible";

const tokenbuddy = createOpenAICompatible({
  name: "tokenbuddy",
  baseURL: %s,
  apiKey: process.env.%s,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
export const model = tokenbuddy(%s);
`, quoted(url+"/v1"), keyVariable, quoted(model))
}
