"""A real Triton in a pod of the process node: the wheel's server, an ONNX model, every port."""

import base64
import sys
from pathlib import Path

import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from localcluster import triton
from localcluster.node.downward_api import Json
from localcluster.node.filesystem import HOME
from tests.localcluster.node.pods import IMAGE, Pods

MODEL = """
from pathlib import Path

import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        path = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        x = pb_utils.get_input_tensor_by_name(request, "X").as_numpy()
        labels = self.session.run(["label"], {"X": x})[0]
        return pb_utils.InferenceResponse([pb_utils.Tensor("label", labels.reshape(-1, 1))])
"""
CONFIG = """
backend: "python"
max_batch_size: 8
input [{ name: "X" data_type: TYPE_FP32 dims: [2] }]
output [{ name: "label" data_type: TYPE_INT64 dims: [1] }]
"""
ASK = """
import sys, urllib.request
import numpy as np
from tritonclient import grpc, http
address = sys.argv[1]
x = np.array([[0, 0], [5, 5]], dtype=np.float32)
for protocol, port in ((http, 8000), (grpc, 8001)):
    given = protocol.InferInput("X", x.shape, "FP32")
    given.set_data_from_numpy(x)
    client = protocol.InferenceServerClient(f"{address}:{port}")
    print(client.infer("sides", [given]).as_numpy("label").ravel().tolist())
for line in urllib.request.urlopen(f"http://{address}:8002/metrics").read().decode().splitlines():
    if line.startswith("nv_inference_request_success"):
        print(line)
"""


@pytest.fixture(scope="module")
def onnx() -> bytes:
    """Return a classifier as ONNX: which side of the line from (0, 5) to (5, 0) a point is on."""
    points = np.array([[0, 0], [1, 1], [4, 4], [5, 5]], dtype=np.float32)
    trained = LogisticRegression().fit(points, [0, 0, 1, 1])
    written: bytes = to_onnx(trained, points[:1], options={"zipmap": False}).SerializeToString()
    return written


def spec() -> Json:
    """Return a Triton pod with the same restrictions as Halimede's."""
    fill = "mkdir -p /models/sides/1 && cd /given && "
    fill += "cp model.py model.onnx /models/sides/1 && cp config.pbtxt /models/sides"
    probe = {"httpGet": {"path": "/v2/models/sides/ready", "port": "http"}, "periodSeconds": 1}
    ports = {"http": 8000, "grpc": 8001, "metrics": 8002}
    return {
        "initContainers": [
            {
                "name": "fetch",
                "image": IMAGE,
                "command": ["sh", "-c", fill],
                "volumeMounts": [
                    {"name": "models", "mountPath": "/models"},
                    {"name": "given", "mountPath": "/given"},
                ],
            }
        ],
        "containers": [
            {
                "name": "triton",
                "image": f"nvcr.io/nvidia/tritonserver:{triton.VERSION}-py3",
                "command": ["tritonserver"],
                "args": ["--model-repository=/models", "--exit-timeout-secs=5"],
                "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "startupProbe": {**probe, "failureThreshold": 60},
                "readinessProbe": probe,
                "volumeMounts": [
                    {"name": "models", "mountPath": "/models", "readOnly": True},
                    {"name": "scratch", "mountPath": HOME},
                ],
            }
        ],
        "volumes": [
            {"name": "models", "emptyDir": {}},
            {"name": "scratch", "emptyDir": {}},
            {"name": "given", "configMap": {"name": "model"}},
        ],
    }


def test_triton_serves_an_onnx_model_over_http_and_grpc_and_counts(
    pods: Pods, onnx: bytes
) -> None:
    """The server answers on its three ports and ends cleanly on SIGTERM."""
    pods.apply(
        "ConfigMap",
        "model",
        data={"model.py": MODEL, "config.pbtxt": CONFIG},
        binaryData={"model.onnx": base64.b64encode(onnx).decode()},
    )
    pods.apply("Pod", "server", spec=spec())
    pods.until_ready("server")
    address = pods.get("server")["status"]["podIP"]
    lines = pods.inside(sys.executable, "-c", ASK, address).splitlines()
    assert lines == [
        "[0, 1]",
        "[0, 1]",
        'nv_inference_request_success{model="sides",version="1"} 2',
    ]


def test_the_server_is_laid_out_once(tmp_path: Path) -> None:
    """A second call uses the first one's complete tree unchanged."""
    first = triton.prepare(tmp_path)
    stub = first.tree / "backends" / "python" / "triton_python_backend_stub"
    made = stub.stat().st_mtime_ns, stub.stat().st_ino
    assert triton.prepare(tmp_path) == first
    assert (stub.stat().st_mtime_ns, stub.stat().st_ino) == made
    assert [path.name for path in tmp_path.iterdir()] == [first.tree.name]
