// Package tinymq is a client for the frames of a tinymq broker (docs/frames.md), with the standard library only.
//
// A Client is one connection; its methods may be called from any goroutine. What outlasts a connection is in values of its own:
// a session on the broker, a Producer for messages that go out exactly once, Positions in logs.
package tinymq

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The types of frames, and the high bits of a type.
const (
	typeConnect = iota
	typeConnack
	typePublish
	typeSubscribe
	typeSuback
	typeUnsubscribe
	typeUnsuback
	typePing
	typePong
	typeDisconnect
	typePublishRefused
	typeSubscribeRefused
	typePosition
	typeReplayed
	typeAck
	typeCredit // with bitAcknowledged it is RETURN

	bitProperties   = 0x10
	bitAcknowledged = 0x20
	bitOnce         = 0x40
	typeMask        = 0x0f
)

const (
	never           = 1<<32 - 1 // in RETURN: rejected
	anyCredit       = 1<<32 - 1
	maxRanges       = 63
	maxPayloadBytes = 1 << 30
	noTime          = -1 << 63
)

// Error is what every error of this client is. Code is for programs; those of the broker are in docs/errors.md.
type Error struct {
	Code, Message string
	// Topic is the topic or the filter that was refused, where the broker named it.
	Topic string
}

func (e *Error) Error() string { return e.Message }

var codeOf = regexp.MustCompile(`^([a-z][a-z-]*)(:|$)`)

func refused(reason, topic string) *Error {
	if found := codeOf.FindStringSubmatch(reason); found != nil {
		return &Error{found[1], reason, topic}
	}
	return &Error{"refused", reason, topic}
}

func meaningless(format string, values ...any) *Error {
	return &Error{Code: "protocol-error", Message: fmt.Sprintf(format, values...)}
}

type frame struct {
	kind     byte
	topic    string
	payload  []byte
	clientID string
}

func (f frame) encode() ([]byte, error) {
	if len(f.topic) > 0xffff || len(f.clientID) > 0xffff || len(f.payload) > 0xffffffff {
		return nil, &Error{"message-too-large", "a topic or a client id of more than 65,535 bytes, or a message of more than 4 GiB", f.topic}
	}
	bytes := make([]byte, 0, 9+len(f.topic)+len(f.payload)+len(f.clientID))
	bytes = binary.BigEndian.AppendUint16(append(bytes, f.kind), uint16(len(f.topic)))
	bytes = binary.BigEndian.AppendUint32(append(bytes, f.topic...), uint32(len(f.payload)))
	bytes = binary.BigEndian.AppendUint16(append(bytes, f.payload...), uint16(len(f.clientID)))
	return append(bytes, f.clientID...), nil
}

// decodeFrame reads the first frame; its size is 0 where it is not whole.
func decodeFrame(bytes []byte) (found frame, size int, err error) {
	var fields [3][]byte
	end := 1
	for index, lengthBytes := range []int{2, 4, 2} {
		start := end + lengthBytes
		if len(bytes) < start {
			return frame{}, 0, nil
		}
		var length [8]byte
		copy(length[8-lengthBytes:], bytes[end:start])
		count := binary.BigEndian.Uint64(length[:])
		if count > maxPayloadBytes {
			return frame{}, 0, meaningless("payload of %d bytes; at most %d are accepted", count, maxPayloadBytes)
		}
		end = start + int(count)
		if len(bytes) < end {
			return frame{}, 0, nil
		}
		fields[index] = bytes[start:end]
	}
	if !utf8.Valid(fields[0]) || !utf8.Valid(fields[2]) {
		return frame{}, 0, meaningless("topic or client id is not UTF-8")
	}
	return frame{bytes[0], string(fields[0]), append([]byte(nil), fields[1]...), string(fields[2])}, end, nil
}

// Header goes with a message; there may be several of a name.
type Header struct{ Name, Value string }

// Position is a place in one partition of a log: of a message, or of the next message of a replay.
type Position struct {
	Log       string
	Partition uint32
	Offset    uint64
	LogID     [16]byte
	// Since leaves out what was published before, in milliseconds since 1970; nil where nothing is.
	Since  *int64
	reader uint32
}

// Retained says which retained messages a subscription brings.
type Retained int

const (
	RetainedIfNew  Retained = iota // where the subscription is new to the session
	RetainedAlways                 //
	RetainedNever                  //
)

// properties go with a message or a subscription. What is zero is not there.
type properties struct {
	retain, isText, isAgain, acknowledged, noLocal, retainAsPublished bool
	expiresInMs                                                       uint64
	headers                                                           []Header
	contentType, replyTo                                              string
	correlation                                                       []byte
	place                                                             *Position
	retained                                                          Retained
	starts                                                            []Position
}

func (p properties) encode() ([]byte, error) {
	block := make([]byte, 4)
	var err error
	add := func(id byte, isThere bool, parts ...string) {
		value := strings.Join(parts, "")
		if !isThere {
			return
		}
		if len(value) > 131_072 {
			err = &Error{Code: "invalid-properties", Message: fmt.Sprintf("a property of %d bytes", len(value))}
		}
		block = append(binary.BigEndian.AppendUint32(append(block, id), uint32(len(value))), value...)
	}
	add(1, p.retain)
	add(2, p.expiresInMs > 0, number64(p.expiresInMs))
	for _, header := range p.headers {
		if len(header.Name) > 0xffff {
			return nil, &Error{Code: "invalid-properties", Message: "the name of a header is too long"}
		}
		add(3, true, string(binary.BigEndian.AppendUint16(nil, uint16(len(header.Name)))), header.Name, header.Value)
	}
	add(4, p.contentType != "", p.contentType)
	add(5, p.correlation != nil, string(p.correlation))
	add(6, p.replyTo != "", p.replyTo)
	add(7, p.isText)
	if p.place != nil {
		add(8, true, p.place.place())
	}
	add(9, p.isAgain)
	add(16, p.acknowledged)
	add(17, p.noLocal)
	add(18, p.retained != RetainedIfNew, map[Retained]string{RetainedAlways: "\x00", RetainedNever: "\x02"}[p.retained])
	add(19, p.retainAsPublished)
	for _, start := range p.starts {
		add(20, true, start.place())
	}
	if len(block) == 4 {
		return nil, err
	}
	binary.BigEndian.PutUint32(block, uint32(len(block)-4))
	return block, err
}

// decodeProperties reads the block of a payload, and what comes behind it. What nobody knows is passed over.
func decodeProperties(payload []byte) (found properties, message []byte, err error) {
	if len(payload) < 4 || uint64(binary.BigEndian.Uint32(payload)) > uint64(len(payload)-4) {
		return found, nil, meaningless("properties that are longer than their payload")
	}
	end := 4 + int(binary.BigEndian.Uint32(payload))
	for rest := payload[4:end]; len(rest) > 0; {
		if len(rest) < 5 || uint64(binary.BigEndian.Uint32(rest[1:])) > uint64(len(rest)-5) {
			return found, nil, meaningless("a property that is cut off")
		}
		size := 5 + int(binary.BigEndian.Uint32(rest[1:]))
		if !found.take(rest[0], rest[5:size]) {
			return found, nil, meaningless("property %d has no meaning", rest[0])
		}
		rest = rest[size:]
	}
	return found, payload[end:], nil
}

func (p *properties) take(id byte, value []byte) (hasMeaning bool) {
	switch id {
	case 1:
		p.retain = true
	case 2:
		if len(value) != 8 {
			return false
		}
		p.expiresInMs = binary.BigEndian.Uint64(value)
	case 3:
		if len(value) < 2 || len(value)-2 < int(binary.BigEndian.Uint16(value)) {
			return false
		}
		nameEnd := 2 + int(binary.BigEndian.Uint16(value))
		p.headers = append(p.headers, Header{string(value[2:nameEnd]), string(value[nameEnd:])})
		return utf8.Valid(value[2:nameEnd]) && utf8.Valid(value[nameEnd:])
	case 4:
		p.contentType = string(value)
		return utf8.Valid(value)
	case 5:
		p.correlation = value
	case 6:
		p.replyTo = string(value)
		return utf8.Valid(value)
	case 7:
		p.isText = true
	case 8, 20:
		if len(value) < 28 {
			return false
		}
		place := Position{Log: string(value[28:]), Partition: binary.BigEndian.Uint32(value), Offset: binary.BigEndian.Uint64(value[4:])}
		copy(place.LogID[:], value[12:])
		if id == 8 {
			p.place = &place
		} else {
			p.starts = append(p.starts, place)
		}
	case 9:
		p.isAgain = true
	case 16:
		p.acknowledged = true
	case 17:
		p.noLocal = true
	case 18:
		if len(value) != 1 || value[0] > 2 {
			return false
		}
		p.retained = []Retained{RetainedAlways, RetainedIfNew, RetainedNever}[value[0]]
	case 19:
		p.retainAsPublished = true
	}
	return true
}

func (p Position) place() string {
	return number32(p.Partition) + number64(p.Offset) + string(p.LogID[:]) + p.Log
}

func number32(number uint32) string { return string(binary.BigEndian.AppendUint32(nil, number)) }
func number64(number uint64) string { return string(binary.BigEndian.AppendUint64(nil, number)) }

// encodeAck says that everything up to a number is dealt with, and ranges above it.
func encodeAck(count byte, upTo uint64, ranges [][2]uint64) frame {
	payload := number64(upTo)
	for _, each := range ranges[:min(len(ranges), maxRanges)] {
		payload += number64(each[0]) + number64(each[1])
	}
	return frame{kind: typeAck | count, payload: []byte(payload)}
}

func parseAck(payload []byte) (upTo uint64, ranges [][2]uint64, err error) {
	if len(payload)%16 != 8 {
		return 0, nil, meaningless("an ACK of %d bytes", len(payload))
	}
	for at := 8; at < len(payload); at += 16 {
		ranges = append(ranges, [2]uint64{binary.BigEndian.Uint64(payload[at:]), binary.BigEndian.Uint64(payload[at+8:])})
	}
	return binary.BigEndian.Uint64(payload), ranges, nil
}

// parseRefusal reads the number of a counted message that was refused, and why.
func parseRefusal(payload []byte) (number uint64, reason string, err error) {
	if len(payload) < 8 {
		return 0, "", meaningless("a refusal of %d bytes", len(payload))
	}
	return binary.BigEndian.Uint64(payload), string(payload[8:]), nil
}

func encodeReturn(number uint64, afterMs uint32, reason string) frame {
	return frame{kind: typeCredit | bitAcknowledged, payload: []byte(number64(number) + number32(afterMs) + reason)}
}

func encodeCredit(messages, bytes uint32) frame {
	return frame{kind: typeCredit, payload: []byte(number32(messages) + number32(bytes))}
}

func encodePosition(filter string, p Position, clientID string) frame {
	since := int64(noTime)
	if p.Since != nil {
		since = *p.Since
	}
	numbers := number32(p.reader) + number32(p.Partition) + number64(p.Offset) + number64(uint64(since))
	return frame{typePosition, filter, []byte(numbers + string(p.LogID[:]) + p.Log), clientID}
}

func parsePosition(payload []byte) (found Position, err error) {
	if len(payload) < 40 || !utf8.Valid(payload[40:]) {
		return found, meaningless("a POSITION of %d bytes", len(payload))
	}
	found = Position{Log: string(payload[40:]), Partition: binary.BigEndian.Uint32(payload[4:]), Offset: binary.BigEndian.Uint64(payload[8:])}
	found.reader = binary.BigEndian.Uint32(payload)
	copy(found.LogID[:], payload[24:])
	if since := int64(binary.BigEndian.Uint64(payload[16:])); since != noTime {
		found.Since = &since
	}
	return found, nil
}

// offer is what CONNECT says behind the names of the extensions.
type offer struct {
	session      *time.Duration
	clean        bool
	window       int
	producer     string
	acknowledged uint64
	will         []byte
	willDelay    time.Duration
}

func (o offer) String() string {
	var words []string
	add := func(isThere bool, name, value string) {
		if isThere {
			words = append(words, name+"="+value)
		}
	}
	if o.session != nil {
		add(true, "session-expiry", map[bool]string{true: "never", false: seconds(*o.session)}[*o.session == Forever])
	}
	add(o.clean, "session-start", "clean")
	add(o.window > 0, "window", strconv.Itoa(o.window))
	add(o.producer != "", "producer", o.producer)
	add(o.producer != "", "acked", strconv.FormatUint(o.acknowledged, 10))
	add(o.will != nil, "will", base64.StdEncoding.EncodeToString(o.will))
	add(o.willDelay > 0, "will-delay", seconds(o.willDelay))
	return strings.Join(words, " ")
}

// seconds are rounded up.
func seconds(duration time.Duration) string {
	return strconv.FormatInt(int64((duration+time.Second-1)/time.Second), 10)
}

// answer is what CONNACK says.
type answer struct {
	words     map[string]bool
	isResumed bool
	window    int
	last      uint64
}

func parseAnswer(payload []byte) (found answer, err error) {
	found.words = map[string]bool{}
	for _, word := range strings.Fields(string(payload)) {
		name, value, hasValue := strings.Cut(word, "=")
		switch {
		case !hasValue:
			found.words[word] = true
		case name == "window":
			found.window, err = strconv.Atoi(value)
		case name == "last":
			found.last, err = strconv.ParseUint(value, 10, 63)
		}
		if err != nil {
			return found, meaningless("CONNACK says %s", word)
		}
	}
	found.isResumed = found.words["resumed"]
	return found, nil
}
