// twmb/franz-go.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	. "tinymq/interop/lines"
)

var codecs = map[string]kgo.CompressionCodec{
	"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func main() {
	Main(map[string]func(Options){"produce": produce, "consume": consume, "admin": admin})
}

func connected(options ...kgo.Opt) *kgo.Client {
	options = append(options, loggingIn(HowToLogIn())...)
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(Bootstrap...))...)
	Must(err)
	return client
}

func loggingIn(login Login) (options []kgo.Opt) {
	scramAuth := scram.Auth{User: login.User, Pass: login.Password}
	mechanisms := map[string]sasl.Mechanism{
		"PLAIN":         plain.Auth{User: login.User, Pass: login.Password}.AsMechanism(),
		"SCRAM-SHA-256": scramAuth.AsSha256Mechanism(),
		"SCRAM-SHA-512": scramAuth.AsSha512Mechanism(),
		"OAUTHBEARER":   oauth.Auth{Token: login.Token}.AsMechanism(),
	}
	if mechanism, wanted := mechanisms[login.Mechanism]; wanted {
		options = append(options, kgo.SASL(mechanism))
	}
	if login.CA != "" {
		pem, err := os.ReadFile(login.CA)
		Must(err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		options = append(options, kgo.DialTLSConfig(&tls.Config{RootCAs: roots}))
	}
	return options
}

// It is idempotent unless it is told not to be.
func produce(options Options) {
	settings := []kgo.Opt{kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic(options.Topic)}
	if options.Compression != "" {
		settings = append(settings, kgo.ProducerBatchCompression(codecs[options.Compression]))
	}
	if options.MaxBytes != 0 {
		settings = append(settings, kgo.ProducerBatchMaxBytes(1_048_588))
	}
	partitions := map[*kgo.Record]int{}
	byKey := kgo.StickyKeyPartitioner(nil).ForTopic(options.Topic)
	settings = append(settings, kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(
		func(string) func(*kgo.Record, int) int {
			return func(record *kgo.Record, count int) int {
				if partition, has := partitions[record]; has {
					return partition
				}
				return byKey.Partition(record, count)
			}
		},
	)))
	client := connected(settings...)
	Batches(func(batch []Record) {
		records := make([]*kgo.Record, len(batch))
		for index, each := range batch {
			record := &kgo.Record{Key: each.Key, Value: each.Value}
			for _, header := range each.Headers {
				record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
			}
			if each.Partition != nil {
				partitions[record] = *each.Partition
			}
			if each.Timestamp != 0 {
				record.Timestamp = time.UnixMilli(each.Timestamp)
			}
			records[index] = record
		}
		if len(records) > 0 {
			Must(client.ProduceSync(context.Background(), records...).FirstErr())
		}
		for _, record := range records {
			Emit(Acknowledged{Partition: int(record.Partition), Offset: record.Offset})
		}
	})
	client.Close()
}

func consume(options Options) {
	ended := InputEnded()
	settings := []kgo.Opt{kgo.ConsumeTopics(options.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	if options.Group != "" {
		settings = append(settings, kgo.ConsumerGroup(options.Group))
		if options.Count != 0 {
			settings = append(settings, kgo.DisableAutoCommit())
		}
	}
	client := connected(settings...)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-ended
		cancel()
	}()
	last := map[int32]*kgo.Record{}
	seen := 0
	for ctx.Err() == nil && (options.Count == 0 || seen < options.Count) {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil && ctx.Err() == nil {
			// No broker, say; it asks again by itself.
			fmt.Fprintln(os.Stderr, err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if options.Count != 0 && seen == options.Count {
				return
			}
			seen++
			last[record.Partition] = record
			partition := int(record.Partition)
			line := Record{
				Key: record.Key, Value: record.Value, Headers: []Header{},
				Partition: &partition, Offset: record.Offset, Timestamp: record.Timestamp.UnixMilli(),
			}
			for _, header := range record.Headers {
				line.Headers = append(line.Headers, Header{Name: header.Key, Value: header.Value})
			}
			Emit(line)
		})
	}
	if options.Group != "" && options.Count != 0 {
		for _, record := range last {
			Must(client.CommitRecords(context.Background(), record))
		}
	}
	client.Close()
}

func admin(Options) {
	client := kadm.NewClient(connected())
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	codeOf := func(err error) any {
		var code *kerr.Error
		if errors.As(err, &code) {
			return code.Code
		}
		return err.Error()
	}
	Steps(codeOf, map[string]func(Step) (any, error){
		"createTopic": func(step Step) (any, error) {
			configs := map[string]*string{}
			for name, value := range step.Configs {
				configs[name] = &value
			}
			_, err := client.CreateTopic(ctx, int32(step.Partitions), 1, configs, step.Topic)
			return nil, err
		},
		"topics": func(Step) (any, error) {
			topics, err := client.ListTopics(ctx)
			return topics.Names(), err
		},
		"describeTopic": func(step Step) (any, error) {
			topics, err := client.ListTopics(ctx, step.Topic)
			if err != nil {
				return nil, err
			}
			return len(topics[step.Topic].Partitions), topics[step.Topic].Err
		},
		"configs": func(step Step) (any, error) {
			described, err := client.DescribeTopicConfigs(ctx, step.Topic)
			if err != nil {
				return nil, err
			}
			values := map[string]string{}
			for _, name := range step.Names {
				for _, config := range described[0].Configs {
					if config.Key == name {
						values[name] = config.MaybeValue()
					}
				}
			}
			return values, described[0].Err
		},
		"alterConfigs": func(step Step) (any, error) {
			var changes []kadm.AlterConfig
			for name, value := range step.Configs {
				changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
			}
			answers, err := client.AlterTopicConfigs(ctx, changes, step.Topic)
			return nil, first(err, func() error { return answers[0].Err })
		},
		"createPartitions": func(step Step) (any, error) {
			answers, err := client.UpdatePartitions(ctx, step.Total, step.Topic)
			return nil, first(err, answers.Error)
		},
		"deleteRecords": func(step Step) (any, error) {
			answers, err := client.DeleteRecords(ctx, kadm.OffsetsFromRecords(kgo.Record{
				Topic: step.Topic, Partition: int32(step.Partition), Offset: step.Before - 1,
			}))
			if err != nil {
				return nil, err
			}
			answer := answers[step.Topic][int32(step.Partition)]
			return answer.LowWatermark, answer.Err
		},
		"offset": func(step Step) (any, error) {
			list := client.ListEndOffsets
			switch step.At {
			case "latest":
			case "earliest":
				list = client.ListStartOffsets
			default:
				list = func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
					return client.ListOffsetsAfterMilli(ctx, step.Millis(), topics...)
				}
			}
			offsets, err := list(ctx, step.Topic)
			if err != nil {
				return nil, err
			}
			listed, _ := offsets.Lookup(step.Topic, int32(step.Partition))
			return listed.Offset, listed.Err
		},
		"groups": func(Step) (any, error) {
			groups, err := client.ListGroups(ctx)
			return groups.Groups(), err
		},
		"describeGroup": func(step Step) (any, error) {
			groups, err := client.DescribeGroups(ctx, step.Group)
			if err != nil {
				return nil, err
			}
			group := groups[step.Group]
			return map[string]any{"state": group.State, "members": len(group.Members)}, group.Err
		},
		"groupOffsets": func(step Step) (any, error) {
			committed, err := client.FetchOffsets(ctx, step.Group)
			offsets := map[string]int64{}
			committed.Each(func(each kadm.OffsetResponse) {
				offsets[fmt.Sprintf("%s/%d", each.Topic, each.Partition)] = each.At
			})
			return offsets, err
		},
		"setGroupOffset": func(step Step) (any, error) {
			offsets := kadm.Offsets{}
			offsets.AddOffset(step.Topic, int32(step.Partition), step.Offset, -1)
			answers, err := client.CommitOffsets(ctx, step.Group, offsets)
			return nil, first(err, answers.Error)
		},
		"deleteGroupOffset": func(step Step) (any, error) {
			topics := kadm.TopicsSet{}
			topics.Add(step.Topic, int32(step.Partition))
			answers, err := client.DeleteOffsets(ctx, step.Group, topics)
			return nil, first(err, answers.Error)
		},
		"deleteGroup": func(step Step) (any, error) {
			_, err := client.DeleteGroup(ctx, step.Group)
			return nil, err
		},
		"deleteTopic": func(step Step) (any, error) {
			_, err := client.DeleteTopic(ctx, step.Topic)
			return nil, err
		},
	})
	client.Close()
}

func first(err error, inside func() error) error {
	if err != nil {
		return err
	}
	return inside()
}
