#!/usr/bin/env bash
# Run flytekit's own remote integration suite, unchanged, against `volant up --sandbox`.
#
#   FLYTEKIT_REPO=FOLDER tests/conformance/flytekit_remote.sh [pytest arguments]
#
# FLYTEKIT_REPO is a git folder of flyteorg/flytekit (its tests are not ours to keep here). What differs from upstream:
#   - FlyteRemote.wait polls every second instead of every 30 (plugin.py);
#   - test_fetch_execute_workflow asserts that a no-op run takes over a second; plugin.py leaves it out and
#     slow_workflow_check.py is the same test on a workflow that does take that long;
#   - TestLargeFileTransfers (2 and 3 GB) runs only when asked for: upstream marks it lftransfers.
# Ports 30080 and 30002 are written into the suite, so nothing else may listen there. With VOLANT_PLATFORM=elsewhere a
# platform is there already, such as one on Kubernetes, whose tasks run in the image FLYTEKIT_IMAGE.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
repo=${FLYTEKIT_REPO:?set it to a git folder of flyteorg/flytekit}
work=$(mktemp -d)
trap '"$root/.venv/bin/volant" down --data "$work/data" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

mkdir "$work/suite"
git -C "$repo" archive "${FLYTEKIT_REF:-HEAD}" tests/__init__.py tests/flytekit/__init__.py tests/flytekit/integration | tar x -C "$work/suite"
cat "$here/flytekit_remote/slow_workflow_check.py" >>"$work/suite/tests/flytekit/integration/remote/test_remote.py"
cp "$here/flytekit_remote/slow_workflow.py" "$work/suite/tests/flytekit/integration/remote/workflows/basic/"
cat >"$work/config.yaml" <<'C'
admin: {endpoint: "localhost:30080", insecure: true}
storage: {connection: {endpoint: "http://localhost:30002", access-key: minio, secret-key: miniostorage}}
C
export PATH=$root/.venv/bin:$PATH FLYTECTL_CONFIG=$work/config.yaml AWS_DEFAULT_REGION=us-east-1
cd "$work/suite"
if [[ ${VOLANT_PLATFORM:-} != elsewhere ]]; then
  PYTHONPATH=$work/suite:$work/suite/tests/flytekit/integration/remote \
    volant up --sandbox --detach --data "$work/data"
fi
status=0
PYTHONPATH=$work/suite:$here/flytekit_remote python -m pytest -p plugin -o addopts= -o filterwarnings= -p no:cacheprovider \
  --rootdir "$work/suite" -m "not lftransfers" --durations 15 \
  tests/flytekit/integration/remote/test_remote.py "$@" || status=$?
if [[ $status != 0 && -n ${KEEP_LOG:-} ]]; then cp "$work"/data/*.log "$KEEP_LOG" 2>/dev/null || true; fi
exit "$status"
