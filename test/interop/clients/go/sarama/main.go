// IBM/sarama.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/IBM/sarama"

	. "tinymq/interop/lines"
)

var codecs = map[string]sarama.CompressionCodec{
	"gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

var brokers = Bootstrap

func main() {
	Main(map[string]func(Options){"produce": produce, "consume": consume, "admin": admin})
}

func produce(options Options) {
	config := sarama.NewConfig()
	// The synchronous producer asks for both.
	config.Producer.Return.Successes = true
	config.Producer.Return.Errors = true
	config.Producer.Partitioner = func(topic string) sarama.Partitioner {
		return &partitioner{byKey: sarama.NewHashPartitioner(topic)}
	}
	if options.Compression != "" {
		config.Producer.Compression = codecs[options.Compression]
	}
	if options.Idempotent {
		config.Producer.Idempotent = true
		config.Producer.RequiredAcks = sarama.WaitForAll
		config.Net.MaxOpenRequests = 1
	}
	if options.IsPatient {
		config.Producer.Retry.Max = 200
	}
	if options.MaxBytes != 0 {
		// This is the limit of a batch too, and Kafka has its own for that.
		config.Producer.MaxMessageBytes = 1_048_588
	}
	producer, err := sarama.NewSyncProducer(brokers, config)
	Must(err)
	Batches(func(batch []Record) {
		messages := make([]*sarama.ProducerMessage, len(batch))
		for index, record := range batch {
			message := &sarama.ProducerMessage{Topic: options.Topic, Metadata: record.Partition}
			if record.Key != nil {
				message.Key = sarama.ByteEncoder(record.Key)
			}
			if record.Value != nil {
				message.Value = sarama.ByteEncoder(record.Value)
			}
			for _, header := range record.Headers {
				message.Headers = append(message.Headers, sarama.RecordHeader{
					Key: []byte(header.Name), Value: header.Value,
				})
			}
			if record.Timestamp != 0 {
				message.Timestamp = time.UnixMilli(record.Timestamp)
			}
			messages[index] = message
		}
		err := producer.SendMessages(messages)
		var failed sarama.ProducerErrors
		if errors.As(err, &failed) {
			// The error itself only counts them.
			err = failed[0].Err
		}
		Must(err)
		for _, message := range messages {
			Emit(Acknowledged{Partition: int(message.Partition), Offset: message.Offset})
		}
	})
	Must(producer.Close())
}

// Goes where the message says, and else by its key.
type partitioner struct{ byKey sarama.Partitioner }

func (p *partitioner) Partition(message *sarama.ProducerMessage, count int32) (int32, error) {
	if partition := message.Metadata.(*int); partition != nil {
		return int32(*partition), nil
	}
	return p.byKey.Partition(message, count)
}

func (p *partitioner) RequiresConsistency() bool { return true }

func consume(options Options) {
	ended := InputEnded()
	config := sarama.NewConfig()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	if options.Group == "" {
		consumer, err := sarama.NewConsumer(brokers, config)
		Must(err)
		// A group-less consumer has one partition; the topics that are read so have no more.
		partition, err := consumer.ConsumePartition(options.Topic, 0, sarama.OffsetOldest)
		Must(err)
		for seen := 0; seen < options.Count; seen++ {
			emit(<-partition.Messages())
		}
		Must(partition.Close())
		Must(consumer.Close())
		return
	}
	group, err := sarama.NewConsumerGroup(brokers, options.Group, config)
	Must(err)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-ended
		cancel()
	}()
	handler := &member{wanted: options.Count, done: cancel}
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{options.Topic}, handler); err != nil {
			// No broker, say; whoever uses this client calls it again.
			fmt.Fprintln(os.Stderr, err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	Must(group.Close())
}

// A member of a group takes messages of one partition at a time, until it has what it wanted.
type member struct {
	wanted int
	seen   int
	done   func()
	turn   chan struct{}
}

func (m *member) Setup(sarama.ConsumerGroupSession) error {
	m.turn = make(chan struct{}, 1)
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case <-session.Context().Done():
			return nil
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.turn <- struct{}{}
			if m.wanted == 0 || m.seen < m.wanted {
				m.seen++
				emit(message)
				session.MarkMessage(message, "")
				if m.seen == m.wanted {
					m.done()
				}
			}
			<-m.turn
		}
	}
}

func emit(message *sarama.ConsumerMessage) {
	partition := int(message.Partition)
	line := Record{
		Key: message.Key, Value: message.Value, Headers: []Header{},
		Partition: &partition, Offset: message.Offset, Timestamp: message.Timestamp.UnixMilli(),
	}
	for _, header := range message.Headers {
		line.Headers = append(line.Headers, Header{Name: string(header.Key), Value: header.Value})
	}
	Emit(line)
}

func admin(Options) {
	config := sarama.NewConfig()
	// The default stands for brokers that knew no incremental changes yet.
	config.Version = sarama.MaxVersion
	client, err := sarama.NewClient(brokers, config)
	Must(err)
	cluster, err := sarama.NewClusterAdminFromClient(client)
	Must(err)
	codeOf := func(err error) any {
		var code sarama.KError
		if errors.As(err, &code) {
			return int(code)
		}
		return err.Error()
	}
	Steps(codeOf, map[string]func(Step) (any, error){
		"createTopic": func(step Step) (any, error) {
			configs := map[string]*string{}
			for name, value := range step.Configs {
				configs[name] = &value
			}
			return nil, cluster.CreateTopic(step.Topic, &sarama.TopicDetail{
				NumPartitions: int32(step.Partitions), ReplicationFactor: 1, ConfigEntries: configs,
			}, false)
		},
		"topics": func(Step) (any, error) {
			topics, err := cluster.ListTopics()
			return sorted(topics), err
		},
		"describeTopic": func(step Step) (any, error) {
			topics, err := cluster.DescribeTopics([]string{step.Topic})
			if err != nil {
				return nil, err
			}
			return len(topics[0].Partitions), known(topics[0].Err)
		},
		"configs": func(step Step) (any, error) {
			entries, err := cluster.DescribeConfig(sarama.ConfigResource{
				Type: sarama.TopicResource, Name: step.Topic, ConfigNames: step.Names,
			})
			values := map[string]string{}
			for _, entry := range entries {
				values[entry.Name] = entry.Value
			}
			return values, err
		},
		"alterConfigs": func(step Step) (any, error) {
			entries := map[string]sarama.IncrementalAlterConfigsEntry{}
			for name, value := range step.Configs {
				entries[name] = sarama.IncrementalAlterConfigsEntry{
					Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value,
				}
			}
			return nil, cluster.IncrementalAlterConfig(sarama.TopicResource, step.Topic, entries, false)
		},
		"createPartitions": func(step Step) (any, error) {
			return nil, cluster.CreatePartitions(step.Topic, int32(step.Total), nil, false)
		},
		"deleteRecords": func(step Step) (any, error) {
			err := cluster.DeleteRecords(step.Topic, map[int32]int64{int32(step.Partition): step.Before})
			return step.Before, err
		},
		"offset": func(step Step) (any, error) {
			return client.GetOffset(step.Topic, int32(step.Partition), step.Millis())
		},
		"groups": func(Step) (any, error) {
			groups, err := cluster.ListConsumerGroups()
			return sorted(groups), err
		},
		"describeGroup": func(step Step) (any, error) {
			groups, err := cluster.DescribeConsumerGroups([]string{step.Group})
			if err != nil {
				return nil, err
			}
			return map[string]any{"state": groups[0].State, "members": len(groups[0].Members)}, known(groups[0].Err)
		},
		"groupOffsets": func(step Step) (any, error) {
			response, err := cluster.ListConsumerGroupOffsets(step.Group, nil)
			if err != nil {
				return nil, err
			}
			offsets := map[string]int64{}
			for topic, partitions := range response.Blocks {
				for partition, block := range partitions {
					offsets[fmt.Sprintf("%s/%d", topic, partition)] = block.Offset
				}
			}
			return offsets, known(response.Err)
		},
		"deleteGroupOffset": func(step Step) (any, error) {
			return nil, cluster.DeleteConsumerGroupOffset(step.Group, step.Topic, int32(step.Partition))
		},
		"deleteGroup": func(step Step) (any, error) {
			return nil, cluster.DeleteConsumerGroup(step.Group)
		},
		"deleteTopic": func(step Step) (any, error) {
			return nil, cluster.DeleteTopic(step.Topic)
		},
	})
	Must(cluster.Close())
}

func sorted[Value any](byName map[string]Value) []string {
	names := []string{}
	for name := range byName {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func known(err sarama.KError) error {
	if err == sarama.ErrNoError {
		return nil
	}
	return err
}
