"""The golden frames of every implementation (test/golden/frames.json), in both directions."""

import json
import pathlib
import unittest

import tinymq

GOLDEN = pathlib.Path(__file__).parents[2] / "test/golden/frames.json"
FRAMES = json.loads(GOLDEN.read_text())["frames"]
#: How the file names what this client has other names for.
NAMES = {
    "retain": "retain",
    "expiresInMs": "expires_in_ms",
    "headers": "headers",
    "contentType": "content_type",
    "correlationData": "correlation",
    "replyTo": "reply_to",
    "isText": "is_text",
    "isAgain": "is_again",
    "acknowledged": "acknowledged",
    "noLocal": "no_local",
    "retainAsPublished": "retain_as_published",
}
HANDLINGS = {"always": 0, "if new": 1, "never": 2}
COUNTS = {"acks": tinymq.ACKNOWLEDGED, "once": tinymq.ONCE}


class Golden(unittest.TestCase):
    def each(self, means=None):
        found = [frame for frame in FRAMES if means is None or means in frame.get("means", {})]
        self.assertTrue(found)
        for frame in found:
            with self.subTest(frame["name"]):
                value = frame["means"][means] if means else None
                yield frame, bytes.fromhex(frame["hex"]), bytes.fromhex(frame["payload"]), value

    def test_frames(self):
        for frame, whole, payload, _ in self.each():
            values = frame["type"], frame["topic"], payload, frame["clientId"]
            self.assertEqual(tinymq.encode_frame(*values), whole)
            self.assertEqual(list(tinymq.FrameReader().feed(whole)), [tinymq.Frame(*values)])

    def test_frames_that_come_byte_by_byte(self):
        reader = tinymq.FrameReader()
        stream = b"".join(bytes.fromhex(frame["hex"]) for frame in FRAMES)
        came = [frame for byte in stream for frame in reader.feed(bytes([byte]))]
        self.assertEqual([frame.type for frame in came], [frame["type"] for frame in FRAMES])

    def test_counts(self):
        for frame, _, _, count in self.each("counted"):
            self.assertEqual(frame["type"] & 0x60, COUNTS[count])

    def test_properties(self):
        for _, _, payload, means in self.each("properties"):
            wanted = {NAMES[name]: value for name, value in means.items() if name in NAMES}
            if "headers" in wanted:
                wanted["headers"] = [tuple(header) for header in wanted["headers"]]
            if "correlation" in wanted:
                wanted["correlation"] = bytes.fromhex(wanted["correlation"])
            if "retainHandling" in means:
                wanted["retain_handling"] = HANDLINGS[means["retainHandling"]]
            if "place" in means:
                place = means["place"]
                log_id = bytes.fromhex(place["logId"])
                wanted["place"] = tinymq.Position(place["log"], place["partition"], place["offset"], log_id)
            if "starts" in means:
                wanted["starts"] = [
                    tinymq.Position(each["log"], each["partition"], each["offset"], bytes.fromhex(each["logId"]))
                    for each in means["starts"]
                ]
            found, message = tinymq.decode_properties(payload)
            self.assertEqual(found, wanted)
            self.assertEqual(tinymq.encode_properties(wanted) + message, payload)

    def test_acknowledgements(self):
        for frame, whole, payload, means in self.each("ack"):
            ranges = [tuple(each) for each in means["ranges"]]
            self.assertEqual(tinymq.parse_ack(payload), (means["upTo"], ranges))
            self.assertEqual(tinymq.encode_ack(frame["type"] & 0x60, means["upTo"], ranges), whole)

    def test_refusals(self):
        for _, _, payload, means in self.each("refused"):
            self.assertEqual(tinymq.parse_refusal(payload), (means["number"], means["reason"]))

    def test_returns(self):
        for _, whole, _, means in self.each("return"):
            self.assertEqual(tinymq.encode_return(means["number"], means["afterMs"], means["reason"]), whole)

    def test_credit(self):
        for _, whole, _, means in self.each("credit"):
            self.assertEqual(tinymq.encode_credit(means["messages"], means["bytes"]), whole)

    def test_offers(self):
        for _, _, payload, means in self.each("offer"):
            session, will = means.get("sessionExpiryMs"), means.get("will")
            words = tinymq.format_offer(
                None if session is None else session / 1000,
                window=means.get("window"),
                producer=means.get("producer"),
                acknowledged=means.get("acknowledged", 0),
                will=None if will is None else bytes.fromhex(will),
                will_delay=means.get("willDelayMs", 0) / 1000,
            )
            self.assertTrue(payload.decode().endswith(" " + words), words)

    def test_answers(self):
        for _, _, payload, means in self.each("answer"):
            answer = tinymq.parse_answer(payload)
            self.assertEqual((answer.is_resumed, answer.window, answer.last), (means["isResumed"], means.get("window"), means.get("last")))

    def test_positions(self):
        position = tinymq.Position("a.b", 1, 42, bytes(range(16)), None, 7)
        (frame,) = [each for each in FRAMES if each["name"] == "POSITION"]
        self.assertEqual(tinymq.encode_position("$replay/earliest/a/#", position, "c").hex(), frame["hex"])
        self.assertEqual(tinymq.parse_position(bytes.fromhex(frame["payload"])), position)


class Faults(unittest.TestCase):
    def test_what_has_no_meaning_is_an_error_of_the_protocol(self):
        for read, hexes in (
            (tinymq.decode_properties, ["", "000000", "0000000101", "000000060100000002ff", "000000060400000001ff", "0000000703000000020005"]),
            (tinymq.parse_ack, ["", "00000000", "00" * 16]),
            (tinymq.parse_refusal, ["00"]),
            (tinymq.parse_position, ["00" * 39]),
            (tinymq.parse_answer, ["ff", b"window=many".hex()]),
            (lambda data: list(tinymq.FrameReader(10).feed(data)), ["02000161ffffffff", "0300" + "02c32800000000000163"]),
        ):
            for each in hexes:
                with self.subTest(each), self.assertRaises(tinymq.ProtocolError):
                    read(bytes.fromhex(each))

    def test_properties_that_do_not_fit_are_refused(self):
        with self.assertRaises(tinymq.TinymqError):
            tinymq.encode_properties({"headers": [("n", "x" * 65_000)] * 10})


if __name__ == "__main__":
    unittest.main()
