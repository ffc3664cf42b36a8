"""Rules of the model, the server and their exposure."""

from halimede.api.base import Manifest
from tests.api.objects import (
    ABSENT,
    BY_GATEWAY,
    BY_INGRESS,
    BY_ROUTE,
    BY_SERVICE,
    TENSOR,
    changed,
    model_deployment,
)
from tests.api.row import Row, row


def uri(text: str, good: Manifest = BY_SERVICE) -> Manifest:
    """Return a spec with this storage URI."""
    return changed(good, model__storageUri=text)


def on_hub(**supply: str) -> Manifest:
    """Return a spec of a model on a hub."""
    return changed(uri("hf://org/repo"), model__supply=supply)


def image(text: str) -> Manifest:
    """Return a spec with this image."""
    return changed(BY_SERVICE, runtime={"version": "26.09", "image": text})


def in_store(**supply: str) -> Manifest:
    """Return a spec of a model in an object store."""
    return changed(uri("s3://models/digits"), model__secretName="keys", model__supply=supply)


def annotated(*names: str) -> Manifest:
    """Return a spec whose Ingresses have these annotations."""
    return changed(BY_INGRESS, expose__ingress__annotations=dict.fromkeys(names, "true"))


def arguments(*texts: str) -> Manifest:
    """Return a spec with these arguments of tritonserver."""
    return changed(BY_SERVICE, runtime={"version": "26.09", "args": list(texts)})


def cached(claim: str) -> Manifest:
    """Return a supply with a cache."""
    return {"cache": {"kind": "Volume", "volume": {"claimName": claim}}}


CACHED = cached("models")
PATCHED = {"gateway": {"parentRefs": [{"name": "public"}]}}
ROWS = {
    "replicas with autoscaling": row(
        "spec.replicas",
        "replicas and autoscaling cannot be combined: remove one",
        BY_GATEWAY,
        changed(BY_GATEWAY, replicas=2),
    ),
    "autoscaling by CPU without a request": row(
        "spec.autoscaling",
        "set resources.requests.cpu, or set autoscaling.metrics",
        changed(BY_GATEWAY, autoscaling__metrics=ABSENT),
        changed(BY_GATEWAY, autoscaling__metrics=[], resources=ABSENT),
    ),
    "fewer replicas at most than at least": row(
        "spec.autoscaling.maxReplicas",
        "raise maxReplicas or lower minReplicas",
        changed(BY_GATEWAY, autoscaling__minReplicas=2),
        changed(BY_GATEWAY, autoscaling__minReplicas=3),
    ),
    "tensorflow after its end": row(
        "spec.model.config.backend",
        "or set runtime.version to 25.02 or earlier and runtime.allowVulnerableVersion",
        changed(
            BY_SERVICE,
            model__config__backend="tensorflow",
            runtime={"version": "25.02", "allowVulnerableVersion": True},
        ),
        changed(BY_SERVICE, model__config__backend="tensorflow"),
    ),
    "no configuration": row(
        "spec.model.config",
        "exactly one of config and configPbtxt",
        BY_INGRESS,
        changed(BY_INGRESS, model__configPbtxt=ABSENT),
    ),
    "two configurations": row(
        "spec.model.config",
        "set one and remove the other",
        BY_SERVICE,
        changed(BY_SERVICE, model__configPbtxt='backend: "x"'),
    ),
    "another kind of storage": row(
        "spec.model.storageUri",
        "must start with configMap://, pvc://, https://, s3://, gs:// or hf://",
        uri("pvc://models"),
        uri("ftp://models/x"),
    ),
    "a ConfigMap with a path": row(
        "spec.model.storageUri",
        "must have the form configMap://NAME, pvc://CLAIM/PATH, https://HOST/FILE, s3://BUCKET/KEY"
        ", gs://BUCKET/KEY or hf://ORG/REPO[@REVISION][/PATH]",
        uri("configMap://models"),
        uri("configMap://models/x"),
    ),
    "credentials in an address": row(
        "spec.model.storageUri",
        "put credentials into the Secret",
        uri("https://example.com:8443/m.onnx?v=3"),
        uri("https://me:secret@example.com/m.onnx"),
    ),
    "credentials in the address of a bucket": row(
        "spec.model.storageUri",
        "put credentials into the Secret",
        uri("s3://models"),
        uri("s3://key:secret@models/digits"),
    ),
    "an empty part of a key": row(
        "spec.model.storageUri",
        "the key in storageUri must have no empty part",
        uri("s3://models/größe $(X) .a/.../b/"),
        uri("s3://models//digits"),
    ),
    "a way out of the bucket": row(
        "spec.model.storageUri",
        "the key in storageUri must have no empty part",
        uri("gs://models/..hidden"),
        uri("gs://models/a/.."),
    ),
    "a backslash in a key": row(
        "spec.model.storageUri",
        "the key in storageUri must have no empty part",
        uri("s3://models/a b"),
        uri("s3://models/a\\b"),
    ),
    "a store of a model that is in none": row(
        "spec.model.supply.endpoint",
        "supply.endpoint requires an s3://, gs:// or hf:// storageUri",
        in_store(endpoint="https://s3.example.com:9000"),
        changed(BY_SERVICE, model__supply={"endpoint": "https://s3.example.com"}),
    ),
    "a region of a model that is in no store": row(
        "spec.model.supply.region",
        "supply.region requires an s3:// storageUri",
        in_store(region="eu-central-1"),
        changed(uri("gs://models/digits"), model__supply={"region": "eu-central-1"}),
    ),
    "files that are read again although they are known": row(
        "spec.model.supply.resolve",
        "OnChange needs an address at which files can change unnoticed",
        in_store(resolve="OnChange"),
        changed(in_store(resolve="OnChange"), model__sha256="0" * 64),
    ),
    "files that are read again although they are noticed": row(
        "spec.model.supply.resolve",
        "OnChange needs an address at which files can change unnoticed",
        in_store(resolve="Once"),
        changed(
            BY_SERVICE,
            model={
                "storageUri": "configMap://digits",
                "config": {"backend": "python"},
                "supply": {"resolve": "OnChange"},
            },
        ),
    ),
    "a store without encryption": row(
        "spec.model.supply.endpoint",
        "endpoint must have the form https://HOST[:PORT]",
        in_store(endpoint="https://192.0.2.1:65535"),
        in_store(endpoint="http://s3.example.com"),
    ),
    "a store with a path": row(
        "spec.model.supply.endpoint",
        "the bucket belongs into storageUri",
        in_store(endpoint="https://s3.example.com"),
        in_store(endpoint="https://s3.example.com/models"),
    ),
    "a port that is none": row(
        "spec.model.supply.endpoint",
        "endpoint must have the form https://HOST[:PORT]",
        in_store(endpoint="https://s3.example.com:443"),
        in_store(endpoint="https://s3.example.com:65536"),
    ),
    "a region that is none": row(
        "spec.model.supply.region",
        "should match",
        in_store(region="garage"),
        in_store(region="eu central"),
    ),
    "a way out of the volume": row(
        "spec.model.storageUri",
        "remove '..' from the path",
        uri("pvc://models/..hidden"),
        uri("pvc://models/a/../.."),
    ),
    "a way out of a model on a hub": row(
        "spec.model.storageUri",
        "remove '..' from the path",
        uri("hf://org/repo@v1..2/onnx"),
        uri("hf://org/repo/../other"),
    ),
    "a model on a hub without its organisation": row(
        "spec.model.storageUri",
        "must have the form",
        uri("hf://Org_1/repo-2.0@refs/pr/12/a file.onnx"),
        uri("hf://gpt2"),
    ),
    "a revision that is not one word": row(
        "spec.model.storageUri",
        "must have the form",
        uri("hf://org/repo@feature%2Fx"),
        uri("hf://org/repo@a b"),
    ),
    "a data set": row(
        "spec.model.storageUri",
        "datasets, spaces, kernels and buckets are not supported",
        uri("hf://datasets-org/repo"),
        uri("hf://datasets/org/repo"),
    ),
    "the address of a hub with a query": row(
        "spec.model.supply.endpoint",
        "endpoint must have the form https://HOST[:PORT], on a hub also with a path",
        on_hub(endpoint="https://hub.example.com:8443/api/hf"),
        on_hub(endpoint="https://hub.example.com/hf?a=b"),
    ),
    "the address of a hub with credentials": row(
        "spec.model.supply.endpoint",
        "endpoint must have the form https://HOST[:PORT], on a hub also with a path",
        on_hub(endpoint="https://hub.example.com/@hf"),
        on_hub(endpoint="https://me:x@hub.example.com"),
    ),
    "a region of a hub": row(
        "spec.model.supply.region",
        "supply.region requires an s3:// storageUri",
        on_hub(endpoint="https://hub.example.com"),
        on_hub(region="eu-central-1"),
    ),
    "credentials for a model on a hub": row(
        "spec.model.secretName",
        "secretName requires an https://, s3://, gs:// or hf:// storageUri",
        changed(uri("hf://org/repo"), model__secretName="x"),
        changed(uri("configMap://digits"), model__secretName="x"),
    ),
    "an absolute pattern to include": row(
        "spec.model.supply.include",
        "include is compared with paths below the source's root",
        changed(BY_SERVICE, model__supply={"include": ["onnx/*", ".hidden"]}),
        changed(BY_SERVICE, model__supply={"include": ["*.json", "/onnx/*"]}),
    ),
    "a pattern to exclude from the folder where it is": row(
        "spec.model.supply.exclude",
        "exclude is compared with paths below the source's root",
        changed(BY_SERVICE, model__supply={"exclude": ["training/"]}),
        changed(BY_SERVICE, model__supply={"exclude": ["./training/"]}),
    ),
    "a format that pickle loads": row(
        "spec.model.supply.allowedFormats",
        "or add pickle to allowedFormats if you trust the model like an image",
        changed(BY_SERVICE, model__supply={"allowedFormats": ["Pickle", "pkl", "py"]}),
        changed(BY_SERVICE, model__supply={"allowedFormats": ["PKL", "py"]}),
    ),
    "a cache without a claim": row(
        "spec.model.supply.cache.volume",
        "kind Volume requires volume.claimName",
        changed(BY_GATEWAY, model__supply=CACHED),
        changed(BY_GATEWAY, model__supply={"cache": {"kind": "Volume"}}),
    ),
    "a cache of a ConfigMap": row(
        "spec.model.supply.cache",
        "a cache requires another storageUri than configMap://",
        uri("configMap://digits", changed(BY_SERVICE, model__supply={"cache": {}})),
        uri("configMap://digits", changed(BY_SERVICE, model__supply=CACHED)),
    ),
    "a cache beside its source": row(
        "spec.model.supply.cache.volume.claimName",
        "the cache must not be in the claim of the source",
        uri("pvc://models-1/a", changed(BY_GATEWAY, model__secretName=ABSENT)),
        uri("pvc://models/a", changed(BY_GATEWAY, model__secretName=ABSENT)),
    ),
    "a cache in its source": row(
        "spec.model.supply.cache.volume.claimName",
        "the cache must not be in the claim of the source",
        uri("pvc://sources", changed(BY_GATEWAY, model__secretName=ABSENT)),
        uri("pvc://models", changed(BY_GATEWAY, model__secretName=ABSENT)),
    ),
    "an unknown kind of cache": row(
        "spec.model.supply.cache.kind",
        "supported values",
        changed(BY_SERVICE, model__supply={"cache": {"kind": "None"}}),
        changed(BY_SERVICE, model__supply={"cache": {"kind": "Image"}}),
    ),
    "a claim that is no name": row(
        "spec.model.supply.cache.volume.claimName",
        "should match",
        changed(BY_GATEWAY, model__supply=cached("models.v1-a")),
        changed(BY_GATEWAY, model__supply=cached("models/v1")),
    ),
    "a volume without a claim": row(
        "spec.model.supply.cache.volume.claimName",
        "Required value",
        changed(BY_GATEWAY, model__supply=CACHED),
        changed(BY_GATEWAY, model__supply={"cache": {"kind": "Volume", "volume": {}}}),
    ),
    "a pattern with a line break": row(
        "spec.model.supply.exclude[0]",
        "should match",
        changed(BY_SERVICE, model__supply={"exclude": ["a b/größe*"]}),
        changed(BY_SERVICE, model__supply={"exclude": ["a\nb"]}),
    ),
    "a format with its dot": row(
        "spec.model.supply.allowedFormats[0]",
        "should match",
        changed(BY_SERVICE, model__supply={"allowedFormats": ["tar.gz", "LICENSE"]}),
        changed(BY_SERVICE, model__supply={"allowedFormats": [".onnx"]}),
    ),
    "credentials for a volume": row(
        "spec.model.secretName",
        "remove it",
        BY_GATEWAY,
        changed(BY_SERVICE, model__secretName="x"),
    ),
    "a size that is no quantity": row(
        "spec.model.maxSize",
        "write a value such as 500Mi or 10Gi",
        changed(BY_SERVICE, model__maxSize="1.5Gi"),
        changed(BY_SERVICE, model__maxSize="10 GB"),
    ),
    "a size that is too small": row(
        "spec.model.maxSize",
        "maxSize must be a quantity from 1Mi to 64Ti",
        changed(BY_SERVICE, model__maxSize=1 << 20),
        changed(BY_SERVICE, model__maxSize=(1 << 20) - 1),
    ),
    "a size that is too large": row(
        "spec.model.maxSize",
        "maxSize must be a quantity from 1Mi to 64Ti",
        changed(BY_SERVICE, model__maxSize="64Ti"),
        changed(BY_SERVICE, model__maxSize="1e15"),
    ),
    "batching without batches": row(
        "spec.model.config.maxBatchSize",
        "set maxBatchSize to at least 1, or remove dynamicBatching",
        changed(BY_SERVICE, model__config__dynamicBatching={}, model__config__maxBatchSize=1),
        changed(BY_SERVICE, model__config__dynamicBatching={}),
    ),
    "preferred batches beyond the largest": row(
        "spec.model.config.dynamicBatching.preferredBatchSizes",
        "lower them or raise maxBatchSize",
        BY_GATEWAY,
        changed(BY_GATEWAY, model__config__dynamicBatching__preferredBatchSizes=[4, 9]),
    ),
    "a dimension of nothing": row(
        "spec.model.config.inputs[0].dims",
        "at least 1, or -1 for any size",
        changed(BY_SERVICE, model__config__inputs=[TENSOR | {"dims": [1, -1]}]),
        changed(BY_SERVICE, model__config__inputs=[TENSOR | {"dims": [0]}]),
    ),
    "the canary of an Ingress": row(
        "spec.expose.ingress.annotations",
        "are reserved, because rollouts set them: remove them",
        annotated("nginx.ingress.kubernetes.io/proxy-body-size", "example.com/canary"),
        annotated("nginx.ingress.kubernetes.io/canary"),
    ),
    "the weight of a canary Ingress": row(
        "spec.expose.ingress.annotations",
        "are reserved, because rollouts set them: remove them",
        annotated("example.com/canary-weight"),
        annotated("example.com/a", "nginx.ingress.kubernetes.io/canary-weight"),
    ),
    "the protocol of an Ingress": row(
        "spec.expose.ingress.annotations",
        "are reserved, because rollouts set them: remove them",
        annotated("nginx.ingress.kubernetes.io/backend-protocols"),
        annotated("nginx.ingress.kubernetes.io/backend-protocol"),
    ),
    "an annotation of ours": row(
        "spec.expose.ingress.annotations",
        "are reserved, because rollouts set them: remove them",
        annotated("halimede.device/rendered"),
        annotated("halimede.dev/rendered"),
    ),
    "no version": row(
        "spec.runtime.version",
        "set version to Triton's container version, such as 26.09",
        image("registry.example/triton:1"),
        changed(BY_SERVICE, runtime={"image": "registry.example/triton:1"}),
    ),
    "a version with known vulnerabilities": row(
        "spec.runtime.version",
        "set version to 25.08 or newer, or accept them by setting allowVulnerableVersion to true",
        changed(BY_SERVICE, runtime={"version": "25.08", "allowVulnerableVersion": False}),
        changed(BY_SERVICE, runtime={"version": "25.07"}),
    ),
    "an image without a tag": row(
        "spec.runtime.image",
        "set it to repository:tag or repository@sha256:",
        image("example:5000/triton@sha256:" + "0" * 64),
        image("example:5000/triton"),
    ),
    "latest": row(
        "spec.runtime.image",
        "must not have the tag latest",
        image("example:5000/triton:latest-not"),
        image("example:5000/triton:latest"),
    ),
    "an argument of ours": row(
        "spec.runtime.args",
        "because Halimede sets them: remove these arguments",
        arguments("--http-thread-count=4"),
        arguments("--http-port=80"),
    ),
    "an argument of ours, abbreviated": row(
        "spec.runtime.args",
        "not even abbreviated, because Halimede sets them: remove these arguments",
        arguments("--model-load-thread-count=2", "--http-header-forward-pattern=model-control"),
        arguments("--log-verbose=1", "--model-control-m=explicit"),
    ),
    "an argument of ours, abbreviated, before its value": row(
        "spec.runtime.args",
        "not even abbreviated, because Halimede sets them: remove these arguments",
        arguments("--http-address", "127.0.0.1", "--rate-limit=off"),
        arguments("--http-po", "18009"),
    ),
    "a limit that is no quantity": row(
        "spec.resources.limits",
        "limits must be quantities: write values such as 500m, 2 or 2Gi",
        changed(BY_SERVICE, resources={"limits": {"cpu": 2, "memory": "1.5Gi"}}),
        changed(BY_SERVICE, resources={"limits": {"memory": "2 GB"}}),
    ),
    "a request that is no quantity": row(
        "spec.resources.requests",
        "requests must be quantities: write values such as 500m, 2 or 2Gi",
        changed(BY_SERVICE, resources={"requests": {"cpu": "500m"}}),
        changed(BY_SERVICE, resources={"requests": {"cpu": "a lot"}}),
    ),
    "GPUs among the limits": row(
        "spec.resources.limits",
        "set spec.gpu",
        changed(BY_SERVICE, gpu={"resourceName": "nvidia.com/mig-1g.10gb"}),
        changed(BY_SERVICE, resources={"limits": {"nvidia.com/gpu": 1}}),
    ),
    "no route for a Gateway": row(
        "spec.expose.gateway",
        "type Gateway requires gateway.parentRefs",
        BY_GATEWAY,
        changed(BY_GATEWAY, expose={"type": "Gateway"}),
    ),
    "a route of Halimede's and one of the user's": row(
        "spec.expose.gateway.parentRefs",
        "and routeRef (an HTTPRoute of your own): set one of them",
        BY_ROUTE,
        changed(BY_ROUTE, expose__gateway__parentRefs=[{"name": "public"}]),
    ),
    "neither route": row(
        "spec.expose.gateway.parentRefs",
        "gateway needs exactly one of parentRefs",
        changed(BY_GATEWAY, expose__gateway__hostnames=ABSENT),
        changed(BY_GATEWAY, expose__gateway={"hostnames": ["a.example"]}),
    ),
    "hostnames for a route of the user's": row(
        "spec.expose.gateway.hostnames",
        "the HTTPRoute has its own hostnames: remove hostnames",
        BY_ROUTE,
        changed(BY_ROUTE, expose__gateway__hostnames=["a.example"]),
    ),
    "no host for an Ingress": row(
        "spec.expose.ingress",
        "type Ingress requires ingress.host",
        BY_INGRESS,
        changed(BY_INGRESS, expose={"type": "Ingress"}),
    ),
    "a Gateway for a Service": row(
        "spec.expose.gateway",
        "remove it, or set type to Gateway",
        BY_SERVICE,
        changed(BY_SERVICE, expose={"type": "Service", **PATCHED}),
    ),
    "an Ingress for a Service": row(
        "spec.expose.ingress",
        "remove it, or set type to Ingress",
        BY_SERVICE,
        changed(BY_SERVICE, expose={"type": "Service", "ingress": {"host": "a.example"}}),
    ),
    "a name too long for its children": Row(
        model_deployment(BY_SERVICE, name="a" * 48),
        model_deployment(BY_SERVICE, name="a" * 49),
        "metadata.name",
        "choose a shorter name",
    ),
    "a name that no Service can have": Row(
        model_deployment(BY_SERVICE, name="a-3"),
        model_deployment(BY_SERVICE, name="3d.model"),
        "metadata.name",
        "must start with a letter",
    ),
    "a field that does not exist": row(
        "spec.modle", "unknown field", BY_SERVICE, changed(BY_SERVICE, modle={})
    ),
    "two inputs of one name": row(
        "spec.model.config.inputs[1]",
        "Duplicate value",
        changed(BY_SERVICE, model__config__inputs=[TENSOR, TENSOR | {"name": "Y"}]),
        changed(BY_SERVICE, model__config__inputs=[TENSOR, TENSOR]),
    ),
}
