#!/usr/bin/env bash
# A PostgreSQL for trials, in a container: a data folder is made when it is not there, then the server is run.
#
#   POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB   who may connect, and the database that is made
#   PGDATA                                          the data folder (./data)
#   POSTGRES_PORT                                   where it listens (5432)
# For anything that must not be lost take a PostgreSQL that somebody backs up.
set -euo pipefail
: "${POSTGRES_USER:=volant}" "${POSTGRES_PASSWORD:?set it}" "${POSTGRES_DB:=volant}" "${PGDATA:=$PWD/data}"
: "${POSTGRES_PORT:=5432}"
export PGDATA
sockets=$(mktemp -d)
if [[ ! -s $PGDATA/PG_VERSION ]]; then
  mkdir -p -m 0700 "$PGDATA"
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --auth-host=scram-sha-256 \
    --auth-local=trust --encoding=UTF8 --locale=C >/dev/null
  printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
  if [[ $POSTGRES_DB != postgres ]]; then
    printf 'CREATE DATABASE "%s";\n' "$POSTGRES_DB" | postgres --single postgres >/dev/null
  fi
fi
exec postgres -c "listen_addresses=${POSTGRES_LISTEN:-*}" -c "port=$POSTGRES_PORT" -c "unix_socket_directories=$sockets"
