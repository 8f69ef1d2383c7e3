"""Draw plots as SVG: lines over two logarithmic axes, and bars over one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#0b6e4f", "#3fa34d", "#c8553d", "#8e3b46", "#e09f3e", "#5f7a8a", "#a0aec0", "#334e68")
WIDTH = 760
LEFT, RIGHT, TOP, BOTTOM = 150, 80, 52, 46
ROW = 22
HEIGHT = 400
FONT = "font-family='sans-serif' font-size='13'"


def bars(title: str, groups: Mapping[str, Mapping[str, float]], unit: str = "s") -> str:
    """Return bars in groups: group → name → value; the axis is logarithmic, the value is written beside the bar."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    values = [value for group in groups.values() for value in group.values()]
    low, high = _decades(values)
    drawn, y = [], TOP
    for group, entries in groups.items():
        drawn.append(_text(12, y + 14, group, weight="bold"))
        for name, value in entries.items():
            width = (WIDTH - LEFT - RIGHT) * _place(value, low, high)
            colour = COLOURS[names.index(name) % len(COLOURS)]
            y += ROW
            drawn.append(_text(LEFT - 8, y + 14, name, anchor="end"))
            drawn.append(f"<rect x='{LEFT}' y='{y + 2}' width='{width:.1f}' height='{ROW - 5}' fill='{colour}'/>")
            drawn.append(
                _text(LEFT + width + 6, y + 14, f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}")
            )
        y += ROW + 8
    return _whole(title, drawn, y + 10)


def lines(title: str, series: Mapping[str, Mapping[int, float]], across: str, up: str = "seconds") -> str:
    """Return lines over two logarithmic axes: name → x → y."""
    xs = sorted({x for points in series.values() for x in points})
    left, right = xs[0] / 1.3, xs[-1] * 1.3
    low, high = _decades([y for points in series.values() for y in points.values()])

    def at(x: float, y: float) -> tuple[float, float]:
        across = 70 + (WIDTH - 70 - 200) * math.log(x / left) / math.log(right / left)
        return across, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _place(y, low, high)

    drawn = []
    for decade in range(round(math.log10(low)), round(math.log10(high)) + 1):
        (_, y) = at(left, 10.0**decade)
        drawn.append(f"<line x1='70' y1='{y:.1f}' x2='{WIDTH - 200}' y2='{y:.1f}' stroke='#d9dee4'/>")
        drawn.append(_text(62, y + 4, f"{10.0**decade:g}", anchor="end"))
    drawn += [_text(at(x, low)[0], HEIGHT - BOTTOM + 18, f"{x:,}", anchor="middle") for x in xs]
    drawn.append(_text((WIDTH - 130) / 2, HEIGHT - 8, across, anchor="middle"))
    drawn.append(_text(12, TOP - 8, up))
    ends = _apart([(at(max(points), points[max(points)])[1], name) for name, points in series.items()])
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(x, y) for x, y in sorted(points.items())))
        drawn.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2.5'/>")
        drawn += [f"<circle cx='{x}' cy='{y}' r='4' fill='{colour}'/>" for x, y in (p.split(",") for p in path.split())]
        drawn.append(_text(WIDTH - 192, ends[name] + 4, name, colour=colour, weight="bold"))
    return _whole(title, drawn, HEIGHT)


def _apart(ends: Sequence[tuple[float, str]], gap: float = 17.0) -> dict[str, float]:
    """Return where names stand at the ends of their lines, so that none covers another."""
    found: dict[str, float] = {}
    last = -gap
    for y, name in sorted(ends):
        last = found[name] = max(y, last + gap)
    return found


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """Return the powers of ten around all values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return 10.0**low, 10.0 ** max(high, low + 1)


def _place(value: float, low: float, high: float) -> float:
    """Return where a value is between two, from 0 to 1, on a logarithmic axis."""
    return math.log(value / low) / math.log(high / low)


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#1f2933", weight: str = "normal") -> str:
    style = f"text-anchor='{anchor}' fill='{colour}' font-weight='{weight}'"
    return f"<text x='{x:.1f}' y='{y:.1f}' {FONT} {style}>{escape(text)}</text>"


def _whole(title: str, drawn: Sequence[str], height: float) -> str:
    size = f"width='{WIDTH}' height='{height:.0f}' viewBox='0 0 {WIDTH} {height:.0f}'"
    background = f"<rect width='{WIDTH}' height='{height:.0f}' fill='white'/>"
    style = "font-family='sans-serif' font-size='16' font-weight='bold' fill='#1f2933'"
    head = f"<text x='12' y='22' {style}>{escape(title)}</text>"
    body = "\n".join([background, head, *drawn])
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size} role='img' aria-label='{escape(title)}'>\n{body}\n</svg>\n"
