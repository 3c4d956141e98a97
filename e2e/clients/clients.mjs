// The clients: what they are installed from, what a user sets for them, how they take one turn, and how their end is read.

import fs from "node:fs";
import path from "node:path";
import { half, whole } from "./answers.mjs";

export const model = "large-1";
export const prompt = "Answer with the words that you were told.";

// Each client has
//   package   the folder in packages/ with its pinned versions
//   connect   the name that `caddy tokenbuddy connect` has for it
//   command   what is run, of what is installed in dir
//   extra     environment, and files of its home, that keep it from calling anybody else; not what makes it ask the server
//   patience  seconds that it gets for a turn, where it may need more than others
//   read      how it ended, from what it printed; the status is of the error that it shows
export const clients = {
  codex: {
    package: "codex",
    patience: 65,
    connect: "codex",
    command: (dir) => [bin(dir, "codex"), "exec", "--skip-git-repo-check", "--sandbox", "read-only", prompt],
    // Keys of the top level stand before the first table.
    prepend: { "~/.codex/config.toml": 'check_for_update_on_startup = false\n' },
    append: { "~/.codex/config.toml": "\n[analytics]\nenabled = false\n\n[feedback]\nenabled = false\n" },
    extra: {},
    read: readTerminal,
  },
  claude: {
    package: "claude",
    connect: "claude",
    command: (dir) => [bin(dir, "claude"), "-p", prompt],
    extra: {
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", DISABLE_TELEMETRY: "1", DISABLE_ERROR_REPORTING: "1", DISABLE_AUTOUPDATER: "1",
      CLAUDE_CODE_MAX_RETRIES: "3", // else it asks for minutes
    },
    read: readTerminal,
  },
  opencode: {
    package: "opencode",
    connect: "opencode",
    command: (dir) => [bin(dir, "opencode"), "run", prompt],
    extra: {
      OPENCODE_DISABLE_AUTOUPDATE: "1", OPENCODE_DISABLE_MODELS_FETCH: "1", OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
      OPENCODE_DISABLE_DEFAULT_PLUGINS: "1", OPENCODE_DISABLE_SHARE: "1", OPENCODE_DISABLE_CLAUDE_CODE: "1", OPENCODE_DISABLE_FFF: "1",
      OPENCODE_EXPERIMENTAL_DISABLE_FILEWATCHER: "1", OPENCODE_PURE: "1", npm_config_offline: "true",
    },
    patience: 110,
    read: readTerminal,
  },
  ...library("openai", "openai", ["chat", "responses", "whole"]),
  ...library("anthropic", "anthropic", ["messages", "whole"]),
  ...library("ai", "openai", ["openai", "anthropic", "compatible"]),
};

function library(name, connect, ways) {
  return Object.fromEntries(ways.map((way) => [`${name}-${way}`, {
    package: name,
    connect,
    command: (dir) => [process.execPath, path.join(dir, `${name}.mjs`), way],
    extra: {},
    streams: way !== "whole",
    read: readTurn,
  }]));
}

const bin = (dir, name) => path.join(dir, "node_modules/.bin", name);

// readTurn reads the line that turns/turn.mjs prints.
function readTurn(stdout) {
  let said;
  try {
    said = JSON.parse(stdout);
  } catch {
    return { answer: "none", error: "unreadable" };
  }
  const { answer, error } = said;
  return { answer: answerOf(answer), error: error ? `${error.name}${error.status ? ` ${error.status}` : ""}` : "none", words: error?.message };
}

// readTerminal reads what a program of the terminal printed. What it says of an error is the last status in its words, or that it
// says one at all.
function readTerminal(stdout, stderr) {
  const all = `${stdout}\n${stderr}`.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, "");
  const lines = all.split("\n").filter((l) => /error|failed|refused|unable|disconnected|exceeded|retry/i.test(l));
  const status = lines.flatMap((l) => l.match(/\b(4\d\d|5\d\d)\b/g) ?? []).at(-1);
  return { answer: answerOf(stdout), error: status ?? (lines.length ? "said" : "none"), words: lines.at(-1)?.trim() };
}

function answerOf(text) {
  return text.includes(whole) ? "whole" : text.includes(half) ? "half" : "none";
}

// settle writes what `connect` says into home and gives the environment of the client's process.
export function settle(client, said, home, key) {
  const env = { ...client.extra, TOKENBUDDY_KEY: key };
  for (const v of said.environment ?? []) env[v.name] = v.value === "$TOKENBUDDY_KEY" ? key : v.value;
  for (const f of said.files ?? []) {
    const file = path.join(home, f.path.replace(/^~\//, ""));
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, (client.prepend?.[f.path] ?? "") + f.content + (client.append?.[f.path] ?? ""));
  }
  return env;
}
