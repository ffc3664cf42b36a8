"""JSON whose nesting is limited, so that everything that recurses over it can do so.

The API server accepts custom resources up to 10,000 levels deep (`maxDepth` of
sigs.k8s.io/json and `x-kubernetes-preserve-unknown-fields`), and copies that depth into
`metadata.managedFields`. `json.loads` fails with far fewer, and so do copies and serializers.
"""

import re

MAX_DEPTH = 100
"""What is nested deeper is replaced by null. Validation rejects specs far less deep than this
(`validation.free_form.MAX_DEPTH`), so a spec that lost something here is never rendered."""

_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]', re.DOTALL)
_WITHOUT_ESCAPES = re.compile(rb'"[^"]*+"')
_BRACES = bytes.maketrans(b"[]", b"{}")
_OTHER_CHARACTERS = bytes(set(range(256)) - set(b'{}[]"'))


def limit_depth(text: bytes, depth: int = MAX_DEPTH) -> bytes:
    """Return JSON in which values more than *depth* levels deep are null.

    >>> limit_depth(b'{"a": {"b": [1, {"c": "]"}]}}', 3)
    b'{"a": {"b": [1, null]}}'
    """
    return _cut(text, depth) if _is_deeper(text, depth) else text


def _is_deeper(text: bytes, depth: int) -> bool:
    """Whether JSON has more levels than *depth*.

    Escapes go first, then the strings without brackets, which are nearly all, then the others, and
    in each round the innermost brackets. This takes a fraction of the time of parsing.
    """
    unescaped = text.replace(rb"\\", b"").replace(rb"\"", b"")
    without_most = unescaped.translate(_BRACES, _OTHER_CHARACTERS).replace(b'""', b"")
    brackets = _WITHOUT_ESCAPES.sub(b"", without_most)
    for _ in range(depth):
        if not brackets:
            return False
        brackets = brackets.replace(b"{}", b"")
    return bool(brackets)


def _cut(text: bytes, depth: int) -> bytes:
    kept, level, start = [], 0, 0
    for token in _TOKENS.finditer(text):
        first = token[0][:1]
        if first in b"{[":
            level += 1
            if level == depth + 1:
                kept += [text[start : token.start()], b"null"]
        elif first in b"}]":
            if level == depth + 1:
                start = token.end()
            level -= 1
    return b"".join((*kept, text[start:]))
