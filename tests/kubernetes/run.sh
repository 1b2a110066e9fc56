#!/usr/bin/env bash
# Everything that is proven on a real cluster, in one command: images are built and loaded, the chart is installed, its
# tests and the launcher's run, then flytekit's own remote suite and the parity of this mode with the embedded one.
#
#   tests/kubernetes/run.sh [STEP…]       steps: images install deployment launcher suite parity (all); CI: images install
#                                         short, where there is a cluster
#
#   KUBECONFIG              the cluster. Left out, the one of VOLANT_KUBE is started
#   VOLANT_KUBE             a tool with `up`, `env`, `base` and `load FILE` for a cluster on this machine
#                           (../shared/tools/kube/kube where that is there)
#   VOLANT_IMAGE_…          as scripts/build_images.sh has them
#   VOLANT_HELM             helm (PATH's; else made by Go where there is one)
#   VOLANT_NODE_PORTS       ports of this machine for admin and the object store (30080 30002, which flytekit's suite has
#                           written in; with others that step is left out)
#   FLYTEKIT_REPO           a git folder of flyteorg/flytekit, for its suite; left out without it
#   VOLANT_TEST_NODE_LOST   set it to lose the node for two minutes too; VOLANT_TEST_KUBELET_STOP and …_START are commands
#                           that stop and start its kubelet (`kill -STOP PID`, `kill -CONT PID`)
#   VOLANT_NAMESPACE        where the chart is installed (volant-test); removed at the end unless VOLANT_KEEP is set
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
python=$root/.venv/bin/python
work=$(mktemp -d)
namespace=${VOLANT_NAMESPACE:-volant-test}
read -r admin_port s3_port <<<"${VOLANT_NODE_PORTS:-30080 30002}"
export VOLANT_IMAGE_TAG=${VOLANT_IMAGE_TAG:-test}
prefix=${VOLANT_IMAGE_PREFIX:-localhost/volant}
flytekit_image=$prefix-flytekit:$VOLANT_IMAGE_TAG
task_image=$prefix-task:$VOLANT_IMAGE_TAG

say() { printf 'test-kubernetes: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

kube=${VOLANT_KUBE:-}
[[ -n $kube || ! -x ../shared/tools/kube/kube ]] || kube=$(cd ../shared/tools/kube && pwd)/kube

cluster() {
  if [[ -z ${KUBECONFIG:-} ]]; then
    [[ -n $kube ]] || die "no cluster: set KUBECONFIG, or VOLANT_KUBE to a tool that starts one"
    "$kube" up
    eval "$("$kube" env)"
  fi
  kubectl get --raw /readyz >/dev/null || die "the cluster of $KUBECONFIG does not answer"
}

find_helm() {
  helm=${VOLANT_HELM:-$(command -v helm || true)}
  [[ -n $helm ]] && return
  helm=$root/.tools/bin/helm
  [[ -x $helm ]] && return
  scripts/deployment_tools.sh helm
  [[ -x $helm ]] || die "helm is needed: install it, or Go, or name it by VOLANT_HELM"
}

base_image() {  # a base without a registry, from the tool's root file system
  [[ -z ${VOLANT_IMAGE_BASE:-} && -n $kube ]] && command -v buildah >/dev/null || return 0
  export VOLANT_IMAGE_BUILDER=buildah VOLANT_IMAGE_BASE=localhost/python:3.11
  export STORAGE_DRIVER=${STORAGE_DRIVER:-overlay} BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
  export VOLANT_IMAGE_OPTIONS=${VOLANT_IMAGE_OPTIONS:---layers --volume /etc/ssl/certs:/etc/ssl/certs:ro}
  buildah inspect --type image "$VOLANT_IMAGE_BASE" >/dev/null 2>&1 && return
  local files container
  files=$("$kube" base 2>&1 | sed -n 's/.*its root file system, to copy from: //p')
  container=$(buildah from scratch)
  buildah copy -q "$container" "$files" / && buildah config --env PATH=/usr/local/bin:/usr/bin:/bin "$container"
  buildah commit -q "$container" "$VOLANT_IMAGE_BASE" && buildah rm "$container"
}

step_images() {
  [[ -n ${VOLANT_IMAGE_LOAD:-} || -z $kube ]] || export VOLANT_IMAGE_LOAD="$kube load"
  base_image
  scripts/build_images.sh server task postgres
  mkdir -p "$work/image/suite"
  cp requirements/flytekit.txt "$work/image/"
  if [[ -n ${FLYTEKIT_REPO:-} ]]; then
    git -C "$FLYTEKIT_REPO" archive "${FLYTEKIT_REF:-HEAD}" tests/__init__.py tests/flytekit/__init__.py tests/flytekit/integration \
      | tar x -C "$work/image/suite"
    cp tests/conformance/flytekit_remote/slow_workflow.py "$work/image/suite/tests/flytekit/integration/remote/workflows/basic/"
  fi
  VOLANT_IMAGE_FOLDER=$work/image VOLANT_IMAGE_FILE=$here/images/Dockerfile VOLANT_IMAGE_BASE=$task_image \
    scripts/build_images.sh flytekit
}

values() {
  cat <<V
image: {name: $prefix-server, tag: $VOLANT_IMAGE_TAG}
postgres: {enabled: true, image: $prefix-postgres, tag: $VOLANT_IMAGE_TAG}
blobs: {bucket: my-s3-bucket, publicEndpoint: "http://localhost:$s3_port", accessKey: minio, secretKey: miniostorage}
objectStore: {nodePort: $s3_port, storage: {kind: emptyDir}, resources: {requests: {cpu: 50m, memory: 128Mi}}}
admin: {url: "http://localhost:$admin_port", service: {type: NodePort, nodePort: $admin_port}, resources: {requests: {cpu: 50m, memory: 128Mi}}}
datacatalog: {replicas: 2, resources: {requests: {cpu: 20m, memory: 64Mi}}}
engine: {replicas: 2, resources: {requests: {cpu: 50m, memory: 128Mi}}}
settings:
  admin: {dispatch: {lease: 5}}
  # One small node.
  kubernetes:
    {cpu: 400m, memory: 400Mi, default_image: "$task_image", namespace: "$namespace-{project}-{domain}",
     keep_succeeded_seconds: 1800}
V
}

step_install() {
  values >"$work/values.yaml"
  "$helm" lint charts/volant -f "$work/values.yaml"
  "$helm" upgrade --install volant charts/volant --namespace "$namespace" --create-namespace -f "$work/values.yaml" \
    --wait --timeout 8m
}

remove() {
  [[ -z ${VOLANT_KEEP:-} ]] || return 0
  "$helm" uninstall volant --namespace "$namespace" --wait --timeout 2m >/dev/null 2>&1 || true
  kubectl get namespaces -o name | grep -E "^namespace/$namespace(-|$)" | xargs -r kubectl delete --wait=false >/dev/null 2>&1 || true
}

installed() {  # what the tests are told
  export VOLANT_TEST_ENDPOINT=localhost:$admin_port VOLANT_TEST_NAMESPACE=$namespace VOLANT_TEST_HELM=$helm
  export VOLANT_TEST_TASK_IMAGE=$task_image VOLANT_TEST_FLYTEKIT_IMAGE=$flytekit_image
}

step_deployment() { installed; VOLANT_TEST_LONG=1 "$python" -m pytest tests/kubernetes/deployment tests/deployment --timeout 600; }

step_launcher() { VOLANT_TEST_TASK_IMAGE=$task_image "$python" -m pytest tests/kubernetes/launcher --timeout 600; }

step_short() {  # the chart at work, stock flytekit and our SDK on it, a few of the launcher's
  installed
  "$python" -m pytest tests/kubernetes/deployment tests/kubernetes/launcher --timeout 600 \
    -k "pages_and_health or our_sdk or services_killed or secrets or ended_from_outside or share_a_cluster"
}

step_suite() {
  [[ $admin_port == 30080 && $s3_port == 30002 ]] || { say "suite: left out, other ports were asked for"; return 0; }
  [[ -n ${FLYTEKIT_REPO:-} ]] || { say "suite: left out, FLYTEKIT_REPO is not set"; return 0; }
  VOLANT_PLATFORM=elsewhere FLYTEKIT_IMAGE=$flytekit_image tests/conformance/flytekit_remote.sh
}

step_parity() { installed; "$here/parity.sh"; }

(($#)) || set -- images install deployment launcher suite parity
cluster
find_helm
trap 'remove; rm -rf "$work"' EXIT
failed=()
for step in "$@"; do
  began=$SECONDS
  say "== $step"
  if (set -e; "step_$step"); then say "== $step: passed in $((SECONDS - began)) s"; else
    say "== $step: FAILED after $((SECONDS - began)) s"
    failed+=("$step")
    [[ $step != images && $step != install ]] || break
  fi
done
((${#failed[@]} == 0)) || die "failed: ${failed[*]}"
say "all passed in $SECONDS s"
