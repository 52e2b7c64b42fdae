// Package tinymq is a client for the frames of a tinymq broker (docs/frames.md), with the standard library only.
//
// A Client is one connection; its methods may be called from any goroutine. What outlasts a connection is in values of its own:
// a session on the broker, a Producer for messages that go out exactly once, Positions in logs.
package tinymq

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The types of frames. The type of an answer is one more than that of its request; CREDIT with bitAcknowledged is RETURN.
const (
	typeConnect, typeConnack, typePublish                    = 0, 1, 2
	typeSubscribe, typeSuback, typeUnsubscribe, typeUnsuback = 3, 4, 5, 6
	typePing, typePong, typeDisconnect                       = 7, 8, 9
	typePublishRefused, typeSubscribeRefused                 = 10, 11
	typePosition, typeReplayed, typeAck, typeCredit          = 12, 13, 14, 15
)

const (
	typeMask, bitProperties, bitAcknowledged, bitOnce = 0x0f, 0x10, 0x20, 0x40
	maxFieldBytes                                     = 1 << 30
	maxUnsentBytes                                    = 1 << 20                // beyond these Publish waits until the broker reads
	readBytes                                         = 1 << 20                // for which memory is taken at once
	unbounded                                         = uint32(math.MaxUint32) // in CREDIT; in RETURN: never again
)

// Error is what every error of this client is. Code is for programs; those of the broker are in docs/errors.md.
type Error struct {
	Code, Message string
	Topic         string // the topic or the filter that was refused, where the broker named it
}

func (e *Error) Error() string { return e.Message }

func problem(code, format string, values ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, values...)}
}

// refused is what the broker says: "code: what was wrong".
func refused(reason []byte, topic string) *Error {
	code, _, _ := strings.Cut(string(reason), ":")
	return &Error{cmp.Or(code, "refused"), string(reason), topic}
}

// frame is what both sides send: its kind is a type and bits.
type frame struct {
	kind     byte
	topic    string
	payload  []byte
	clientID string
	err      error // why it cannot be sent
}

// properties are pointers to fields, by their numbers on the wire.
func (d *Delivery) properties() map[byte]any {
	return map[byte]any{
		1: &d.Retain, 2: &d.ExpiresIn, 3: &d.Headers, 4: &d.ContentType, 5: &d.Correlation, 6: &d.ReplyTo, 7: &d.IsText,
		8: &d.Place, 9: &d.Redelivered,
	}
}

func (o *SubscribeOptions) properties() map[byte]any {
	return map[byte]any{16: &o.QoS, 17: &o.NoLocal, 18: &o.Retained, 19: &o.RetainAsPublished, 20: &o.Starts}
}

// with puts a block of the properties that are not empty before the payload: one for each member of a list.
func (f frame) with(properties map[byte]any) frame {
	var block coder
	add := func(id byte, field reflect.Value) {
		own := reflect.New(field.Type())
		own.Elem().Set(field)
		block.number(id)
		sized[uint32](&block, own.Interface())
	}
	for _, id := range slices.Sorted(maps.Keys(properties)) {
		field := reflect.ValueOf(properties[id]).Elem()
		switch field.Interface().(type) {
		case []Header, []Position:
			for index := range field.Len() {
				add(id, field.Index(index))
			}
		default:
			if !field.IsZero() {
				add(id, field)
			}
		}
	}
	if len(block.bytes) > 0 {
		f.kind, f.payload = f.kind|bitProperties, pack(uint32(len(block.bytes)), &block.bytes, &f.payload)
	}
	f.err = cmp.Or(f.err, block.err)
	return f
}

// coder writes fields, or reads them, in the order in which they are named: one description of the bytes serves both ways.
type coder struct {
	isReading bool
	bytes     []byte        // those that are written, or those that are left to read
	from      *bufio.Reader // where they are read from, where that is somewhere else
	err       error         // the first; nothing is read behind it
}

func pack(fields ...any) []byte {
	var c coder
	c.code(fields...)
	return c.bytes
}

func unpack(bytes []byte) *coder { return &coder{isReading: true, bytes: bytes} }

// code writes or reads what pointers lead to. Numbers are big endian; bytes and text are all that is left.
func (c *coder) code(fields ...any) {
	for _, field := range fields {
		switch field := field.(type) {
		case *bool: // being there says all
			*field = true
		case *int:
			*field = 1
		case *[]byte:
			if c.isReading {
				*field, c.bytes = c.bytes, nil
			} else {
				c.bytes = append(c.bytes, *field...)
			}
		case *string:
			text := []byte(*field)
			c.code(&text)
			if *field = string(text); !utf8.Valid(text) {
				c.err = cmp.Or(c.err, problem("protocol-error", "text that is not UTF-8"))
			}
		case *time.Duration:
			ms := ceil(*field, time.Millisecond)
			c.number(&ms)
			*field = time.Duration(min(ms, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond
		case *Retained:
			c.code((*string)(field))
		case *Header:
			sized[uint16](c, &field.Name)
			c.code(&field.Value)
		case *[]Header: // one more of them
			*field = append(*field, Header{})
			c.code(&(*field)[len(*field)-1])
		case *Position:
			c.code(&field.Partition, &field.Offset, &field.LogID, &field.Log)
		case *reader:
			since := cmp.Or(field.Since, math.MinInt64)
			c.code(&field.number, &field.Partition, &field.Offset, &since, &field.LogID, &field.Log)
			field.Since = max(0, since)
		case *frame:
			c.number(&field.kind)
			sized[uint16](c, &field.topic)
			sized[uint32](c, &field.payload)
			sized[uint16](c, &field.clientID)
			c.err = cmp.Or(c.err, field.err)
		default:
			c.number(field)
		}
	}
}

// sized codes a field behind its length.
func sized[Length uint16 | uint32](c *coder, field any) {
	var length Length
	inner := coder{isReading: c.isReading}
	if c.isReading {
		c.number(&length)
		inner.bytes = c.take(uint32(length))
		inner.code(field)
	} else {
		inner.code(field)
		if length = Length(len(inner.bytes)); uint64(length) < uint64(len(inner.bytes)) {
			inner.err = problem("too-long", "%d bytes, where at most %d fit", len(inner.bytes), ^Length(0))
		}
		c.code(length, &inner.bytes)
	}
	c.err = cmp.Or(c.err, inner.err)
}

// properties reads a block of them. What nobody knows is passed over.
func (c *coder) properties(properties map[byte]any) {
	block := unpack(nil)
	sized[uint32](c, &block.bytes)
	for len(block.bytes) > 0 && block.err == nil {
		var id byte
		block.number(&id)
		sized[uint32](block, cmp.Or(properties[id], any(new([]byte))))
	}
	c.err = cmp.Or(c.err, block.err)
}

func (c *coder) number(field any) {
	if !c.isReading {
		c.bytes, _ = binary.Append(c.bytes, binary.BigEndian, field)
	} else if bytes := c.take(uint32(binary.Size(field))); c.err == nil {
		binary.Decode(bytes, binary.BigEndian, field)
	}
}

// take reads bytes. It takes memory as they come: a length alone takes none.
func (c *coder) take(count uint32) (taken []byte) {
	if count > maxFieldBytes || c.from == nil && int(count) > len(c.bytes) {
		c.err = cmp.Or(c.err, problem("protocol-error", "a field of %d bytes, which are not there", count))
	}
	if c.from == nil && c.err == nil {
		taken, c.bytes = c.bytes[:count], c.bytes[count:]
	}
	for c.from != nil && c.err == nil && len(taken) < int(count) {
		part := make([]byte, min(int(count)-len(taken), readBytes))
		_, c.err = io.ReadFull(c.from, part)
		taken = append(taken, part...)
	}
	return taken
}

// ceil is how many units there are in a duration, rounded up.
func ceil(duration, unit time.Duration) uint64 {
	return uint64(math.Ceil(max(0, float64(duration)/float64(unit))))
}
