"""The operator's own metrics, one constant each, served on `/metrics`."""

from prometheus_client import Counter, Gauge, Histogram

RECONCILE_SECONDS = Histogram(
    "halimede_reconcile_seconds",
    "Duration of one reconcile of a ModelDeployment.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
QUEUE_DEPTH = Gauge(
    "halimede_queue_depth",
    "Number of ModelDeployments that wait for a reconcile, by priority.",
    ["priority"],
)
QUEUE_SECONDS = Gauge(
    "halimede_queue_oldest_seconds",
    "How long the ModelDeployment that has waited longest for a reconcile has waited, by"
    " priority.",
    ["priority"],
)
POLLS = Gauge(
    "halimede_polls", "Number of polls of Prometheus that run or wait for others to end."
)
ERRORS = Counter(
    "halimede_errors_total",
    "Number of reconciles and writes that failed, by kind of error.",
    ["error"],
)
WRITES = Counter(
    "halimede_writes_total",
    "Number of writes sent to the API server, by verb and kind.",
    ["verb", "kind"],
)
ROLLOUTS = Counter(
    "halimede_rollouts_total",
    "Number of rollouts that ended, by outcome.",
    ["namespace", "name", "outcome"],
)
COMMANDS = Counter(
    "halimede_commands_total",
    "Number of commands that were executed, by verb.",
    ["namespace", "name", "verb"],
)
FOREIGN_WRITES = Counter(
    "halimede_foreign_route_writes_total",
    "Number of times that another field manager changed the weights of a route.",
    ["namespace", "name"],
)
ROLLOUT_STATE = Gauge(
    "halimede_rollout_state",
    "1 for the current state of the rollout.",
    ["namespace", "name", "state"],
)
ROLLOUT_WEIGHT = Gauge(
    "halimede_rollout_weight_percent",
    "Desired weight of the new revision in the route, in percent.",
    ["namespace", "name"],
)
READY = Gauge(
    "halimede_model_ready",
    "1 if the ModelDeployment's Ready condition is True.",
    ["namespace", "name"],
)
OUTDATED = Gauge(
    "halimede_model_outdated",
    "1 if this version of the operator renders a revision from the spec that differs from"
    " the target.",
    ["namespace", "name"],
)
MODEL_INFO = Gauge(
    "halimede_model_info",
    "1; the revision that the spec asks for, and the digest of its files if it was determined.",
    ["namespace", "name", "revision", "digest"],
)
LEADER = Gauge("halimede_leader", "1 if this replica of the operator leads, or is the only one.")
LAST_EVENT = Gauge("halimede_last_watch_event_timestamp_seconds", "Time of the last watch event.")
