"""Start all parts of a cluster, inside its namespaces, and keep them running.

`localcluster.cluster.up` runs it as ``python -m localcluster.supervisor ORDER`` and reads its
messages: one JSON object a line, see `localcluster.cluster_spec`.
"""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from localcluster import control_plane, credentials, kwok, namespace
from localcluster.addons import gateway, prometheus
from localcluster.addresses import API_PORT, CLUSTER_IP, GATEWAY_PORT, PROMETHEUS_PORT
from localcluster.cluster_spec import ClusterSpec, Part, StatusPipe
from localcluster.credentials import Credentials
from localcluster.node.network import create_bridge
from localcluster.processes import Command, Processes, StartError, nothing_missing
from localcluster.startup_context import StartupContext
from localcluster.waiting import GaveUpError, Missing

logger = logging.getLogger(__name__)

INSIDE = {"api": API_PORT, "gateway": GATEWAY_PORT, "prometheus": PROMETHEUS_PORT}
"""The ports that the forwarder connects to, by the name of the listening socket."""


def main(order: ClusterSpec) -> None:
    """Make the namespaces, start process 1 in them, report its id, and end."""
    teller = StatusPipe(order.teller)
    memory = order.directory / "memory"
    try:
        memory.mkdir()
        namespace.isolate(memory)
    except (namespace.NamespaceError, OSError) as error:
        teller.failed(str(error))
        return
    first = os.fork()
    if first == 0:
        try:
            namespace.show_own_processes()
        except namespace.NamespaceError as error:
            teller.failed(str(error))
            os._exit(1)
        namespace.become_first_process(order.lifeline, lambda: _supervise(order, teller))
    teller.born(first)


def _supervise(order: ClusterSpec, teller: StatusPipe) -> None:
    logging.basicConfig(
        filename=order.directory / "logs" / "supervisor.log",
        format="%(asctime)s %(levelname)s %(message)s",
        level=logging.INFO,
    )
    try:
        _start(order, teller)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip() if error.stderr else f"status {error.returncode}"
        teller.failed(f"{' '.join(map(str, error.cmd))}: {reason}")
        return
    except (StartError, GaveUpError, OSError) as error:
        teller.failed(str(error))
        return
    except Exception as error:
        logger.exception("the cluster did not start")
        teller.failed(repr(error))
        return
    teller.ready()
    threading.Event().wait()


def _start(order: ClusterSpec, teller: StatusPipe) -> None:
    # No proxy can be reached from here, and requests to addresses inside would go to it.
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[variable]
    teller.doing("the network")
    create_bridge()
    teller.doing("the certificates")
    made = credentials.create(_made(order.directory / "credentials"), order.binaries)
    stage = StartupContext(
        name=order.name,
        directory=order.directory,
        kubeconfig=made.write_kubeconfig(credentials.SUPERVISOR),
        binaries=order.binaries,
        processes=Processes(order.directory / "logs"),
    )
    credentials.write_secret(
        order.directory / "kubeconfig",
        made.kubeconfig(
            credentials.ADMIN,
            server=f"https://127.0.0.1:{order.ports['api']}",
            name=f"halimede-{order.name}",
        ),
    )
    stage.processes.start(_forwarder(order))
    teller.doing("etcd and the API server")
    control_plane.start(stage, made, order.directory / "memory", order.api_server)
    _side_by_side(_beside(order, stage, made), teller)


def _beside(
    order: ClusterSpec, stage: StartupContext, made: Credentials
) -> dict[str, Callable[[], None]]:
    """Return the parts that start concurrently once the API server answers, by name."""
    real_node = Part.NODE in order.parts
    work: dict[str, Callable[[], None]] = {
        "controllers": lambda: control_plane.start_controllers(stage, made, metrics=real_node),
        "scheduler": lambda: control_plane.start_scheduler(stage, made),
    }
    if real_node:
        work["node"] = lambda: _start_node(stage, made)
    if Part.PROMETHEUS in order.parts:
        work["Prometheus"] = lambda: prometheus.start(stage)
    if Part.GATEWAY in order.parts:
        work["gateway"] = lambda: gateway.start(stage)
    if order.kwok_nodes:
        work["kwok"] = lambda: kwok.start(stage, order.kwok_nodes, tainted=real_node)
    return work


def _side_by_side(work: dict[str, Callable[[], None]], teller: StatusPipe) -> None:
    # Not in a `with`, which would wait for the other parts if one fails.
    pool = ThreadPoolExecutor(max_workers=len(work))
    running = {pool.submit(start): name for name, start in work.items()}
    missing = set(work)
    teller.doing(", ".join(sorted(missing)))
    for done in as_completed(running):
        done.result()
        missing.remove(running[done])
        teller.doing(", ".join(sorted(missing)) or "nothing more")


def _start_node(stage: StartupContext, made: Credentials) -> None:
    arguments: list[str | Path] = [
        sys.executable,
        "-m",
        "localcluster.node",
        f"--kubeconfig={made.write_kubeconfig(credentials.NODE)}",
        "--name=node-1",
        f"--directory={stage.folder('node')}",
        # The API server reads logs over TLS and trusts any certificate: its own is at hand.
        f"--tls-cert-file={made.certificate}",
        f"--tls-private-key-file={made.key}",
    ]
    stage.processes.start(Command("node", arguments, _unready(stage, "node/node-1"), patience=120))


def _unready(stage: StartupContext, node: str) -> Missing:
    def probe() -> str:
        try:
            live = json.loads(stage.kubectl("get", node, "--output=json"))
        except subprocess.CalledProcessError as error:
            return str(error.stderr).strip() or f"status {error.returncode}"
        conditions = live["status"].get("conditions", [])
        ready = next((condition for condition in conditions if condition["type"] == "Ready"), None)
        if ready is None:
            return f"{node} has no condition Ready"
        return "" if ready["status"] == "True" else f"{node} is not Ready: {ready.get('message')}"

    return probe


def _forwarder(order: ClusterSpec) -> Command:
    routes = [(order.sockets[name], CLUSTER_IP, port) for name, port in INSIDE.items()]
    return Command(
        "forwarder",
        [sys.executable, "-m", "localcluster.forwarder", json.dumps(routes)],
        nothing_missing,
        descriptors=tuple(order.sockets.values()),
    )


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder


if __name__ == "__main__":
    main(ClusterSpec.from_json(sys.argv[1]))
