"""Everything that is wrong with a plan, for who writes one: not only the first."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bids_app.errors import UsageError
from bids_app.settings.contradictions import contradictions
from bids_app.settings.plan import Plan, refuse_contradictions, values_of


def problems_of(sections: Mapping[str, Any]) -> list[str]:
    """List everything that is wrong with a plan, key by key, where `plan.plan_of` stops at the first.

    Parameters
    ----------
    sections : dict
        Of its file.

    Returns
    -------
    list of str
        Empty where `plan.plan_of` takes it.
    """
    found = [text for part in _alone(sections) if (text := _refused(values_of, part))]
    if found:
        return found
    text = _refused(lambda values: refuse_contradictions(values_of(values)), sections)
    plan = Plan(**values_of(sections))
    return [*filter(None, (text, _refused(lambda _: plan.options, {}))), *contradictions(plan)]


def _alone(sections: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every key of a plan by itself, in its section; objectives whole."""
    for name, content in sections.items():
        if isinstance(content, dict) and name != "protocol":
            yield from ({name: {key: value}} for key, value in content.items())
        else:
            yield {name: content}


def _refused(read: Callable[[Mapping[str, Any]], Any], part: Mapping[str, Any]) -> str:
    """Return why something is refused; nothing where it is not."""
    try:
        read(part)
    except UsageError as error:
        return str(error).rstrip(".")
    return ""
