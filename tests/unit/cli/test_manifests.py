"""Reading manifests from files, and the errors of invalid ones."""

import re
from dataclasses import replace

import pytest

from halimede.cli.manifests import InvalidManifestError, load_documents, parse_model_deployments
from halimede.cli.render import render_manifests
from halimede.judge.query_policy import CustomQueryScope, QueryPolicy
from halimede.render.spec_policy import SpecPolicy
from harness.fake_cluster import PLATFORM

SPEC = """
spec:
  model:
    storageUri: configMap://model
    config: {backend: python}
  expose: {type: Service}
  rollout: {strategy: Recreate, analysis: {provider: None}}
"""
MODEL = f"apiVersion: halimede.dev/v1alpha1\nkind: ModelDeployment\nmetadata: {{name: m}}{SPEC}"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: model}\ndata: {model.py: x}\n"


def indented(text: str) -> str:
    """Return an object as a list item in YAML."""
    first, *rest = text.strip().splitlines()
    return "\n".join((f"- {first}", *(f"  {line}" for line in rest)))


def listed(*objects: str, kind: str = "List", version: str = "v1") -> str:
    """Return a List of objects in YAML."""
    items = "\n".join(map(indented, objects))
    return f"apiVersion: {version}\nkind: {kind}\nitems:\n{items}\n"


TYPED = f"metadata: {{name: m}}{SPEC}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{MODEL}---\n{CONFIG_MAP}", id="documents"),
        pytest.param(f"---\n---\n{CONFIG_MAP}---\n# nothing\n---\n{MODEL}---\n", id="empty ones"),
        pytest.param(listed(MODEL, CONFIG_MAP), id="a list"),
        pytest.param(listed(listed(MODEL), listed(CONFIG_MAP)), id="lists in a list"),
        pytest.param(
            listed(TYPED, kind="ModelDeploymentList", version="halimede.dev/v1alpha1")
            + f"---\n{CONFIG_MAP}",
            id="a typed list",
        ),
        pytest.param(
            listed(MODEL, kind="ModelDeploymentList", version="halimede.dev/v1alpha1")
            + "---\n"
            + listed(CONFIG_MAP, kind="ConfigMapList"),
            id="typed lists that repeat the kind",
        ),
        pytest.param(
            f"{MODEL}---\n{CONFIG_MAP}---\nkind: List\nitems:\n---\nkind: List\nitems: []\n",
            id="empty lists",
        ),
        pytest.param(
            f"{MODEL.replace('name: m', 'name: m, namespace: ')}---\n{CONFIG_MAP}",
            id="a namespace that is null",
        ),
    ],
)
def test_objects_are_read_wherever_they_stand(text: str) -> None:
    """Objects are read from documents and lists alike."""
    result = load_documents(text)
    assert sorted(one["kind"] for one in result) == ["ConfigMap", "ModelDeployment"]
    assert [
        (md.metadata.namespace, md.metadata.name) for md in parse_model_deployments(result)
    ] == [("default", "m")]
    assert "model.py" in render_manifests(text, PLATFORM)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no ModelDeployment (halimede.dev/v1alpha1) found"),
        ("---\n---\n", "no ModelDeployment"),
        (CONFIG_MAP, "no ModelDeployment"),
        (MODEL.replace("v1alpha1", "v9"), "no ModelDeployment (halimede.dev/v1alpha1)"),
        (f"{MODEL}---\nhello\n", 'document 2 is "hello", not a Kubernetes object'),
        (f"{MODEL}---\n- a\n", "document 2 is a list, not a Kubernetes object"),
        (f"{MODEL}---\nfalse\n", "document 2 is false, not a Kubernetes object"),
        (f"{MODEL}---\n0\n", "document 2 is 0, not a Kubernetes object"),
        (f"---\n---\n{MODEL}---\n{{}}\n", "document 3 has no kind: every Kubernetes object needs"),
        (f"{MODEL}---\nkind: [a]\n", "document 2: kind must be a string, not a list"),
        (f"{MODEL}---\nkind: ConfigMap\ndata: {{}}\n", "document 2 (ConfigMap) has no metadata"),
        (f"{MODEL}---\nkind: ConfigMap\nmetadata: x\n", "document 2 (ConfigMap) has no metadata"),
        (
            f"{MODEL}---\nkind: ConfigMap\nmetadata: {{generateName: a-}}\n",
            "document 2 (ConfigMap): metadata has no name: every Kubernetes object needs one",
        ),
        (
            f"{MODEL}---\nkind: ConfigMap\nmetadata: {{name: 1e3}}\n",
            "metadata: name must be a string, not 1000: write it in quotes",
        ),
        (
            MODEL.replace("name: m", "name: m, namespace: y"),
            "document 1 (ModelDeployment): metadata: namespace must be a string, not true",
        ),
        ("kind: ModelDeployment\n", "document 1 (ModelDeployment) has no metadata"),
        (
            listed(MODEL, "kind: ConfigMap"),
            "document 1, items[1] (ConfigMap) has no metadata: add metadata with a name",
        ),
        (listed(MODEL, listed("a: b")), "document 1, items[1], items[0] has no kind"),
        (
            f"{MODEL}---\nkind: List\nitems: x\n",
            'document 2 (List): items must be a list, not "x"',
        ),
        (
            f"{MODEL}---\n{MODEL}",
            "document 2 is the same ModelDeployment 'm' as document 1: remove one",
        ),
        (
            listed(CONFIG_MAP, MODEL, CONFIG_MAP),
            "document 1, items[2] is the same ConfigMap 'model' as document 1, items[0]",
        ),
        (f"a: &a [*a]\n---\n{MODEL}", "document 1 refers to itself by an alias"),
        (f"{'[' * 5000}", "it is nested too deeply"),
        (f"{'[' * 300}{']' * 300}", "document 1 has more than 100 levels"),
        (f"{MODEL}  replicas: 1\n  replicas: 2\n", "the key 'replicas' occurs twice"),
        (MODEL.replace("spec:", "spex:"), "ModelDeployment 'm': spec: Field required"),
        (
            f"{MODEL}---\n{CONFIG_MAP.replace('x}', '1}')}",
            "ConfigMap 'model'.data[model.py]: must be a string, not the number 1; write it in",
        ),
        (
            f"{MODEL}---\n{CONFIG_MAP.replace('{model.py: x}', 'x')}",
            "ConfigMap 'model'.data: must be a map, not the string 'x'",
        ),
        (
            f"{MODEL}---\n{CONFIG_MAP.replace('name: model', 'name: model, namespace: other')}",
            "the ConfigMap 'model' in namespace 'default' does not exist",
        ),
        (
            (
                f"{MODEL}  podTemplate: {{metadata: {{annotations: {{port: 8002}}}}}}\n"
                f"---\n{CONFIG_MAP}"
            ),
            "spec.podTemplate.metadata.annotations[port]: must be a string, not the number 8002",
        ),
    ],
)
def test_invalid_input_is_reported(text: str, says: str) -> None:
    """The message is a sentence with the document's number, if there are several."""
    with pytest.raises(InvalidManifestError, match=re.escape(says)):
        render_manifests(text, PLATFORM)


def test_a_config_map_is_that_of_the_namespace() -> None:
    """Given namesakes, the one in the ModelDeployment's namespace is read."""
    here = MODEL.replace("name: m", "name: m, namespace: b")
    others = (
        CONFIG_MAP.replace("name: model", f"name: model, namespace: {name}").replace(
            "model.py", f"{name}.py"
        )
        for name in ("a", "b", "c")
    )
    printed = render_manifests("---\n".join((here, *others)), PLATFORM)
    assert "b.py" in printed
    assert "a.py" not in printed
    assert "c.py" not in printed


def test_a_file_that_is_null_is_empty() -> None:
    """Null data is read as empty text, as in the API server."""
    assert "source.model.py: ''" in render_manifests(
        f"{MODEL}---\n{CONFIG_MAP.replace('model.py: x', 'model.py: ')}", PLATFORM
    )


def test_queries_are_checked_as_the_operator_is_configured() -> None:
    """What the default rejects, another setting of the environment may allow."""
    query = "sum(a{namespace='other',r='{{ revision }}'}[{{ window }}])"
    metric = f'[{{name: a, requests: &q "{query}", errors: *q}}]'
    text = f"{MODEL}---\n{CONFIG_MAP}".replace(
        "analysis: {provider: None}", f"analysis: {{provider: None, metrics: {metric}}}"
    )
    with pytest.raises(InvalidManifestError, match="selects by namespace"):
        render_manifests(text, PLATFORM)
    assert render_manifests(text, PLATFORM, QueryPolicy(custom=CustomQueryScope.FULL))


def test_specs_are_checked_as_the_operator_is_configured() -> None:
    """What the default rejects, another setting of the environment may allow."""
    text = f"{MODEL}  serviceAccountName: models\n---\n{CONFIG_MAP}"
    with pytest.raises(InvalidManifestError, match=r"spec\.serviceAccountName: the operator"):
        render_manifests(text, PLATFORM)
    allowing = replace(PLATFORM, specs=SpecPolicy(service_accounts=("models",)))
    assert "serviceAccountName: models" in render_manifests(text, allowing)
