"""What is asked of flytectl: all its get, create, update, delete and register commands, and those that need no server.

The same steps can be run against a Flyte (`commands.py --flyte`). `{project}` is one that the steps make themselves.
"""

from command_runs import Step


def _attributes(kind: str, body: str, shows: str) -> list[Step]:
    """Set, read, write again and delete one kind of matchable attributes: for a workflow and for a project's domain."""
    file, got = f"{kind}.yaml", f"{kind}-got.yaml"
    where = "domain: development\nproject: {project}\n"
    workflow = "command_flows.simple.hello"
    of_domain, of_workflow = "-p {project} -d development", f"-p {{project}} -d development {workflow}"
    text = where + f"workflow: {workflow}\n" + body
    return [
        Step(f"flytectl get {kind} {of_domain}", "attribute|Attribute", exit=1, remark="none set"),
        Step(f"flytectl update {kind} --attrFile {file} --force", "Updated attributes", files={file: text}),
        Step(f"flytectl get {kind} {of_workflow}", shows),
        Step(f"flytectl update {kind} --attrFile {file} --force", "Updated attributes", files={file: where + body}),
        Step(f"flytectl get {kind} {of_domain}", shows),
        Step(f"flytectl get {kind} {of_domain} --attrFile {got}", "wrote the config"),
        Step(f"flytectl update {kind} --attrFile {got} --force", "No changes detected|Updated attributes"),
        Step(f"flytectl delete {kind} {of_workflow}", "Deleted matchable resource"),
        Step(f"flytectl delete {kind} {of_domain} --dryRun"),
        Step(f"flytectl delete {kind} --attrFile {file}", "Deleted matchable resource", files={file: where}),
        Step(f"flytectl get {kind} {of_domain}", "attribute|Attribute", exit=1),
    ]


PROJECTS = [
    Step("flytectl version", '"App": "controlPlane"|"controlPlane"'),
    Step(
        "flytectl create project --id {project} --name {project} --description 'for clients' --labels team=clients",
        "created successfully",
    ),
    Step("flytectl create project --id {project} --name {project}", "already exists|AlreadyExists", exit=1),
    Step(
        "flytectl create project --file project.yaml --dryRun",
        "created successfully",
        files={"project.yaml": "id: other\nname: other\ndescription: d\nlabels:\n  values:\n    a: b\n"},
    ),
    Step("flytectl get project", "{project}"),
    Step("flytectl get project {project} -o json", '"id": "{project}"'),
    Step("flytectl get project --filter.limit 1 --filter.sortBy name --filter.asc -o yaml", "id: "),
    Step("flytectl get project --filter.fieldSelector identifier={project}", "{project}"),
    Step("flytectl get project no-such-project", "", remark="says nothing"),
    Step("flytectl update project -p {project} --description 'another text' --labels team=other --force", "updated"),
    Step(
        "flytectl update project --file project.yaml --force",
        "updated",
        files={"project.yaml": "id: {project}\nname: {project}\ndescription: from a file\n"},
    ),
    Step("flytectl get project {project} -o yaml", "from a file"),
    Step("flytectl update project -p {project} --archive --force", "updated"),
    Step("flytectl get project -o json", ""),
    Step("flytectl update project -p {project} --activate --force", "updated"),
]

REGISTER = [
    Step(
        "flytectl register files --archive package.tgz -p {project} -d development --version v1 --enableSchedule",
        "Successfully registered file",
        remark="a package of `pyflyte package --copy all`; the code goes up by signed address",
    ),
    Step(
        "flytectl register files --archive package.tgz -p {project} -d development --version v1",
        "AlreadyExists",
        remark="the same again",
    ),
    Step(
        "flytectl register files --archive package.tgz -p {project} -d development --version v1 --dryRun",
        "Successfully registered file",
    ),
    Step(
        "flytectl register files --archive package.tgz -p {project} -d development --version v2 --k8sServiceAccount demo"
        " --outputLocationPrefix {output_prefix} --destinationDirectory . --continueOnError --force",
        "Successfully registered file",
    ),
    Step("flytectl register files one.pb -p {project} -d development --version v3", "Successfully registered file"),
    Step("flytectl compile --file plain.tgz", "compiled|[Ss]uccessfully"),
]

READ = [
    Step("flytectl get task -p {project} -d development", "command_flows.simple.greet"),
    Step("flytectl get task -p {project} -d development command_flows.simple.greet", "v1"),
    Step("flytectl get task -p {project} -d development command_flows.simple.greet --latest -o yaml", "version: v"),
    Step("flytectl get task -p {project} -d development command_flows.simple.greet --version v1 -o json", '"v1"'),
    Step(
        "flytectl get task -p {project} -d development command_flows.simple.greet --version v1 --execFile task.yaml", ""
    ),
    Step("flytectl get task -p {project} -d development no.such.task --version v1", "NotFound|not found", exit=1),
    Step(
        "flytectl get task -p {project} -d development command_flows.simple.greet --filter.limit 1 --filter.sortBy"
        " created_at --filter.asc",
        "v1",
    ),
    Step("flytectl get workflow -p {project} -d development", "command_flows.simple.hello"),
    Step("flytectl get workflow -p {project} -d development command_flows.simple.hello", "v1"),
    Step(
        "flytectl get workflow -p {project} -d development command_flows.simple.hello --latest -o json", "command_flows"
    ),
    Step(
        "flytectl get workflow -p {project} -d development command_flows.simple.hello --version v1 -o yaml",
        "version: v1",
    ),
    Step("flytectl get workflow -p {project} -d development command_flows.simple.hello --version v1 -o dot", "digraph"),
    Step("flytectl get launchplan -p {project} -d development", "command_flows.simple.cron"),
    Step("flytectl get launchplan -p {project} -d development command_flows.simple.plain", "v1"),
    Step("flytectl get launchplan -p {project} -d development command_flows.simple.plain --latest -o yaml", "plain"),
    Step("flytectl get launchplan -p {project} -d development command_flows.simple.plain --version v1 -o json", "v1"),
    Step("flytectl get launchplan -p {project} -d development --workflow command_flows.simple.hello", "plain"),
    Step(
        "flytectl get launchplan -p {project} -d development command_flows.simple.plain --version v1 --execFile plan.yaml",
        "",
    ),
]

EXECUTE = [
    Step(
        "flytectl create execution -p {project} -d development --execFile plan.yaml",
        "execution identifier",
        keeps={"execution": r'name:"([a-z0-9]+)"'},
    ),
    Step("flytectl get execution -p {project} -d development {execution}", "SUCCEEDED", patience=90),
    Step("flytectl get execution -p {project} -d development {execution} -o json", '"SUCCEEDED"'),
    Step("flytectl get execution -p {project} -d development {execution} -o yaml", "phase: SUCCEEDED"),
    Step("flytectl get execution -p {project} -d development {execution} --details", "SUCCEEDED"),
    Step("flytectl get execution -p {project} -d development {execution} --details -o yaml", "n0"),
    Step("flytectl get execution -p {project} -d development {execution} --details --nodeID n0 -o json", "n0"),
    Step("flytectl get execution -p {project} -d development", "{execution}"),
    Step(
        "flytectl get execution -p {project} -d development --filter.fieldSelector=execution.phase=SUCCEEDED"
        " --filter.sortBy execution_created_at --filter.limit 5",
        "",
    ),
    Step(
        "flytectl get execution -p {project} -d development"
        " --filter.fieldSelector='workflow.name=command_flows.simple.hello' --filter.asc",
        "{execution}",
    ),
    Step(
        "flytectl create execution -p {project} -d development --execFile task.yaml --overwriteCache",
        "execution identifier",
        keeps={"of_task": r'name:"([a-z0-9]+)"'},
        files={
            "task.yaml": "iamRoleARN: ''\ninputs:\n  name: ctl\n  times: 2\nkubeServiceAcct: ''\nenvs:\n  A: b\n"
            "targetDomain: ''\ntargetProject: ''\ntask: command_flows.simple.greet\nversion: v1\n"
        },
    ),
    Step("flytectl get execution -p {project} -d development {of_task}", "SUCCEEDED", patience=90),
    Step(
        "flytectl create execution -p {project} -d development --execFile plan.yaml --targetProject {project}"
        " --targetDomain staging --clusterPool pool --kubeServiceAcct demo --dryRun",
        "",
    ),
    Step(
        "flytectl create execution -p {project} -d development --execFile wrong.yaml",
        "",
        exit=1,
        files={"wrong.yaml": "inputs:\n  nobody: 1\nworkflow: command_flows.simple.plain\nversion: v1\n"},
    ),
    Step(
        "flytectl create execution --relaunch {execution} -p {project} -d development",
        "execution identifier",
        keeps={"again": r'name:"([a-z0-9]+)"'},
    ),
    Step("flytectl get execution -p {project} -d development {again}", "SUCCEEDED", patience=90),
    Step(
        "flytectl create execution -p {project} -d development --execFile failing.yaml",
        "execution identifier",
        keeps={"failed": r'name:"([a-z0-9]+)"'},
        files={"failing.yaml": "inputs:\n  x: 1\nworkflow: command_flows.simple.failing\nversion: v1\n"},
    ),
    Step("flytectl get execution -p {project} -d development {failed}", "FAILED", patience=120),
    Step("flytectl create execution --recover {failed} -p {project} -d development", "execution identifier"),
    Step(
        "flytectl create execution -p {project} -d development --execFile nap.yaml",
        "execution identifier",
        keeps={"napping": r'name:"([a-z0-9]+)"'},
        files={"nap.yaml": "inputs:\n  seconds: 300\nworkflow: command_flows.simple.napping\nversion: v1\n"},
    ),
    Step("flytectl delete execution {napping} -p {project} -d development --dryRun", ""),
    Step("flytectl delete execution {napping} -p {project} -d development", ""),
    Step("flytectl get execution -p {project} -d development {napping}", "ABORTED", patience=60),
    Step("flytectl delete execution no-such-execution -p {project} -d development", "NotFound|missing", exit=1),
    Step("flytectl update execution {execution} -p {project} -d development --archive --force", "updated"),
    Step("flytectl update execution {execution} -p {project} -d development --activate --force", "updated"),
    Step("flytectl update execution {execution} -p {project} -d development --archive --dryRun", "skipping|dry"),
]

UPDATE = [
    Step(
        "flytectl update launchplan command_flows.simple.plain -p {project} -d development --version v1 --activate --force",
        "No changes detected",
        remark="it is since `--enableSchedule`",
    ),
    Step(
        "flytectl update launchplan command_flows.simple.plain -p {project} -d development --version v1 --deactivate --force",
        "updated|deactivated",
    ),
    Step(
        "flytectl update launchplan command_flows.simple.plain -p {project} -d development --version v1 --activate --force",
        "updated launch plan successfully",
    ),
    Step(
        "flytectl update launchplan command_flows.simple.plain -p {project} -d development --version v9 --activate --force",
        "NotFound|not found",
        exit=1,
    ),
    Step(
        "flytectl update task-meta command_flows.simple.greet -p {project} -d development --description 'greets' --force",
        "updated",
    ),
    Step(
        "flytectl update task-meta command_flows.simple.greet -p {project} -d development --archive --force",
        "updated",
        remark="changes nothing: only workflows can be archived",
    ),
    Step(
        "flytectl update workflow-meta command_flows.simple.hello -p {project} -d development --description 'says hello' --force",
        "updated",
    ),
    Step(
        "flytectl update workflow-meta command_flows.simple.failing -p {project} -d development --archive --force",
        "updated",
    ),
    Step("flytectl get workflow -p {project} -d development", "command_flows"),
    Step(
        "flytectl update workflow-meta command_flows.simple.failing -p {project} -d development --activate --force",
        "updated",
    ),
    Step(
        "flytectl update launchplan-meta command_flows.simple.plain -p {project} -d development --description 'a plan' --force",
        "updated",
    ),
    Step(
        "flytectl update launchplan-meta command_flows.simple.plain -p {project} -d development --archive --force",
        "updated",
        remark="changes nothing: only workflows can be archived",
    ),
]

ATTRIBUTES = [
    *_attributes(
        "task-resource-attribute",
        'defaults:\n  cpu: "1"\n  memory: 150Mi\nlimits:\n  cpu: "2"\n  memory: 450Mi\n',
        "450Mi",
    ),
    *_attributes("cluster-resource-attribute", "attributes:\n  foo: bar\n  buzz: lightyear\n", "lightyear"),
    *_attributes("execution-queue-attribute", "tags:\n  - foo\n  - bar\n", "foo"),
    *_attributes("execution-cluster-label", "value: foo\n", "foo"),
    *_attributes(
        "plugin-override",
        "overrides:\n  - task_type: python_task\n    plugin_id:\n      - one\n    missing_plugin_behavior: 1\n",
        "python_task",
    ),
    *_attributes(
        "workflow-execution-config",
        "max_parallelism: 5\nsecurity_context:\n  run_as:\n    k8s_service_account: demo\n",
        "k8s_service_account|demo",
    ),
    Step("flytectl get task-resource-attribute -p {project}", "", exit=1, remark="for a whole project: none set"),
]

LOCAL = [
    Step("flytectl config validate", "Validated|successful|[Cc]onfig"),
    Step("flytectl config discover", "yaml|No config|Couldn't|discover", exit=0),
    Step("flytectl config init --host {endpoint} --insecure --force", "", stdin="yes\n"),
    Step("flytectl completion bash", "flytectl"),
]

STEPS = [*LOCAL, *PROJECTS, *REGISTER, *READ, *EXECUTE, *UPDATE, *ATTRIBUTES]

LEFT_OUT = {
    "flytectl demo, sandbox": "start containers with Docker",
    "flytectl register examples": "downloads flytesnacks from GitHub",
    "flytectl upgrade": "downloads flytectl from GitHub",
    "flytectl get workflow -o doturl": "opens a browser",
}
