import pytest

from halimede.api.query import UnusableQueryError, render, validate

GOOD = 'sum(increase(seen{service="{{ service }}"}[{{ window }}]))'
VALUES = {
    "namespace": "ml",
    "name": "digits",
    "revision": "bbbb2222",
    "service": "digits-bbbb2222",
    "model": "digits",
    "window": "75s",
}


def test_placeholders_are_filled_in() -> None:
    """Placeholders are replaced, and the rest of the text is unchanged."""
    assert render(GOOD, VALUES) == 'sum(increase(seen{service="digits-bbbb2222"}[75s]))'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sum({{ revision }", "cannot be read"),
        ("{% for x in y %}", "cannot be read"),
        ("{{ secret }} {{ revision }} {{ window }}", "uses secret, which has no value"),
        ("{{ window }}", "the same for both revisions"),
        ("{{ revision }}", "does not state its time range"),
        ("{{ revision.__class__ }} {{ window }}", "more than text and placeholders"),
        ("{{ 'a' * 1000000000 }} {{ revision }} {{ window }}", "more than text and"),
        ("{{ range(1000000000) }} {{ revision }} {{ window }}", "more than text and"),
        ("{% for a in window %}{{ revision }}{% endfor %}", "more than text and"),
        ("{% include 'x' %}{{ revision }} {{ window }}", "more than text and"),
        ("{{ revision | upper }} {{ window }}", "more than text and"),
        ("{{" + "(" * 900 + "revision", "cannot be read"),
    ],
)
def test_a_template_with_other_content_is_rejected_with_a_remedy(text: str, words: str) -> None:
    """Other expressions are rejected from their syntax tree and never evaluated."""
    with pytest.raises(UnusableQueryError, match=words) as rejected:
        validate(text)
    assert rejected.value.cure
    with pytest.raises(UnusableQueryError):
        render(text, VALUES)
