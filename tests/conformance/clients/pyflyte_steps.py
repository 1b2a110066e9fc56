"""What is asked of pyflyte 1.16: every command and every option of its that reaches a platform.

`show` prints an execution (show_execution.py). The folder holds a copy of flows/command_flows.
"""

from command_runs import Step

_NAME = {"execution": r"executions/([a-zA-Z0-9-]+)"}
_RUN = "pyflyte run -p flytesnacks -d development --remote"
_WAIT = "--wait --poll-interval 1"
_FILE = "command_flows/simple.py"
_SHOW = "show flytesnacks development {execution}"

_OPTIONS = (
    '"labels": {"values": {"team": "clients"}}',
    '"annotations": {"values": {"why": "test"}}',
    '"tags": \\["one", "two"\\]',
    '"key": "A", "value": "b"',
    '"max_parallelism": 3',
    '"k8s_service_account": "demo"',
    '"output_location_prefix": "{raw}"',
    '"overwrite_cache": true',
    '"interruptible": true',
    '"cluster_assignment": {"cluster_pool_name": "pool"}',
    '"execution_cluster_label": {"value": "gpu"}',
)

RUN = [
    Step(f"pyflyte run {_FILE} hello --name Ada --times 2", "hello, Ada hello, Ada", remark="on this machine"),
    Step(f"pyflyte run {_FILE} greet --name Ada", "hello, Ada", remark="on this machine"),
    Step(f"{_RUN} {_FILE} hello --name Ada", "executions/", keeps=_NAME),
    Step(f"{_RUN} {_WAIT} {_FILE} hello --name Ada --times 3", "[Ss]ucceeded|executions/", keeps=_NAME),
    Step(_SHOW, '"phase": "SUCCEEDED"'),
    Step(f"{_RUN} {_WAIT} {_FILE} greet --name Ada", "executions/", keeps=_NAME, remark="a task"),
    Step(_SHOW, '"resource_type": "TASK"'),
    Step(
        f"{_RUN} {_WAIT} {_FILE} plain --name Ada",
        "executions/",
        remark="a launch plan of the file",
    ),
    Step(
        f"{_RUN} {_WAIT} {_FILE} all_kinds --i 1 --f 2.5 --b --at 2024-01-02 --d 1h --xs [1,2] --m '{{\"a\": 1}}'",
        "executions/",
        keeps=_NAME,
    ),
    Step(_SHOW, '"phase": "SUCCEEDED"'),
    Step(
        f"{_RUN} {_WAIT} {_FILE} all_kinds --inputs-file inputs.yaml",
        "executions/",
        keeps=_NAME,
        files={"inputs.yaml": "i: 1\nf: 2.5\nb: true\nat: '2024-01-02'\nd: 1h\nxs: [1, 2]\nm: {a: 1}\n"},
    ),
    Step(_SHOW, '"phase": "SUCCEEDED"'),
    Step(
        f"{_RUN} {_WAIT} {_FILE} reading --file some.txt",
        "executions/",
        keeps=_NAME,
        files={"some.txt": "from here"},
        remark="the file goes up by signed address",
    ),
    Step(_SHOW, '"phase": "SUCCEEDED"'),
    Step(f"{_RUN} {_WAIT} --copy all {_FILE} hello", "executions/", keeps=_NAME),
    Step(_SHOW, '"phase": "SUCCEEDED"'),
    Step(f"{_RUN} {_WAIT} --copy auto --destination-dir . {_FILE} hello", "executions/", keeps=_NAME),
    Step(_SHOW, '"phase": "SUCCEEDED"'),
    Step(f"{_RUN} --copy-all {_FILE} hello", "executions/", remark="the old name of --copy all"),
    Step(
        f"{_RUN} --labels team=clients --annotations why=test --tags one --tags two --envvars A=b --env C=d"
        f" --max-parallelism 3 --service-account demo --raw-output-data-prefix {{raw}} --overwrite-cache"
        f" --interruptible true --name clients-{{unique}} --cluster-pool pool --execution-cluster-label gpu {_FILE} hello",
        "executions/clients-{unique}",
        keeps=_NAME,
    ),
    # All of them in one answer, in any order.
    Step(_SHOW, "".join(f"(?=.*{part})" for part in _OPTIONS), remark="each of them is in the execution's spec"),
    Step(f"{_RUN} --disable-notifications {_FILE} hello", "executions/", keeps=_NAME),
    Step(_SHOW, '"disable_all": true'),
    Step(f"{_RUN} --resource-requests cpu=100m,mem=100Mi --resource-limits cpu=200m {_FILE} hello", "executions/"),
    Step(f"{_RUN} --image localhost/other:1 --service-account demo {_FILE} greet --name image", "executions/"),
    Step(f"{_RUN} --dump-snippet {_FILE} hello", "FlyteRemote|remote"),
    Step(
        f"{_RUN} {_WAIT} {_FILE} failing",
        "did not complete successfully, phase FAILED",
        exit=255,
        keeps={"failed": r"executions/([a-zA-Z0-9-]+)"},
    ),
    Step("show flytesnacks development {failed}", '"phase": "FAILED"'),
    Step(f"{_RUN} {_FILE} no_such_workflow", "no_such_workflow", exit=1),
    Step(f"{_RUN} {_FILE} hello --times many", "many", exit=2),
]

REGISTER = [
    Step("pyflyte register -p flytesnacks -d development --version r1 command_flows", "command_flows.simple.hello"),
    Step(
        "pyflyte register -p flytesnacks -d development --version r2 --dry-run command_flows",
        "command_flows.simple.hello|[Dd]ry",
    ),
    Step(
        "pyflyte register -p flytesnacks -d development --version r3 --copy none command_flows",
        "command_flows.simple.hello",
    ),
    Step(
        "pyflyte register -p flytesnacks -d development --version r4 --copy all --deref-symlinks --output out command_flows",
        "command_flows.simple.hello",
        files={"out/.keep": ""},
    ),
    Step(
        "pyflyte register -p flytesnacks -d development --version r5 --non-fast command_flows",
        "command_flows.simple.hello|deprecated",
    ),
    Step(
        "pyflyte register -p flytesnacks -d development --version r6 --activate-launchplans --service-account demo"
        " --raw-data-prefix {raw} --env A=b --resource-requests cpu=100m --resource-limits mem=1Gi"
        " --image localhost/other:1 --destination-dir . command_flows",
        "command_flows.simple.hello",
    ),
    Step("pyflyte register -p flytesnacks -d development --version r7 --skip-errors command_flows", "simple.hello"),
    Step("pyflyte register -p no-such-project -d development --version r1 command_flows", "no-such-project", exit=1),
]

ENTITIES = [
    Step(
        "pyflyte run -p flytesnacks -d development {wait} remote-launchplan command_flows.simple.plain:r1 --name Bob",
        "executions/",
        keeps=_NAME,
    ),
    Step(_SHOW, '"phase": "SUCCEEDED"'),
    Step(
        "pyflyte run -p flytesnacks -d development {wait} remote-workflow command_flows.simple.hello:r1 --name Bob --times 1",
        "executions/",
        keeps=_NAME,
    ),
    Step(_SHOW, '"phase": "SUCCEEDED"'),
    Step(
        "pyflyte run -p flytesnacks -d development {wait} remote-task command_flows.simple.greet:r1 --name Bob --times 1",
        "executions/",
        keeps=_NAME,
    ),
    Step(_SHOW, '"phase": "SUCCEEDED"'),
    Step("pyflyte run -p flytesnacks -d development --limit 5 remote-launchplan", "command_flows", exit=2),
    Step("pyflyte run -p flytesnacks -d development remote-workflow", "command_flows", exit=2),
    Step("pyflyte run -p flytesnacks -d development remote-task", "command_flows", exit=2),
    Step("pyflyte get launchplan -p flytesnacks -d development", "command_flows.simple.plain"),
    Step("pyflyte get launchplan -p flytesnacks -d development command_flows.simple.plain", "r1"),
    Step("pyflyte get launchplan -p flytesnacks -d development command_flows.simple.plain r1", "r1"),
    Step("pyflyte get launchplan -p flytesnacks -d development --active-only --limit 10", "command_flows.simple"),
    Step(
        "pyflyte launchplan -p flytesnacks -d development --activate command_flows.simple.cron r1", "was set to ACTIVE"
    ),
    Step(
        "pyflyte launchplan -p flytesnacks -d development --deactivate command_flows.simple.cron r1",
        "was set to INACTIVE",
    ),
    Step(
        "pyflyte launchplan -p flytesnacks -d development --activate command_flows.simple.plain",
        "was set to ACTIVE",
        remark="the newest version",
    ),
    Step(
        "pyflyte backfill -p flytesnacks -d development --from-date 2022-12-30 --to-date 2024-01-03 --version b1"
        " --execution-name b{unique} --parallel --overwrite-cache --no-fail-fast command_flows.simple.cron r1",
        "executions/",
        keeps=_NAME,
    ),
    Step(_SHOW, '"phase": "SUCCEEDED"', patience=60),
    Step(
        "pyflyte backfill -p flytesnacks -d development --from-date 2022-12-30 --backfill-window 400d --serial --dry-run command_flows.simple.cron r1",
        remark="says nothing",
    ),
    Step(
        "pyflyte backfill -p flytesnacks -d development --from-date 2022-12-30 --to-date 2024-01-03 --do-not-execute command_flows.simple.cron r1",
        ".",
    ),
    Step(
        "pyflyte execution -p flytesnacks -d development --execution-id {failed} relaunch",
        "[Rr]elaunch|{failed}|execution",
    ),
    Step(
        "pyflyte execution -p flytesnacks -d development --execution-id {failed} recover",
        "[Rr]ecover|{failed}|execution",
    ),
    Step(
        "pyflyte fetch flyte://v1/flytesnacks/development/{execution}/n0/o", "hello", exit=0, remark="outputs of a node"
    ),
    Step("pyflyte fetch --recursive flyte://v1/flytesnacks/development/{execution}/n0/i fetched", "."),
    Step("pyflyte fetch --recursive flyte://v1/flytesnacks/development/{execution}/n0/o fetched-all", "."),
    Step("pyflyte metrics -p flytesnacks -d development dump {execution}", "."),
    Step("pyflyte metrics -p flytesnacks -d development explain {execution}", "."),
    Step("pyflyte info", "Backend Version|Flyte Backend"),
]

LOCAL = [
    Step("pyflyte --pkgs command_flows package --force --output one.tgz --copy none --env A=b", "[Pp]ackag"),
    Step(
        "pyflyte --pkgs command_flows package --force --output two.tgz --copy all --deref-symlinks --in-container-source-path /root",
        "[Pp]ackag",
    ),
    Step(
        "pyflyte --pkgs command_flows package --force --output three.tgz --copy auto --python-interpreter /usr/bin/python3 --source .",
        "[Pp]ackag",
    ),
    Step(
        "pyflyte --pkgs command_flows serialize --image localhost/other:1 --local-source-root . workflows -f serialized",
        "[Ss]erializ",
        files={"serialized/.keep": ""},
    ),
    Step(
        "pyflyte --pkgs command_flows serialize --image localhost/other:1 --local-source-root . fast workflows -f serialized --deref-symlinks",
        "[Ss]erializ",
    ),
    Step("pyflyte build command_flows/simple.py imaged", remark="the image is there: says nothing"),
    Step("pyflyte local-cache clear", remark="says nothing"),
    Step("pyflyte serve --help", "connector"),
    Step("pyflyte -vv info", "Flyte"),
]

STEPS = [*RUN, *REGISTER, *ENTITIES, *LOCAL]

LEFT_OUT = {
    "pyflyte init": "downloads its template from GitHub",
    "pyflyte serve connector": "needs grpcio-health-checking and a plugin; serves connectors, which Volant does not call",
}
