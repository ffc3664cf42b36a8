"""Two specs whose revisions have the same hash, found by brute force."""

import copy
import hashlib
from functools import cache

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.env import canonical
from halimede.render.revision import HASH_DIGITS, Revision, render_revision
from harness.fake_cluster import PLATFORM
from harness.fake_spec import SPEC

IMAGES = ("registry.example/triton:1", "registry.example/triton-2:1")
SALT = "0123456789abcdef"
MOST = 1 << 22
"""Specs of each image to try. A thousandth of them suffices in most cases."""
KNOWN = 1 << 17
"""Hashes of the first image to compare with."""


def spec_of(image: str, salt: str) -> Manifest:
    """Return a spec that differs in the image, and in the name of a volume.

    Volumes are near the end of what is hashed, so only the end is hashed for each salt.
    """
    volume = {"name": f"salt-{salt}", "emptyDir": {}}
    template = {"spec": {"volumes": [volume]}}
    runtime = {"version": "26.09", "image": image}
    return copy.deepcopy(SPEC) | {"runtime": runtime, "podTemplate": template}


def revision_of(spec: Manifest) -> Revision:
    """Render the revision of a spec."""
    metadata = {"name": "digits", "namespace": "ml", "uid": "u"}
    md = ModelDeployment.from_manifest({"metadata": metadata, "spec": spec})
    return render_revision(md, PLATFORM, {})


@cache
def colliding_specs() -> tuple[Manifest, Manifest]:
    """Return two specs with different images whose revisions have the same hash.

    Raises:
        LookupError: There is none among the specs that are tried.
    """
    first, second = (_Search(image) for image in IMAGES)
    known = {first.hash_of(number): number for number in range(KNOWN)}
    for number in range(MOST):
        if (other := known.get(second.hash_of(number))) is not None:
            return first.spec_of(other), second.spec_of(number)
    raise LookupError(f"no collision among {KNOWN} and {MOST} specs")


class _Search:
    """Hashes specs of one image by what is hashed, without rendering each of them."""

    def __init__(self, image: str) -> None:
        self.image = image
        revision = revision_of(spec_of(image, SALT))
        template = copy.deepcopy(revision.pod_template)
        template["spec"]["initContainers"][0]["image"] = ""
        text = canonical(
            {"podTemplate": template, "config": revision.config_pbtxt, "source": revision.source}
        )
        assert hashlib.sha256(text.encode()).hexdigest() == revision.digest
        before, self.after = text.encode().split(SALT.encode())
        self.before = hashlib.sha256(before)

    def hash_of(self, number: int) -> str:
        """Return the hash of the revision with a number as its salt."""
        digest = self.before.copy()
        digest.update(b"%016x%b" % (number, self.after))
        return digest.hexdigest()[:HASH_DIGITS]

    def spec_of(self, number: int) -> Manifest:
        """Return the spec of that revision."""
        return spec_of(self.image, f"{number:016x}")
