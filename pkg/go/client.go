package tinymq

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Forever is how long a session may last that never ends.
const Forever = time.Duration(math.MaxInt64)

// Message is what is published.
type Message struct {
	Topic   string
	Payload []byte
	// QoS 1 is acknowledged when the broker is responsible for it; 2: the same, and it comes to nobody twice (Options.Producer).
	QoS                  int
	Retain               bool
	Headers              []Header
	ContentType, ReplyTo string
	Correlation          []byte
	ExpiresIn            time.Duration
}

// Delivery is a message that came. With QoS 1 the broker waits for Ack, Retry or Reject.
type Delivery struct {
	Message
	ClientID              string // who published it
	Retained, Redelivered bool
	Place                 *Position // where it stands in a log, where the broker says so
	PublishedAt           time.Time // of a replayed message, where that is known
	Replay                string    // which replay it belongs to, as Subscribe named it
	client                *Client
	number                uint64
}

// Ack says that it is dealt with.
func (d *Delivery) Ack() { d.client.settle(d.number, nil) }

// Retry says that it is wanted again after some time.
func (d *Delivery) Retry(after time.Duration, reason string) {
	returned := encodeReturn(d.number, uint32(min(after.Milliseconds(), never-1)), reason)
	d.client.settle(d.number, &returned)
}

// Reject says that it will never be dealt with.
func (d *Delivery) Reject(reason string) {
	returned := encodeReturn(d.number, never, reason)
	d.client.settle(d.number, &returned)
}

// Options say how to connect. All of them may be left out.
type Options struct {
	ClientID, User, Password, Token string
	TLS                             *tls.Config
	Session                         time.Duration // for how long the broker keeps what this ClientID has not acknowledged; or Forever
	Clean                           bool          // nothing of before is wanted
	Will                            *Message      // is published when the connection ends in any other way than by Close
	WillDelay                       time.Duration
	Producer                        *Producer     // counts what is published with QoS 2, and outlasts connections
	Window                          int           // messages before any is acknowledged; needed for QoS 1. A session has 256
	Credit                          uint32        // the broker sends no more messages than so many ahead of Receive
	KeepAlive                       time.Duration // after so long without a byte the broker is asked for a sign of life; 30 s
	MaxUnacknowledged               int           // beyond these Send waits; 10,000
	MaxWaiting                      int           // messages that wait for Receive before no more is read; 1,000
	OnRefused                       func(*Error)  // is told of what is refused and nobody waits for
}

// Pending is what the broker is to answer.
type Pending struct {
	client atomic.Pointer[Client] // another, where a producer goes on
	done   chan struct{}
	err    error
	frame  []byte
}

// Wait returns what was refused, or why the connection ended before the answer.
func (p *Pending) Wait(ctx context.Context) error {
	client := p.client.Load()
	client.await(1)
	defer client.await(-1)
	select {
	case <-p.done:
		return p.err
	case <-client.ended:
		select {
		case <-p.done:
			return p.err
		default:
			return client.err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Pending) settle(err error) { p.err = err; close(p.done) }

// Producer counts messages of QoS 2. It outlasts connections: with the next Dial of the same ClientID, what was not acknowledged is
// sent again, without ever being there twice.
type Producer struct {
	name string
	count
}

// NewProducer draws a name of its own.
func NewProducer() *Producer { return &Producer{name: randomName()} }

// count is of messages that wait, oldest first; the first has the number acknowledged + 1.
type count struct {
	acknowledged uint64
	waiting      []*Pending
}

func (c *count) answer(upTo uint64) []*Pending {
	answered := c.waiting[:min(max(upTo, c.acknowledged)-c.acknowledged, uint64(len(c.waiting)))]
	c.waiting, c.acknowledged = c.waiting[len(answered):], max(c.acknowledged, upTo)
	return answered
}

type request struct {
	kind  byte
	topic string
}

type reader struct {
	replay   string
	position *Position
}

// Client is one connection.
type Client struct {
	ID      string
	options Options
	conn    net.Conn
	answer  answer
	sending sync.Mutex // is taken before the other

	mutex                         sync.Mutex
	changed                       chan struct{} // closed at the next change
	err                           error
	awaiting                      int // whoever waits for an answer: then all that comes before it is taken
	inbox                         []*Delivery
	requests                      map[request][]*Pending
	acks                          count
	received, settledUpTo, credit uint64
	settled                       map[uint64]bool
	readers                       map[uint32]*reader
	ended                         chan struct{}
}

// Dial opens a connection to tcp://host:port, tls://host:port or unix:///path.
func Dial(ctx context.Context, address string, options Options) (*Client, error) {
	if options.Session > 0 && options.ClientID == "" {
		return nil, &Error{Code: "invalid-option", Message: "a session needs a ClientID by which it is found again"}
	}
	options = withDefaults(options)
	conn, err := open(ctx, address, options.TLS)
	if err != nil {
		return nil, &Error{Code: "connect-failed", Message: fmt.Sprintf("cannot connect to %s: %v", address, err)}
	}
	c := &Client{ID: options.ClientID, options: options, conn: conn, changed: make(chan struct{}), ended: make(chan struct{})}
	c.requests, c.settled, c.readers = map[request][]*Pending{}, map[uint64]bool{}, map[uint32]*reader{}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	rest, err := c.begin()
	if !stop() && err == nil || errors.Is(err, context.Canceled) {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	go c.read(rest)
	return c, c.goOn()
}

// IsResumed says whether the session was there: its subscriptions still stand.
func (c *Client) IsResumed() bool { return c.answer.isResumed }

// Publish sends a message and waits for its answer, which one of QoS 0 has not.
func (c *Client) Publish(ctx context.Context, message Message) error {
	pending, err := c.Send(ctx, message)
	if err != nil {
		return err
	}
	return pending.Wait(ctx)
}

// Send sends a message and does not wait for its answer.
func (c *Client) Send(ctx context.Context, message Message) (*Pending, error) {
	if err := c.need("this message", message.needs()...); err != nil {
		return nil, err
	}
	encoded, err := message.encode(c.ID)
	if err != nil {
		return nil, err
	}
	pending := newPending(c)
	pending.frame = encoded
	if message.QoS == 0 {
		pending.settle(nil)
		return pending, c.send(encoded, func() {})
	}
	count := &c.acks
	if message.QoS == 2 {
		count = &c.options.Producer.count
	}
	c.await(1)
	err = c.waitFor(ctx, func() bool { return len(count.waiting) < c.options.MaxUnacknowledged })
	c.await(-1)
	if err != nil {
		return nil, err
	}
	return pending, c.send(encoded, func() { count.waiting = append(count.waiting, pending) })
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

// Subscribe returns the filter as the broker knows it, for Unsubscribe and Positions.
func (c *Client) Subscribe(ctx context.Context, filter string, o SubscribeOptions) (string, error) {
	needs := []string{}
	for name, isUsed := range map[string]bool{
		"delivery": o.QoS > 0, "positions": len(o.Positions) > 0, "offsets": len(o.Starts) > 0,
		"options": o.NoLocal || o.RetainAsPublished || o.Retained != RetainedIfNew,
	} {
		if isUsed {
			needs = append(needs, name)
		}
	}
	if err := c.need("this subscription", needs...); err != nil {
		return "", err
	}
	if o.Start != "" {
		filter = "$replay/" + o.Start + "/" + filter
	}
	payload, err := properties{acknowledged: o.QoS > 0, noLocal: o.NoLocal, retained: o.Retained, retainAsPublished: o.RetainAsPublished, starts: o.Starts}.encode()
	if err != nil {
		return "", err
	}
	kind := byte(typeSubscribe)
	if payload != nil {
		kind |= bitProperties
	}
	frames := []frame{}
	for _, position := range o.Positions {
		position.reader = 0
		frames = append(frames, encodePosition(filter, position, c.ID))
	}
	if len(frames) > 0 {
		payload = append(payload, 1)
	}
	return filter, c.ask(ctx, request{typeSuback, filter}, append(frames, frame{kind, filter, payload, c.ID})...)
}

// Unsubscribe ends a subscription.
func (c *Client) Unsubscribe(ctx context.Context, filter string) error {
	return c.ask(ctx, request{typeUnsuback, filter}, frame{typeUnsubscribe, filter, nil, c.ID})
}

// Positions says where a replay is: behind the last message that Receive returned, in each log.
func (c *Client) Positions(replay string) (found []Position) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, each := range c.readers {
		if each.replay == replay {
			found = append(found, *each.position)
		}
	}
	return found
}

// Receive returns the next message, or why the connection ended.
func (c *Client) Receive(ctx context.Context) (*Delivery, error) {
	if err := c.waitFor(ctx, func() bool { return len(c.inbox) > 0 }); err != nil {
		return nil, err
	}
	c.mutex.Lock()
	if len(c.inbox) == 0 {
		// Another goroutine was faster.
		c.mutex.Unlock()
		return c.Receive(ctx)
	}
	delivery := c.inbox[0]
	c.inbox = c.inbox[1:]
	for _, each := range c.readers {
		if d := delivery.Place; d != nil && each.replay == delivery.Replay && each.position.Log == d.Log && each.position.Partition == d.Partition {
			each.position.Offset = d.Offset + 1
		}
	}
	c.credit++
	credit := uint32(0)
	if c.options.Credit > 0 && c.credit*2 >= uint64(c.options.Credit) {
		credit, c.credit = uint32(c.credit), 0
	}
	c.notify()
	c.mutex.Unlock()
	if credit > 0 {
		c.sendFrames(func() {}, encodeCredit(credit, 0))
	}
	return delivery, nil
}

// Ping returns the round trip. All that was published before has then been taken or refused.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	err := c.ask(ctx, request{typePong, ""}, frame{kind: typePing, clientID: c.ID})
	return time.Since(began), err
}

// Close waits until all that was published with a promise is acknowledged, says goodbye and closes.
func (c *Client) Close(ctx context.Context) error {
	c.await(1)
	defer c.Abort()
	err := c.waitFor(ctx, func() bool { return len(c.acks.waiting)+len(c.options.Producer.waiting) == 0 })
	if err != nil {
		return err
	}
	if err = c.sendFrames(func() {}, frame{kind: typeDisconnect, clientID: c.ID}); err != nil {
		return err
	}
	if half, canHalfClose := c.conn.(interface{ CloseWrite() error }); canHalfClose {
		half.CloseWrite()
	}
	select {
	case <-c.ended:
	case <-ctx.Done():
	}
	return nil
}

// Abort ends the connection without a word, as a crash would; the will is published.
func (c *Client) Abort() {
	c.end(&Error{Code: "closed", Message: "the client is closed"})
	<-c.ended
}

func withDefaults(o Options) Options {
	if o.ClientID == "" {
		o.ClientID = "go-" + randomName()
	}
	if o.Session > 0 && o.Window == 0 {
		o.Window = 256
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = 30 * time.Second
	}
	if o.MaxUnacknowledged == 0 {
		o.MaxUnacknowledged = 10_000
	}
	if o.MaxWaiting == 0 {
		o.MaxWaiting = 1_000
	}
	return o
}

// offered returns the payload of CONNECT, and the extensions in it that are needed.
func (o Options) offered() (payload string, needed []string, err error) {
	said := offer{clean: o.Clean, window: o.Window, willDelay: o.WillDelay}
	if o.Session > 0 {
		said.session = &o.Session
		needed = append(needed, "session")
	}
	if o.Will != nil {
		if said.will, err = o.Will.encode(o.ClientID); err != nil {
			return "", nil, err
		}
		needed = append(needed, "will")
	}
	if o.Producer != nil {
		said.producer, said.acknowledged = o.Producer.name, o.Producer.acknowledged
		needed = append(needed, "once")
	}
	if o.Window > 0 {
		needed = append(needed, "delivery")
	}
	if o.Credit > 0 {
		needed = append(needed, "flow")
	}
	words := append([]string{"refusals positions acks retain headers expiry options offsets"}, needed...)
	for name, value := range map[string]string{"user": o.User, "password": o.Password, "token": o.Token} {
		if value != "" {
			words = append(words, name+"="+base64.StdEncoding.EncodeToString([]byte(value)))
		}
	}
	if o.User+o.Password+o.Token != "" {
		words = append(words, "credentials")
	}
	return strings.TrimSpace(strings.Join(append(words, said.String()), " ")), needed, nil
}

// begin shakes hands, and returns what came behind CONNACK.
func (c *Client) begin() (rest []byte, err error) {
	said, needed, err := c.options.offered()
	if err != nil {
		return nil, err
	}
	connect, err := frame{typeConnect, "", []byte(said), c.ID}.encode()
	if err != nil {
		return nil, err
	}
	if _, err = c.conn.Write(connect); err != nil {
		return nil, lost(err)
	}
	chunk := make([]byte, 4096)
	for {
		first, size, err := decodeFrame(rest)
		switch {
		case err != nil:
			return nil, err
		case size > 0 && first.kind == typeDisconnect:
			return nil, refused(string(first.payload), "")
		case size > 0 && first.kind != typeConnack:
			return nil, meaningless("this is no broker of these frames")
		case size > 0:
			if c.answer, err = parseAnswer(first.payload); err != nil {
				return nil, err
			}
			return rest[size:], c.need("this connection", needed...)
		}
		count, err := c.conn.Read(chunk)
		if rest = append(rest, chunk[:count]...); err != nil && count == 0 {
			return nil, lost(err)
		}
	}
}

// goOn sends what a producer has that the broker has not.
func (c *Client) goOn() error {
	if c.options.Credit > 0 {
		if err := c.sendFrames(func() {}, encodeCredit(c.options.Credit, anyCredit)); err != nil {
			return err
		}
	}
	producer := c.options.Producer
	if producer == nil {
		c.options.Producer = &Producer{}
		return nil
	}
	c.mutex.Lock()
	if c.answer.last < producer.acknowledged || c.answer.last > producer.acknowledged+uint64(len(producer.waiting)) {
		c.mutex.Unlock()
		c.Abort()
		return meaningless("the broker goes on behind number %d of a producer that is elsewhere", c.answer.last)
	}
	for _, answered := range producer.count.answer(c.answer.last) {
		answered.settle(nil)
	}
	again := slices.Clone(producer.waiting)
	c.mutex.Unlock()
	for _, pending := range again {
		pending.client.Store(c)
		if err := c.send(pending.frame, func() {}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) read(bytes []byte) {
	defer close(c.ended)
	chunk, isAsked := make([]byte, 256*1024), false
	for {
		for {
			found, size, err := decodeFrame(bytes)
			if err == nil && size > 0 {
				bytes, err = bytes[size:], c.take(found)
			}
			if err != nil {
				c.end(err)
				return
			}
			if size == 0 {
				break
			}
		}
		c.conn.SetReadDeadline(time.Now().Add(c.options.KeepAlive))
		count, err := c.conn.Read(chunk)
		bytes = append(bytes, chunk[:count]...)
		var timeout net.Error
		switch {
		case count > 0:
			isAsked = false
		case errors.As(err, &timeout) && timeout.Timeout() && !isAsked:
			isAsked = true
			// Not from here: a broker that takes nothing would keep this from reading.
			go c.send(must(frame{kind: typePing, clientID: c.ID}.encode()), func() {
				c.requests[request{typePong, ""}] = append(c.requests[request{typePong, ""}], newPending(c))
			})
		case err != nil:
			c.end(lost(err))
			return
		}
	}
}

func (c *Client) take(f frame) error {
	kind, bits := f.kind&typeMask, f.kind&^typeMask
	reason := string(f.payload)
	switch kind {
	case typePublish, typeReplayed:
		return c.takeMessage(f, bits)
	case typeSuback, typeUnsuback, typePong:
		c.answered(request{kind, f.topic}, nil)
	case typeAck:
		upTo, _, err := parseAck(f.payload)
		c.acknowledged(bits, upTo, nil)
		return err
	case typePublishRefused:
		if bits == 0 {
			c.tell(refused(reason, f.topic))
			return nil
		}
		number, reason, err := parseRefusal(f.payload)
		if err != nil {
			return err
		}
		c.acknowledged(bits, number-1, nil)
		c.acknowledged(bits, number, refused(reason, f.topic))
	case typeSubscribeRefused:
		c.answered(request{typeSuback, f.topic}, refused(reason, f.topic))
	case typePosition:
		position, err := parsePosition(f.payload)
		if err != nil {
			return err
		}
		c.mutex.Lock()
		c.readers[position.reader] = &reader{f.topic, &position}
		c.mutex.Unlock()
	case typeDisconnect:
		return refused(reason, "")
	}
	return nil
}

func (c *Client) takeMessage(f frame, bits byte) error {
	found, payload, err := properties{}, f.payload, error(nil)
	if bits&bitProperties != 0 {
		if found, payload, err = decodeProperties(payload); err != nil {
			return err
		}
	}
	d := &Delivery{ClientID: f.clientID, Retained: found.retain, Redelivered: found.isAgain, Place: found.place, client: c}
	d.Message = Message{
		Topic: f.topic, Headers: found.headers, ContentType: found.contentType, ReplyTo: found.replyTo,
		Correlation: found.correlation, ExpiresIn: time.Duration(found.expiresInMs) * time.Millisecond, Retain: found.retain,
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if bits&bitAcknowledged != 0 {
		c.received++
		d.number, d.QoS = c.received, 1
	}
	if f.kind&typeMask == typeReplayed {
		if len(payload) < 20 {
			return meaningless("a REPLAYED that is cut off")
		}
		if from := c.readers[binary.BigEndian.Uint32(payload)]; from != nil {
			place := *from.position
			place.Offset = binary.BigEndian.Uint64(payload[4:])
			d.Replay, d.Place = from.replay, &place
		}
		if at := int64(binary.BigEndian.Uint64(payload[12:])); at >= 0 {
			d.PublishedAt = time.UnixMilli(at)
		}
		payload = payload[20:]
	}
	d.Payload = payload
	// Beyond this the broker has to wait, unless somebody waits for what comes behind the messages.
	for len(c.inbox) >= c.options.MaxWaiting && c.awaiting == 0 && c.err == nil {
		c.waitForChange(context.Background())
	}
	c.inbox = append(c.inbox, d)
	c.notify()
	return nil
}

func (c *Client) answered(asked request, err error) {
	c.mutex.Lock()
	waiting := c.requests[asked]
	if len(waiting) > 0 {
		c.requests[asked] = waiting[1:]
	}
	c.mutex.Unlock()
	if len(waiting) > 0 {
		waiting[0].settle(err)
	} else if err != nil {
		c.tell(err.(*Error))
	}
}

func (c *Client) acknowledged(bits byte, upTo uint64, err error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	count := &c.acks
	if bits&bitOnce != 0 {
		count = &c.options.Producer.count
	}
	for _, pending := range count.answer(upTo) {
		pending.settle(err)
	}
	c.notify()
}

// settle answers a message, with an ACK of all that was answered so far.
func (c *Client) settle(number uint64, returned *frame) {
	c.mutex.Lock()
	isSettled := number == 0 || number <= c.settledUpTo || c.settled[number]
	if !isSettled {
		c.settled[number] = true
	}
	c.mutex.Unlock()
	if isSettled {
		return
	}
	if returned != nil {
		c.sendFrames(func() {}, *returned)
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mutex.Lock()
	for c.settled[c.settledUpTo+1] {
		c.settledUpTo++
		delete(c.settled, c.settledUpTo)
	}
	ack := encodeAck(bitAcknowledged, c.settledUpTo, ranges(slices.Sorted(maps.Keys(c.settled))))
	c.mutex.Unlock()
	c.write(must(ack.encode()))
}

// ranges of numbers that are sorted.
func ranges(numbers []uint64) (found [][2]uint64) {
	for _, number := range numbers {
		if last := len(found) - 1; last >= 0 && found[last][1] == number-1 {
			found[last][1] = number
		} else {
			found = append(found, [2]uint64{number, number})
		}
	}
	return found
}

func (c *Client) tell(err *Error) {
	if c.options.OnRefused != nil {
		c.options.OnRefused(err)
	}
}

func (c *Client) ask(ctx context.Context, asked request, frames ...frame) error {
	pending := newPending(c)
	if err := c.sendFrames(func() { c.requests[asked] = append(c.requests[asked], pending) }, frames...); err != nil {
		return err
	}
	return pending.Wait(ctx)
}

func (c *Client) sendFrames(note func(), frames ...frame) error {
	var bytes []byte
	for _, each := range frames {
		encoded, err := each.encode()
		if err != nil {
			return err
		}
		bytes = append(bytes, encoded...)
	}
	return c.send(bytes, note)
}

// send writes frames; note remembers them, in their order.
func (c *Client) send(bytes []byte, note func()) error {
	c.await(1)
	defer c.await(-1)
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mutex.Lock()
	err := c.err
	if err == nil {
		note()
	}
	c.mutex.Unlock()
	if err != nil {
		return err
	}
	return c.write(bytes)
}

func (c *Client) write(bytes []byte) error {
	_, err := c.conn.Write(bytes)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		// The broker may have said why before it closed: the goroutine that reads finds out.
		return lost(err)
	}
	return err
}

func (c *Client) need(what string, extensions ...string) error {
	for _, extension := range extensions {
		if !c.answer.words[extension] || extension == "once" && c.options.Producer == nil {
			return &Error{Code: "not-supported", Message: what + " needs the extension " + extension + ", which is not agreed on"}
		}
	}
	return nil
}

// await says that somebody waits for an answer, or that nobody does any more.
func (c *Client) await(change int) {
	c.mutex.Lock()
	c.awaiting += change
	c.notify()
	c.mutex.Unlock()
}

func (c *Client) notify() { close(c.changed); c.changed = make(chan struct{}) }

// waitForChange is called, and returns, with the mutex held.
func (c *Client) waitForChange(ctx context.Context) {
	changed := c.changed
	c.mutex.Unlock()
	select {
	case <-changed:
	case <-ctx.Done():
	}
	c.mutex.Lock()
}

func (c *Client) waitFor(ctx context.Context, isThere func() bool) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for !isThere() {
		if c.err != nil {
			return c.err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.waitForChange(ctx)
	}
	return nil
}

// end tells everybody why nothing comes any more. What a producer has waits for its next connection.
func (c *Client) end(err error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	left := c.acks.waiting
	for _, waiting := range c.requests {
		left = append(left, waiting...)
	}
	c.acks.waiting, c.requests = nil, map[request][]*Pending{}
	for _, pending := range left {
		pending.settle(err)
	}
	c.notify()
	c.conn.Close()
}

func (m Message) needs() (needs []string) {
	for name, isUsed := range map[string]bool{
		"acks": m.QoS == 1, "once": m.QoS == 2, "retain": m.Retain, "expiry": m.ExpiresIn > 0,
		"headers": len(m.Headers) > 0 || m.ContentType != "" || m.ReplyTo != "" || m.Correlation != nil,
	} {
		if isUsed {
			needs = append(needs, name)
		}
	}
	return needs
}

func (m Message) encode(clientID string) ([]byte, error) {
	if m.QoS < 0 || m.QoS > 2 {
		return nil, &Error{Code: "invalid-option", Message: fmt.Sprintf("QoS is 0, 1 or 2, not %d", m.QoS)}
	}
	kind := typePublish | []byte{0, bitAcknowledged, bitOnce}[m.QoS]
	block, err := properties{
		retain: m.Retain, headers: m.Headers, contentType: m.ContentType, replyTo: m.ReplyTo, correlation: m.Correlation,
		expiresInMs: uint64((m.ExpiresIn + time.Millisecond - 1) / time.Millisecond),
	}.encode()
	if err != nil {
		return nil, err
	}
	if block != nil {
		kind |= bitProperties
	}
	return frame{kind, m.Topic, append(block, m.Payload...), clientID}.encode()
}

func newPending(c *Client) *Pending {
	pending := &Pending{done: make(chan struct{})}
	pending.client.Store(c)
	return pending
}

func must(bytes []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return bytes
}

func lost(err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{Code: "connection-lost", Message: "the broker closed the connection"}
	}
	return &Error{Code: "connection-lost", Message: fmt.Sprintf("the connection broke off: %v", err)}
}

func randomName() string {
	bytes := make([]byte, 8)
	rand.Read(bytes)
	return hex.EncodeToString(bytes)
}

func open(ctx context.Context, address string, config *tls.Config) (net.Conn, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	if scheme == "unix" {
		return new(net.Dialer).DialContext(ctx, "unix", rest)
	}
	place, err := url.Parse(address)
	port, isKnown := map[string]string{"tcp": "1883", "tls": "8883"}[scheme]
	if err != nil || !isKnown {
		return nil, fmt.Errorf("an address begins with tcp://, tls:// or unix://")
	}
	host := net.JoinHostPort(place.Hostname(), cmp.Or(place.Port(), port))
	if scheme == "tls" {
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", host)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", host)
}
