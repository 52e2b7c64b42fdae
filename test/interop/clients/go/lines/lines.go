// Package lines is what the Go programs share: options, and JSON lines in and out.
package lines

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// Bootstrap is where brokers are.
var Bootstrap = strings.Split(os.Getenv("BOOTSTRAP"), ",")

// Login says how to log in; without a mechanism nobody does.
type Login struct {
	Mechanism string
	User      string
	Password  string
	Token     string
	// CA is the file of one, where it is over tls.
	CA string
}

// HowToLogIn is what LOGIN says.
func HowToLogIn() (login Login) {
	if text := os.Getenv("LOGIN"); text != "" {
		Must(json.Unmarshal([]byte(text), &login))
	}
	return login
}

// Options of produce and consume.
type Options struct {
	Topic       string
	Group       string
	Count       int
	Compression string
	Idempotent  bool
	IsPatient   bool
	MaxBytes    int
}

// Record as it is read and printed; its bytes are in base64.
type Record struct {
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers"`
	Partition *int     `json:"partition,omitempty"`
	Timestamp int64    `json:"timestamp,omitempty"`
	Offset    int64    `json:"offset"`
}

// Header is a pair of a name and a value.
type Header struct {
	Name  string
	Value []byte
}

func (header Header) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{header.Name, header.Value})
}

func (header *Header) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&header.Name, &header.Value})
}

// Acknowledged says where a record went.
type Acknowledged struct {
	Partition int   `json:"partition"`
	Offset    int64 `json:"offset"`
}

// Step of an admin program.
type Step struct {
	Op        string
	Topic     string
	Group     string
	Partition int
	Offset    int64
	// Partitions of a topic to create.
	Partitions int
	// Total of partitions that a topic is to have.
	Total   int
	Before  int64
	Configs map[string]string
	Names   []string
	// At is earliest, latest or a time in milliseconds.
	At any
}

// Millis is the time that is asked for, or what Kafka writes for earliest and latest.
func (step Step) Millis() int64 {
	switch at := step.At.(type) {
	case float64:
		return int64(at)
	case string:
		if at == "earliest" {
			return -2
		}
	}
	return -1
}

// Main runs the verb that was asked for.
func Main(verbs map[string]func(options Options)) {
	var options Options
	Must(json.Unmarshal([]byte(os.Args[2]), &options))
	verbs[os.Args[1]](options)
}

// Must ends the program if there is an error.
func Must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Emit prints a line.
func Emit(line any) {
	text, err := json.Marshal(line)
	Must(err)
	_, err = os.Stdout.Write(append(text, '\n'))
	Must(err)
}

// Batches gives the records up to each empty line, and those up to the end.
func Batches(send func(batch []Record)) {
	read(send)
}

// Steps answers each step; where the client has no such call, `answer` says so.
func Steps(codeOf func(err error) any, ops map[string]func(step Step) (any, error)) {
	read(func(steps []Step) {
		for _, step := range steps {
			op, has := ops[step.Op]
			if !has {
				Emit(map[string]any{"lacks": step.Op})
				continue
			}
			if ok, err := op(step); err != nil {
				Emit(map[string]any{"error": codeOf(err)})
			} else {
				Emit(map[string]any{"ok": ok})
			}
		}
	})
}

// InputEnded is closed when the input has ended.
func InputEnded() <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	return ended
}

func read[Line any](use func(batch []Line)) {
	reader := bufio.NewReader(os.Stdin)
	var batch []Line
	for {
		text, err := reader.ReadBytes('\n')
		if err == io.EOF {
			use(batch)
			return
		}
		Must(err)
		if len(bytes.TrimSpace(text)) == 0 {
			use(batch)
			batch = nil
			continue
		}
		var line Line
		Must(json.Unmarshal(text, &line))
		batch = append(batch, line)
	}
}
