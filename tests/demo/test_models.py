import numpy as np
import onnxruntime

from harness.data import digits
from harness.images import draw
from harness.models import CONFIG_MAP_LIMIT, Version


def test_every_version_fits_into_a_config_map(versions: dict[str, Version]) -> None:
    """A version's files are below the size limit of a ConfigMap."""
    too_big = {name for name, version in versions.items() if version.size > CONFIG_MAP_LIMIT}
    assert too_big == set()


def test_the_second_version_is_better(versions: dict[str, Version]) -> None:
    """v2 beats v1 by more than two points on images that neither was trained on."""
    assert versions["v1"].accuracy > 0.9
    assert versions["v2"].accuracy > versions["v1"].accuracy + 0.02


def test_the_converted_graph_is_as_good_as_the_classifier(versions: dict[str, Version]) -> None:
    """The ONNX graph is as accurate as scikit-learn's classifier."""
    _, ask = digits()
    result = {}
    for name in ("v1", "v2"):
        session = onnxruntime.InferenceSession(versions[name].files["classifier.onnx"])
        answers, odds = session.run(None, {session.get_inputs()[0].name: ask.pixels})
        assert np.allclose(odds.sum(axis=1), 1, atol=1e-4)
        result[name] = ask.right(answers) / len(ask)
    assert result == {name: versions[name].accuracy for name in result}


def test_bad_versions_differ_from_v2_only_by_their_fault(versions: dict[str, Version]) -> None:
    """A bad version has one additional file."""
    for name in ("v3", "v4", "v5"):
        more = versions[name].files.keys() - versions["v2"].files.keys()
        assert more == {"fault.json"}
        assert versions[name].files["classifier.onnx"] == versions["v2"].files["classifier.onnx"]
    assert "fault.json" not in versions["v1"].files


def test_no_image_is_both_learned_from_and_asked_about() -> None:
    """Both halves have all digits and together are the whole data set."""
    learn, ask = digits()
    assert (len(learn), len(ask)) == (898, 899)
    assert set(learn.digits) == set(ask.digits) == set(range(10))


def test_a_digit_is_drawn_in_eight_lines() -> None:
    """A drawing has a line per row and two columns per pixel."""
    _, ask = digits()
    assert [len(line) for line in draw(ask.pixels[0]).splitlines()] == [16] * 8
