"""The tokens of PromQL; everything else is rejected.

They are those of https://github.com/prometheus/prometheus/blob/main/promql/parser/lex.go. Comments
are dropped, so that nothing takes them for something else later. A range in brackets is one
token.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from halimede.api.query import UnusableQueryError

SHOWN_CHARACTERS = 20
"""Of the query in a message, from the fault on."""
CURE = "correct the query, and test it in Prometheus"
_BLANK = r"[ \t\r\n]*"
_DURATION = r"(?:[0-9]+(?:ms|[smhdwy]))+"
_NUMBER = (
    rf"(?:0[xX][0-9a-fA-F]+|{_DURATION}|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"(?![0-9A-Za-z_.])"
)


class Kind(Enum):
    """What a token is."""

    SPACE = r"(?:[ \t\r\n]|#[^\r\n]*)+"
    """White space and comments."""
    STRING = r'"(?:[^"\\\r\n]|\\[^\r\n])*"' + r"|'(?:[^'\\\r\n]|\\[^\r\n])*'|`[^`]*`"
    NUMBER = _NUMBER
    """A number or a duration."""
    WORD = r"[A-Za-z_:][A-Za-z0-9_:]*"
    """A name or a keyword."""
    RANGE = rf"\[{_BLANK}{_NUMBER}{_BLANK}(?::{_BLANK}(?:{_NUMBER})?{_BLANK})?\]"
    """The range of a matrix selector or of a subquery."""
    SYMBOL = r"==|!=|>=|<=|=~|!~|[-+*/%^<>=(){},@]"


_ANY = re.compile("|".join(f"(?P<{kind.name}>{kind.value})" for kind in Kind), re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and where it is."""

    kind: Kind | None
    """None: the end of the query."""
    text: str
    at: int
    """Index of its first character."""
    spaced: bool = False
    """Whether there is white space or a comment before it."""

    @property
    def keyword(self) -> str:
        """The word in lower case, as keywords are compared; empty if it is none."""
        return self.text.lower() if self.kind is Kind.WORD else ""


def tokens(query: str) -> Iterator[Token]:
    """Yield the tokens of a query, and then one for its end.

    Raises:
        UnusableQueryError: It contains something that is no token.
    """
    at, spaced = 0, False
    while at < len(query):
        match = _ANY.match(query, at)
        if match is None or match.lastgroup is None:
            raise fault(query, at, "is not understood")
        kind = Kind[match.lastgroup]
        if kind is not Kind.SPACE:
            yield Token(kind, match.group(), at, spaced)
        spaced, at = kind is Kind.SPACE, match.end()
    yield Token(None, "", at, spaced)


def fault(query: str, at: int, what: str, cure: str = CURE) -> UnusableQueryError:
    """Describe what is wrong at a place of a query, and what to do."""
    rest = query[at : at + SHOWN_CHARACTERS]
    where = f"at character {at + 1}, `{rest}`," if rest else "its end"
    return UnusableQueryError(f"the query cannot be limited to a namespace: {where} {what}", cure)
