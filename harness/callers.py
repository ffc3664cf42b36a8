"""Clients of the served model, one over HTTP and one over gRPC.

Both speak the Open Inference Protocol v2 that Triton documents as its HTTP/REST and gRPC protocol.
"""

import json
import re
import time
from typing import Protocol as Interface

import aiohttp
import grpc
import numpy as np
import numpy.typing as npt
from tritonclient.grpc import service_pb2, service_pb2_grpc

from harness.images import Images
from harness.records import Outcome, Protocol, Record

TIMEOUT_SECONDS = 10.0
"""Seconds until a request without an answer counts as lost."""

REVISION_HEADER = "x-halimede-revision"

_VERSION_PREFIX = re.compile(r"\b(v\d+): ")
"""The version with which the demo's models begin their error messages."""


class Caller(Interface):
    """Sends images and records the outcome; never raises for a failed request."""

    async def ask(self, images: Images) -> Record:
        """Send ``images`` and wait for the answer."""

    async def close(self) -> None:
        """Close the connections."""


class HttpCaller:
    """Calls ``POST /v2/models/<model>/infer`` over kept-alive connections."""

    def __init__(self, address: str, authority: str, model: str) -> None:
        """Talk to ``address`` (host:port) as if it were called ``authority``."""
        self._url = f"http://{address}/v2/models/{model}/infer"
        self._session = aiohttp.ClientSession(
            headers={"Host": authority}, timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        )

    async def ask(self, images: Images) -> Record:
        """Send ``images`` and wait for the answer."""
        watch = _Watch(Protocol.HTTP, images)
        try:
            async with self._session.post(self._url, json=_as_json(images)) as response:
                watch.revision = response.headers.get(REVISION_HEADER, "")
                body = await response.text()
                if response.ok:
                    return self._good(watch, body)
                return watch.failed(str(response.status), body)
        except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
            return watch.failed(type(error).__name__, str(error))

    def _good(self, watch: "_Watch", body: str) -> Record:
        outputs = {one["name"]: one["data"] for one in json.loads(body)["outputs"]}
        return watch.answered("200", outputs["SERVED_BY"][0], outputs["DIGIT"])

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


class GrpcCaller:
    """Calls ``inference.GRPCInferenceService/ModelInfer`` over one channel."""

    def __init__(self, address: str, authority: str, model: str) -> None:
        """Talk to ``address`` (host:port) as if it were called ``authority``."""
        options = [("grpc.default_authority", authority)]
        self._channel = grpc.aio.insecure_channel(address, options)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._model = model

    async def ask(self, images: Images) -> Record:
        """Send ``images`` and wait for the answer."""
        watch = _Watch(Protocol.GRPC, images)
        call = self._stub.ModelInfer(_as_message(images, self._model), timeout=TIMEOUT_SECONDS)
        try:
            response = await call
            watch.revision = dict(await call.initial_metadata()).get(REVISION_HEADER, "")
            return self._good(watch, response)
        except grpc.aio.AioRpcError as error:
            # An error without a message comes in one frame: its headers are trailers.
            headers = {**dict(error.initial_metadata()), **dict(error.trailing_metadata())}
            watch.revision = headers.get(REVISION_HEADER, "")
            return watch.failed(error.code().name, error.details() or "")

    def _good(self, watch: "_Watch", response: service_pb2.ModelInferResponse) -> Record:
        raw = dict(
            zip((one.name for one in response.outputs), response.raw_output_contents, strict=True)
        )
        # A BYTES element is its length in four little-endian bytes, then its content.
        length = int.from_bytes(raw["SERVED_BY"][:4], "little")
        served_by = raw["SERVED_BY"][4 : 4 + length].decode()
        return watch.answered("OK", served_by, np.frombuffer(raw["DIGIT"], dtype=np.int64))

    async def close(self) -> None:
        """Close the connections."""
        await self._channel.close()


class _Watch:
    """Times one request and creates its record."""

    def __init__(self, protocol: Protocol, images: Images) -> None:
        self.protocol = protocol
        self.images = images
        self.revision = ""
        self._at = time.time()
        self._started = time.perf_counter()

    def answered(self, status: str, version: str, digits: npt.ArrayLike) -> Record:
        return self._record(Outcome.OK, status, version, right=self.images.right(digits))

    def failed(self, status: str, detail: str) -> Record:
        """Record an error of the version that its message names; without one, a lost request."""
        match = _VERSION_PREFIX.search(detail)
        outcome = Outcome.MODEL_ERROR if match else Outcome.LOST
        return self._record(outcome, status, match[1] if match else "", detail=detail[:200])

    def _record(
        self, outcome: Outcome, status: str, version: str, *, right: int = 0, detail: str = ""
    ) -> Record:
        return Record(
            at=self._at,
            protocol=self.protocol,
            outcome=outcome,
            status=status,
            milliseconds=round((time.perf_counter() - self._started) * 1000, 2),
            version=version,
            revision=self.revision,
            images=len(self.images),
            right=right,
            detail=detail,
        )


def _as_json(images: Images) -> dict[str, object]:
    image = {
        "name": "IMAGE",
        "datatype": "FP32",
        "shape": list(images.pixels.shape),
        "data": images.pixels.ravel().tolist(),
    }
    return {"inputs": [image], "outputs": [{"name": "DIGIT"}, {"name": "SERVED_BY"}]}


def _as_message(images: Images, model: str) -> service_pb2.ModelInferRequest:
    request = service_pb2.ModelInferRequest(model_name=model)
    request.inputs.add(name="IMAGE", datatype="FP32", shape=images.pixels.shape)
    request.raw_input_contents.append(images.pixels.tobytes())
    for name in ("DIGIT", "SERVED_BY"):
        request.outputs.add(name=name)
    return request
