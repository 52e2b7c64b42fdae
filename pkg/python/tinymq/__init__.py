"""A client for the frames of a tinymq broker (docs/frames.md), in one file, with the standard library only.

    with tinymq.connect("tcp://localhost:1883") as client:
        client.subscribe("sensors/#")
        client.publish("sensors/temp", "22.5", headers=[("unit", "C")])
        print(client.receive(timeout=5).text())

A `Client` is one connection, and belongs to one thread: it starts none, and reads and acknowledges while it waits for something
(`receive`, `result`, `ping`). What outlasts a connection is in objects of its own: a session on the broker, a `Producer` for
messages that go out exactly once, `Position`s in logs. Times are in seconds.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import itertools
import logging
import re
import secrets
import selectors
import socket
import ssl
import struct
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Iterator, Mapping, NamedTuple, Sequence

__version__ = "0.1.0"

CONNECT, CONNACK, PUBLISH, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PING, PONG, DISCONNECT = range(10)
PUBLISH_REFUSED, SUBSCRIBE_REFUSED, POSITION, REPLAYED, ACK, CREDIT = range(10, 16)
RETURN = CREDIT  # with the bit ACKNOWLEDGED
PROPERTIES, ACKNOWLEDGED, ONCE = 0x10, 0x20, 0x40  # the high bits of a type
TYPE_MASK = 0x0F
NEVER = 0xFFFFFFFF  # in `encode_return`: the message is rejected
ANY = 0xFFFFFFFF  # in `encode_credit`: without this bound
MAX_RANGES = 63
NO_TIME = -(1 << 63)
MAX_MESSAGE_BYTES = 1 << 30
READ_BYTES = 256 * 1024

_log = logging.getLogger("tinymq")
Payload = bytes | bytearray | memoryview | str


class TinymqError(Exception):
    """What every error of this client is. `code` is for programs; those of the broker are in docs/errors.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RefusedError(TinymqError):
    """The broker refused something and said why."""

    def __init__(self, reason: str, topic: str | None = None) -> None:
        found = re.match(r"([a-z][a-z-]*)(?::|$)", reason)
        super().__init__(found[1] if found else "refused", reason or "the broker closed the connection")
        self.topic = topic  # or the filter that was refused, where the broker named it


class ConnectionLostError(TinymqError):
    """The connection could not be made, or broke off, or was closed."""


class ProtocolError(TinymqError):
    """What came is not what the protocol says."""

    def __init__(self, message: str) -> None:
        super().__init__("protocol-error", message)


class Frame(NamedTuple):
    type: int
    topic: str
    payload: bytes
    client_id: str


def encode_frame(type: int, topic: str = "", payload: bytes = b"", client_id: str = "") -> bytes:
    names = topic.encode(), client_id.encode()
    if max(map(len, names)) > 0xFFFF:
        raise TinymqError("invalid-topic", "a topic and a client id have at most 65,535 bytes each")
    if len(payload) > 0xFFFFFFFF:
        raise TinymqError("message-too-large", f"a payload of {len(payload)} bytes")
    head = struct.pack(">BH", type, len(names[0])) + names[0] + struct.pack(">I", len(payload))
    return b"".join((head, payload, struct.pack(">H", len(names[1])), names[1]))


class FrameReader:
    """Cuts what comes from the broker into frames, whatever it is split into."""

    def __init__(self, max_payload_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._buffer = bytearray()
        self._max_payload_bytes = max_payload_bytes

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        while (fields := self._fields()) is not None:
            topic, payload, client_id = (bytes(self._buffer[start:end]) for start, end in fields)
            frame = Frame(self._buffer[0], _text(topic, "topic"), payload, _text(client_id, "client id"))
            del self._buffer[: fields[2][1]]
            yield frame

    def _fields(self) -> list[tuple[int, int]] | None:
        """Where the three fields of the first frame begin and end, if it is whole."""
        fields, end = [], 1
        for length_bytes in (2, 4, 2):
            start = end + length_bytes
            if len(self._buffer) < start:
                return None
            end = start + int.from_bytes(self._buffer[start - length_bytes : start], "big")
            if length_bytes == 4 and end - start > self._max_payload_bytes:
                raise ProtocolError(f"payload of {end - start} bytes; at most {self._max_payload_bytes} are accepted")
            fields.append((start, end))
        return fields if end <= len(self._buffer) else None


class Position(NamedTuple):
    """A place in one partition of a log: of a message, or of the next message of a replay."""

    log: str
    partition: int
    offset: int
    log_id: bytes = bytes(16)
    since_ms: int | None = None  # a replay leaves out what was published before
    reader: int = 0  # the broker's number of it on one connection


def encode_properties(properties: Mapping[str, Any]) -> bytes:
    """The block at the beginning of a payload; nothing where there is no property. `_CODECS` has the names."""
    block = b""
    for id, (name, encode, _) in sorted(_CODECS.items()):
        value = properties.get(name)
        for each in value or () if name in _LISTS else () if value is None or value is False else (value,):
            encoded = encode(each)
            block += struct.pack(">BI", id, _length(encoded, 131_072)) + encoded
    return struct.pack(">I", _length(block, 262_144)) + block if block else b""


def decode_properties(payload: bytes) -> tuple[dict[str, Any], bytes]:
    """The block of a payload, and what comes behind it. What nobody knows is passed over."""
    found: dict[str, Any] = {}
    at, end = 4, 4 + int.from_bytes(payload[:4], "big")
    try:
        while at < end:
            id, length = struct.unpack_from(">BI", payload, at)
            value, at = payload[at + 5 : at + 5 + length], at + 5 + length
            if id in _CODECS:
                name, _, decode = _CODECS[id]
                found[name] = [*found.get(name, ()), decode(value)] if name in _LISTS else decode(value)
    except (struct.error, ValueError) as error:
        raise ProtocolError(f"properties have no meaning: {error}") from None
    if at != end or len(payload) < end:
        raise ProtocolError("properties that are cut off")
    return found, payload[end:]


def _encode_header(name: str, value: str) -> bytes:
    return struct.pack(">H", _length(name.encode(), 0xFFFF)) + name.encode() + value.encode()


def _header_of(value: bytes) -> tuple[str, str]:
    name_end = 2 + struct.unpack_from(">H", value)[0]
    if name_end > len(value):
        raise ProtocolError("a header that is cut off")
    return _text(value[2:name_end], "header"), _text(value[name_end:], "header")


def _encode_place(place: Position) -> bytes:
    return struct.pack(">IQ", *place[1:3]) + place.log_id + place.log.encode()


def _place_of(value: bytes) -> Position:
    partition, offset = struct.unpack_from(">IQ", value)
    return Position(_text(value[28:], "name of a log"), partition, offset, value[12:28])


_LISTS = ("headers", "starts")
_Codec = tuple[str, Callable[[Any], bytes], Callable[[bytes], Any]]
_FLAGS = {1: "retain", 7: "is_text", 9: "is_again", 16: "acknowledged", 17: "no_local", 19: "retain_as_published"}
_CODECS: dict[int, _Codec] = {
    2: ("expires_in_ms", lambda ms: struct.pack(">Q", ms), lambda value: struct.unpack(">Q", value)[0]),
    3: ("headers", lambda header: _encode_header(*header), _header_of),
    4: ("content_type", str.encode, lambda value: _text(value, "content type")),
    5: ("correlation", bytes, bytes),
    6: ("reply_to", str.encode, lambda value: _text(value, "reply to")),
    8: ("place", lambda place: _encode_place(place), lambda value: _place_of(value)),
    20: ("starts", lambda place: _encode_place(place), lambda value: _place_of(value)),
    18: ("retain_handling", lambda handling: bytes([handling]), lambda value: struct.unpack("B", value)[0]),
    **{id: (name, lambda _: b"", lambda _: True) for id, name in _FLAGS.items()},
}


def encode_ack(count: int, up_to: int, ranges: Iterable[tuple[int, int]] = ()) -> bytes:
    """ACK in a count (`ACKNOWLEDGED` or `ONCE`) of everything up to a number, and of ranges above it."""
    numbers = itertools.chain((up_to,), *itertools.islice(ranges, MAX_RANGES))
    return encode_frame(ACK | count, payload=b"".join(struct.pack(">Q", number) for number in numbers))


def parse_ack(payload: bytes) -> tuple[int, list[tuple[int, int]]]:
    if len(payload) % 16 != 8:
        raise ProtocolError(f"an ACK of {len(payload)} bytes")
    up_to, *others = struct.unpack(f">{len(payload) // 8}Q", payload)
    return up_to, list(zip(others[::2], others[1::2]))


def parse_refusal(payload: bytes) -> tuple[int, str]:
    """The number of a counted message that was refused, and why."""
    if len(payload) < 8:
        raise ProtocolError(f"a refusal of {len(payload)} bytes")
    return int.from_bytes(payload[:8], "big"), payload[8:].decode(errors="replace")


def encode_return(number: int, after_ms: int, reason: str = "") -> bytes:
    return encode_frame(RETURN | ACKNOWLEDGED, payload=struct.pack(">QI", number, after_ms) + reason.encode())


def encode_credit(messages: int, size: int) -> bytes:
    return encode_frame(CREDIT, payload=struct.pack(">II", messages, size))


def encode_position(filter: str, position: Position, client_id: str = "") -> bytes:
    log, partition, offset, log_id, since_ms, reader = position
    numbers = struct.pack(">IIQq", reader, partition, offset, NO_TIME if since_ms is None else since_ms)
    return encode_frame(POSITION, filter, numbers + log_id + log.encode(), client_id)


def parse_position(payload: bytes) -> Position:
    if len(payload) < 40:
        raise ProtocolError(f"a POSITION of {len(payload)} bytes")
    reader, partition, offset, since = struct.unpack_from(">IIQq", payload)
    since_ms = None if since == NO_TIME else since
    return Position(_text(payload[40:], "name of a log"), partition, offset, payload[24:40], since_ms, reader)


def format_offer(
    session: float | None = None, clean: bool = False, window: int | None = None, producer: str | None = None,
    acknowledged: int = 0, will: bytes | None = None, will_delay: float = 0,
) -> str:  # fmt: skip
    """The words of CONNECT behind the names of the extensions."""
    words = {
        "session-expiry": None if session is None else "never" if session == float("inf") else _whole(session),
        "session-start": "clean" if clean else None,
        "window": window,
        "producer": producer,
        "acked": acknowledged if producer else None,
        "will": None if will is None else base64.b64encode(will).decode(),
        "will-delay": _whole(will_delay) or None,
    }
    return " ".join(f"{name}={value}" for name, value in words.items() if value is not None)


class Answer(NamedTuple):
    """What CONNACK says."""

    extensions: set[str]
    is_resumed: bool  # the session was there: its subscriptions still stand
    window: int | None
    last: int | None


def parse_answer(payload: bytes) -> Answer:
    words = _text(payload, "answer").split(" ")
    values = dict(word.split("=", 1) for word in words if "=" in word)
    try:
        window, last = (int(values[name]) if name in values else None for name in ("window", "last"))
    except ValueError as error:
        raise ProtocolError(f"CONNACK: {error}") from None
    return Answer(set(words) - {"", "resumed"}, "resumed" in words, window, last)


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ProtocolError(f"{what} is not UTF-8") from None


def _bytes(value: Payload) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _length(value: bytes, most: int) -> int:
    if len(value) > most:
        raise TinymqError("invalid-properties", f"a property of {len(value)} bytes; at most {most} fit")
    return len(value)


def _whole(number: float) -> int:
    """Rounded up."""
    return -int(-number // 1)


@dataclass
class Will:
    """A message that is published when the connection ends in any other way than by `Client.close`."""

    topic: str
    payload: Payload = b""
    qos: int = 0
    retain: bool = False
    headers: Iterable[tuple[str, str]] = ()
    content_type: str | None = None
    delay: float = 0

    def frame(self) -> bytes:
        properties = {"retain": self.retain, "headers": self.headers, "content_type": self.content_type}
        return _publish_frame(self.topic, self.payload, properties, ACKNOWLEDGED if self.qos else 0)


def _publish_frame(topic: str, payload: Payload, properties: Mapping[str, Any], count: int) -> bytes:
    block = encode_properties(properties)
    return encode_frame(PUBLISH | count | (PROPERTIES if block else 0), topic, block + _bytes(payload))


class Pending:
    """What the broker is to answer."""

    def __init__(self, client: Client) -> None:
        self._client, self._error, self._is_done = client, None, False  # type: Client, Exception | None, bool

    def done(self) -> bool:
        return self._is_done

    def result(self, timeout: float | None = None) -> None:
        """Waits for the answer. Raises what was refused, why the connection ended before, or TimeoutError."""
        self._client._wait(self.done, timeout, "the broker did not answer")
        if self._error is not None:
            raise self._error

    def _settle(self, error: Exception | None = None) -> None:
        self._error, self._is_done = error, True


class _Count:
    """Messages that wait for their acknowledgement, oldest first. The first has the number `acknowledged + 1`."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.waiting: collections.deque[tuple[bytes, Pending]] = collections.deque()

    def answer(self, up_to: int) -> list[Pending]:
        if up_to > self.acknowledged + len(self.waiting):
            raise ProtocolError(f"an answer to number {up_to}, which was not sent")
        answered = [self.waiting.popleft()[1] for _ in range(up_to - self.acknowledged)]
        self.acknowledged = max(self.acknowledged, up_to)
        return answered


class Producer(_Count):
    """
    Messages of QoS 2, and how they are counted. It outlasts connections: give the same one to the next `connect` of the same
    client id, and what was not acknowledged is sent again there, without ever being there twice.
    """

    def __init__(self) -> None:
        super().__init__()
        self.name = secrets.token_hex(8)

    def go_on(self, last: int) -> list[Pending]:
        """The broker has everything up to a number. Returns what it had although nobody knew."""
        if not self.acknowledged <= last <= self.acknowledged + len(self.waiting):
            raise ProtocolError(f"the broker goes on behind number {last} of a producer that is elsewhere")
        return self.answer(last)


class Message:
    """A message from the broker."""

    def __init__(self, client: Client, frame: Frame, properties: Mapping[str, Any], number: int | None) -> None:
        self.topic, self.payload, self.client_id = frame.topic, frame.payload, frame.client_id
        self.headers: list[tuple[str, str]] = properties.get("headers", [])
        self.content_type: str | None = properties.get("content_type")
        self.correlation: bytes | None = properties.get("correlation")
        self.reply_to: str | None = properties.get("reply_to")
        self.expires_in: float | None = properties["expires_in_ms"] / 1000 if "expires_in_ms" in properties else None
        self.retained, self.redelivered = "retain" in properties, "is_again" in properties
        self.place: Position | None = properties.get("place")  # where it stands in a log, where the broker says so
        self.published_at: float | None = None  # since 1970, of a replayed message
        self.replay: str | None = None  # which replay it belongs to, as `subscribe` named it
        self.qos = 0 if number is None else 1  # 1: the broker waits for an answer
        self._client, self._number = client, number

    def text(self) -> str:
        return self.payload.decode()

    def ack(self) -> None:
        """It is dealt with."""
        self._client._settle(self, None)

    def retry(self, after: float = 0, reason: str = "") -> None:
        """It is wanted again, in so many seconds."""
        self._client._settle(self, (min(NEVER - 1, _whole(after * 1000)), reason))

    def reject(self, reason: str = "") -> None:
        """It will never be dealt with."""
        self._client._settle(self, (NEVER, reason))


class Client:
    """
    One connection. It ends with `close`, with the `with` block, or where it breaks off: then everything raises why.

    url: tcp://host:port, tls://host:port or unix:///path.
    session: for how many seconds the broker keeps what this client_id subscribed to and has not acknowledged, `float("inf")`: for
        ever. clean: nothing of before is wanted.
    producer: is needed for what is published with qos=2. will: see there.
    window: messages that may come before any is acknowledged; needed to subscribe with qos=1. A session has 256.
    ack: "auto" acknowledges a message when the next one is asked for, "manual" leaves it to the message's methods.
    credit: the broker sends no more than so many messages ahead of what `receive` took.
    on_refused: is told of what the broker refuses and nobody waits for; a line in the log without it.
    keep_alive: after so long without a byte, while something is waited for, the broker is asked for a sign of life.
    """

    def __init__(
        self, url: str = "tcp://localhost:1883", *, client_id: str | None = None, tls: ssl.SSLContext | None = None,
        user: str | None = None, password: bytes | str | None = None, token: str | None = None,
        session: float | None = None, clean: bool = False, will: Will | None = None, producer: Producer | None = None,
        window: int | None = None, ack: str = "auto", credit: int | None = None,
        on_refused: Callable[[RefusedError], None] | None = None, timeout: float = 10, keep_alive: float = 30,
        max_unacknowledged: int = 10_000,
    ) -> None:  # fmt: skip
        if ack not in ("auto", "manual"):
            raise ValueError("ack is 'auto' or 'manual'")
        if session is not None and client_id is None:
            raise ValueError("a session needs a client_id by which it is found again")
        self.client_id = client_id or f"python-{secrets.token_hex(4)}"
        self._timeout, self._keep_alive, self._is_auto, self._credit = timeout, keep_alive, ack == "auto", credit
        self._max_unacknowledged = max_unacknowledged
        self._on_refused = on_refused or (lambda error: _log.warning("refused: %s", error))
        self._error: Exception | None = None
        self._heard_at, self._asked_at = time.monotonic(), None  # type: float, float | None
        self._frames, self._out, self._is_flushing = FrameReader(), bytearray(), False
        self._inbox: collections.deque[Message] = collections.deque()
        self._last: Message | None = None
        self._requests: dict[tuple[int, str], collections.deque[Pending]] = collections.defaultdict(collections.deque)
        self._acks, self._producer = _Count(), producer
        self._received = self._settled_up_to = self._untold = self._untold_credit = 0
        self._settled: set[int] = set()
        self._positions: dict[str, dict[tuple[str, int], Position]] = collections.defaultdict(dict)
        self._readers: dict[int, tuple[str, tuple[str, int]]] = {}
        self.answer: Answer | None = None  # what the broker agreed to, and whether the session was there
        self._window = 256 if window is None and session is not None else window
        used = {"session": session, "will": will, "once": producer, "delivery": self._window, "flow": credit}
        needed = [name for name, value in used.items() if value is not None]
        shown = {name: value for name, value in {"user": user, "password": password, "token": token}.items() if value is not None}
        words = ["refusals positions acks retain headers expiry options offsets", *needed, *(["credentials"] if shown else [])]
        words += [f"{name}={base64.b64encode(_bytes(value)).decode()}" for name, value in shown.items()]
        counted = (producer.name, producer.acknowledged) if producer else (None, 0)
        will_parts = (will.frame(), will.delay) if will else (None, 0.0)
        words.append(format_offer(session, clean, self._window, *counted, *will_parts))
        self._sock = _open(url, tls, timeout)
        self._selector = selectors.DefaultSelector()
        try:
            self._sock.setblocking(False)
            self._selector.register(self._sock, selectors.EVENT_READ)
            self._begin(" ".join(words).strip().encode(), needed)
        except BaseException:
            self.abort()
            raise

    def publish(
        self, topic: str, payload: Payload = b"", *, qos: int = 0, retain: bool = False,
        headers: Sequence[tuple[str, str]] = (), content_type: str | None = None, reply_to: str | None = None,
        correlation: bytes | None = None, expires_in: float | None = None,
    ) -> Pending:  # fmt: skip
        """
        Publishes a message. qos 0: at most once; qos 1: its `result()` is there when the broker is responsible for it; qos 2: the
        same, and it comes to nobody twice, with a producer. A refusal is raised by `result()`; of qos 0 `on_refused` is told.
        """
        properties: dict[str, Any] = {"retain": retain, "headers": headers, "content_type": content_type}
        properties |= {"correlation": correlation, "reply_to": reply_to}
        properties["expires_in_ms"] = None if expires_in is None else _whole(expires_in * 1000)
        has_headers = bool(headers) or any(value is not None for value in (content_type, reply_to, correlation))
        needs = {"retain": retain, "expiry": expires_in is not None, "headers": has_headers, "acks": qos == 1, "once": qos == 2}
        self._need([name for name, is_used in needs.items() if is_used], "this message")
        frame = _publish_frame(topic, payload, properties, (0, ACKNOWLEDGED, ONCE)[qos])
        done = Pending(self)
        if qos == 0:
            done._settle()
        else:
            count = self._acks if qos == 1 or self._producer is None else self._producer
            self._wait(lambda: len(count.waiting) < self._max_unacknowledged, None)
            self._check()
            count.waiting.append((frame, done))
        self._write(frame)
        return done

    def subscribe(
        self, filter: str, *, qos: int = 0, start: str | int | None = None, positions: Sequence[Position] = (),
        starts: Sequence[Position] = (), no_local: bool = False, retained: str = "new", retain_as_published: bool = False,
    ) -> str:  # fmt: skip
        """
        Subscribes, and returns the filter as the broker knows it, for `unsubscribe` and `positions`.

        qos: with 1, what was published with a promise waits to be acknowledged.
        start: a replay of the broker's logs: "earliest", "latest", an offset, "-10m", an ISO time.
        positions: where another connection's replay was; logs without one are read from their beginning.
        starts: where a replay begins in these partitions; in others it begins at `start`.
        retained: "new": retained messages come if the subscription is new to the session; "send": always; "none": never.
        """
        handling = {"send": 0, "new": None, "none": 2}[retained]
        properties: dict[str, Any] = {"acknowledged": qos > 0, "no_local": no_local, "retain_handling": handling}
        properties |= {"retain_as_published": retain_as_published, "starts": starts}
        has_options = no_local or retain_as_published or handling is not None
        needs = {"delivery": qos > 0, "options": has_options, "positions": bool(positions), "offsets": bool(starts)}
        self._need([name for name, is_used in needs.items() if is_used], "this subscription")
        name = filter if start is None else f"$replay/{start}/{filter}"
        block, goes_on = encode_properties(properties), b"\x01" if positions else b""
        places = [encode_position(name, position._replace(reader=0), self.client_id) for position in positions]
        kind = SUBSCRIBE | (PROPERTIES if block else 0)
        self._request(SUBACK, name, b"".join([*places, encode_frame(kind, name, block + goes_on, self.client_id)]))
        return name

    def unsubscribe(self, filter: str) -> None:
        self._request(UNSUBACK, filter, encode_frame(UNSUBSCRIBE, filter, client_id=self.client_id))
        self._positions.pop(filter, None)
        self._readers = {number: reader for number, reader in self._readers.items() if reader[0] != filter}

    def positions(self, replay: str) -> list[Position]:
        """Where a replay is: behind the last message that `receive` returned, in each log."""
        return list(self._positions.get(replay, {}).values())

    def receive(self, timeout: float | None = None) -> Message:
        """The next message. Raises TimeoutError, or why the connection ended."""
        last, self._last = self._last, None
        if last is not None and self._is_auto:
            self._settle(last, None)
        if not self._inbox:
            self._tell_settled()
        self._wait(lambda: bool(self._inbox), timeout, "no message came")
        self._last = message = self._inbox.popleft()
        places = self._positions.get(message.replay or "", {})
        if message.place is not None and message.place[:2] in places:
            key = message.place[:2]
            places[key] = places[key]._replace(offset=message.place.offset + 1)
        self._untold_credit += 1
        if self._credit is not None and self._untold_credit * 2 >= self._credit:
            self._tell(encode_credit(self._untold_credit, 0))
            self._untold_credit = 0
        return message

    def __iter__(self) -> Iterator[Message]:
        """The messages for as long as the connection lasts; what ends it is raised."""
        while True:
            yield self.receive()

    def ping(self) -> float:
        """The round trip in seconds. All that was published before has then been taken or refused."""
        began = time.monotonic()
        self._request(PONG, "", encode_frame(PING, client_id=self.client_id))
        return time.monotonic() - began

    def close(self) -> None:
        """Waits until all that was published with a promise is acknowledged, says goodbye and closes."""
        counts = [self._acks, *([self._producer] if self._producer else [])]
        try:
            if self._error is None:
                self._wait(lambda: not any(count.waiting for count in counts), self._timeout, "not all was acknowledged")
                self._tell_settled()
                self._write(encode_frame(DISCONNECT, client_id=self.client_id))
                self._sock.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionLostError, TimeoutError):
                    self._wait(lambda: False, self._timeout)
        finally:
            self.abort()

    def abort(self) -> None:
        """Ends the connection without a word, as a crash would; the will is published."""
        self._end(ConnectionLostError("closed", "the client is closed"))
        self._selector.close()
        self._sock.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self.abort() if kind else self.close()

    def _begin(self, offer: bytes, needed: list[str]) -> None:
        self._write(encode_frame(CONNECT, payload=offer, client_id=self.client_id))
        self._wait(lambda: self.answer is not None, self._timeout, "the broker did not answer")
        assert self.answer is not None
        self._need(needed, "this connection")
        if self._credit is not None:
            self._write(encode_credit(self._credit, ANY))
        if self._producer is not None:
            for answered in self._producer.go_on(self.answer.last or 0):
                answered._settle()
            for frame, pending in list(self._producer.waiting):
                pending._client = self
                self._write(frame)

    def _wait(self, is_done: Callable[[], bool], timeout: float | None, what: str = "") -> None:
        """Reads until something is there. Raises TimeoutError, or why the connection ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not is_done():
            self._check()
            left = None if deadline is None else deadline - time.monotonic()
            self._read(left)
            if left is not None and left <= 0 and not is_done():
                self._check()
                raise TimeoutError(what)

    def _read(self, timeout: float | None) -> None:
        """Takes what comes within a time, if anything does."""
        try:
            data = self._receive_bytes(timeout)
            if data == b"":
                raise ConnectionLostError("connection-lost", "the broker closed the connection")
            if data is None:
                self._ask_for_life()
            else:
                self._heard_at, self._asked_at = time.monotonic(), None
                for frame in self._frames.feed(data):
                    self._take(frame)
        except (OSError, TinymqError) as problem:
            is_ours = isinstance(problem, TinymqError)
            self._end(problem if is_ours else ConnectionLostError("connection-lost", f"the connection broke off: {problem}"))

    def _receive_bytes(self, timeout: float | None) -> bytes | None:
        waits = [each for each in (timeout, self._keep_alive or None) if each is not None]
        for _ in range(2):
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return self._sock.recv(READ_BYTES)
            if not self._selector.select(max(0, min(waits)) if waits else None):
                break
        return None

    def _ask_for_life(self) -> None:
        now = time.monotonic()
        if not self._keep_alive or now - self._heard_at < self._keep_alive:
            return
        if self._asked_at is None:
            self._asked_at = now
            self._requests[PONG, ""].append(Pending(self))
            self._write(encode_frame(PING, client_id=self.client_id))
        elif now - self._asked_at >= self._keep_alive:
            raise ConnectionLostError("connection-lost", "the broker is silent")

    def _write(self, frame: bytes) -> None:
        """Sends a frame, and reads while the broker does not take it."""
        self._check()
        self._out += frame
        if self._is_flushing:
            return  # A callback publishes while the frame before is sent.
        self._is_flushing = True
        try:
            while self._out and self._error is None:
                try:
                    del self._out[: self._sock.send(self._out)]
                except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    self._selector.modify(self._sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
                    self._selector.select()
                    self._selector.modify(self._sock, selectors.EVENT_READ)
                    self._read(0)
        except OSError:
            while self._error is None:
                self._read(self._timeout)  # The broker may have said why.
        finally:
            self._is_flushing = False

    def _take(self, frame: Frame) -> None:
        kind, bits = frame.type & TYPE_MASK, frame.type & ~TYPE_MASK
        if kind == DISCONNECT:
            raise RefusedError(frame.payload.decode(errors="replace"))
        if self.answer is None:
            if kind != CONNACK:
                raise ProtocolError("this is no broker of these frames")
            self.answer = parse_answer(frame.payload)
        elif kind in (PUBLISH, REPLAYED):
            self._take_message(frame, kind, bits)
        elif kind in (SUBACK, UNSUBACK, PONG):
            self._answered(kind, frame.topic, None)
        elif kind == ACK:
            self._acknowledged(bits, parse_ack(frame.payload)[0])
        elif kind == PUBLISH_REFUSED and bits:
            number, reason = parse_refusal(frame.payload)
            self._acknowledged(bits, number - 1)
            self._acknowledged(bits, number, RefusedError(reason, frame.topic or None))
        elif kind == PUBLISH_REFUSED:
            self._on_refused(RefusedError(frame.payload.decode(errors="replace"), frame.topic or None))
        elif kind == SUBSCRIBE_REFUSED:
            self._answered(SUBACK, frame.topic, RefusedError(frame.payload.decode(errors="replace"), frame.topic))
        elif kind == POSITION:
            position = parse_position(frame.payload)
            self._readers[position.reader] = frame.topic, position[:2]
            self._positions[frame.topic][position[:2]] = position

    def _take_message(self, frame: Frame, kind: int, bits: int) -> None:
        properties, payload = decode_properties(frame.payload) if bits & PROPERTIES else ({}, frame.payload)
        self._received += 1 if bits & ACKNOWLEDGED else 0
        prefix = 20 if kind == REPLAYED else 0
        if len(payload) < prefix:
            raise ProtocolError("a REPLAYED that is cut off")
        number = self._received if bits & ACKNOWLEDGED else None
        message = Message(self, frame._replace(payload=payload[prefix:]), properties, number)
        if kind == REPLAYED:
            reader, offset, at = struct.unpack_from(">IQq", payload)
            message.replay, key = self._readers.get(reader, (None, ("", 0)))
            message.published_at = at / 1000 if at >= 0 else None
            position = self._positions.get(message.replay or "", {}).get(key)
            message.place = position and Position(*key, offset, position.log_id)
        self._inbox.append(message)

    def _answered(self, kind: int, topic: str, error: RefusedError | None) -> None:
        waiting = self._requests.get((kind, topic))
        if waiting:
            waiting.popleft()._settle(error)
        elif error is not None:
            self._on_refused(error)

    def _acknowledged(self, bits: int, up_to: int, error: RefusedError | None = None) -> None:
        count = self._producer if bits & ONCE and self._producer else self._acks
        for pending in count.answer(up_to):
            pending._settle(error)

    def _settle(self, message: Message, returned: tuple[int, str] | None) -> None:
        number = message._number
        if number is None or number <= self._settled_up_to or number in self._settled:
            return
        self._settled.add(number)
        self._untold += 1
        if returned is not None:
            self._tell(encode_return(number, *returned))
        # One ACK stands for many; whoever acknowledges by hand may not come back here for long.
        if not self._is_auto or returned is not None or self._untold * 4 >= (self._window or 1):
            self._tell_settled()

    def _tell_settled(self) -> None:
        if self._untold > 0:
            self._untold = 0
            while self._settled_up_to + 1 in self._settled:
                self._settled_up_to += 1
                self._settled.remove(self._settled_up_to)
            self._tell(encode_ack(ACKNOWLEDGED, self._settled_up_to, _ranges(self._settled)))

    def _tell(self, frame: bytes) -> None:
        """Sends what means nothing any more once the connection has ended."""
        if self._error is None:
            self._write(frame)

    def _request(self, kind: int, topic: str, frame: bytes) -> None:
        self._check()
        answer = Pending(self)
        self._requests[kind, topic].append(answer)
        self._write(frame)
        answer.result(self._timeout)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _need(self, extensions: list[str], what: str) -> None:
        for extension in extensions:
            if self.answer is None or extension not in self.answer.extensions:
                raise TinymqError("not-supported", f"{what} needs the extension {extension}, which is not agreed on")

    def _end(self, error: Exception) -> None:
        """Nothing comes any more, and whoever waits is told why. What a producer has waits for its next connection."""
        if self._error is None:
            self._error = error
            for pending in itertools.chain((pending for _, pending in self._acks.waiting), *self._requests.values()):
                pending._settle(error)


def _open(url: str, tls: ssl.SSLContext | None, timeout: float) -> socket.socket:
    scheme, _, path = url.partition("://")
    if scheme not in ("tcp", "tls", "unix"):
        raise ConnectionLostError("invalid-address", f"'{url}' begins with none of tcp://, tls://, unix://")
    try:
        if scheme == "unix":
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            return sock
        place = urllib.parse.urlsplit(url)
        host = place.hostname or "localhost"
        sock = socket.create_connection((host, place.port or {"tcp": 1883, "tls": 8883}[scheme]), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock if scheme == "tcp" else (tls or ssl.create_default_context()).wrap_socket(sock, server_hostname=host)
    except (OSError, ValueError) as problem:
        raise ConnectionLostError("connect-failed", f"cannot connect to {url}: {problem}") from problem


def _ranges(numbers: set[int]) -> Iterator[tuple[int, int]]:
    """Numbers as ranges, in their order."""
    for _, run in itertools.groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        yield members[0], members[-1]


#: Opens a connection, with the options of `Client`. Raises ConnectionLostError, RefusedError, TinymqError.
connect = Client
