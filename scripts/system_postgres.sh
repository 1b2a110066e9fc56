#!/usr/bin/env bash
# Print the folder of the system's PostgreSQL programs, installing them with apt where that is possible.
set -euo pipefail
find_it() { ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null | sort -V | tail -1; }
if [[ -z $(find_it) ]] && command -v apt-get >/dev/null; then
  sudo=()
  [[ $(id -u) == 0 ]] || sudo=(sudo)
  {
    "${sudo[@]}" apt-get update -qq
    # The programs only: no cluster is made, no server started.
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends postgresql-common
    "${sudo[@]}" sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends postgresql
  } >&2
fi
find_it
