#!/usr/bin/env bash
# Make what checks the chart and docker-compose.yml in .tools/bin, where the system has none and Go is there:
# helm, and the loader of docker compose (compose-go). Without Go, tests that need them are left out.
#
#   scripts/deployment_tools.sh [helm|compose]…     (both)
set -euo pipefail
bin=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.tools/bin
(($#)) || set -- helm compose

make_by_go() {  # the name it gets, its package, the name that Go gives it
  [[ ! -x $bin/$1 ]] || return 0
  command -v go >/dev/null || { echo "deployment_tools: no $1 here, and no Go to make it" >&2; return 0; }
  echo "deployment_tools: making $1 (once)" >&2
  local made
  made=$(mktemp -d)
  if (cd "$made" && GOBIN=$made go install "$2"); then
    mkdir -p "$bin"
    mv "$made/$3" "$bin/$1"
  else
    echo "deployment_tools: $1 could not be made; its tests are left out" >&2
  fi
  rm -rf "$made"
}

for tool in "$@"; do
  case $tool in
    helm) command -v helm >/dev/null || make_by_go helm helm.sh/helm/v3/cmd/helm@v3.22.0 helm ;;
    compose) docker compose version >/dev/null 2>&1 || make_by_go compose github.com/compose-spec/compose-go/v2/cmd@v2.16.2 cmd ;;
    *) echo "deployment_tools: no such tool: $tool" >&2; exit 2 ;;
  esac
done
