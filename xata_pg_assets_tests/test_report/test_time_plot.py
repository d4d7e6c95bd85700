"""The plot of what took the time: an image that Dagit shows in place."""

from __future__ import annotations

import doctest
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from xata_pg_assets.report import pace
from xata_pg_assets.report.time_plot import INLINE, time_plot

IMAGE = re.compile(r"!\[seconds by table\]\(<data:image/svg\+xml,([^<>]*)>\)")


def svg_of(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(unquote(text))  # noqa: S314  # our own


def labels(text: str) -> list[str | None]:
    (svg,) = IMAGE.fullmatch(text).groups()
    return [each.text for each in svg_of(svg).iter("{http://www.w3.org/2000/svg}text")]


def report(**seconds: float) -> dict[str, object]:
    return {"tables": [{"table": name, "seconds": each} for name, each in seconds.items()]}


def test_slowest_first_and_none_that_took_no_time():
    assert labels(time_plot(report(a=0.5, b=2.0, c=0.0))) == ["b 2.0 s", "a 0.50 s"]
    assert time_plot(report(c=0.0)) == ""
    assert time_plot(report()) == ""


@pytest.mark.parametrize("name", ["t", "a_name_of_many_words_that_goes_on", "ü<&'\">#%()"])
def test_it_is_short_enough_to_be_shown_in_place(name):
    text = time_plot(report(**{f"{name}{number}": number + 1.0 for number in range(40)}))
    assert 300 < len(text) <= INLINE
    assert len(labels(text)) >= 2
    assert labels(text)[0].startswith(name[:31])


def test_doctests_of_the_pace():
    assert doctest.testmod(pace) == (0, 4)
