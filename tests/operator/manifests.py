"""Parts of a spec that the API server stores in another form than they were applied in."""

from halimede.api.base import Manifest

CPUS = {"containerName": "triton", "resource": "limits.cpu"}
TEMPLATE: Manifest = {
    "metadata": {"annotations": {"note": ""}, "labels": {"team": "vision"}},
    "spec": {
        "hostNetwork": False,
        "hostPID": False,
        "shareProcessNamespace": False,
        "nodeSelector": {},
        "tolerations": [],
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
        "containers": [
            {
                "name": "triton",
                "tty": False,
                "stdin": False,
                "workingDir": "",
                "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
                "env": [
                    {"name": "EMPTY", "value": ""},
                    {"name": "CPUS", "valueFrom": {"resourceFieldRef": {**CPUS, "divisor": 1}}},
                    {"name": "NO", "valueFrom": {"resourceFieldRef": {**CPUS, "divisor": "0"}}},
                    {
                        "name": "MILLIS",
                        "valueFrom": {"resourceFieldRef": {**CPUS, "divisor": "0.001"}},
                    },
                ],
                "ports": [{"containerPort": 9000, "hostPort": 0}],
                "lifecycle": {"preStop": {"exec": {"command": ["true"]}}},
                "startupProbe": {"tcpSocket": {"port": 8000}},
                "readinessProbe": {"initialDelaySeconds": 0, "successThreshold": 0},
                "livenessProbe": {"timeoutSeconds": 0, "terminationGracePeriodSeconds": 1},
                "volumeMounts": [{"name": "more", "mountPath": "/more", "readOnly": False}],
            }
        ],
        "volumes": [
            {"name": "more", "emptyDir": {"sizeLimit": "1024Mi", "medium": ""}},
        ],
    },
}
"""Values that the API server drops as defaults or rewrites in its own form."""
METRICS = [
    {
        "type": "External",
        "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "0.5"}},
    },
    {
        "type": "Pods",
        "pods": {
            "metric": {"name": "busy"},
            "target": {"type": "AverageValue", "averageValue": "1e3"},
        },
    },
]
