"""What a Singer tap says on its output: records, states and schemas, a JSON message a line (Singer spec 0.3)."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tagloom import limits, problems
from tagloom.tags import printable


class _Message(msgspec.Struct):
    type: str
    stream: str | None = None
    record: msgspec.Raw = msgspec.Raw(b"null")
    value: Any = None


class Tap:
    """The messages of a tap. `state` is the last one that it gave, to be told again once everything before it is safe.

    `stream` names the one that is meant; without it all records must be of one stream.
    """

    def __init__(self, lines: Iterable[bytes], stream: str | None = None) -> None:
        self._lines = lines
        self._stream = stream
        self.records_count = 0
        self.passed_over: dict[str, int] = {}
        self.state: Any = None

    def records(self) -> Iterator[bytes]:
        """Each record as a line of NDJSON. Raises: BodyInvalid, with the line."""
        decoder, only = msgspec.json.Decoder(_Message), self._stream
        for number, line in enumerate(self._lines, 1):
            if len(line) > limits.LINE_BYTES_MAX:
                raise problems.BodyInvalid(f"Line {number} has more than {limits.LINE_BYTES_MAX:,} bytes.", line=number)
            if not line.strip():
                continue
            try:
                message = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise problems.BodyInvalid(
                    f"Line {number} is no Singer message: {error}.", line=number, rule="a JSON object with a type"
                ) from error
            match message.type:
                case "RECORD":
                    stream = message.stream or ""
                    if self._stream is None and only is not None and stream != only:
                        raise problems.BodyInvalid(
                            f"The tap gives records of '{printable(only)}' and of '{printable(stream)}'. Say in the "
                            "sync's source which stream is meant.",
                            line=number,
                            value=printable(stream),
                        )
                    only = only or stream
                    if stream != only:
                        self.passed_over[stream] = self.passed_over.get(stream, 0) + 1
                        continue
                    self.records_count += 1
                    yield bytes(message.record) + b"\n"
                case "STATE":
                    self.state = message.value
                case _:
                    # Schemas say nothing that the mapping does not, and taps may send messages of their own.
                    continue
