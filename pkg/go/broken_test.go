package tinymq

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// What the client does with a server that is no good broker. These servers are here; they need no broker.

// serve answers one connection, and returns its address.
func serve(t testing.TB, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	ok(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				answer(conn)
			}()
		}
	}()
	return "tcp://" + listener.Addr().String()
}

// sends reads CONNECT, sends bytes, and closes its side when the client has.
func sends(stream []byte) func(net.Conn) {
	return func(conn net.Conn) {
		in := coder{isReading: true, from: bufio.NewReader(conn)}
		in.code(new(frame))
		conn.Write(stream)
		io.Copy(io.Discard, conn)
	}
}

func connack(words string) []byte { return pack(&frame{kind: typeConnack, payload: []byte(words)}) }

func TestAServerOfSomethingElse(t *testing.T) {
	for _, said := range []string{"", "HTTP/1.1 400 Bad Request\r\n\r\n", "\x02\x00\x00\x00\x00\x00\x00\x00\x00"} {
		address := serve(t, func(conn net.Conn) {
			conn.Write([]byte(said))
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
		})
		_, err := Dial(within(t), address, Options{})
		var known *Error
		if !errors.As(err, &known) {
			t.Errorf("%q: %v", said, err)
		}
	}
}

func TestAServerThatSaysNothing(t *testing.T) {
	address := serve(t, sends(nil))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := Dial(ctx, address, Options{})
	equal(t, err, context.DeadlineExceeded)
	_, err = Dial(within(t), address, Options{KeepAlive: 20 * time.Millisecond})
	equal(t, code(err), "connection-lost")
}

func TestABrokerThatFallsSilent(t *testing.T) {
	c, err := Dial(within(t), serve(t, sends(connack(""))), Options{KeepAlive: 50 * time.Millisecond})
	ok(t, err)
	_, err = c.Receive(within(t))
	equal(t, code(err), "connection-lost")
	equal(t, code(c.Publish(within(t), Message{QoS: 1}).Wait(within(t))), "connection-lost")
}

func TestABrokerThatAgreesOnNothing(t *testing.T) {
	address := serve(t, sends(connack("")))
	for _, options := range []Options{{Session: time.Hour}, {Will: &Message{Topic: "w"}}, {Producer: NewProducer()}} {
		_, err := Dial(within(t), address, options)
		equal(t, code(err), "not-supported")
	}
	c, err := Dial(within(t), address, Options{})
	ok(t, err)
	ok(t, c.Publish(within(t), Message{Topic: "plain"}).Wait(within(t)))
	c.Abort()
}

func TestAProducerThatIsElsewhere(t *testing.T) {
	for _, words := range []string{"once last=1", "once last=many", "once last=-1"} {
		_, err := Dial(within(t), serve(t, sends(connack(words))), Options{Producer: NewProducer()})
		equal(t, code(err), "protocol-error")
	}
}

// The client of before would count on what it sends, and the broker would have forgotten its connection.
func TestAProducerHasOneClient(t *testing.T) {
	address, producer := serve(t, sends(connack("once"))), NewProducer()
	first, err := Dial(within(t), address, Options{Producer: producer})
	ok(t, err)
	pending := first.Publish(within(t), Message{QoS: 2})
	second, err := Dial(within(t), address, Options{Producer: producer})
	ok(t, err)
	equal(t, code(first.Publish(within(t), Message{QoS: 2}).Wait(within(t))), "taken-over")
	second.Abort()
	equal(t, code(pending.Wait(within(t))), "closed")
}

func TestAnAnswerToWhatWasNotSent(t *testing.T) {
	for _, each := range []string{
		"2e0000000000080000000000000001" + "0000", // an ACK of what nobody published
		"4e000000000008ffffffffffffffff" + "0000",
		"2a0000000000080000000000000001" + "0000",
		"2e00000000000300000000" + "0000", // one that is cut off
	} {
		c, err := Dial(within(t), serve(t, sends(append(connack(""), unhex(each)...))), Options{})
		if err == nil {
			_, err = c.Receive(within(t))
		}
		equal(t, code(err), "protocol-error")
	}
}

// What was not asked for is passed over, as a later version may use it.
func TestAnswersThatNobodyWaitsFor(t *testing.T) {
	stream := connack("")
	for _, kind := range []byte{typePong, typeSuback, typeUnsuback, typeConnect, typeConnack, typeCredit} {
		stream = append(stream, pack(&frame{kind: kind, topic: "t", payload: make([]byte, 8)})...)
	}
	stream = append(stream, pack(&frame{kind: typePublish, topic: "t"})...)
	c, err := Dial(within(t), serve(t, sends(stream)), Options{})
	ok(t, err)
	equal(t, receive(t, c).Topic, "t")
	c.Abort()
}

// A broker may close at any byte. Everybody who waits is told.
func TestABrokerThatClosesAtAnyByte(t *testing.T) {
	var frames []byte
	for _, each := range golden(t) {
		if kind := each.Type & typeMask; kind != typeAck && kind != typeDisconnect && each.Type != 0x2a {
			frames = append(frames, unhex(each.Hex)...)
		}
	}
	stream := append(connack(""), frames...)
	cuts := make(chan int, 1)
	address := serve(t, func(conn net.Conn) {
		in := coder{isReading: true, from: bufio.NewReader(conn)}
		in.code(new(frame))
		conn.Write(stream[:<-cuts])
	})
	for cut := range stream {
		cuts <- cut
		c, err := Dial(within(t), address, Options{})
		for err == nil {
			_, err = c.Receive(within(t))
		}
		equal(t, code(err), "connection-lost")
	}
}

// FuzzStream has the client read anything behind CONNACK, and behind the bytes of good frames.
func FuzzStream(f *testing.F) {
	for _, each := range golden(f) {
		f.Add(unhex(each.Hex))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		address := serve(t, func(conn net.Conn) {
			in := coder{isReading: true, from: bufio.NewReader(conn)}
			in.code(new(frame))
			conn.Write(append(connack(""), stream...))
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
		})
		c, err := Dial(within(t), address, Options{OnRefused: func(*Error) {}})
		if err != nil {
			return
		}
		c.Publish(within(t), Message{QoS: 1})
		go c.Subscribe(within(t), "a/#", SubscribeOptions{})
		for err == nil {
			var came *Delivery
			if came, err = c.Receive(within(t)); err == nil {
				came.Ack()
			}
		}
		if code(err) == "" || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", hex.EncodeToString(stream), err)
		}
	})
}

// FuzzFrame reads a frame, and writes it: what is read is what is written.
func FuzzFrame(f *testing.F) {
	for _, each := range golden(f) {
		f.Add(unhex(each.Hex))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		var found frame
		in := coder{isReading: true, from: bufio.NewReader(bytes.NewReader(stream))}
		if in.code(&found); in.err != nil {
			return
		}
		if written := pack(&found); !bytes.HasPrefix(stream, written) {
			t.Errorf("%x is written as %x", stream, written)
		}
	})
}
