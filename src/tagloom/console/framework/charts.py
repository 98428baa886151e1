"""The geometry of charts: positions of lines, bars and tiles. Templates draw them as SVG."""

from collections.abc import Sequence

import msgspec

SPARK_WIDTH, SPARK_HEIGHT = 96, 24


class Spark(msgspec.Struct, frozen=True):
    """A sparkline: SVG path data of the line and of the area below it, and the end of the line."""

    line: str
    area: str
    end_x: float
    end_y: float


def spark(values: Sequence[int], width: int = SPARK_WIDTH, height: int = SPARK_HEIGHT) -> Spark:
    """Returns a sparkline scaled to its own range. A constant line is in the middle. Needs at least one value."""
    points = _points(values, width, height - 4, low=min(values), high=max(values))
    points = [(x, y + 2) for x, y in points]
    line = _path(points)
    area = f"{line}L{points[-1][0]:g} {height}L{points[0][0]:g} {height}Z"
    return Spark(line, area, *points[-1])


class Axis(msgspec.Struct, frozen=True):
    """A mark on an axis: its position and its label."""

    at: float
    label: str


class LineChart(msgspec.Struct, frozen=True):
    """A line with its axes, in a box of `width` x `height`, with labels on the left and below."""

    width: int
    height: int
    line: str
    area: str
    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]
    end_x: float
    end_y: float
    end_label: str


LEFT, RIGHT, TOP, BOTTOM = 56, 64, 10, 22
NARROW = 296  # The width inside a card on a phone of 360 px, so that labels keep their size.
LABEL_WIDTH = 80


def line_charts(values: Sequence[int], labels: Sequence[str], width: int = 720) -> tuple[LineChart, LineChart]:
    """Returns the same line for wide windows and for phones. Needs at least one value."""
    return line_chart(values, labels, width), line_chart(values, labels, NARROW, 180)


def line_chart(values: Sequence[int], labels: Sequence[str], width: int, height: int = 200) -> LineChart:
    """Returns a line chart. Its axis begins at zero, or near the smallest value if the line changes little.

    Needs at least one value.
    """
    low, high = min(values), max(values)
    # A line that changes little would be flat on an axis from zero.
    floor = 0 if low <= (high - low) * 2 or low == high else low
    marks = ticks(floor, high)
    low, high = marks[0], marks[-1]
    inner_width, inner_height = width - LEFT - RIGHT, height - TOP - BOTTOM
    points = [(x + LEFT, y + TOP) for x, y in _points(values, inner_width, inner_height, low=low, high=high)]
    line = _path(points)
    base = TOP + inner_height
    rows = tuple(Axis(base - inner_height * (mark - low) / max(high - low, 1), f"{mark:,}") for mark in marks)
    step = max(1, round(len(labels) / min(5, max(1, inner_width // LABEL_WIDTH))))
    columns = tuple(Axis(points[i][0], labels[i]) for i in range(0, len(labels), step))
    return LineChart(
        width,
        height,
        line,
        f"{line}L{points[-1][0]:g} {base}L{points[0][0]:g} {base}Z",
        rows,
        columns,
        *points[-1],
        f"{values[-1]:,}",
    )


def ticks(low: int, high: int, about: int = 4) -> list[int]:
    """Returns about `about` round numbers that cover the range.

    >>> ticks(0, 97), ticks(0, 0), ticks(1180, 1210)
    ([0, 20, 40, 60, 80, 100], [0, 1], [1180, 1190, 1200, 1210])
    """
    if high <= low:
        return [low, low + 1]
    rough = (high - low) / about
    size = 10 ** (len(str(max(1, int(rough)))) - 1)
    step = next(each for each in (size, 2 * size, 5 * size, 10 * size) if each >= int(rough))
    first = low // step * step
    return list(range(first, high + step if high % step else high + 1, step))


def _points(values: Sequence[int], width: float, height: float, *, low: int, high: int) -> list[tuple[float, float]]:
    extent = high - low
    across = width / max(len(values) - 1, 1)
    return [
        (round(index * across, 1), round(height - (height * (value - low) / extent if extent else height / 2), 1))
        for index, value in enumerate(values)
    ] + ([(width, height / 2)] if len(values) == 1 else [])


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


class Tile(msgspec.Struct, frozen=True):
    """A rectangle of a treemap: the index of its item, its position and size."""

    item: int
    x: float
    y: float
    width: float
    height: float


def treemap(sizes: Sequence[float], x: float, y: float, width: float, height: float) -> list[Tile]:
    """Returns nearly square tiles with areas in proportion to `sizes` (Bruls, Huizing and van Wijk, 2000).

    `sizes` are positive and in descending order. Cost: linear time.
    """
    tiles: list[Tile] = []
    total = sum(sizes)
    if not total or width <= 0 or height <= 0:
        return tiles
    areas = [size * width * height / total for size in sizes]
    start = 0
    while start < len(areas):
        side = min(width, height)
        end, filled = start + 1, areas[start]
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(areas[start:end], side):
            filled += areas[end]
            end += 1
        filled = sum(areas[start:end])
        thickness = filled / side
        offset = 0.0
        for item in range(start, end):
            length = areas[item] / thickness
            if width >= height:
                tiles.append(Tile(item, x, y + offset, thickness, length))
            else:
                tiles.append(Tile(item, x + offset, y, length, thickness))
            offset += length
        if width >= height:
            x, width = x + thickness, width - thickness
        else:
            y, height = y + thickness, height - thickness
        start = end
    return tiles


def _worst(row: Sequence[float], side: float) -> float:
    """Returns the worst aspect ratio in a row of areas along a side."""
    total = sum(row)
    return max(side * side * max(row) / (total * total), total * total / (side * side * min(row)))
