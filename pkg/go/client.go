package tinymq

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Message is what is published.
type Message struct {
	Topic                string
	Payload              []byte
	QoS                  int  // 1: acknowledged when the broker is responsible for it; 2: the same, and once (Options.Producer)
	Retain               bool // the broker keeps it for later subscribers; in a Delivery: it was kept
	IsText               bool // the payload is UTF-8
	Headers              []Header
	ContentType, ReplyTo string
	Correlation          []byte
	ExpiresIn            time.Duration
}

// Header goes with a message; there may be several of a name.
type Header struct{ Name, Value string }

// Position is a place in one partition of a log: of a message, or of the next message of a replay.
type Position struct {
	Log       string
	Partition uint32
	Offset    uint64
	LogID     [16]byte
	Since     int64 // leaves out what was published before, in milliseconds since 1970; 0: nothing
}

// Delivery is a message that came. With QoS 1 the broker waits for Ack, Retry or Reject: the first of them counts.
type Delivery struct {
	Message
	ClientID    string    // who published it
	Redelivered bool      // it may have come before
	Place       Position  // where it stands in a log, where the broker says so
	PublishedAt time.Time // of a replayed message, where that is known
	Replay      string    // which replay it belongs to, as Subscribe named it
	client      *Client
	reader      *reader
	number      uint64
}

// Ack says that it is dealt with.
func (d *Delivery) Ack() { d.settle() }

// Retry says that it is wanted again after some time.
func (d *Delivery) Retry(after time.Duration, reason string) {
	d.settle(d.number, uint32(min(ceil(after, time.Millisecond), uint64(unbounded-1))), &reason)
}

// Reject says that it will never be dealt with.
func (d *Delivery) Reject(reason string) { d.settle(d.number, unbounded, &reason) }

// settle acknowledges a message, or gives it back with the fields of RETURN.
func (d *Delivery) settle(returned ...any) {
	c := d.client
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if d.number <= c.settledTo || c.settled[d.number] {
		return
	}
	c.settled[d.number] = true
	for ; c.settled[c.settledTo+1]; c.settledTo++ {
		delete(c.settled, c.settledTo+1)
	}
	answer := frame{kind: typeAck | bitAcknowledged, payload: pack(c.settledTo)}
	if len(returned) > 0 {
		answer = frame{kind: typeCredit | bitAcknowledged, payload: pack(returned...)}
	} else if d.number > c.settledTo {
		answer.payload = pack(c.settledTo, d.number, d.number)
	}
	c.put(answer)
}

// Options say how to connect. All of them may be left out.
type Options struct {
	ClientID, User, Password, Token string
	TLS                             *tls.Config
	Session                         time.Duration // for how long the broker keeps what this ClientID has not acknowledged
	Clean                           bool          // nothing of before is wanted
	Will                            *Message      // is published when the connection ends in any other way than by Close
	WillDelay                       time.Duration
	Producer                        *Producer     // counts what is published with QoS 2, and outlasts connections
	Window                          int           // messages of QoS 1 that come before any is acknowledged; 256
	Credit                          uint32        // messages that come before Receive takes any; 1,000
	KeepAlive                       time.Duration // after so long without a byte the broker is asked for a sign of life; 30 s
	OnRefused                       func(*Error)  // is called, in a goroutine, with a refusal that nobody waits for; logs it
}

// SubscribeOptions say what a subscription brings.
type SubscribeOptions struct {
	QoS               int        // 1: what was published with a promise waits to be acknowledged
	Start             string     // a replay of logs: "earliest", "latest", an offset, "-10m", an ISO time
	Positions         []Position // where another connection's replay was; other logs are read from their beginning
	Starts            []Position // where a replay begins in these partitions; in others it begins at Start
	NoLocal           bool
	Retained          Retained
	RetainAsPublished bool
}

// Retained says which retained messages a subscription brings: where it is new to the session, each time, or none.
type Retained string

const RetainedIfNew, RetainedAlways, RetainedNever = Retained(""), Retained("\x00"), Retained("\x02")

// Pending is what the broker is to answer.
type Pending struct {
	producer *Producer // it may have another client by then
	request  frame
	isDone   bool
	err      error
}

// Wait returns what was refused, or why the connection ended before the answer.
func (p *Pending) Wait(ctx context.Context) error {
	p.producer.mutex.Lock()
	defer p.producer.mutex.Unlock()
	if err := p.producer.client.wait(ctx, func() bool { return p.isDone }); err != nil {
		return err
	}
	return p.err
}

// Producer counts messages of QoS 2. It outlasts connections: with the next Dial of the same ClientID, what was not acknowledged is
// sent again, without ever being there twice.
type Producer struct {
	name    string
	mutex   sync.Mutex // of all clients of this producer
	changed sync.Cond
	client  *Client // the last of them
	queue
}

// NewProducer draws a name of its own.
func NewProducer() *Producer {
	p := &Producer{name: rand.Text()}
	p.changed.L = &p.mutex
	return p
}

// queue has the messages that wait for an acknowledgement, oldest first. The first has the number answered + 1.
type queue struct {
	answered uint64
	waiting  []*Pending
}

// isAbout says whether the first of them is of this kind.
func (q *queue) isAbout(kind byte, topic string) bool {
	return len(q.waiting) > 0 && q.waiting[0].request.kind&typeMask == kind && q.waiting[0].request.topic == topic
}

// answer is for all up to a number. The error is for the last of them.
func (q *queue) answer(upTo uint64, err error) error {
	if upTo > q.answered+uint64(len(q.waiting)) {
		return problem("protocol-error", "an answer to number %d, which was not sent", upTo)
	}
	for q.answered < upTo {
		q.answered++
		q.waiting[0].isDone = true
		if q.answered == upTo {
			q.waiting[0].err = err
		}
		q.waiting = q.waiting[1:]
	}
	return nil
}

// reader reads one partition of a log for a replay. The broker has numbers for them.
type reader struct {
	number   uint32
	replay   string
	Position // of the next message
}

// Client is one connection. A goroutine reads and another writes.
type Client struct {
	ID     string
	Agreed url.Values // the extensions that the broker agreed to, and what it said of them; "resumed": the session was there

	options             Options
	conn                net.Conn
	producer            *Producer
	mutex               *sync.Mutex // the producer's, over all that follows
	err                 error       // why the connection ended
	out                 []byte      // is to be written
	requests            queue       // of anything but messages
	acks                queue       // of QoS 1
	inbox               []*Delivery
	taken               uint32 // messages that Receive returned since the last CREDIT
	received, settledTo uint64
	settled             map[uint64]bool // beyond settledTo
	readers             map[uint32]*reader
}

// Dial opens a connection to tcp://host:port, tls://host:port or unix:///path.
func Dial(ctx context.Context, address string, options Options) (*Client, error) {
	c := &Client{options: options, producer: cmp.Or(options.Producer, NewProducer())}
	c.mutex, c.settled, c.readers = &c.producer.mutex, map[uint64]bool{}, map[uint32]*reader{}
	c.ID = cmp.Or(options.ClientID, "go-"+rand.Text())
	c.options.Window = cmp.Or(options.Window, 256)
	c.options.Credit = cmp.Or(options.Credit, 1_000)
	c.options.KeepAlive = cmp.Or(options.KeepAlive, 30*time.Second)
	if options.OnRefused == nil {
		c.options.OnRefused = func(err *Error) { slog.Warn("the broker refused something", "error", err) }
	}
	var err error
	if c.conn, err = open(ctx, address, options.TLS); err != nil {
		return nil, problem("connect-failed", "cannot connect to %s: %v", address, err)
	}
	go c.read()
	go c.write()
	if err = c.post(ctx, c.offer()).Wait(ctx); err != nil {
		c.Abort()
		return nil, err
	}
	return c, nil
}

// Publish sends a message. What is published with QoS 0 is not answered: then Wait says only whether the connection was there.
func (c *Client) Publish(ctx context.Context, message Message) *Pending {
	return c.post(ctx, c.publish(message))
}

// Subscribe returns the filter as the broker knows it, for Unsubscribe and Positions.
func (c *Client) Subscribe(ctx context.Context, filter string, o SubscribeOptions) (string, error) {
	if o.Start != "" {
		filter = "$replay/" + o.Start + "/" + filter
	}
	subscribe := frame{kind: typeSubscribe, topic: filter, clientID: c.ID}
	var frames []frame
	for _, each := range o.Positions {
		frames = append(frames, frame{kind: typePosition, topic: filter, payload: pack(&reader{Position: each}), clientID: c.ID})
		subscribe.payload = []byte{1}
	}
	return filter, c.post(ctx, append(frames, subscribe.with(o.properties()))...).Wait(ctx)
}

// Unsubscribe ends a subscription.
func (c *Client) Unsubscribe(ctx context.Context, filter string) error {
	return c.post(ctx, frame{kind: typeUnsubscribe, topic: filter, clientID: c.ID}).Wait(ctx)
}

// Positions says where a replay is: behind the last message that Receive returned, in each log.
func (c *Client) Positions(replay string) (found []Position) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, each := range c.readers {
		if each.replay == replay {
			found = append(found, each.Position)
		}
	}
	return found
}

// Receive returns the next message, or why the connection ended.
func (c *Client) Receive(ctx context.Context) (*Delivery, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if err := c.wait(ctx, func() bool { return len(c.inbox) > 0 }); err != nil {
		return nil, err
	}
	delivery := c.inbox[0]
	c.inbox = c.inbox[1:]
	if delivery.reader != nil {
		delivery.reader.Offset = delivery.Place.Offset + 1
	}
	if c.taken++; c.taken*2 >= c.options.Credit {
		c.put(frame{kind: typeCredit, payload: pack(c.taken, uint32(0))})
		c.taken = 0
	}
	return delivery, nil
}

// Ping returns the round trip. All that was published before has then been taken or refused.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	err := c.post(ctx, frame{kind: typePing, clientID: c.ID}).Wait(ctx)
	return time.Since(began), err
}

// Close waits until all that was published with a promise is acknowledged, says goodbye and closes.
func (c *Client) Close(ctx context.Context) error {
	defer c.Abort()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if err := c.wait(ctx, func() bool { return len(c.acks.waiting)+len(c.producer.waiting) == 0 }); err != nil {
		return err
	}
	c.put(frame{kind: typeDisconnect, clientID: c.ID})
	return c.wait(ctx, func() bool { return c.err != nil })
}

// Abort ends the connection without a word, as a crash would; the will is published.
func (c *Client) Abort() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.end(problem("closed", "the client is closed"))
}

func open(ctx context.Context, address string, config *tls.Config) (net.Conn, error) {
	network, place, _ := strings.Cut(address, "://")
	if network == "tls" {
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", place)
	}
	return new(net.Dialer).DialContext(ctx, network, place)
}

// offer is CONNECT.
func (c *Client) offer() frame {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if before := c.producer.client; before != nil {
		before.end(problem("taken-over", "another client goes on with the producer"))
	}
	c.producer.client = c
	o, will := c.options, coder{}
	if o.Will != nil {
		publish := c.publish(*o.Will)
		will.code(&publish)
	}
	seconds := func(duration time.Duration) uint64 { return min(ceil(duration, time.Second), uint64(unbounded)) }
	text := func(value string) string { return base64.StdEncoding.EncodeToString([]byte(value)) }
	words := fmt.Sprintf("refusals positions acks retain headers expiry options offsets delivery flow window=%d", o.Window)
	for _, each := range []struct {
		isUsed bool
		words  string
	}{
		{o.Session > 0, fmt.Sprintf(" session session-expiry=%d", seconds(o.Session))},
		{o.Clean, " session-start=clean"},
		{o.Producer != nil, fmt.Sprintf(" once producer=%s acked=%d", c.producer.name, c.producer.answered)},
		{o.Will != nil, fmt.Sprintf(" will will=%s will-delay=%d", text(string(will.bytes)), seconds(o.WillDelay))},
		{o.User+o.Password+o.Token != "", " credentials"},
		{o.User != "", " user=" + text(o.User)},
		{o.Password != "", " password=" + text(o.Password)},
		{o.Token != "", " token=" + text(o.Token)},
	} {
		if each.isUsed {
			words += each.words
		}
	}
	return frame{kind: typeConnect, payload: []byte(words), clientID: c.ID, err: will.err}
}

// publish is PUBLISH of a message.
func (c *Client) publish(m Message) frame {
	kind := typePublish | byte(m.QoS)*bitAcknowledged
	f := frame{kind: kind, topic: m.Topic, payload: slices.Clone(m.Payload), clientID: c.ID}
	if m.QoS < 0 || m.QoS > 2 || m.QoS == 2 && c.options.Producer == nil {
		f.err = problem("invalid-option", "QoS is 0, 1, or with a Producer 2; it is not %d", m.QoS)
	}
	return f.with((&Delivery{Message: m}).properties())
}

// queue is where frames of a kind wait for their answers.
func (c *Client) queue(kind byte) *queue {
	return []*queue{&c.requests, &c.acks, &c.producer.queue, &c.producer.queue}[kind&(bitAcknowledged|bitOnce)/bitAcknowledged]
}

// post sends frames when there is room, and returns what waits for the answer to the last of them.
func (c *Client) post(ctx context.Context, frames ...frame) *Pending {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	p := &Pending{producer: c.producer, request: frames[len(frames)-1]}
	if p.err = c.wait(ctx, func() bool { return len(c.out) < maxUnsentBytes }); p.err == nil {
		p.err = c.put(frames...)
	}
	if p.isDone = p.err != nil || p.request.kind&^bitProperties == typePublish; !p.isDone {
		queue := c.queue(p.request.kind)
		queue.waiting = append(queue.waiting, p)
	}
	return p
}

// put has the other goroutine write frames.
func (c *Client) put(frames ...frame) error {
	out := coder{bytes: c.out, err: c.err}
	for _, each := range frames {
		out.code(&each)
	}
	if out.err == nil {
		c.out = out.bytes
		c.producer.changed.Broadcast()
	}
	return out.err
}

// wait waits with the mutex locked, until something is there or never will be.
func (c *Client) wait(ctx context.Context, isThere func() bool) error {
	defer context.AfterFunc(ctx, func() {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.producer.changed.Broadcast()
	})()
	for !isThere() {
		if err := cmp.Or(c.err, ctx.Err()); err != nil {
			return err
		}
		c.producer.changed.Wait()
	}
	return nil
}

// end tells everybody why nothing comes any more, if there is an error. What a producer has waits for its next connection.
func (c *Client) end(err error) {
	c.producer.changed.Broadcast()
	if c.err != nil || err == nil {
		return
	}
	if c.err = err; !errors.As(err, new(*Error)) {
		c.err = problem("connection-lost", "the connection broke off: %v", err)
	}
	for _, pending := range append(c.acks.waiting, c.requests.waiting...) {
		pending.err, pending.isDone = c.err, true
	}
	c.conn.Close()
}

func (c *Client) write() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	isWaiting := func() bool { return len(c.out) > 0 }
	for err := error(nil); err == nil && c.wait(context.Background(), isWaiting) == nil; {
		out := c.out
		c.out = nil
		c.producer.changed.Broadcast()
		c.mutex.Unlock()
		_, err = c.conn.Write(out) // The goroutine that reads finds out why: the broker may have said so.
		c.mutex.Lock()
	}
}

// read takes what the broker sends.
func (c *Client) read() {
	in := coder{isReading: true, from: bufio.NewReaderSize(patient{c}, 64*1024)}
	for in.err == nil {
		var f frame
		in.code(&f)
		c.mutex.Lock()
		if in.err = cmp.Or(in.err, c.err); in.err == nil {
			in.err = c.take(f)
		}
		c.end(in.err)
		c.mutex.Unlock()
	}
}

// patient reads from the connection of a client. After some time without a byte it asks the broker for a sign of life, once.
type patient struct{ *Client }

func (p patient) Read(bytes []byte) (int, error) {
	for isAsked := false; ; isAsked = true {
		p.conn.SetReadDeadline(time.Now().Add(p.options.KeepAlive))
		count, err := p.conn.Read(bytes)
		if isAsked || !errors.Is(err, os.ErrDeadlineExceeded) {
			return count, err
		}
		go p.Ping(context.Background())
	}
}

// take deals with a frame of the broker.
func (c *Client) take(f frame) error {
	in := unpack(f.payload)
	if f.kind == typeUnsuback {
		maps.DeleteFunc(c.readers, func(_ uint32, r *reader) bool { return r.replay == f.topic })
	}
	switch kind := f.kind & typeMask; {
	case kind == typeDisconnect:
		return refused(f.payload, "")
	case c.Agreed == nil:
		return c.begin(f)
	case kind == typePublish, kind == typeReplayed:
		return c.takeMessage(f)
	case c.requests.isAbout(kind-1, f.topic):
		return c.requests.answer(c.requests.answered+1, nil)
	case kind == typeSubscribeRefused && c.requests.isAbout(typeSubscribe, f.topic):
		return c.requests.answer(c.requests.answered+1, refused(f.payload, f.topic))
	case kind == typeSubscribeRefused, f.kind == typePublishRefused:
		go c.options.OnRefused(refused(f.payload, f.topic))
	case kind == typeAck, kind == typePublishRefused:
		var number uint64
		var refusal error
		if in.code(&number); kind == typePublishRefused {
			refusal = refused(in.bytes, f.topic)
		}
		return cmp.Or(in.err, c.queue(f.kind).answer(number, refusal))
	case kind == typePosition:
		position := reader{replay: f.topic}
		in.code(&position)
		c.readers[position.number] = &position
	}
	return in.err
}

// begin takes the answer to CONNECT, and sends what the producer has and the broker has not.
func (c *Client) begin(answer frame) error {
	if answer.kind != typeConnack {
		return problem("protocol-error", "this is no broker of these frames")
	}
	agreed, _ := url.ParseQuery(strings.ReplaceAll(string(answer.payload), " ", "&"))
	o := c.options
	for extension, isUsed := range map[string]bool{"session": o.Session > 0, "will": o.Will != nil, "once": o.Producer != nil} {
		if isUsed && !agreed.Has(extension) {
			return problem("not-supported", "the broker does not agree on %s", extension)
		}
	}
	last, err := strconv.ParseUint(cmp.Or(agreed.Get("last"), "0"), 10, 63)
	if err != nil || last < c.producer.answered || c.producer.answer(last, nil) != nil {
		return problem("protocol-error", "the broker goes on behind number %s of a producer that is elsewhere", agreed.Get("last"))
	}
	c.Agreed = agreed
	c.put(frame{kind: typeCredit, payload: pack(&c.options.Credit, unbounded)})
	for _, pending := range c.producer.waiting {
		c.put(pending.request)
	}
	return c.requests.answer(1, nil)
}

// takeMessage takes PUBLISH or REPLAYED.
func (c *Client) takeMessage(f frame) error {
	d := &Delivery{Message: Message{Topic: f.topic}, ClientID: f.clientID, client: c}
	if f.kind&bitAcknowledged != 0 {
		c.received++
		d.QoS, d.number = 1, c.received
	}
	in := unpack(f.payload)
	if f.kind&bitProperties != 0 {
		in.properties(d.properties())
	}
	if f.kind&typeMask == typeReplayed {
		var from struct {
			Reader uint32
			Offset uint64
			At     int64
		}
		in.code(&from)
		if d.reader = c.readers[from.Reader]; d.reader != nil {
			d.Replay, d.Place = d.reader.replay, d.reader.Position
			d.Place.Offset = from.Offset
		}
		if from.At >= 0 {
			d.PublishedAt = time.UnixMilli(from.At)
		}
	}
	d.Payload = in.bytes
	c.inbox = append(c.inbox, d)
	return in.err
}
