#!/usr/bin/env bash
# The same scenarios embedded and on Kubernetes: outputs and event histories must be the same but for times and names.
#
#   VOLANT_TEST_ENDPOINT=HOST:PORT VOLANT_TEST_FLYTEKIT_IMAGE=IMAGE tests/kubernetes/parity.sh [SCENARIO…]
#
# Prints every difference. VOLANT_PARITY_OUT keeps the recordings there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=$root/.venv/bin/python
out=${VOLANT_PARITY_OUT:-$(mktemp -d)}
data=$(mktemp -d)
export PYTHONPATH=$root/tests/conformance${PYTHONPATH:+:$PYTHONPATH}
(($#)) || set -- chain single_task without_outputs echoes diamond after_another subworkflow subworkflow_in_subworkflow \
  passes_through named_outputs imperative plan_node plan_node_defaults branch_two_ways branch_three_ways branch_no_way \
  branch_nested branch_after_a_task subworkflow_in_branch branch_on_a_boolean dynamic_in_branch dynamic \
  dynamic_without_nodes map_in_dynamic subworkflow_in_dynamic dynamic_list body_of_dynamic_fails map map_reduced \
  map_of_nothing map_partly_bound map_fails gate_approved gate_rejected
free() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
grpc=127.0.0.1:$(free)
trap '"$root/.venv/bin/volant" down --data "$data" >/dev/null 2>&1 || true; rm -rf "$data"' EXIT
"$root/.venv/bin/volant" up --detach --data "$data" --grpc "$grpc" --http "127.0.0.1:$(free)" --s3 "127.0.0.1:$(free)"
record() { "$python" -m recorder record --endpoint "$1" --out "$2" --image "$VOLANT_TEST_FLYTEKIT_IMAGE" "${@:3}"; }
record "$grpc" "$out/embedded" "$@"
record "$VOLANT_TEST_ENDPOINT" "$out/kubernetes" --at-once 3 "$@"
"$python" -m recorder compare "$out/kubernetes" --theirs "$out/embedded" --only "$@"
echo "parity: $# scenarios are the same in both modes"
