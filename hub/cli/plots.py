"""Line charts as SVG: one median line with its quartile band, over time, with named levels across.

Plain SVG 1.1 without scripts or fonts of its own, so that a browser, an office program and a repository show it alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 400

_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 110, 48, 48  # margins; the names of the levels stand in the right one
_COLOURS = ("#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce")
_TEXT = 'font-family="sans-serif" fill="#333"'


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its band: a value of each at every x."""

    name: str
    low: Sequence[float]  # lower quartile
    middle: Sequence[float]
    high: Sequence[float]  # upper quartile


@dataclass(frozen=True, slots=True)
class Chart:
    """What a chart shows; y runs from 0 to `y_max`, x over `xs`."""

    title: str
    x_title: str
    y_title: str
    xs: Sequence[float]  # ascending, at least two
    y_max: float
    lines: Sequence[Line]
    levels: Sequence[tuple[str, float]]  # names and heights of horizontal lines


def svg(chart: Chart) -> str:
    """Return the chart as the text of an SVG file."""
    drawn = [*_frame(chart), *_levels(chart)]
    for number, line in enumerate(chart.lines):
        drawn += _line(chart, line, _COLOURS[number % len(_COLOURS)])
    drawn += _legend(chart)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title)}">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            *drawn,
            "</svg>",
            "",
        ]
    )


def _frame(chart: Chart) -> list[str]:
    """Draw the title, the axes and their ticks."""
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    drawn = [
        _text(chart.title, _LEFT, 24, size=16, anchor="start"),
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#333"/>',
        _text(chart.x_title, (_LEFT + right) / 2, HEIGHT - 10),
        f'<g transform="translate(16 {(_TOP + bottom) / 2}) rotate(-90)">{_text(chart.y_title, 0, 0)}</g>',
    ]
    first, last = chart.xs[0], chart.xs[-1]
    for step in range(7):
        value = first + (last - first) * step / 6
        x = _x(chart, value)
        drawn += [f'<path d="M{x:.1f} {bottom}v5" stroke="#333"/>', _text(f"{value:.0f}", x, bottom + 18)]
    for step in range(6):
        value = chart.y_max * step / 5
        y = _y(chart, value)
        drawn += [f'<path d="M{_LEFT - 5} {y:.1f}h5" stroke="#333"/>', _text(f"{value:.0f}", _LEFT - 8, y + 4, anchor="end")]
    return drawn


def _levels(chart: Chart) -> list[str]:
    drawn = []
    for name, height in chart.levels:
        y, right = _y(chart, height), WIDTH - _RIGHT
        drawn += [
            f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#999" stroke-dasharray="4 3"/>',
            _text(f"{name} ({height:g})", right + 6, y + 4, anchor="start"),
        ]
    return drawn


def _line(chart: Chart, line: Line, colour: str) -> list[str]:
    xs = [_x(chart, value) for value in chart.xs]
    upper, middle, lower = (
        [f"{x:.1f},{_y(chart, value):.1f}" for x, value in zip(xs, values, strict=True)] for values in (line.high, line.middle, line.low)
    )
    return [
        f'<polygon points="{" ".join([*upper, *reversed(lower)])}" fill="{colour}" fill-opacity="0.15"/>',
        f'<polyline points="{" ".join(middle)}" fill="none" stroke="{colour}" stroke-width="2"/>',
    ]


def _legend(chart: Chart) -> list[str]:
    drawn = []
    for number, line in enumerate(chart.lines):
        x, colour = _LEFT + 10 + number * 190, _COLOURS[number % len(_COLOURS)]
        drawn += [
            f'<path d="M{x} 38h20" stroke="{colour}" stroke-opacity="0.15" stroke-width="10"/>',
            f'<path d="M{x} 38h20" stroke="{colour}" stroke-width="2"/>',
            _text(line.name, x + 26, 42, anchor="start"),
        ]
    return drawn


def _text(text: str, x: float, y: float, *, size: int = 12, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" {_TEXT}>{escape(text)}</text>'


def _x(chart: Chart, value: float) -> float:
    first, last = chart.xs[0], chart.xs[-1]
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - first) / (last - first)


def _y(chart: Chart, value: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(value, chart.y_max) / chart.y_max
