package tinymq

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
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

func golden(t testing.TB) []goldenFrame {
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
			var found frame
			in := stream(append(whole, 7))
			in.code(&found)
			equal(t, in.err, nil)
			equal(t, pack(&found), whole)
			equal(t, []any{found.kind, found.topic, hex.EncodeToString(found.payload), found.clientID}, []any{each.Type, each.Topic, each.Payload, each.ClientID})
			for cut := range whole {
				in := stream(whole[:cut])
				if in.code(new(frame)); in.err == nil {
					t.Errorf("whole with %d bytes", cut)
				}
			}
			if each.Means != nil {
				checkMeaning(t, each, payload)
			}
		})
	}
}

func stream(bytes []byte) *coder {
	return &coder{isReading: true, from: bufio.NewReader(strings.NewReader(string(bytes)))}
}

func checkMeaning(t *testing.T, each goldenFrame, payload []byte) {
	means := each.Means
	switch {
	case means.Counted != "":
		equal(t, each.Type&0x60, map[string]byte{"acks": bitAcknowledged, "once": bitOnce}[means.Counted])
	case means.Properties != nil:
		checkProperties(t, means.Properties, payload)
	case means.Ack != nil:
		fields := []any{&means.Ack.UpTo}
		for _, each := range means.Ack.Ranges {
			fields = append(fields, &each)
		}
		equal(t, pack(fields...), payload)
	case means.Refused != nil:
		var number uint64
		in := unpack(payload)
		in.code(&number)
		equal(t, []any{number, string(in.bytes), in.err}, []any{means.Refused.Number, means.Refused.Reason, nil})
	case means.Return != nil:
		equal(t, pack(&means.Return.Number, &means.Return.AfterMs, &means.Return.Reason), payload)
	case means.Credit != nil:
		equal(t, pack(&means.Credit.Messages, &means.Credit.Bytes), payload)
	case means.Offer != nil:
		checkOffer(t, each, strings.Fields(string(payload)))
	case means.Answer != nil:
		c := &Client{producer: NewProducer()}
		c.producer.answered, c.requests.waiting = means.Answer.Last, []*Pending{{}}
		equal(t, c.begin(frame{kind: typeConnack, payload: payload}), nil)
		equal(t, c.Agreed.Has("resumed"), means.Answer.IsResumed)
		equal(t, cmp.Or(c.Agreed.Get("window"), "0"), fmt.Sprint(means.Answer.Window))
		equal(t, cmp.Or(c.Agreed.Get("last"), "0"), fmt.Sprint(means.Answer.Last))
	}
}

func checkProperties(t *testing.T, means *goldenProperties, payload []byte) {
	message, subscription := means.wanted()
	written := message.properties()
	maps.Copy(written, subscription.properties())
	in, found := unpack(payload), Delivery{}
	in.properties(found.properties())
	equal(t, in.err, nil)
	equal(t, found, message)
	equal(t, frame{payload: in.bytes}.with(written).payload, payload)
}

// checkOffer looks for the words of the golden file: this client says more of them.
func checkOffer(t *testing.T, each goldenFrame, words []string) {
	means := each.Means.Offer
	c := &Client{ID: "c", mutex: new(sync.Mutex), producer: NewProducer(), options: Options{
		Session: time.Duration(means.SessionExpiryMs) * time.Millisecond, Window: means.Window,
		WillDelay: time.Duration(means.WillDelayMs) * time.Millisecond,
	}}
	c.producer.name, c.producer.answered = means.Producer, means.Acknowledged
	if means.Producer != "" {
		c.options.Producer = c.producer
	}
	if means.Will != "" {
		var will frame
		unpack(unhex(means.Will)).code(&will)
		equal(t, will.kind, byte(typePublish|bitAcknowledged))
		c.ID, c.options.Will = will.clientID, &Message{Topic: will.topic, Payload: will.payload, QoS: 1}
	}
	said := strings.Fields(string(c.offer().payload))
	for _, word := range words {
		if !slices.Contains(said, word) {
			t.Errorf("%s is not in %s", word, said)
		}
	}
}

func (g *goldenProperties) wanted() (d Delivery, o SubscribeOptions) {
	d.Message = Message{
		Retain: g.Retain, IsText: g.IsText, ExpiresIn: time.Duration(g.ExpiresInMs) * time.Millisecond,
		ContentType: g.ContentType, ReplyTo: g.ReplyTo,
	}
	d.Redelivered = g.IsAgain
	for _, header := range g.Headers {
		d.Headers = append(d.Headers, Header{header[0], header[1]})
	}
	if g.CorrelationData != "" {
		d.Correlation = unhex(g.CorrelationData)
	}
	if g.Place != nil {
		d.Place = g.Place.position()
	}
	o = SubscribeOptions{
		NoLocal: g.NoLocal, RetainAsPublished: g.RetainAsPublished,
		Retained: map[string]Retained{"always": RetainedAlways, "never": RetainedNever}[g.RetainHandling],
	}
	if g.Acknowledged {
		o.QoS = 1
	}
	for _, start := range g.Starts {
		o.Starts = append(o.Starts, start.position())
	}
	return d, o
}

func TestPositions(t *testing.T) {
	position := reader{number: 7, Position: Position{Log: "a.b", Partition: 1, Offset: 42}}
	copy(position.LogID[:], unhex("000102030405060708090a0b0c0d0e0f"))
	for _, each := range golden(t) {
		if each.Name == "POSITION" {
			equal(t, hex.EncodeToString(pack(&position)), each.Payload)
			var found reader
			in := unpack(unhex(each.Payload))
			in.code(&found)
			equal(t, []any{found, in.err}, []any{position, nil})
		}
	}
}

func TestWhatHasNoMeaningIsAnError(t *testing.T) {
	for _, each := range []string{"", "000000", "0000000101", "000000060100000002ff", "000000060400000001ff", "0000000703000000020005"} {
		in := unpack(unhex(each))
		if in.properties((&Delivery{}).properties()); in.err == nil {
			t.Errorf("properties %s", each)
		}
	}
	for _, each := range []string{"02000161ffffffff", "030002c32800000000000163"} {
		in := stream(unhex(each))
		if in.code(new(frame)); code(in.err) != "protocol-error" {
			t.Errorf("frame %s: %v", each, in.err)
		}
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	long := strings.Repeat("x", 65_536)
	c := &Client{}
	for _, each := range []Message{
		{Topic: long},
		{Headers: []Header{{Name: long}}},
	} {
		var written coder
		publish := c.publish(each)
		if written.code(&publish); written.err == nil {
			t.Error("it is written")
		}
	}
}
