"""What the Python programs share: options, JSON lines in and out, records with their bytes in base64."""

import base64
import json
import os
import sys
import threading

BOOTSTRAP = os.environ["BOOTSTRAP"]
# How to log in: mechanism, user, password or token, and the file of a CA where it is over tls. None to not log in.
LOGIN = json.loads(os.environ.get("LOGIN", "null"))


def main(verbs):
    verbs[sys.argv[1]](json.loads(sys.argv[2]))


def emit(line):
    print(json.dumps(line), flush=True)


def batches(lines=sys.stdin):
    """The records up to each empty line, and those up to the end."""
    batch = []
    for line in lines:
        if line.strip():
            batch.append(json.loads(line))
        else:
            yield batch
            batch = []
    yield batch


def steps(answer):
    """Answers each step of an admin program; `answer(step)` gives None where the client has no such call."""
    for step in batches().__next__():
        result = answer(step)
        emit({"lacks": step["op"]} if result is None else result)


def input_ended():
    """An event that is set when the input has ended."""
    ended = threading.Event()

    def wait():
        # Not sys.stdin, whose lock would be held when the program ends.
        while os.read(0, 4096):
            pass
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended


def decoded(text):
    return None if text is None else base64.b64decode(text)


def encoded(value):
    return None if value is None else base64.b64encode(value).decode()


def headers_in(record):
    return [(name, decoded(value)) for name, value in record["headers"]]


def emit_record(partition, offset, timestamp, key, value, headers):
    emit(
        {
            "partition": partition,
            "offset": offset,
            "timestamp": timestamp,
            "key": encoded(key),
            "value": encoded(value),
            "headers": [[name, encoded(value)] for name, value in headers or []],
        }
    )
