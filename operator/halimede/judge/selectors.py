"""Add label matchers to every selector of a query.

PromQL has two forms of a selector: a name that is not a function, a keyword or a label, and braces
with or without a name before them
(https://github.com/prometheus/prometheus/blob/main/promql/parser/generated_parser.y). What a word
is depends on whether an operand or an operator is expected at its place. Everything that is not
understood is rejected, and only what was understood is written: the result has no comments. So a
query means to Prometheus what it means here, or Prometheus rejects it.
"""

from collections.abc import Mapping

from halimede.api.query import UnusableQueryError
from halimede.judge.promql import literal
from halimede.judge.promql_functions import AGGREGATIONS, FUNCTIONS
from halimede.judge.promql_tokens import Kind, Token, fault, tokens

_OPERATORS = frozenset({"+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<="})
_WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2"})
_GROUPINGS = frozenset({"by", "without"})
_MATCHINGS = frozenset({"on", "ignoring"})
_SIDES = frozenset({"group_left", "group_right"})
_NUMBERS = frozenset({"inf", "nan"})
_MATCHER_OPERATORS = frozenset({"=", "!=", "=~", "!~"})


def add_matchers(query: str, matchers: Mapping[str, str]) -> str:
    """Return a query whose selectors all have these equality matchers too.

    >>> add_matchers('sum by (a) (rate(b[5m])) / c{d="e"} # all', {"namespace": "ml"})
    'sum by (a) (rate(b{namespace="ml"}[5m])) / c{namespace="ml",d="e"}'

    Args:
        query: PromQL.
        matchers: Values by label name.

    Raises:
        UnusableQueryError: A selector has another matcher for one of these labels, or something in
            the query is not understood.
    """
    return _Rewriter(query, matchers).rewrite() if matchers else query


class _Rewriter:
    """Reads the tokens one after the other, and writes those of the result."""

    def __init__(self, query: str, matchers: Mapping[str, str]) -> None:
        self._query, self._matchers = query, matchers
        self._tokens = list(tokens(query))
        self._next = 0
        self._output: list[str] = []
        self._added = ",".join(f"{name}={literal(value)}" for name, value in matchers.items())
        self._depth = 0

    def rewrite(self) -> str:
        """Read operands and operators in turn until the end."""
        while True:
            self._read_operand()
            if self._read_until_operand():
                return "".join(self._output).strip()

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _fault(self, token: Token, what: str) -> UnusableQueryError:
        return fault(self._query, token.at, what)

    def _take(self) -> Token:
        """Write the next token, and go on."""
        token = self._token
        self._output.append(f" {token.text}" if token.spaced else token.text)
        self._next += 1
        return token

    def _take_symbol(self, symbol: str) -> bool:
        """Take the next token if it is *symbol*."""
        found = self._token.kind is Kind.SYMBOL and self._token.text == symbol
        if found:
            self._take()
        return found

    def _expect(self, symbol: str) -> None:
        if not self._take_symbol(symbol):
            raise self._fault(self._token, f"must be {symbol!r}")

    # Where an operand is expected.

    def _read_operand(self) -> None:
        """Read signs, opening parentheses and the names of functions, and then an operand."""
        while True:
            token = self._token
            if token.kind in (Kind.STRING, Kind.NUMBER):
                self._take()
                return
            if token.kind is Kind.SYMBOL and token.text == "{":
                self._read_matchers()
                return
            if token.kind is Kind.WORD:
                if self._read_word():
                    return
            elif self._take_symbol("("):
                self._depth += 1
            elif not (self._take_symbol("-") or self._take_symbol("+")):
                raise self._fault(token, "must be a selector, a function, a number or a string")

    def _read_word(self) -> bool:
        """Read a word and what belongs to it; return whether the operand is complete."""
        word = self._take()
        if word.keyword in AGGREGATIONS and self._token.keyword in _GROUPINGS:
            self._take()
            self._read_labels()
            self._expect("(")
            self._depth += 1
            return False
        if self._take_symbol("("):
            if word.text not in FUNCTIONS and word.keyword not in AGGREGATIONS:
                raise self._fault(word, "is not a function that reads nothing but its arguments")
            self._depth += 1
            return self._is_symbol(")")
        if self._is_symbol("{"):
            self._read_matchers()
        elif word.keyword not in _NUMBERS:
            self._output.append(f"{{{self._added}}}")
        return True

    def _is_symbol(self, symbol: str) -> bool:
        return self._token.kind is Kind.SYMBOL and self._token.text == symbol

    def _read_matchers(self) -> None:
        """Read the braces of a selector."""
        self._take()
        self._output.append(self._added)
        while not self._take_symbol("}"):
            self._output.append(",")
            self._read_matcher()
            if self._is_symbol(","):
                self._next += 1  # written before the next matcher, if there is one
            elif not self._is_symbol("}"):
                raise self._fault(self._token, "must be ',' or '}'")

    def _read_matcher(self) -> None:
        """Read one matcher, or the name of the metric in quotes."""
        name = self._token
        if name.kind is not Kind.STRING and (name.kind is not Kind.WORD or ":" in name.text):
            raise self._fault(name, "must be the name of a label")
        self._take()
        operator = self._token
        if operator.kind is not Kind.SYMBOL or operator.text not in _MATCHER_OPERATORS:
            if name.kind is Kind.STRING:
                return
            raise self._fault(operator, "must be =, !=, =~ or !~")
        self._take()
        if self._token.kind is not Kind.STRING:
            raise self._fault(self._token, "must be a string")
        value = self._take()
        label = self._unquote(name) if name.kind is Kind.STRING else name.text
        if label in self._matchers and not (
            operator.text == "=" and self._unquote(value) == self._matchers[label]
        ):
            own = self._matchers[label]
            raise fault(
                self._query,
                name.at,
                f"selects by {label}, but only {label}={literal(own)} is allowed",
                f"remove this matcher: {label}={literal(own)} is added to every selector",
            )

    def _unquote(self, string: Token) -> str:
        """Return the value of a string without escapes."""
        if "\\" in string.text:
            raise self._fault(string, "must not have a backslash")
        return string.text[1:-1]

    # Where an operator is expected.

    def _read_until_operand(self) -> bool:
        """Read until another operand must follow; return whether it is the end instead."""
        while True:
            token = self._token
            if token.kind is None:
                if self._depth:
                    raise self._fault(token, "lacks a closing parenthesis")
                return True
            if token.kind is Kind.RANGE:
                self._take()
            elif self._take_symbol(")"):
                self._depth -= 1
                if self._depth < 0:
                    raise self._fault(token, "closes no parenthesis")
            elif self._depth and self._take_symbol(","):
                return False
            elif token.text in _OPERATORS or token.keyword in _WORD_OPERATORS:
                self._take()
                self._read_modifiers()
                return False
            else:
                self._read_suffix(token)

    def _read_modifiers(self) -> None:
        """Read what may stand between a binary operator and its second operand."""
        if self._token.keyword == "bool":
            self._take()
        if self._token.keyword in _MATCHINGS:
            self._take()
            self._read_labels()
            if self._token.keyword in _SIDES:
                self._take()
                if self._is_symbol("("):
                    self._read_labels()

    def _read_suffix(self, token: Token) -> None:
        """Read the grouping of an aggregation, `offset`, or `@`."""
        if token.keyword in _GROUPINGS:
            self._take()
            self._read_labels()
        elif token.keyword == "offset":
            self._take()
            self._read_number()
        elif self._take_symbol("@"):
            if self._token.keyword in {"start", "end"}:
                self._take()
                self._expect("(")
                self._expect(")")
            else:
                self._read_number()
        else:
            raise self._fault(token, "must be an operator")

    def _read_number(self) -> None:
        if not self._take_symbol("-"):
            self._take_symbol("+")
        if self._token.kind is not Kind.NUMBER:
            raise self._fault(self._token, "must be a number or a duration")
        self._take()

    def _read_labels(self) -> None:
        """Read label names in parentheses."""
        self._expect("(")
        while not self._take_symbol(")"):
            if self._token.kind not in (Kind.WORD, Kind.STRING):
                raise self._fault(self._token, "must be the name of a label")
            self._take()
            if not self._is_symbol(")"):
                self._expect(",")
