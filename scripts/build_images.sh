#!/usr/bin/env bash
# Build images from the Dockerfile, of the sources as they are here.
#
#   scripts/build_images.sh [TARGET…]      targets: server, task, postgres (all of them)
#
#   VOLANT_IMAGE_BUILDER   docker, podman or buildah (the first that is found)
#   VOLANT_IMAGE_PREFIX    what names begin with (localhost/volant: localhost/volant-server, …)
#   VOLANT_IMAGE_TAG       the tag (latest)
#   VOLANT_IMAGE_BASE      the image with Python to build from (the Dockerfile's)
#   VOLANT_IMAGE_OPTIONS   more options for the builder, such as `--volume` for a certificate authority of your own
#   VOLANT_IMAGE_FILE      another Dockerfile, and
#   VOLANT_IMAGE_FOLDER    the folder that it copies from (this one); each target is then an image of the whole file
#   VOLANT_IMAGE_LOAD      a command that imports an archive file on a cluster's node (`kind load image-archive`, …); left
#                          out, images stay with the builder, for you to push
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
prefix=${VOLANT_IMAGE_PREFIX:-localhost/volant} tag=${VOLANT_IMAGE_TAG:-latest}
read -ra options <<<"${VOLANT_IMAGE_OPTIONS:-}"
file=${VOLANT_IMAGE_FILE:-} stage=()
read -ra load <<<"${VOLANT_IMAGE_LOAD:-}"

builder=${VOLANT_IMAGE_BUILDER:-}
for found in docker podman buildah; do
  [[ -z $builder ]] && command -v "$found" >/dev/null && { [[ $found != docker ]] || docker info >/dev/null 2>&1; } && builder=$found
done
[[ -n $builder ]] || { echo "build_images: found none of docker, podman, buildah" >&2; exit 1; }
[[ -z ${VOLANT_IMAGE_BASE:-} ]] || options+=(--build-arg "BASE=$VOLANT_IMAGE_BASE")

(($#)) || set -- server task postgres
for target in "$@"; do
  name=$prefix-$target:$tag
  [[ -n $file ]] || stage=(--target "$target")
  "$builder" build "${options[@]}" "${stage[@]}" --tag "$name" --file "${file:-Dockerfile}" "${VOLANT_IMAGE_FOLDER:-.}"
  if ((${#load[@]})); then
    archive=$(mktemp -d)
    case $builder in
      buildah) buildah push "$name" "docker-archive:$archive/image.tar:$name" ;;
      *) "$builder" save --output "$archive/image.tar" "$name" ;;
    esac
    "${load[@]}" "$archive/image.tar"
    rm -rf "$archive"
  fi
  echo "built $name"
done
