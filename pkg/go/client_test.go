package tinymq

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the client does with a broker. TINYMQ_URL says where one listens that keeps the topics kept/#, refuses to take what is
// published to `secret`, and loses the first acknowledgement of the client `cut-go`; TINYMQ_TLS_URL, TINYMQ_UNIX_URL and TINYMQ_CA
// lead to the same one by other ways. test/interop/frame-clients.test.ts starts it.

const patience = time.Minute

func place(t *testing.T, name string) string {
	if os.Getenv(name) == "" {
		t.Skip(name + " says where a broker is")
	}
	return os.Getenv(name)
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, options Options) *Client {
	t.Helper()
	c, err := Dial(within(t), place(t, "TINYMQ_URL"), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abort)
	return c
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func code(err error) string {
	var found *Error
	if errors.As(err, &found) {
		return found.Code
	}
	return fmt.Sprint(err)
}

func subscribe(t *testing.T, c *Client, filter string, options SubscribeOptions) string {
	t.Helper()
	name, err := c.Subscribe(within(t), filter, options)
	ok(t, err)
	return name
}

func receive(t *testing.T, c *Client) *Delivery {
	t.Helper()
	found, err := c.Receive(within(t))
	ok(t, err)
	return found
}

func texts(t *testing.T, c *Client, count int) (found []string) {
	t.Helper()
	for range count {
		d := receive(t, c)
		found = append(found, string(d.Payload))
		d.Ack()
	}
	return found
}

func nothingComes(t *testing.T, c *Client) {
	t.Helper()
	_, err := c.Ping(within(t))
	ok(t, err)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.inbox) > 0 {
		t.Errorf("came: %s", c.inbox[0].Payload)
	}
}

func numbers(count int) (found []string) {
	for number := range count {
		found = append(found, fmt.Sprint(number))
	}
	return found
}

func topic() string { return "t/" + rand.Text() }

func TestEveryNetwork(t *testing.T) {
	pem, err := os.ReadFile(place(t, "TINYMQ_CA"))
	ok(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for _, name := range []string{"TINYMQ_URL", "TINYMQ_TLS_URL", "TINYMQ_UNIX_URL"} {
		c, err := Dial(within(t), place(t, name), Options{TLS: &tls.Config{RootCAs: roots}})
		ok(t, err)
		topic, large := topic(), make([]byte, 2_000_000)
		subscribe(t, c, topic, SubscribeOptions{})
		ok(t, c.Publish(within(t), Message{Topic: topic, Payload: large}).Wait(within(t)))
		equal(t, len(receive(t, c).Payload), len(large))
		ok(t, c.Close(within(t)))
	}
}

func TestConnectionsThatAreNotMade(t *testing.T) {
	for _, address := range []string{"http://localhost", "unix:///nobody/here", "tcp://localhost:1"} {
		_, err := Dial(within(t), address, Options{})
		equal(t, code(err), "connect-failed")
	}
	c := dial(t, Options{})
	dial(t, Options{ClientID: c.ID})
	_, err := c.Receive(within(t))
	equal(t, code(err), "taken-over")
	equal(t, code(dial(t, Options{}).Publish(within(t), Message{Topic: "a", QoS: 2}).Wait(within(t))), "invalid-option")
}

func TestWhatGoesWithAMessage(t *testing.T) {
	c, topic := dial(t, Options{}), topic()
	subscribe(t, c, topic, SubscribeOptions{})
	sent := Message{
		Topic: topic, Payload: []byte("22.5"), Headers: []Header{{"unit", "C"}, {"tag", "1"}, {"tag", "2"}},
		ContentType: "text/plain", ReplyTo: "r", Correlation: []byte{0, 1}, ExpiresIn: time.Minute,
	}
	ok(t, c.Publish(within(t), sent).Wait(within(t)))
	came := receive(t, c)
	if came.ExpiresIn < 50*time.Second || came.ClientID != c.ID {
		t.Error(came)
	}
	came.ExpiresIn = sent.ExpiresIn
	if !reflect.DeepEqual(came.Message, sent) {
		t.Errorf("came %v, sent %v", came.Message, sent)
	}
}

func TestManyAcknowledgedMessagesThatComeBackToo(t *testing.T) {
	c, topic := dial(t, Options{Credit: 5}), topic()
	subscribe(t, c, topic, SubscribeOptions{})
	var sent []*Pending
	for _, text := range numbers(500) {
		sent = append(sent, c.Publish(within(t), Message{Topic: topic, Payload: []byte(text), QoS: 1}))
	}
	for _, pending := range sent {
		ok(t, pending.Wait(within(t)))
	}
	equal(t, texts(t, c, 500), numbers(500))
}

func TestMoreThanTheSocketsHoldGoesBothWays(t *testing.T) {
	c, topic := dial(t, Options{}), topic()
	subscribe(t, c, topic, SubscribeOptions{})
	for range 40 {
		ok(t, c.Publish(within(t), Message{Topic: topic, Payload: make([]byte, 1_000_000)}).Wait(within(t)))
	}
	equal(t, len(texts(t, c, 40)), 40)
}

func TestRefusals(t *testing.T) {
	told := make(chan *Error, 1)
	c := dial(t, Options{OnRefused: func(err *Error) { told <- err }})
	equal(t, code(c.Publish(within(t), Message{Topic: "secret", QoS: 1}).Wait(within(t))), "not-authorized")
	many := slices.Repeat([]Header{{"n", strings.Repeat("x", 65_000)}}, 5)
	equal(t, code(c.Publish(within(t), Message{Topic: "a", QoS: 1, Headers: many}).Wait(within(t))), "invalid-properties")
	ok(t, c.Publish(within(t), Message{Topic: "a", QoS: 1}).Wait(within(t)))
	ok(t, c.Publish(within(t), Message{Topic: "secret"}).Wait(within(t)))
	equal(t, (<-told).Topic, "secret")
	_, err := c.Subscribe(within(t), "a/#/b", SubscribeOptions{})
	equal(t, code(err), "invalid-filter")
}

func TestRetainedMessagesAndOptions(t *testing.T) {
	c, other, topic := dial(t, Options{}), dial(t, Options{}), topic()
	ok(t, other.Publish(within(t), Message{Topic: topic, Payload: []byte("kept"), Retain: true, QoS: 1}).Wait(within(t)))
	subscribe(t, c, topic, SubscribeOptions{NoLocal: true})
	came := receive(t, c)
	equal(t, []any{string(came.Payload), came.Retain}, []any{"kept", true})
	subscribe(t, c, topic, SubscribeOptions{NoLocal: true, Retained: RetainedNever})
	ok(t, c.Publish(within(t), Message{Topic: topic, Payload: []byte("own")}).Wait(within(t)))
	nothingComes(t, c)
	subscribe(t, c, topic, SubscribeOptions{NoLocal: true, Retained: RetainedAlways})
	equal(t, texts(t, c, 1), []string{"kept"})
	ok(t, c.Unsubscribe(within(t), topic))
	ok(t, other.Publish(within(t), Message{Topic: topic, QoS: 1}).Wait(within(t)))
	nothingComes(t, c)
}

func TestWhatWasToBeRetainedIsToldOnlyWhereThatIsWanted(t *testing.T) {
	c, other, topic := dial(t, Options{}), dial(t, Options{}), topic()
	for _, isTold := range []bool{true, false} {
		subscribe(t, c, topic, SubscribeOptions{RetainAsPublished: isTold, Retained: RetainedNever})
		ok(t, other.Publish(within(t), Message{Topic: topic, Payload: []byte("live"), Retain: true, QoS: 1}).Wait(within(t)))
		equal(t, receive(t, c).Retain, isTold)
	}
}

func TestWill(t *testing.T) {
	watcher, topic := dial(t, Options{}), topic()
	subscribe(t, watcher, topic, SubscribeOptions{})
	will := &Message{Topic: topic, Payload: []byte("gone"), Headers: []Header{{"why", "lost"}}}
	ok(t, dial(t, Options{Will: will}).Close(within(t)))
	dial(t, Options{Will: will}).Abort()
	came := receive(t, watcher)
	equal(t, []any{string(came.Payload), came.Headers}, []any{"gone", will.Headers})
	nothingComes(t, watcher)
}

func TestExactlyOnceAlthoughAcknowledgementsAreLost(t *testing.T) {
	watcher, topic, producer := dial(t, Options{Window: 100}), topic(), NewProducer()
	subscribe(t, watcher, topic, SubscribeOptions{QoS: 1})
	publish := func(c *Client, text string) *Pending {
		return c.Publish(within(t), Message{Topic: topic, Payload: []byte(text), QoS: 2})
	}
	first := dial(t, Options{ClientID: "cut-go", Producer: producer})
	pending := publish(first, "0")
	equal(t, code(pending.Wait(within(t))), "connection-lost")
	again := dial(t, Options{ClientID: "cut-go", Producer: producer})
	for _, text := range numbers(20)[1:] {
		ok(t, publish(again, text).Wait(within(t)))
	}
	ok(t, pending.Wait(within(t)))
	equal(t, texts(t, watcher, 20), numbers(20))
	nothingComes(t, watcher)
}

func TestASessionBringsWhatCameMeanwhile(t *testing.T) {
	options, topic, sender := Options{ClientID: topic(), Session: time.Hour}, topic(), dial(t, Options{})
	c := dial(t, options)
	subscribe(t, c, topic, SubscribeOptions{QoS: 1})
	ok(t, c.Close(within(t)))
	ok(t, sender.Publish(within(t), Message{Topic: topic, Payload: []byte("meanwhile"), QoS: 1}).Wait(within(t)))
	c = dial(t, options)
	equal(t, c.Agreed.Has("resumed"), true)
	equal(t, string(receive(t, c).Payload), "meanwhile")
	ok(t, c.Close(within(t)))
	c = dial(t, options)
	came := receive(t, c)
	equal(t, came.Redelivered, true)
	came.Ack()
	ok(t, c.Close(within(t)))
	nothingComes(t, dial(t, options))
}

func TestAcknowledgementWithinAWindow(t *testing.T) {
	c, topic := dial(t, Options{Window: 3}), topic()
	subscribe(t, c, topic, SubscribeOptions{QoS: 1})
	for _, text := range numbers(5) {
		ok(t, c.Publish(within(t), Message{Topic: topic, Payload: []byte(text), QoS: 1}).Wait(within(t)))
	}
	first, second, third := receive(t, c), receive(t, c), receive(t, c)
	nothingComes(t, c)
	third.Ack()
	first.Reject("no such device")
	equal(t, texts(t, c, 2), []string{"3", "4"})
	second.Retry(0, "busy")
	again := receive(t, c)
	equal(t, []any{string(again.Payload), again.Redelivered}, []any{"1", true})
	second.Ack()
	again.Ack()
	again.Ack()
	nothingComes(t, c)
}

func TestManyMessagesWithinASmallWindow(t *testing.T) {
	c, topic := dial(t, Options{Window: 10}), topic()
	subscribe(t, c, topic, SubscribeOptions{QoS: 1})
	for _, text := range numbers(200) {
		c.Publish(within(t), Message{Topic: topic, Payload: []byte(text), QoS: 1})
	}
	equal(t, texts(t, c, 200), numbers(200))
}

func TestAReplayGoesOnWhereItWas(t *testing.T) {
	c, topic := dial(t, Options{}), "kept/"+rand.Text()
	for _, text := range numbers(5) {
		ok(t, c.Publish(within(t), Message{Topic: topic, Payload: []byte(text), QoS: 1}).Wait(within(t)))
	}
	replay := subscribe(t, c, topic, SubscribeOptions{Start: "earliest"})
	equal(t, texts(t, c, 2), numbers(2))
	came := receive(t, c)
	equal(t, []any{came.Place.Offset, came.Replay}, []any{uint64(2), replay})
	if time.Since(came.PublishedAt).Abs() > time.Hour {
		t.Error(came.PublishedAt)
	}
	positions := c.Positions(replay)
	equal(t, []any{len(positions), positions[0].Offset}, []any{1, uint64(3)})
	c.Abort()
	again := dial(t, Options{})
	subscribe(t, again, topic, SubscribeOptions{Start: "earliest", Positions: positions})
	equal(t, texts(t, again, 2), []string{"3", "4"})
	positions[0].Offset = 4
	another := dial(t, Options{})
	subscribe(t, another, topic, SubscribeOptions{Start: "latest", Starts: positions})
	equal(t, texts(t, another, 1), []string{"4"})
}

func TestNoMoreComesThanThereIsCreditFor(t *testing.T) {
	c, topic := dial(t, Options{Credit: 3}), topic()
	subscribe(t, c, topic, SubscribeOptions{})
	for _, text := range numbers(10) {
		ok(t, c.Publish(within(t), Message{Topic: topic, Payload: []byte(text)}).Wait(within(t)))
	}
	_, err := c.Ping(within(t))
	ok(t, err)
	c.mutex.Lock()
	equal(t, len(c.inbox), 3)
	c.mutex.Unlock()
	equal(t, texts(t, c, 10), numbers(10))
}
