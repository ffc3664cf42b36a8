"""Calls every API of a Triton that serves the model `digits`, over HTTP and gRPC.

It is also a program, because the addresses of pods work only inside the cluster's namespaces.
"""

import json
import sys
import urllib.error
import urllib.request
from typing import Any

import grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

Results = dict[str, int | str]
"""HTTP statuses by path, and gRPC codes by method; of the health check, the message in hex."""

TIMEOUT_SECONDS = 10
REGION: dict[str, Any] = {"key": "/halimede-test", "offset": 0, "byte_size": 8}
"""A region of shared memory."""
BODIES: dict[str, Any] = {
    "/v2": None,
    "/v2/health/live": None,
    "/v2/health/ready": None,
    "/v2/models/digits": None,
    "/v2/models/digits/config": None,
    "/v2/models/digits/ready": None,
    "/v2/models/digits/versions/1/ready": None,
    "/v2/logging": {"log_verbose_level": 0},
    "/v2/models/digits/stats": None,
    "/v2/models/digits/trace/setting": None,
    "/v2/models/stats": None,
    "/v2/repository/index": {},
    "/v2/systemsharedmemory/region/x/register": REGION,
    "/v2/systemsharedmemory/status": None,
    "/v2/trace/setting": None,
}
"""What is sent to each path; None: GET."""
MESSAGES: dict[str, Any] = {
    "ServerLive": pb.ServerLiveRequest(),
    "ServerReady": pb.ServerReadyRequest(),
    "ModelReady": pb.ModelReadyRequest(name="digits"),
    "ServerMetadata": pb.ServerMetadataRequest(),
    "ModelMetadata": pb.ModelMetadataRequest(name="digits"),
    "ModelConfig": pb.ModelConfigRequest(name="digits"),
    "LogSettings": pb.LogSettingsRequest(),
    "ModelStatistics": pb.ModelStatisticsRequest(name="digits"),
    "RepositoryIndex": pb.RepositoryIndexRequest(),
    "SystemSharedMemoryRegister": pb.SystemSharedMemoryRegisterRequest(name="y", **REGION),
    "SystemSharedMemoryStatus": pb.SystemSharedMemoryStatusRequest(),
    "TraceSetting": pb.TraceSettingRequest(),
}
"""What is sent to each method."""
PUBLIC: Results = {
    "/v2": 200,
    "/v2/health/live": 200,
    "/v2/health/ready": 200,
    "/v2/models/digits": 200,
    "/v2/models/digits/config": 200,
    "/v2/models/digits/ready": 200,
    "/v2/models/digits/versions/1/ready": 200,
    "ServerLive": "OK",
    "ServerReady": "OK",
    "ModelReady": "OK",
    "ServerMetadata": "OK",
    "ModelMetadata": "OK",
    "ModelConfig": "OK",
    "grpc.health.v1.Health/Check": "0801",  # the status is SERVING
}
"""The results of what every client may use."""
HTTP = tuple(path for path in BODIES if path not in PUBLIC)
"""The paths of administrative APIs."""
GRPC = tuple(method for method in MESSAGES if method not in PUBLIC)
"""The methods of administrative APIs."""


def call_apis(http: str, rpc: str, authority: str, key: str) -> Results:
    """Call every API once.

    Args:
        http: Host and port.
        rpc: Host and port for gRPC.
        authority: The hostname that is asked for.
        key: The key of the administrative APIs; empty: none is sent.
    """
    headers = {"Host": authority} | ({"halimede-admin-key": key} if key else {})
    results: Results = {
        path: _status(f"http://{http}{path}", headers, body) for path, body in BODIES.items()
    }
    metadata = (("triton-grpc-protocol-halimede-admin-key", key),) if key else ()
    with grpc.insecure_channel(rpc, [("grpc.default_authority", authority)]) as channel:
        stub = GRPCInferenceServiceStub(channel)
        for method, message in MESSAGES.items():
            try:
                getattr(stub, method)(message, timeout=TIMEOUT_SECONDS, metadata=metadata)
                results[method] = "OK"
            except grpc.RpcError as error:
                results[method] = error.code().name
        name = "grpc.health.v1.Health/Check"
        try:
            check = channel.unary_unary(f"/{name}")
            results[name] = check(b"", timeout=TIMEOUT_SECONDS, metadata=metadata).hex()
        except grpc.RpcError as error:
            results[name] = error.code().name
    return results


def _status(url: str, headers: dict[str, str], body: Any) -> int:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=content, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


if __name__ == "__main__":
    json.dump(call_apis(*sys.argv[1:]), sys.stdout)
