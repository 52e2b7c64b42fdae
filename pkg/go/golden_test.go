package tinymq

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

type goldenFrame struct {
	Name, Hex, Topic, Payload, ClientID string
	Type                                byte
	Means                               *struct {
		Counted    string
		Properties *goldenProperties
		Ack        *struct {
			UpTo   uint64
			Ranges [][2]uint64
		}
		Refused *struct {
			Number uint64
			Reason string
		}
		Return *struct {
			Number  uint64
			AfterMs uint32
			Reason  string
		}
		Credit *struct{ Messages, Bytes uint32 }
		Offer  *struct {
			SessionExpiryMs, WillDelayMs int64
			Window                       int
			Producer, Will               string
			Acknowledged                 uint64
		}
		Answer *struct {
			IsResumed bool
			Window    int
			Last      uint64
		}
	}
}

type goldenProperties struct {
	Retain, IsText, IsAgain, Acknowledged, NoLocal, RetainAsPublished bool
	ExpiresInMs                                                       uint64
	Headers                                                           [][2]string
	ContentType, CorrelationData, ReplyTo, RetainHandling             string
	Place                                                             *goldenPlace
	Starts                                                            []goldenPlace
}

type goldenPlace struct {
	Partition  uint32
	Offset     uint64
	LogID, Log string
}

func (g goldenPlace) position() (found Position) {
	found = Position{Log: g.Log, Partition: g.Partition, Offset: g.Offset}
	copy(found.LogID[:], unhex(g.LogID))
	return found
}

func unhex(text string) []byte {
	bytes, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return bytes
}

func golden(t *testing.T) []goldenFrame {
	bytes, err := os.ReadFile("../../test/golden/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Frames []goldenFrame }
	if err := json.Unmarshal(bytes, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Frames) < 30 {
		t.Fatal("the golden file has few frames")
	}
	return file.Frames
}

func equal(t *testing.T, found, wanted any) {
	t.Helper()
	if !reflect.DeepEqual(found, wanted) {
		t.Errorf("found %v, wanted %v", found, wanted)
	}
}

func TestGoldenFrames(t *testing.T) {
	for _, each := range golden(t) {
		t.Run(each.Name, func(t *testing.T) {
			whole, payload := unhex(each.Hex), unhex(each.Payload)
			found, size, err := decodeFrame(append(whole, 7))
			if err != nil || size != len(whole) {
				t.Fatal(size, err)
			}
			equal(t, hex.EncodeToString(must(found.encode())), each.Hex)
			equal(t, []any{found.kind, found.topic, hex.EncodeToString(found.payload), found.clientID}, []any{each.Type, each.Topic, each.Payload, each.ClientID})
			for cut := range whole {
				if _, size, _ := decodeFrame(whole[:cut]); size != 0 {
					t.Errorf("whole with %d bytes", cut)
				}
			}
			if each.Means != nil {
				checkMeaning(t, each, payload)
			}
		})
	}
}

func checkMeaning(t *testing.T, each goldenFrame, payload []byte) {
	means := each.Means
	switch {
	case means.Counted != "":
		equal(t, each.Type&0x60, map[string]byte{"acks": bitAcknowledged, "once": bitOnce}[means.Counted])
	case means.Properties != nil:
		wanted := means.Properties.properties()
		found, message, err := decodeProperties(payload)
		equal(t, err, nil)
		equal(t, found, wanted)
		equal(t, append(must(wanted.encode()), message...), payload)
	case means.Ack != nil:
		upTo, ranges, err := parseAck(payload)
		equal(t, err, nil)
		equal(t, []any{upTo, len(ranges)}, []any{means.Ack.UpTo, len(means.Ack.Ranges)})
		equal(t, hex.EncodeToString(must(encodeAck(each.Type&0x60, upTo, ranges).encode())), each.Hex)
	case means.Refused != nil:
		number, reason, err := parseRefusal(payload)
		equal(t, []any{number, reason, err}, []any{means.Refused.Number, means.Refused.Reason, nil})
	case means.Return != nil:
		equal(t, encodeReturn(means.Return.Number, means.Return.AfterMs, means.Return.Reason).payload, payload)
	case means.Credit != nil:
		equal(t, encodeCredit(means.Credit.Messages, means.Credit.Bytes).payload, payload)
	case means.Offer != nil:
		said := offer{window: means.Offer.Window, producer: means.Offer.Producer, acknowledged: means.Offer.Acknowledged}
		said.willDelay = time.Duration(means.Offer.WillDelayMs) * time.Millisecond
		if session := time.Duration(means.Offer.SessionExpiryMs) * time.Millisecond; session > 0 {
			said.session = &session
		}
		if means.Offer.Will != "" {
			said.will = unhex(means.Offer.Will)
		}
		if !strings.HasSuffix(string(payload), " "+said.String()) {
			t.Errorf("%s ends in another way than %s", payload, said)
		}
	case means.Answer != nil:
		found, err := parseAnswer(payload)
		equal(t, []any{found.isResumed, found.window, found.last, err}, []any{means.Answer.IsResumed, means.Answer.Window, means.Answer.Last, nil})
	}
}

func (g *goldenProperties) properties() (found properties) {
	found = properties{
		retain: g.Retain, isText: g.IsText, isAgain: g.IsAgain, acknowledged: g.Acknowledged, noLocal: g.NoLocal,
		retainAsPublished: g.RetainAsPublished, expiresInMs: g.ExpiresInMs, contentType: g.ContentType, replyTo: g.ReplyTo,
		retained: map[string]Retained{"always": RetainedAlways, "never": RetainedNever}[g.RetainHandling],
	}
	for _, header := range g.Headers {
		found.headers = append(found.headers, Header{header[0], header[1]})
	}
	if g.CorrelationData != "" {
		found.correlation = unhex(g.CorrelationData)
	}
	if g.Place != nil {
		place := g.Place.position()
		found.place = &place
	}
	for _, start := range g.Starts {
		found.starts = append(found.starts, start.position())
	}
	return found
}

func TestPositions(t *testing.T) {
	position := Position{Log: "a.b", Partition: 1, Offset: 42, reader: 7}
	copy(position.LogID[:], unhex("000102030405060708090a0b0c0d0e0f"))
	for _, each := range golden(t) {
		if each.Name == "POSITION" {
			equal(t, hex.EncodeToString(must(encodePosition("$replay/earliest/a/#", position, "c").encode())), each.Hex)
			found, err := parsePosition(unhex(each.Payload))
			equal(t, []any{found, err}, []any{position, nil})
		}
	}
}

func TestWhatHasNoMeaningIsAnError(t *testing.T) {
	for _, each := range []string{"", "000000", "0000000101", "000000060100000002ff", "000000060400000001ff", "0000000703000000020005"} {
		if _, _, err := decodeProperties(unhex(each)); err == nil {
			t.Errorf("properties %s", each)
		}
	}
	for _, each := range []string{"02000161ffffffff", "030002c32800000000000163"} {
		if _, _, err := decodeFrame(unhex(each)); err == nil {
			t.Errorf("frame %s", each)
		}
	}
	if _, _, err := parseAck(unhex("00000000")); err == nil {
		t.Error("an ACK that is cut off")
	}
	if _, err := parseAnswer([]byte("window=many")); err == nil {
		t.Error("a window that is no number")
	}
}
