// segmentio/kafka-go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	. "tinymq/interop/lines"
)

var client = &kafka.Client{Addr: kafka.TCP(Bootstrap...)}

var codecs = map[string]kafka.Compression{
	"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
}

func main() {
	Main(map[string]func(Options){"produce": produce, "consume": consume, "admin": admin})
}

// What is known of a message beside what is in it.
type sent struct{ partition *int }

func produce(options Options) {
	writer := kafka.NewWriter(kafka.WriterConfig{Brokers: Bootstrap, Topic: options.Topic})
	byKey := &kafka.Hash{}
	// Without it this client never creates a topic.
	writer.AllowAutoTopicCreation = true
	// It has no field for where a message must go.
	writer.Balancer = kafka.BalancerFunc(func(message kafka.Message, all ...int) int {
		if partition := message.WriterData.(*sent).partition; partition != nil {
			return *partition
		}
		return byKey.Balance(message, all...)
	})
	if options.Compression != "" {
		writer.Compression = codecs[options.Compression]
	}
	if options.IsPatient {
		writer.MaxAttempts = 200
	}
	if options.MaxBytes != 0 {
		writer.BatchBytes = int64(options.MaxBytes)
		writer.BatchSize = 1
	}
	where := map[*sent]Acknowledged{}
	// There is a writer for each partition.
	var lock sync.Mutex
	writer.Completion = func(messages []kafka.Message, err error) {
		Must(err)
		lock.Lock()
		defer lock.Unlock()
		for _, message := range messages {
			where[message.WriterData.(*sent)] = Acknowledged{Partition: message.Partition, Offset: message.Offset}
		}
	}
	Batches(func(batch []Record) {
		messages := make([]kafka.Message, len(batch))
		for index, record := range batch {
			message := kafka.Message{Key: record.Key, Value: record.Value, WriterData: &sent{record.Partition}}
			for _, header := range record.Headers {
				message.Headers = append(message.Headers, kafka.Header{Key: header.Name, Value: header.Value})
			}
			if record.Timestamp != 0 {
				message.Time = time.UnixMilli(record.Timestamp)
			}
			messages[index] = message
		}
		Must(written(writer, messages))
		for _, message := range messages {
			Emit(where[message.WriterData.(*sent)])
		}
	})
	Must(writer.Close())
}

// Apache Kafka creates a topic while it says that there is none, and this client does not ask again by itself.
func written(writer *kafka.Writer, messages []kafka.Message) error {
	for attempt := 0; ; attempt++ {
		err := writer.WriteMessages(context.Background(), messages...)
		if !errors.Is(err, kafka.UnknownTopicOrPartition) || attempt == 50 {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func consume(options Options) {
	ended := InputEnded()
	config := kafka.ReaderConfig{Brokers: Bootstrap, Topic: options.Topic, GroupID: options.Group}
	// To close it takes as long as a fetch that waits, ten seconds by default.
	config.MaxWait = 200 * time.Millisecond
	if options.Group != "" {
		config.StartOffset = kafka.FirstOffset
		config.WatchPartitionChanges = true
	}
	if options.MaxBytes != 0 {
		config.MaxBytes = options.MaxBytes
	}
	reader := kafka.NewReader(config)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-ended
		cancel()
	}()
	// Who goes on until the end commits as it reads.
	next := reader.ReadMessage
	if options.Count != 0 {
		next = reader.FetchMessage
	}
	last := map[int]kafka.Message{}
	for seen := 0; options.Count == 0 || seen < options.Count; {
		message, err := next(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			// A commit that found no broker; the message comes once more.
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		record := Record{
			Key: message.Key, Value: message.Value, Headers: []Header{},
			Partition: &message.Partition, Offset: message.Offset, Timestamp: message.Time.UnixMilli(),
		}
		for _, header := range message.Headers {
			record.Headers = append(record.Headers, Header{Name: header.Key, Value: header.Value})
		}
		Emit(record)
		seen++
		last[message.Partition] = message
	}
	if options.Group != "" && options.Count != 0 {
		for _, message := range last {
			Must(reader.CommitMessages(context.Background(), message))
		}
	}
	Must(reader.Close())
}

func admin(Options) {
	codeOf := func(err error) any {
		var code kafka.Error
		if errors.As(err, &code) {
			return int(code)
		}
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	Steps(codeOf, map[string]func(Step) (any, error){
		"createTopic": func(step Step) (any, error) {
			topic := kafka.TopicConfig{Topic: step.Topic, NumPartitions: step.Partitions, ReplicationFactor: 1}
			for name, value := range step.Configs {
				topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
			}
			response, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
			return nil, first(err, func() error { return response.Errors[step.Topic] })
		},
		"topics": func(Step) (any, error) {
			partitions, err := readPartitions()
			names := []string{}
			for _, partition := range partitions {
				names = append(names, partition.Topic)
			}
			sort.Strings(names)
			return names, err
		},
		"describeTopic": func(step Step) (any, error) {
			partitions, err := readPartitions(step.Topic)
			return len(partitions), err
		},
		"configs": func(step Step) (any, error) {
			response, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
				Resources: []kafka.DescribeConfigRequestResource{{
					ResourceType: kafka.ResourceTypeTopic, ResourceName: step.Topic, ConfigNames: step.Names,
				}},
			})
			if err != nil {
				return nil, err
			}
			values := map[string]string{}
			for _, entry := range response.Resources[0].ConfigEntries {
				values[entry.ConfigName] = entry.ConfigValue
			}
			return values, response.Resources[0].Error
		},
		"alterConfigs": func(step Step) (any, error) {
			resource := kafka.IncrementalAlterConfigsRequestResource{
				ResourceType: kafka.ResourceTypeTopic, ResourceName: step.Topic,
			}
			for name, value := range step.Configs {
				resource.Configs = append(resource.Configs, kafka.IncrementalAlterConfigsRequestConfig{
					Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet,
				})
			}
			response, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
				Resources: []kafka.IncrementalAlterConfigsRequestResource{resource},
			})
			return nil, first(err, func() error { return response.Resources[0].Error })
		},
		"createPartitions": func(step Step) (any, error) {
			response, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
				Topics: []kafka.TopicPartitionsConfig{{Name: step.Topic, Count: int32(step.Total)}},
			})
			return nil, first(err, func() error { return response.Errors[step.Topic] })
		},
		"offset": func(step Step) (any, error) {
			request := map[string][]kafka.OffsetRequest{
				step.Topic: {{Partition: step.Partition, Timestamp: step.Millis()}},
			}
			response, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: request})
			if err != nil {
				return nil, err
			}
			found := response.Topics[step.Topic][0]
			offset := int64(-1)
			switch step.At {
			case "earliest":
				offset = found.FirstOffset
			case "latest":
				offset = found.LastOffset
			default:
				for each := range found.Offsets {
					offset = each
				}
			}
			return offset, found.Error
		},
		"groups": func(Step) (any, error) {
			response, err := client.ListGroups(ctx, &kafka.ListGroupsRequest{})
			if err != nil {
				return nil, err
			}
			names := []string{}
			for _, group := range response.Groups {
				names = append(names, group.GroupID)
			}
			sort.Strings(names)
			return names, response.Error
		},
		"describeGroup": func(step Step) (any, error) {
			response, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{step.Group}})
			if err != nil {
				return nil, err
			}
			group := response.Groups[0]
			return map[string]any{"state": group.GroupState, "members": len(group.Members)}, group.Error
		},
		"groupOffsets": func(step Step) (any, error) {
			partitions, err := readPartitions(step.Topic)
			if err != nil {
				return nil, err
			}
			asked := []int{}
			for _, partition := range partitions {
				asked = append(asked, partition.ID)
			}
			response, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
				GroupID: step.Group, Topics: map[string][]int{step.Topic: asked},
			})
			if err != nil {
				return nil, err
			}
			offsets := map[string]int64{}
			for topic, partitions := range response.Topics {
				for _, each := range partitions {
					// Where nothing was committed it is told -1.
					if each.CommittedOffset >= 0 {
						offsets[fmt.Sprintf("%s/%d", topic, each.Partition)] = each.CommittedOffset
					}
				}
			}
			return offsets, response.Error
		},
		"setGroupOffset": func(step Step) (any, error) {
			response, err := client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
				GroupID: step.Group, GenerationID: -1,
				Topics: map[string][]kafka.OffsetCommit{
					step.Topic: {{Partition: step.Partition, Offset: step.Offset}},
				},
			})
			return nil, first(err, func() error { return response.Topics[step.Topic][0].Error })
		},
		"deleteGroupOffset": func(step Step) (any, error) {
			response, err := client.OffsetDelete(ctx, &kafka.OffsetDeleteRequest{
				GroupID: step.Group, Topics: map[string][]int{step.Topic: {step.Partition}},
			})
			return nil, first(err, func() error { return response.Topics[step.Topic][0].Error })
		},
		"deleteGroup": func(step Step) (any, error) {
			response, err := client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{step.Group}})
			return nil, first(err, func() error { return response.Errors[step.Group] })
		},
		"deleteTopic": func(step Step) (any, error) {
			response, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{step.Topic}})
			return nil, first(err, func() error { return response.Errors[step.Topic] })
		},
	})
}

// The client's own metadata may be some seconds old.
func readPartitions(topics ...string) ([]kafka.Partition, error) {
	connection, err := kafka.Dial("tcp", Bootstrap[0])
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.ReadPartitions(topics...)
}

func first(err error, inside func() error) error {
	if err != nil {
		return err
	}
	return inside()
}
