"""Matchers that are added to every selector of a query."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.api.query import UnusableQueryError
from halimede.judge.promql_functions import AGGREGATIONS, FUNCTIONS
from halimede.judge.selectors import add_matchers

OWN = {"namespace": "ml"}


@pytest.mark.parametrize(
    ("query", "limited"),
    [
        ("a", "a{N}"),
        ("a{}", "a{N}"),
        ('a{b="c"}', 'a{N,b="c"}'),
        ('a{ b = "c" , }', 'a{N, b = "c" }'),
        ('{__name__=~".+"}', '{N,__name__=~".+"}'),
        ('{"a.b"}', '{N,"a.b"}'),
        ('{"a.b", "c.d"!~"e"}', '{N,"a.b", "c.d"!~"e"}'),
        ("job:a:rate5m", "job:a:rate5m{N}"),
        ("sum", "sum{N}"),
        ("rate", "rate{N}"),
        ("by", "by{N}"),
        ("offset offset 5m", "offset{N} offset 5m"),
        ("a[5m]", "a{N}[5m]"),
        ("a[1h:]", "a{N}[1h:]"),
        ("max_over_time(a[1h:5m] offset -1d)", "max_over_time(a{N}[1h:5m] offset -1d)"),
        ("a @ 1609746000.5 offset 5m", "a{N} @ 1609746000.5 offset 5m"),
        ("a @ start() + a @ end()", "a{N} @ start() + a{N} @ end()"),
        ("sum by (a, b) (c)", "sum by (a, b) (c{N})"),
        ("sum(c) WITHOUT(a)", "sum(c{N}) WITHOUT(a)"),
        ("SUM BY () (c)", "SUM BY () (c{N})"),
        ('sum by ("a.b") (c)', 'sum by ("a.b") (c{N})'),
        ("a * on(b) group_left(c) d", "a{N} * on(b) group_left(c) d{N}"),
        ("a * ignoring (b) group_right d", "a{N} * ignoring (b) group_right d{N}"),
        ("a > bool on(b) c", "a{N} > bool on(b) c{N}"),
        ("a and b or c unless d atan2 e", "a{N} and b{N} or c{N} unless d{N} atan2 e{N}"),
        ("a==b!=c>=d<=e<f>g", "a{N}==b{N}!=c{N}>=d{N}<=e{N}<f{N}>g{N}"),
        ("-a ^ +2 % .5 / 1e-3 * 0x1F", "-a{N} ^ +2 % .5 / 1e-3 * 0x1F"),
        ("Inf - NaN + inf", "Inf - NaN + inf"),
        ('count_values("v", a)', 'count_values("v", a{N})'),
        ("topk(3, a) or vector(1)", "topk(3, a{N}) or vector(1)"),
        ("time() - timestamp(a)", "time() - timestamp(a{N})"),
        (
            'label_replace(a, "b", "$1", "c", "(.*)")',
            'label_replace(a{N}, "b", "$1", "c", "(.*)")',
        ),
        ('a{b="}"} + c{d=\'{"\'}', 'a{N,b="}"} + c{N,d=\'{"\'}'),
        ('a{b="\\"}"}', 'a{N,b="\\"}"}'),
        ("a{b=`\\`}", "a{N,b=`\\`}"),
        ("a # {N} b\n+ c", "a{N} + c{N}"),
        ("a{ # }\r\n b='c'}", "a{N, b='c'}"),
        ("a # no line break", "a{N}"),
        ('a{namespace="ml"}', 'a{N,namespace="ml"}'),
        ("a{'namespace'='ml'}", "a{N,'namespace'='ml'}"),
        ("((a))", "((a{N}))"),
    ],
)
def test_every_selector_gets_the_matcher(query: str, limited: str) -> None:
    """Nothing else changes but comments and white space; N stands for the matcher."""
    expected = re.sub(r"\bN\b", 'namespace="ml"', limited)
    assert add_matchers(query, OWN) == expected


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ('a{namespace="other"}', "selects by namespace"),
        ('a{namespace="ml",namespace="other"}', "selects by namespace"),
        ('a{namespace=~"ml"}', "selects by namespace"),
        ('a{namespace!="other"}', "selects by namespace"),
        ('a{namespace!~"other"}', "selects by namespace"),
        ('a{"namespace"="other"}', "selects by namespace"),
        ("a{`namespace`=`other`}", "selects by namespace"),
        ('a{"name\\x73pace"="other"}', "must not have a backslash"),
        ('a{namespace="\\x6dl"}', "must not have a backslash"),
        ('a{b="c" or namespace="other"}', "must be ',' or '}'"),
        ("a{b}", "must be =, !=, =~ or !~"),
        ("a{b=c}", "must be a string"),
        ("a{b:c='d'}", "must be the name of a label"),
        ("a{,}", "must be the name of a label"),
        ("a{'b'", "must be ',' or '}'"),
        ("a b", "must be an operator"),
        ('a {b="c"} {d="e"}', "must be an operator"),
        ("a 'b'", "must be an operator"),
        ("info(a)", "is not a function"),
        ('info(a, {b="c"})', "is not a function"),
        ("WITH (x = a) x", "is not a function"),
        ("union(a, b)", "is not a function"),
        ("RATE(a[5m])", "is not a function"),
        ("a, b", "must be an operator"),
        ("(a", "lacks a closing parenthesis"),
        ("a)", "closes no parenthesis"),
        ("()", "must be a selector"),
        ("", "must be a selector"),
        ("# a", "must be a selector"),
        ("a +", "must be a selector"),
        ("[5m]", "must be a selector"),
        ("a[5m + 1m]", "is not understood"),
        ("a[__range]", "is not understood"),
        ("a offset b", "must be a number or a duration"),
        ("a @ now()", "must be a number or a duration"),
        ("a @ start(b)", "must be ')'"),
        ("sum by (a", "must be ','"),
        ("sum by (a + b) (c)", "must be ','"),
        ("sum by (5) (c)", "must be the name of a label"),
        ("a * on b c", "must be '('"),
        ("a $ b", "is not understood"),
        ("a{b='c", "is not understood"),
        ("a{b='c\nd'}", "is not understood"),
        ("\u0430", "is not understood"),
        ("5x", "is not understood"),
        ("a;b", "is not understood"),
        ("a\x0b+ b", "is not understood"),
    ],
)
def test_what_is_not_understood_is_rejected_with_place_and_remedy(query: str, words: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(UnusableQueryError) as rejected:
        add_matchers(query, OWN)
    assert words in str(rejected.value)
    assert rejected.value.cure


def test_the_message_names_the_place() -> None:
    """The character is counted from 1, and the text from there on is quoted."""
    with pytest.raises(UnusableQueryError) as rejected:
        add_matchers('sum(a{namespace="other"})', OWN)
    assert str(rejected.value) == (
        'the query cannot be limited to a namespace: at character 7, `namespace="other"})`,'
        ' selects by namespace, but only namespace="ml" is allowed'
    )
    assert rejected.value.cure == (
        'remove this matcher: namespace="ml" is added to every selector'
    )


def test_several_matchers_are_added_in_order_and_none_leaves_the_query() -> None:
    """Without matchers a query is not even read."""
    assert add_matchers("a", {"namespace": "ml", "cluster": "eu"}) == (
        'a{namespace="ml",cluster="eu"}'
    )
    assert add_matchers("}{", {}) == "}{"


def test_deep_and_long_queries_take_no_stack() -> None:
    """Users decide how deep a query is."""
    assert add_matchers("(" * 5000 + "a" + ")" * 5000, OWN).count("(") == 5000
    assert add_matchers("+".join(["a"] * 5000), OWN).count("namespace") == 5000


NAMES = st.sampled_from(
    ["a", "node_load1", "job:b:sum", "sum", "rate", "by", "offset", "and", "namespace"]
)
"""Not `bool` or `on`: after an operator these are no names."""
STRINGS = st.sampled_from(['"x"', "'}'", "`{`", '"\\"#"', "'# y'"])
GAPS = st.sampled_from(["", " ", "\n", "\t ", " # a{b='c'}\n"])


@dataclass(frozen=True)
class Written:
    """A query, and the same with a matcher in every selector; without white space."""

    text: str
    limited: str
    selectors: int


def _join(*parts: "str | Written") -> Written:
    """Join texts and queries."""
    return Written(
        "".join(part if isinstance(part, str) else part.text for part in parts),
        "".join(_bare(part) if isinstance(part, str) else part.limited for part in parts),
        sum(0 if isinstance(part, str) else part.selectors for part in parts),
    )


def _bare(text: str) -> str:
    return "".join(re.sub(r"#[^\n]*", "", text).split())


@st.composite
def selectors(draw: st.DrawFn) -> Written:
    """Return a selector with or without braces, range and offset."""
    name, gap = draw(NAMES), draw(GAPS)
    labels = draw(st.lists(st.tuples(st.sampled_from(["l", "m"]), STRINGS), max_size=2))
    inside = ",".join(f"{label}={value}" for label, value in labels)
    added = 'namespace="ml"' + ("," if labels else "")
    suffix = draw(st.sampled_from(["", "[5m]", "[1h:5m]", " offset 5m", " @ end()"]))
    braces = f"{gap}{{{inside}}}" if labels or draw(st.booleans()) else ""
    limited = f"{name}{{{added}{''.join(inside.split())}}}{''.join(suffix.split())}"
    return Written(f"{name}{braces}{suffix}", limited, 1)


def _composed(inner: st.SearchStrategy[Written]) -> st.SearchStrategy[Written]:
    operators = st.sampled_from(
        ["+", "==", "and", "> bool", "* on(l)", "- ignoring(m) group_left(l)"]
    )
    return st.one_of(
        st.builds(
            lambda gap, call, one: _join(f"{call}{gap}(", one, ")"),
            GAPS,
            st.sampled_from(sorted(FUNCTIONS | AGGREGATIONS)),
            inner,
        ),
        st.builds(
            lambda gap, one, operator, other: _join(one, f" {operator}{gap} ", other),
            GAPS,
            inner,
            operators,
            inner,
        ),
        st.builds(
            lambda gap, one: _join(f"sum by{gap}(l, m)", "(", one, ")"),
            GAPS,
            inner,
        ),
        st.builds(lambda one, gap: _join("(", one, gap, ")"), inner, GAPS),
        st.builds(lambda one: _join("-", one), inner),
    )


QUERIES = st.recursive(selectors(), _composed, max_leaves=8)


@given(QUERIES)
def test_every_selector_of_any_query_gets_the_matcher(query: Written) -> None:
    """Wherever it stands, and whatever comments, strings and names are around it."""
    limited = add_matchers(query.text, OWN)
    assert limited.count('namespace="ml"') == query.selectors
    assert "".join(limited.split()) == query.limited


@given(st.text(st.sampled_from(list("ab{}()[]\"'`#=~!,5m \n\\+@")), max_size=60))
def test_any_text_is_limited_or_rejected(text: str) -> None:
    """Nothing else happens, and limiting again changes no meaning."""
    try:
        limited = add_matchers(text, OWN)
    except UnusableQueryError:
        return
    assert add_matchers(limited, OWN).count('namespace="ml"') == 2 * limited.count(
        'namespace="ml"'
    )
