#!/usr/bin/env bash
#
# Real clients against a provider that fails, directly and through the gateway: they must ask as often, and end the same.
# README.md beside this file says more.
#
#   bash e2e/clients/run.sh                     every client, every case
#   bash e2e/clients/run.sh codex openai        these clients
#   bash e2e/clients/run.sh codex/dead          this case of this client
#   CLIENTS=ci bash e2e/clients/run.sh          the quick part, which CI runs

set -euo pipefail

skip() {
  printf '\n*** NO CLIENT WAS TESTED: %s\n\n0 passed, 0 failed, 1 skipped\n' "$1"
  [ -z "${NEED_CLIENTS:-}" ] || exit 1
  exit 0
}

command -v node >/dev/null || skip "there is no Node here"
command -v npm >/dev/null || skip "there is no npm here"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || skip "Node $(node --version) is too old, 20 or newer is wanted"

exec node "$(dirname "${BASH_SOURCE[0]}")/run.mjs" "$@"
