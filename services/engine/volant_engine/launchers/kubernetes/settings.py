"""What the Kubernetes launcher needs to be told. Imports nothing of Kubernetes, so that every server can have it."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

Operator = Literal["spark", "ray", "dask", "pytorch", "tensorflow", "mpi"]


@dataclasses.dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """Where and how attempts run on a cluster. Amounts are Kubernetes quantities, such as 500m or 1Gi."""

    # The cluster

    kubeconfig: pathlib.Path | None = None
    """How to reach the cluster; None: from within it, by the pod's own service account."""
    context: str = ""
    """The kubeconfig's context; its current one if empty."""
    installation: str = "volant"
    """A label of every pod: engines of one installation share pods, those of others never touch them."""
    namespace: str = "{project}-{domain}"
    """Where the pods of a project and domain run. One name for all of them is fine, and needs rights there only."""
    create_namespaces: bool = True
    """Whether a namespace that is missing is made."""
    own_namespace: str = ""
    """Where pod templates are looked up that the pods' own namespace has not."""
    call_seconds: float = 30.0
    """Deadline of one call to the API server, in seconds."""
    watch_seconds: float = 290.0
    """How long one watch is asked to last, in seconds; then it is resumed where it was."""
    quiet_seconds: float = 120.0
    """A watch without any word for so long is taken for dead, in seconds (the API server speaks once a minute)."""

    # How fast

    pods: int = 0
    """Pods at once that this engine starts; 0 for no bound. Those that wait for other executions (eager) count none."""
    create_rate: float = 200.0
    """Pods made per second, in the long run."""
    create_burst: int = 200
    """Pods made at once after a pause."""
    creates: int = 32
    """Calls at once that make pods."""
    quota_seconds: tuple[float, float] = (2.0, 20.0)
    """The first and the longest pause, in seconds, before a pod is tried again that was over a quota."""
    retry_seconds: tuple[float, float] = (0.1, 5.0)
    """The first and the longest pause, in seconds, before a call is tried again when the API server is away."""
    account_seconds: float = 30.0
    """How long the service account of a new namespace may take to appear, in seconds."""

    # What pods have

    default_image: str = ""
    """The image of tasks that name none."""
    image_pull_policy: str = ""
    """Of task containers that say nothing; Kubernetes' own rule if empty."""
    image_pull_secrets: tuple[str, ...] = ()
    """Names of secrets in the pods' namespace."""
    service_account: str = ""
    """Of pods whose task and execution name none; the namespace's default if empty."""
    iam_role_annotation: str = ""
    """The annotation that carries an execution's IAM role; none if empty."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """Variables of every container, over the platform's addresses and keys; a task's own win."""
    environment_secrets: tuple[str, ...] = ()
    """Secrets in the pods' namespace whose keys are variables of every container, where they exist."""
    environment_config_maps: tuple[str, ...] = ()
    """Config maps in the pods' namespace, likewise."""
    give_keys: bool = True
    """Whether pods get the object store's keys as variables. Not needed where they come from a secret or a role."""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of every pod; a task's and an execution's own win."""
    annotations: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    )
    """Likewise."""
    pod: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """A pod spec that every pod stands on: node selector, tolerations, affinity, security context, DNS, scheduler… The
    task's own values win, lists are joined; containers `default` and `primary` in it stand for all and the main one."""
    interruptible_pod: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The same over it, for attempts that may be taken down."""
    uninterruptible_pod: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The same over it, for all others."""
    resource_tolerations: Mapping[str, tuple[Mapping[str, Any], ...]] = dataclasses.field(default_factory=dict)
    """Tolerations of pods that ask for a resource, by its name, such as nvidia.com/gpu."""
    pod_template: str = ""
    """Name of the PodTemplate for tasks that name none; used where it exists."""
    pod_template_seconds: float = 5.0
    """How old a PodTemplate read before may be, in seconds."""
    node_grace_seconds: int | None = None
    """How long a pod stays on a node that does not answer, in seconds; the cluster's own rule (300) if None."""
    operators: tuple[Operator, ...] = ()
    """Task types that operators of the cluster run as custom resources; tasks of the others of them are refused."""
    spark_conf: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Spark's configuration for all Spark tasks, such as the event log's place; a task's own wins."""
    spark_features: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    """Further ones, by name, that a task asks for by `spark.flyteorg.<name>.enabled` = true in its own."""

    # Tasks whose inputs and outputs are files (data_config)

    copilot_image: str = ""
    """The image with Volant's SDK that brings and takes the files; such tasks are refused if empty."""
    copilot_resources: Mapping[str, Mapping[str, str]] = dataclasses.field(
        default_factory=lambda: {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        }
    )
    """Of each of its two containers, as Kubernetes writes them."""
    copilot_security_context: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Of each of them, such as {runAsUser: 0} where task images write files that no other user may read."""
    copilot_seconds: int = 3600
    """How long storing an attempt's outputs may take, in seconds: the pod's grace."""

    # Resources

    cpu: str = "1000m"
    """Asked for where a task says nothing."""
    memory: str = "1024Mi"
    """Likewise."""
    limits: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The most that a container gets, by cpu, memory, ephemeral-storage and gpu; more is cut to it."""
    gpu_resource: str = "nvidia.com/gpu"
    """What Kubernetes calls the resource `gpu`."""
    gpu_device_label: str = "k8s.amazonaws.com/accelerator"
    """The label, and taint, of nodes with a GPU device."""
    gpu_partition_label: str = "k8s.amazonaws.com/gpu-partition-size"
    """The label, and taint, of nodes with partitions of a GPU."""
    oom_factor: float = 0.0
    """By how much an attempt's memory grows after one that ran out of it; 0: not at all."""
    oom_most: str = ""
    """The most that it grows to; no bound but `limits` if empty."""

    # Patience

    pending_seconds: float = 0.0
    """How long a pod may wait to be placed or started before it is given up, in seconds; 0 for ever."""
    image_seconds: float = 180.0
    """How long an image may fail to be pulled, in seconds."""
    create_error_seconds: float = 180.0
    """How long a container may fail to be made, in seconds."""
    config_error_seconds: float = 0.0
    """How long what a container refers to (a secret, a config map) may be missing, in seconds."""
    gone_seconds: float = 60.0
    """How long a pod whose end is due (its node may be lost) is waited for, in seconds."""

    # Warm workers

    warm_pods: int = 0
    """Worker pods that a pool grows to, for each engine; 0: none, each task has a pod of its own."""
    warm_images: tuple[str, ...] = ()
    """Images whose tasks run in workers, with * and ?; all if empty."""
    warm_idle_seconds: float = 300.0
    """How long a worker without work, or without an engine, stays, in seconds."""
    warm_port: int = 7070
    """The port that workers listen on."""
    warm_archive_limit: int = 64 << 20
    """Bytes of a code archive with which tasks still run in workers."""

    # Afterwards

    stop_seconds: int | None = None
    """Between asking an attempt to end and killing it, in seconds; the pod's own grace (30) if None."""
    keep_succeeded_seconds: float = 60.0
    """How long a pod is kept whose success is recorded, in seconds; below 0 for ever."""
    keep_failed_seconds: float = 3600.0
    """The same after a failure, to look into it."""
    orphan_seconds: float = 86400.0
    """The age, in seconds, at which an ended pod that no engine has taken up is removed; below 0 never."""
    log_after_seconds: float = 2.0
    """A pod that runs for so long has its log followed live, in seconds; those before are kept at their end."""
    log_flush_seconds: float = 5.0
    """Seconds between copies of a running pod's log into the object store."""
    log_limit: int = 2 << 20
    """Bytes of a log that are stored; of a longer one the first and last half."""
    log_streams: int = 200
    """Logs followed live at once."""
    log_address: str = ""
    """What a log's link starts with, before `<bucket>/<key>`; empty: the log's URI in the object store."""
