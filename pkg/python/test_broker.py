"""
What the client does with a broker. `TINYMQ_URL` says where one listens that keeps the topics kept/#, refuses to take what is
published to `secret`, and loses the first acknowledgement of the client `cut-python`; `TINYMQ_TLS_URL`, `TINYMQ_UNIX_URL` and
`TINYMQ_CA` lead to the same one by other ways. test/interop/frame-clients.test.ts starts it.
"""

import contextlib
import io
import os
import pathlib
import re
import socket
import ssl
import threading
import time
import unittest
import uuid

import tinymq

URL = os.environ.get("TINYMQ_URL", "tcp://localhost:1883")
PATIENCE = 60


class Broker(unittest.TestCase):
    def open(self, url=URL, **options):
        client = tinymq.connect(url, timeout=PATIENCE, **options)
        self.addCleanup(client.abort)
        return client

    def name(self, prefix="t"):
        return f"{prefix}/{uuid.uuid4().hex}"


class Connecting(Broker):
    def test_every_network(self):
        tls = ssl.create_default_context(cafile=os.environ["TINYMQ_CA"])
        ways = [(URL, None), (os.environ["TINYMQ_TLS_URL"], tls), (os.environ["TINYMQ_UNIX_URL"], None)]
        for url, context in ways:
            with self.subTest(url), self.open(url, tls=context) as client:
                topic, large = self.name(), bytes(range(256)) * 8_000
                client.subscribe(topic)
                client.publish(topic, large)
                self.assertEqual(client.receive(PATIENCE).payload, large)
                self.assertGreater(client.ping(), 0)

    def test_addresses_that_lead_nowhere(self):
        for url in ("http://localhost", "unix:///nobody/here", "tcp://localhost:1"):
            with self.subTest(url), self.assertRaises(tinymq.ConnectionLostError):
                tinymq.connect(url)

    def test_a_server_of_something_else(self):
        with socket.create_server(("localhost", 0)) as server:
            def answer():
                sock, _ = server.accept()
                with sock:
                    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    sock.recv(1000)
            thread = threading.Thread(target=answer)
            thread.start()
            with self.assertRaises(tinymq.TinymqError):
                tinymq.connect(f"tcp://localhost:{server.getsockname()[1]}")
            thread.join()

    def test_a_server_that_says_nothing(self):
        with socket.create_server(("localhost", 0)) as server, self.assertRaises(TimeoutError):
            tinymq.connect(f"tcp://localhost:{server.getsockname()[1]}", timeout=0.1)

    def test_a_broker_that_falls_silent(self):
        with socket.create_server(("localhost", 0)) as server:
            def answer():
                sock, _ = server.accept()
                with sock:
                    sock.sendall(tinymq.encode_frame(tinymq.CONNACK))
                    while sock.recv(1000):
                        pass
            thread = threading.Thread(target=answer)
            thread.start()
            client = tinymq.connect(f"tcp://localhost:{server.getsockname()[1]}", keep_alive=0.05)
            with self.assertRaisesRegex(tinymq.ConnectionLostError, "silent"):
                client.receive(PATIENCE)
            client.abort()
            thread.join()

    # The client forgot how far its count was, and never had an answer to what it published afterwards.
    def test_an_answer_to_what_was_not_sent(self):
        ack = tinymq.encode_ack(tinymq.ACKNOWLEDGED, 1 << 62)
        refusal = tinymq.encode_frame(tinymq.PUBLISH_REFUSED | tinymq.ONCE, payload=bytes(7) + b"\1no")
        for answer in (ack, refusal):
            with self.subTest(answer), socket.create_server(("localhost", 0)) as server:
                def serve(said=tinymq.encode_frame(tinymq.CONNACK) + answer):
                    sock, _ = server.accept()
                    with sock:
                        sock.sendall(said)
                        while sock.recv(1000):
                            pass
                thread = threading.Thread(target=serve)
                thread.start()
                url = f"tcp://localhost:{server.getsockname()[1]}"
                with self.assertRaises(tinymq.ProtocolError), self.open(url) as client:
                    client.receive(PATIENCE)
                thread.join()

    def test_a_connection_that_is_taken_over(self):
        first = self.open(client_id=self.name())
        self.open(client_id=first.client_id)
        with self.assertRaises(tinymq.RefusedError) as raised:
            first.receive(PATIENCE)
        self.assertEqual(raised.exception.code, "taken-over")
        with self.assertRaises(tinymq.RefusedError):
            first.publish("a", "x")

    def test_what_was_not_asked_for(self):
        client = self.open()
        for wrong in (lambda: client.subscribe("a", qos=1), lambda: client.publish("a", qos=2)):
            with self.assertRaises(tinymq.TinymqError) as raised:
                wrong()
            self.assertEqual(raised.exception.code, "not-supported")


class Publishing(Broker):
    def test_what_goes_with_a_message(self):
        client, topic = self.open(), self.name()
        client.subscribe(topic)
        headers = [("unit", "C"), ("tag", "1"), ("tag", "2")]
        client.publish(
            topic, "22.5", headers=headers, content_type="text/plain", reply_to="r", correlation=b"\0\1", expires_in=60
        )
        message = client.receive(PATIENCE)
        self.assertEqual((message.topic, message.text(), message.client_id), (topic, "22.5", client.client_id))
        self.assertEqual((message.headers, message.content_type), (headers, "text/plain"))
        self.assertEqual((message.reply_to, message.correlation), ("r", b"\0\1"))
        self.assertTrue(50 < message.expires_in <= 60)
        self.assertEqual((message.qos, message.retained, message.redelivered), (0, False, False))

    def test_acknowledgements_of_many_messages_that_come_back_too(self):
        client, topic = self.open(max_unacknowledged=50), self.name()
        client.subscribe(topic)
        sent = [client.publish(topic, str(number), qos=1) for number in range(500)]
        for each in sent:
            each.result(PATIENCE)
        self.assertEqual([client.receive(PATIENCE).text() for _ in sent], [str(number) for number in range(500)])

    def test_more_than_the_sockets_hold_goes_both_ways(self):
        client, topic = self.open(), self.name()
        client.subscribe(topic)
        for _ in range(40):
            client.publish(topic, bytes(1_000_000))
        client.ping()
        self.assertEqual(sum(len(client.receive(PATIENCE).payload) for _ in range(40)), 40_000_000)

    def test_refusals(self):
        refused = []
        client = self.open(on_refused=refused.append)
        first, second, third = (client.publish(topic, qos=1) for topic in ("a", "secret", "b"))
        with self.assertRaises(tinymq.RefusedError) as raised:
            second.result(PATIENCE)
        self.assertEqual((raised.exception.code, raised.exception.topic), ("not-authorized", "secret"))
        first.result(PATIENCE)
        third.result(PATIENCE)
        client.publish("secret")
        client.ping()
        self.assertEqual([error.code for error in refused], ["not-authorized"])
        with self.assertRaises(tinymq.RefusedError) as raised:
            client.subscribe("a/#/b")
        self.assertEqual(raised.exception.code, "invalid-filter")

    def test_retained_messages(self):
        client, topic = self.open(), self.name()
        client.publish(topic, "kept", retain=True)
        client.ping()
        client.subscribe(topic)
        message = client.receive(PATIENCE)
        self.assertEqual((message.text(), message.retained), ("kept", True))
        client.subscribe(topic, retained="none")
        client.publish(topic, "", retain=True)
        self.assertEqual(client.receive(PATIENCE).payload, b"")
        client.subscribe(topic, retained="send")
        client.ping()
        with self.assertRaises(TimeoutError):
            client.receive(0)

    def test_a_client_that_is_lost_has_its_will_published(self):
        watcher, topic = self.open(), self.name()
        watcher.subscribe(topic)
        will = tinymq.Will(topic, "gone", retain=True, headers=[("why", "lost")])
        self.open(will=will).close()
        self.open(will=will).abort()
        message = watcher.receive(PATIENCE)
        self.assertEqual((message.text(), message.headers), ("gone", [("why", "lost")]))
        watcher.ping()
        with self.assertRaises(TimeoutError):
            watcher.receive(0)

    def test_exactly_once_although_acknowledgements_are_lost(self):
        watcher, topic, producer = self.open(window=100), self.name(), tinymq.Producer()
        watcher.subscribe(topic, qos=1)
        client = self.open(client_id="cut-python", producer=producer)
        sent = []
        with contextlib.suppress(tinymq.ConnectionLostError):
            for number in range(20):
                sent.append(client.publish(topic, str(number), qos=2))
                sent[-1].result(PATIENCE)
        self.assertLess(len(sent), 20)
        again = self.open(client_id="cut-python", producer=producer)
        sent += [again.publish(topic, str(number), qos=2) for number in range(len(sent), 20)]
        for each in sent:
            each.result(PATIENCE)
        self.assertEqual([watcher.receive(PATIENCE).text() for _ in sent], [str(number) for number in range(20)])
        watcher.ping()
        with self.assertRaises(TimeoutError):
            watcher.receive(0)


    def test_no_more_comes_than_there_is_credit_for(self):
        client, topic = self.open(credit=3), self.name()
        client.subscribe(topic)
        for number in range(10):
            client.publish(topic, str(number))
        client.ping()
        self.assertEqual(len(client._inbox), 3)
        self.assertEqual([client.receive(PATIENCE).text() for _ in range(10)], [str(number) for number in range(10)])


class Receiving(Broker):
    def test_a_session_brings_what_came_meanwhile(self):
        name, topic, sender = self.name("client"), self.name(), self.open()
        with self.open(client_id=name, session=3_600) as client:
            self.assertFalse(client.answer.is_resumed)
            client.subscribe(topic, qos=1)
        sender.publish(topic, "meanwhile", qos=1).result(PATIENCE)
        with self.open(client_id=name, session=3_600) as client:
            self.assertTrue(client.answer.is_resumed)
            self.assertEqual(client.receive(PATIENCE).text(), "meanwhile")
        # Nobody asked for the next message, so this one was not acknowledged.
        with self.open(client_id=name, session=3_600) as client:
            message = client.receive(PATIENCE)
            self.assertEqual((message.text(), message.redelivered, message.qos), ("meanwhile", True, 1))
            message.ack()
        with self.open(client_id=name, session=0) as client:
            client.ping()
            with self.assertRaises(TimeoutError):
                client.receive(0)

    def test_manual_acknowledgement_within_a_window(self):
        client, topic = self.open(window=3, ack="manual"), self.name()
        client.subscribe(topic, qos=1)
        for number in range(5):
            client.publish(topic, str(number), qos=1).result(PATIENCE)
        first, second, third = (client.receive(PATIENCE) for _ in range(3))
        client.ping()
        with self.assertRaises(TimeoutError):
            client.receive(0)
        third.ack()
        first.reject("no such device")
        self.assertEqual({client.receive(PATIENCE).text() for _ in range(2)}, {"3", "4"})
        second.retry(reason="busy")
        message = client.receive(PATIENCE)
        self.assertEqual((message.text(), message.redelivered), ("1", True))
        second.ack()
        message.ack()
        message.ack()
        client.ping()

    def test_many_messages_that_are_acknowledged_as_they_are_asked_for(self):
        client, topic = self.open(window=10), self.name()
        client.subscribe(topic, qos=1)
        for number in range(200):
            client.publish(topic, str(number), qos=1)
        self.assertEqual([client.receive(PATIENCE).text() for _ in range(200)], [str(number) for number in range(200)])

    def test_subscription_options(self):
        client, other, topic = self.open(), self.open(), self.name()
        client.subscribe(topic, no_local=True, retain_as_published=True)
        client.publish(topic, "own")
        client.ping()
        other.publish(topic, "other", retain=True)
        message = client.receive(PATIENCE)
        self.assertEqual((message.text(), message.retained), ("other", True))
        client.unsubscribe(topic)
        other.publish(topic, "later")
        other.ping()
        client.ping()
        with self.assertRaises(TimeoutError):
            client.receive(0)

    def test_a_replay_goes_on_where_it_was(self):
        client, topic = self.open(), self.name("kept")
        for number in range(5):
            client.publish(topic, str(number), qos=1).result(PATIENCE)
        replay = client.subscribe(topic, start="earliest")
        came = [client.receive(PATIENCE) for _ in range(3)]
        self.assertEqual([message.text() for message in came], ["0", "1", "2"])
        self.assertEqual([message.place.offset for message in came], [0, 1, 2])
        self.assertEqual(came[0].replay, replay)
        self.assertLess(abs(came[0].published_at - time.time()), 3_600)
        positions = client.positions(replay)
        self.assertEqual([position.offset for position in positions], [3])
        client.abort()
        again = self.open()
        again.subscribe(topic, start="earliest", positions=positions)
        self.assertEqual([again.receive(PATIENCE).text() for _ in range(2)], ["3", "4"])
        another = self.open()
        another.subscribe(topic, start="latest", starts=[positions[0]._replace(offset=4)])
        self.assertEqual(another.receive(PATIENCE).text(), "4")


class Readme(Broker):
    def test_the_examples_of_the_readme(self):
        text = (pathlib.Path(__file__).parent / "README.md").read_text()
        examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        self.assertEqual(len(examples), 4)
        for example in examples:
            with self.subTest(example), contextlib.redirect_stdout(io.StringIO()):
                exec(example.replace("tcp://localhost:1883", URL), {})


if __name__ == "__main__":
    unittest.main()
