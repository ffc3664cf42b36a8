"""The environment of a container: variables, files, addresses and namespaces."""

import json

from tests.localcluster.node.pods import IMAGE, Pods
from tests.support.waiting import wait_until

ONCE = {"restartPolicy": "Never"}
FETCH_AS_ITSELF = """
import json, os, ssl, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
url = f"https://{host}:{port}/apis/authentication.k8s.io/v1/selfsubjectreviews"
request = urllib.request.Request(url, b'{"kind":"SelfSubjectReview","apiVersion":'
    b'"authentication.k8s.io/v1"}', {"Content-Type": "application/json",
    "Authorization": "Bearer " + open(folder + "token").read()})
trust = ssl.create_default_context(cafile=folder + "ca.crt")
print(json.load(urllib.request.urlopen(request, context=trust))["status"]["userInfo"]["username"])
"""


def test_init_containers_run_in_turn_and_leave_files_behind(pods: Pods) -> None:
    """Each reads the files of the one before, and the container reads all, read-only."""
    mount = {"name": "work", "mountPath": "/work-dir"}
    first = {"name": "first", "command": ["sh", "-c", "echo 1 > /work-dir/a"]}
    second = {"name": "second", "command": ["sh", "-c", "cp /work-dir/a /work-dir/b"]}
    spec = {
        **ONCE,
        "initContainers": [
            {"image": IMAGE, "volumeMounts": [mount], **one} for one in (first, second)
        ],
        "volumes": [{"name": "work", "emptyDir": {}}],
    }
    script = "cat /work-dir/a /work-dir/b; touch /work-dir/c || echo read-only"
    pods.run("p", "sh", "-c", script, spec=spec, volumeMounts=[{**mount, "readOnly": True}])
    assert pods.output("p").splitlines()[:2] == ["1", "1"]
    assert pods.output("p").splitlines()[-1] == "read-only"


def test_variables_and_files_come_from_config_maps_and_secrets(pods: Pods) -> None:
    """Variables, references, volumes and single files have the same data."""
    pods.apply("ConfigMap", "c", data={"greeting": "hello", "conf": "x = 1\n"})
    pods.apply("Secret", "s", stringData={"password": "s3cret"})
    script = "echo $(GREETING) $(PASSWORD) $(POD) $(NODE); cat /etc/app/conf /secret/pw"
    pods.run(
        "p",
        "sh",
        "-c",
        script,
        spec={
            **ONCE,
            "volumes": [
                {"name": "c", "configMap": {"name": "c"}},
                {
                    "name": "s",
                    "secret": {"secretName": "s", "items": [{"key": "password", "path": "pw"}]},
                },
            ],
        },
        env=[
            {
                "name": "GREETING",
                "valueFrom": {"configMapKeyRef": {"name": "c", "key": "greeting"}},
            },
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        volumeMounts=[
            {"name": "c", "mountPath": "/etc/app/conf", "subPath": "conf"},
            {"name": "s", "mountPath": "/secret"},
        ],
    )
    assert pods.output("p") == "hello s3cret p node-1\nx = 1\ns3cret\n"


def test_a_pod_talks_to_the_api_server_as_its_service_account(pods: Pods) -> None:
    """The token, the CA and the address in a container work together."""
    pods.run("p", "python", "-c", FETCH_AS_ITSELF, spec=ONCE)
    assert pods.output("p") == f"system:serviceaccount:{pods.namespace}:default\n"


def test_pods_have_the_same_port_side_by_side(pods: Pods) -> None:
    """Each pod has its own loopback and address, so binding to all does not conflict."""
    probe = {"httpGet": {"port": "http"}, "periodSeconds": 1}
    for name in ("a", "b"):
        pods.run(
            name,
            *("python", "-m", "http.server", "8000"),
            workingDir="/var",
            ports=[{"name": "http", "containerPort": 8000}],
            readinessProbe=probe,
        )
    pods.until_ready("a", "b")
    addresses = {pods.get(name)["status"]["podIP"] for name in ("a", "b")}
    assert len(addresses) == 2
    for address in addresses:
        assert "tmp/" in pods.inside("curl", "-sS", f"http://{address}:8000/")


def test_a_volume_in_memory_has_the_size_it_was_given(pods: Pods) -> None:
    """A volume in memory is limited to its size."""
    pods.run(
        "p",
        *("df", "--output=fstype,size", "-B1M", "/cache"),
        spec={
            **ONCE,
            "volumes": [{"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "32Mi"}}],
        },
        volumeMounts=[{"name": "m", "mountPath": "/cache"}],
    )
    assert pods.output("p").split()[-2:] == ["tmpfs", "32"]


def test_a_read_only_root_is_read_only_but_for_its_volumes(pods: Pods) -> None:
    """Writes to a read-only root fail, those to its volumes do not."""
    pods.run(
        "p",
        *("sh", "-c", "touch /x; touch /run/x; touch /usr/x; touch /data/x && ls /data"),
        spec={**ONCE, "volumes": [{"name": "d", "emptyDir": {}}]},
        securityContext={"readOnlyRootFilesystem": True},
        volumeMounts=[{"name": "d", "mountPath": "/data"}],
    )
    lines = pods.output("p").splitlines()
    assert [line.endswith("Read-only file system") for line in lines] == [True, True, True, False]


def test_a_container_gives_up_its_capabilities(pods: Pods) -> None:
    """With `drop: [ALL]` root has no capabilities, but low ports work."""
    script = "grep -E 'CapEff|NoNewPrivs' /proc/self/status; python -c "
    script += "'import socket; socket.create_server((\"\", 80)); print(80)'"
    pods.run(
        "p",
        *("sh", "-c", script),
        spec=ONCE,
        securityContext={"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    )
    assert pods.output("p").split() == ["CapEff:", "0" * 16, "NoNewPrivs:", "1", "80"]


def test_a_claim_gives_the_files_of_its_volume(pods: Pods) -> None:
    """A claim bound to a hostPath volume keeps the files of two consecutive pods."""
    folder = pods.cluster.directory / "claimed"
    folder.mkdir(exist_ok=True)
    size = {"storage": "1Gi"}
    common = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    pods.apply(
        "PersistentVolume",
        pods.namespace,
        spec={**common, "capacity": size, "hostPath": {"path": str(folder)}},
    )
    claim = {**common, "resources": {"requests": size}, "volumeName": pods.namespace}
    pods.apply("PersistentVolumeClaim", "c", spec=claim)
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    mounts = [{"name": "v", "mountPath": "/models"}]
    for name in ("one", "two"):
        script = f"echo {name} >> /models/log; cat /models/log"
        pods.run(name, "sh", "-c", script, spec={**ONCE, "volumes": volumes}, volumeMounts=mounts)
        pods.output(name)
    assert pods.kubectl("logs", "two") == "one\ntwo\n"


def test_a_pod_on_the_nodes_own_network_has_the_nodes_address(pods: Pods) -> None:
    """With hostNetwork a pod has the bridge's address."""
    pods.run("p", "hostname", "-I", spec={**ONCE, "hostNetwork": True})
    assert pods.output("p").split()[0] == pods.get("p")["status"]["podIP"] == "10.244.0.1"


def test_a_missing_secret_is_waited_for(pods: Pods) -> None:
    """The container waits with the kubelet's message, and starts when the Secret exists."""
    variable = {"name": "V", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}
    pods.run("p", "sh", "-c", "echo $V", spec=ONCE, env=[variable])
    pods.until_waiting("p", "CreateContainerConfigError", 'secret "x" not found')
    pods.apply("Secret", "x", stringData={"k": "came"})
    assert pods.output("p") == "came\n"


def test_files_of_a_secret_are_only_for_whom_its_mode_says(pods: Pods) -> None:
    """The mode of a volume is that of its files, and a container that has no mount has no file."""
    pods.apply("Secret", "s", stringData={"token": "s3cret"})
    secret = {"secretName": "s", "defaultMode": 0o440, "optional": True}
    mount = {"name": "s", "mountPath": "/var/run/secrets/s", "readOnly": True}
    script = "stat --format=%a /var/run/secrets/s/token; ls /var/run/secrets"
    reader = {"name": "reader", "image": IMAGE, "command": ["sh", "-c", script]}
    spec = {
        **ONCE,
        "automountServiceAccountToken": False,
        "initContainers": [{**reader, "volumeMounts": [mount]}],
        "volumes": [{"name": "s", "secret": secret}],
    }
    pods.run("p", "sh", "-c", "ls /var/run/secrets || echo none", spec=spec)
    assert pods.output("p").splitlines()[-1] == "none"
    assert pods.kubectl("logs", "p", "--container=reader") == "440\ns\n"


def test_an_optional_secret_is_found_by_the_next_restart(pods: Pods) -> None:
    """A volume of an optional Secret is empty until a container restarts after its creation."""
    spec = {
        "restartPolicy": "OnFailure",
        "volumes": [{"name": "s", "secret": {"secretName": "s", "optional": True}}],
    }
    mount = {"name": "s", "mountPath": "/s"}
    pods.run("p", "cat", "/s/token", spec=spec, volumeMounts=[mount])
    pods.until_waiting("p", "CrashLoopBackOff")
    pods.apply("Secret", "s", stringData={"token": "came\n"})
    assert pods.output("p") == "came\n"


def test_a_missing_volume_is_waited_for(pods: Pods) -> None:
    """A pod whose volume cannot be set up does not start, and an Event says why."""
    spec = {**ONCE, "volumes": [{"name": "v", "configMap": {"name": "x"}}]}
    pods.run("p", "cat", "/v/k", spec=spec, volumeMounts=[{"name": "v", "mountPath": "/v"}])
    expected = 'MountVolume.SetUp failed for volume "v" : configmap "x" not found'

    def messages() -> list[str]:
        events = json.loads(pods.kubectl("get", "events", "-o", "json"))["items"]
        return [one["message"] for one in events if one["reason"] == "FailedMount"]

    wait_until(messages, lambda said: said == [expected], explain=pods.explain)
    pods.apply("ConfigMap", "x", data={"k": "came"})
    assert pods.output("p") == "came\n"
