"""Validation of what the schema cannot check: each error has the field and a remedy."""

from typing import Any

import pytest

from halimede.judge.query_policy import NAMESPACED_ONLY, CustomQueryScope, QueryPolicy
from halimede.render.spec_policy import DEFAULT_POLICY, PodTemplatePolicy, SpecPolicy
from halimede.validation.spec import find_violations
from tests.unit.render.resources import INPUTS, digits


def violations(
    inputs: Any = INPUTS,
    policy: QueryPolicy = NAMESPACED_ONLY,
    specs: SpecPolicy = DEFAULT_POLICY,
    **spec: Any,
) -> str:
    """Return the errors of a spec as text."""
    return "\n".join(map(str, find_violations(digits(**spec), inputs, policy, specs=specs)))


FULL = SpecPolicy(pod_template=PodTemplatePolicy.FULL)


def pbtxt(text: str) -> dict[str, Any]:
    """Return a model with this configPbtxt."""
    return {"model": {"configPbtxt": text}}


def test_good_spec() -> None:
    """A valid spec has no errors."""
    assert violations() == ""


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ({"digits": None}, "the ConfigMap 'digits' in namespace 'ml' does not exist; create it"),
        ({}, "does not exist"),
        ({"digits": {"data": {}}}, "is empty; put the model's files into it"),
        ({"digits": {"data": {"m": "x" * 900_001}}}, "contains 900001 bytes"),
    ],
)
def test_config_map(inputs: dict[str, Any], found: str) -> None:
    """A missing source, or one that cannot be copied, is an error of the URI."""
    assert violations(inputs).startswith("spec.model.storageUri: ")
    assert found in violations(inputs)


def test_unknown_scheme() -> None:
    """A scheme that only another schema version accepts is rejected."""
    result = violations(model={"storageUri": "gs://bucket/x", "config": {"backend": "python"}})
    assert result.startswith("spec.model.storageUri: 'gs://bucket/x' has none of the schemes")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('backend: "x"\nbatch: 1', "spec.model.configPbtxt (line 2): "),
        ("max_batch_size: 1", "must set backend or platform; add a line"),
        ('platform: "ensemble"', "an ensemble needs other models"),
        ('backend: "../../x"', "must be names without a path"),
        ('backend: "x" max_batch_size: -1', "max_batch_size is negative"),
        ('backend: "x" dynamic_batching {}', "dynamic_batching requires batches"),
        (
            'backend: "x" max_batch_size: 4 dynamic_batching { preferred_batch_size: [2, 8] }',
            "must be from 1 to 4",
        ),
        ('backend: "x" instance_group { kind: KIND_GPU }', "set spec.gpu"),
        ('backend: "x" instance_group { gpus: [0] }', "the pod, which has 0, does not have"),
    ],
)
def test_config_pbtxt(text: str, found: str) -> None:
    """A configuration that Triton cannot load is rejected before a pod starts."""
    assert found in violations(**pbtxt(text))


def test_config_pbtxt_that_is_good() -> None:
    """A complete configuration is accepted."""
    text = """
      backend: "onnxruntime" max_batch_size: 8
      dynamic_batching { preferred_batch_size: [4, 8] }
      instance_group { kind: KIND_GPU gpus: [0, 1] }
      response_cache { enable: true }
    """
    assert violations(gpu={"count": 2}, **pbtxt(text)) == ""


def test_an_image_of_unknown_version() -> None:
    """An object of an older schema may have an image only: its arguments cannot be known."""
    found = violations(runtime={"image": "x:1"})
    assert found.startswith("spec.runtime.version: the version is required, also with an image")
    assert found.endswith("; set version to Triton's container version, such as 26.09")


@pytest.mark.parametrize("version", ["22.07", "24.10", "25.07"])
def test_a_version_with_known_vulnerabilities(version: str) -> None:
    """It needs an explicit permission, also in an object that was stored before this rule."""
    found = violations(runtime={"version": version})
    assert found.startswith("spec.runtime.version: versions of Triton before 25.08 have known")
    assert "; set version to 25.08 or newer" in found
    assert violations(runtime={"version": version, "allowVulnerableVersion": True}) == ""


@pytest.mark.parametrize("version", ["25.08", "26.09"])
def test_a_version_without_them(version: str) -> None:
    """It needs none."""
    assert violations(runtime={"version": version}) == ""


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ({"kind": "Pod"}, "spec.podTemplate.kind: a pod template has no such field"),
        ({"metadata": []}, "spec.podTemplate.metadata: must be a map"),
        ({"metadata": {"name": "x"}}, "spec.podTemplate.metadata.name: it is set by Halimede"),
        ({"metadata": {"labels": "x"}}, "spec.podTemplate.metadata.labels: must be a map"),
        (
            {"metadata": {"labels": {"halimede.dev/revision": "x"}}},
            "'halimede.dev/revision' is set by Halimede; choose another name",
        ),
        ({"spec": None}, "spec.podTemplate.spec: must be a map of a pod's fields"),
        ({"spec": {"$patch": "replace"}}, "spec.podTemplate.spec: must be a map"),
        ({"spec": {"volumes": None}}, "spec.podTemplate.spec.volumes: must be a list"),
        ({"spec": {"containers": ["x"]}}, "spec.podTemplate.spec.containers[0]: must have a name"),
        (
            {"spec": {"containers": [{"name": "triton", "$patch": "delete"}]}},
            "'triton' cannot be removed or replaced",
        ),
    ],
)
def test_pod_template(template: dict[str, Any], found: str) -> None:
    """A patch must be valid and keep what serving needs."""
    assert found in violations(podTemplate=template)


@pytest.mark.parametrize(
    "env",
    [
        None,
        [],
        [{"name": "HALIMEDE_ADMIN_KEY", "value": "x"}],
        [{"name": "HALIMEDE_ADMIN_KEY", "$patch": "delete"}, {"name": "A", "value": "1"}],
    ],
)
def test_the_administrative_key_must_stay(env: object) -> None:
    """With another value, or none, everyone would know the key."""
    assert "spec.podTemplate.spec.containers[0].env: it must keep HALIMEDE_ADMIN_KEY" in (
        violations(podTemplate=container(env=env))
    )


PATCH = "spec.podTemplate"
SCALING = "spec.autoscaling"


def container(**fields: Any) -> dict[str, Any]:
    """Patch Triton's container."""
    return {"spec": {"containers": [{"name": "triton", **fields}]}}


FIRST = f"{PATCH}.spec.containers[0]"


@pytest.mark.parametrize(
    ("template", "found"),
    [
        (
            {"metadata": {"annotations": {"prometheus.io/port": 8002}}},
            (
                f"{PATCH}.metadata.annotations[prometheus.io/port]: must be a string, not the"
                ' number 8002; write it in quotes: "8002"'
            ),
        ),
        (
            {"metadata": {"annotations": {"inject": True}}},
            (
                f"{PATCH}.metadata.annotations[inject]: must be a string, not true; write it in"
                ' quotes: "true"'
            ),
        ),
        (
            {"metadata": {"labels": {"tier": 1}}},
            f"{PATCH}.metadata.labels[tier]: must be a string, not the number 1",
        ),
        (
            {"metadata": {"labels": {"tier": {"a": "b"}}}},
            f"{PATCH}.metadata.labels[tier]: must be a string, not a map; write a string",
        ),
        (
            {"spec": {"nodeSelector": {"zone": 1.5}}},
            f"{PATCH}.spec.nodeSelector[zone]: must be a string, not the number 1.5",
        ),
        (
            {"spec": {"hostNetwork": "false"}},
            (
                f"{PATCH}.spec.hostNetwork: must be true or false, not the string 'false'; write"
                " true or false, without quotes"
            ),
        ),
        (
            {"spec": {"terminationGracePeriodSeconds": "60"}},
            (
                f"{PATCH}.spec.terminationGracePeriodSeconds: must be an integer, not the string"
                " '60'; write an integer, without quotes"
            ),
        ),
        (
            {"spec": {"tolerations": {"key": "a"}}},
            f"{PATCH}.spec.tolerations: must be a list, not a map; write a list",
        ),
        (
            {"spec": {"tolerations": [{"key": "a", "tolerationSeconds": 1.5}]}},
            f"{PATCH}.spec.tolerations[0].tolerationSeconds: must be an integer, not the number",
        ),
        (
            {"spec": {"volumes": [{"name": "a", "csi": {"volumeAttributes": {"x": 1}}}]}},
            f"{PATCH}.spec.volumes[0].csi.volumeAttributes[x]: must be a string, not the number 1",
        ),
        (
            {"spec": {"affinity": ["a"]}},
            f"{PATCH}.spec.affinity: must be a map, not a list; write one value per field",
        ),
        (
            container(env=[{"name": "A", "value": "1"}, {"name": "B", "value": 4}]),
            f'{FIRST}.env[1].value: must be a string, not the number 4; write it in quotes: "4"',
        ),
        (
            container(args=["--a", 1, None]),
            (
                f"{FIRST}.args[1]: must be a string, not the number 1; write it in quotes:"
                f' "1"\n{FIRST}.args[2]: must be a string, not null'
            ),
        ),
        (container(stdin="no"), f"{FIRST}.stdin: must be true or false, not the string 'no'"),
        (container(stdin=0), f"{FIRST}.stdin: must be true or false, not the number 0"),
        (
            container(ports=[{"containerPort": True}]),
            f"{FIRST}.ports[0].containerPort: must be an integer, not true",
        ),
        (
            container(readinessProbe={"httpGet": {"port": [8000]}}),
            f"{FIRST}.readinessProbe.httpGet.port: must be an integer or a string, not a list",
        ),
        (
            container(resources={"limits": {"cpu": True}}),
            f"{FIRST}.resources.limits[cpu]: must be a quantity such as 500m or 2Gi, not true",
        ),
    ],
)
def test_types_of_a_pod_template(template: dict[str, Any], found: str) -> None:
    """A value of a type that the API server rejects is reported once with its path."""
    assert violations(podTemplate=template).startswith(found)
    paths = [line.partition(": ")[0] for line in violations(podTemplate=template).splitlines()]
    assert len(paths) == len(set(paths))


def test_types_of_a_pod_template_that_is_good() -> None:
    """Ports by number or name, quantities by number or text, nulls and new fields pass."""
    template = {
        "metadata": {"annotations": {"a": "8002", "gone": None}},
        "spec": {
            "hostNetwork": False,
            "overhead": {"cpu": 1},
            "ofTheFuture": {"a": [1]},
            "securityContext": {"$patch": "replace", "runAsUser": 0},
            "nodeSelector": {"$patch": "replace", "a": "b"},
            "volumes": [{"name": "shm", "emptyDir": {"sizeLimit": 1073741824}}],
            "containers": [
                {
                    "name": "triton",
                    "resources": {"limits": {"cpu": 0.5, "memory": "1Gi", "x.example/gpu": 1}},
                    "readinessProbe": {"httpGet": {"port": 8000}, "periodSeconds": 0},
                    "livenessProbe": {"httpGet": {"port": "http"}},
                    "lifecycle": None,
                    "env": [
                        {"name": "A", "value": ""},
                        {
                            "name": "B",
                            "valueFrom": {
                                "resourceFieldRef": {"resource": "limits.cpu", "divisor": 1}
                            },
                        },
                    ],
                }
            ],
        },
    }
    assert violations(specs=FULL, podTemplate=template) == ""


def test_types_of_an_autoscaler() -> None:
    """Fields of the HorizontalPodAutoscaler are checked in the same way."""
    metric = {"name": "queue", "selector": {"matchLabels": {"shard": 1}}}
    target = {"type": "Value", "value": 0.5}
    scaling = {
        "maxReplicas": 2,
        "metrics": [{"type": "External", "external": {"metric": metric, "target": target}}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": "60", "tolerance": 0.1}},
    }
    assert violations(autoscaling=scaling).splitlines() == [
        (
            f"{SCALING}.metrics[0].external.metric.selector.matchLabels[shard]: must be a string,"
            ' not the number 1; write it in quotes: "1"'
        ),
        (
            f"{SCALING}.behavior.scaleDown.stabilizationWindowSeconds: must be an integer,"
            " not the string '60'; write an integer, without quotes"
        ),
    ]


def test_pod_template_that_is_good() -> None:
    """Labels, node selection, sidecars and changes of Triton's container are allowed."""
    template = {
        "metadata": {"labels": {"team": "vision"}, "annotations": {"a": "b"}},
        "spec": {
            "nodeSelector": {"zone": "a"},
            "containers": [
                {"name": "triton", "env": [{"name": "A", "value": "1"}]},
                {"name": "sidecar", "image": "x", "env": []},
            ],
            "volumes": [{"name": "scratch", "emptyDir": {}}],
        },
    }
    assert violations(specs=FULL, podTemplate=template) == ""


@pytest.mark.parametrize(
    ("rollout", "found"),
    [
        (
            {"canary": {"mirror": {"minSeconds": 9, "maxSeconds": 8}}},
            "spec.rollout.canary.mirror.maxSeconds: maxSeconds must not be less than minSeconds",
        ),
        (
            {"blueGreen": {"previewAnalysis": {"minSeconds": 9, "maxSeconds": 8}}},
            "spec.rollout.blueGreen.previewAnalysis.maxSeconds: ",
        ),
        (
            {"canary": {"mirror": {}}, "capacityMode": "Replace"},
            "spec.rollout.canary.mirror: mirrored requests need extra pods",
        ),
        (
            {"blueGreen": {"previewHostnames": ["digits.example.com"]}},
            "spec.rollout.blueGreen.previewHostnames: digits.example.com is also a hostname",
        ),
    ],
)
def test_rollout(rollout: dict[str, Any], found: str) -> None:
    """A rollout that could never end, or would treat users as testers, is rejected."""
    gateway = {"parentRefs": [{"name": "public"}], "hostnames": ["digits.example.com"]}
    expose = {"type": "Gateway", "gateway": gateway}
    assert violations(rollout=rollout, expose=expose).startswith(found)


def test_a_custom_query_that_cannot_be_asked_is_named() -> None:
    """Both queries of a metric are checked; errors have the field and a remedy."""
    good = "sum(increase(a{s='{{ service }}'}[{{ window }}]))"
    analysis = {
        "provider": "Custom",
        "router": {"requests": good, "errors": "{{ oops }}"},
        "metrics": [{"name": "drift", "requests": "sum(a[{{ window }}])", "errors": good}],
    }
    assert violations(rollout={"analysis": analysis}) == (
        "spec.rollout.analysis.metrics[drift].requests: the query returns the same for both"
        ' revisions; select one revision, for example with service="{{ service }}"\n'
        "spec.rollout.analysis.router.errors: the template uses oops, which has no value; use"
        " model, name, namespace, revision, service, window"
    )


FOREIGN = "sum(paid_total{namespace='other'}[{{ window }}]) # {{ revision }}"
OWN = "sum(increase(a{s='{{ service }}',namespace='{{ namespace }}'}[{{ window }}]))"
METRICS = {"metrics": [{"name": "drift", "requests": FOREIGN, "errors": OWN}]}
ROUTER = {"provider": "Custom", "router": {"requests": OWN, "errors": OWN}}


def test_a_query_for_another_namespace_is_rejected_with_field_and_remedy() -> None:
    """The field, the place in the query, and what to do."""
    found = violations(rollout={"analysis": METRICS})
    assert found.startswith(
        "spec.rollout.analysis.metrics[drift].requests: the query cannot be limited to a"
        " namespace: at character 16, `namespace='other'}[6`, selects by namespace, but only"
    )
    assert "; remove this matcher: namespace=" in found
    assert "\n" not in found


def test_the_administrator_decides_which_queries_are_allowed() -> None:
    """Full allows all, Off none; a disabled pair is reported once."""
    full, off = (
        QueryPolicy(custom=scope) for scope in (CustomQueryScope.FULL, CustomQueryScope.OFF)
    )
    assert violations(policy=full, rollout={"analysis": METRICS}) == ""
    assert violations(rollout={"analysis": ROUTER}) == ""
    for analysis, where in ((METRICS, "metrics[drift]"), (ROUTER, "router")):
        assert violations(policy=off, rollout={"analysis": analysis}) == (
            f"spec.rollout.analysis.{where}: queries of ModelDeployments are disabled; remove it,"
            " or ask the administrator of the operator to change"
            " HALIMEDE_PROMETHEUS_CUSTOM_QUERIES (chart: operator.prometheus.customQueries)"
        )


def nested(levels: int) -> Any:
    """Return a map with this number of levels."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"podTemplate": {"metadata": nested(50)}}, "spec.podTemplate: has more than 40 levels"),
        (
            {"podTemplate": {"metadata": {"annotations": {"a": "x" * 70_000}}}},
            "spec.podTemplate: has 70037 bytes as JSON, but at most 65536 are allowed",
        ),
        (
            {"autoscaling": {"maxReplicas": 2, "metrics": [nested(50)]}},
            "spec.autoscaling.metrics: has more than 40 levels",
        ),
        (
            {"autoscaling": {"maxReplicas": 2, "behavior": nested(50)}},
            "spec.autoscaling.behavior: has more than 40 levels",
        ),
    ],
)
def test_free_form_fields_have_limits(fields: dict[str, Any], found: str) -> None:
    """Fields that the schema does not limit are limited in size and depth, and named."""
    assert violations(**fields).startswith(found)
