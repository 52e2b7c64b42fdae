// Runs what SMQ's users do from Go, with a client that protoc generated from our proto. It prints what came of each
// step, one line each.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"tinymq/smqclient/smq"
)

const most = 1 << 30

func main() {
	creds := insecure.NewCredentials()
	if len(os.Args) > 2 {
		creds = mutual(os.Args[2], os.Args[3], os.Args[4])
	}
	conn, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(most), grpc.MaxCallSendMsgSize(most)))
	must(err)
	defer conn.Close()
	client := smq.NewSuhaibMessageQueueClient(conn)
	if os.Getenv("RIGHTS") != "" {
		runRights(client)
		return
	}
	if os.Getenv("LARGE_BYTES") != "" {
		runLarge(client)
		return
	}
	run(conn, client)
}

// A message of LARGE_BYTES comes back whole, in each of the three ways; while it comes, this client pings all the time.
func runLarge(client smq.SuhaibMessageQueueClient) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	size, err := strconv.Atoi(os.Getenv("LARGE_BYTES"))
	must(err)
	_, err = client.CreateTopic(ctx, &smq.CreateTopicRequest{Topic: "large"})
	must(err)
	message := bytes.Repeat([]byte("tinymq!\n"), size/8)
	_, err = client.Produce(ctx, &smq.ProduceRequest{Topic: "large", Message: message})
	must(err)
	for n := 0; n < 3; n++ {
		consumed, err := client.Consume(ctx, &smq.ConsumeRequest{Topic: "large", Offset: 1})
		must(err)
		fmt.Println("consumed", bytes.Equal(consumed.Message, message))
	}
	bulk, err := client.BulkRetrieve(ctx, &smq.BulkRetrieveRequest{Topic: "large", StartOffset: 0, Limit: 9})
	must(err)
	fmt.Println("bulk", bytes.Equal(bulk.Messages[0].Message, message))
	following, stop := context.WithCancel(ctx)
	defer stop()
	consumer, err := client.StreamConsume(following, &smq.ConsumeRequest{Topic: "large", Offset: 1})
	must(err)
	response, err := consumer.Recv()
	must(err)
	fmt.Println("followed", bytes.Equal(response.Message, message))
}

// What a user may do with a topic of its own, and what it is told of another's.
func runRights(client smq.SuhaibMessageQueueClient) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	_, err := client.CreateTopic(ctx, &smq.CreateTopicRequest{Topic: "own"})
	fmt.Println("create", status.Code(err))
	_, err = client.Produce(ctx, &smq.ProduceRequest{Topic: "own", Message: []byte("x")})
	fmt.Println("produce", status.Code(err))
	_, err = client.Produce(ctx, &smq.ProduceRequest{Topic: "others", Message: []byte("x")})
	fmt.Println("produce", status.Code(err))
	consumer, err := client.StreamConsume(ctx, &smq.ConsumeRequest{Topic: "others", Offset: 1})
	must(err)
	_, err = consumer.Recv()
	fmt.Println("follow", status.Code(err))
}

func run(conn *grpc.ClientConn, client smq.SuhaibMessageQueueClient) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	_, err := client.Connect(ctx, &smq.ConnectRequest{})
	must(err)

	// As SMQ's client does, with its deadline of one second.
	short, cancelShort := context.WithTimeout(ctx, 10*time.Second)
	_, err = client.CreateTopic(short, &smq.CreateTopicRequest{Topic: "exampleTopic"})
	cancelShort()
	must(err)
	for _, message := range []string{"Hello, SMQ!", "", "third"} {
		produced, err := client.Produce(ctx, &smq.ProduceRequest{Topic: "exampleTopic", Message: []byte(message)})
		must(err)
		fmt.Println("produced", produced.Offset)
	}
	earliest, err := client.GetEarliestOffset(ctx, &smq.GetEarliestOffsetRequest{Topic: "exampleTopic"})
	must(err)
	consumed, err := client.Consume(ctx, &smq.ConsumeRequest{Topic: "exampleTopic", Offset: earliest.Offset})
	must(err)
	fmt.Printf("consumed %d %q\n", consumed.Offset, consumed.Message)

	producer, err := client.StreamProduce(ctx)
	must(err)
	for n := 0; n < 10_000; n++ {
		must(producer.Send(&smq.ProduceRequest{Topic: "exampleTopic", Message: fmt.Appendf(nil, "m%d", n)}))
	}
	last, err := producer.CloseAndRecv()
	must(err)
	fmt.Println("streamed", last.Offset)

	following, stop := context.WithCancel(ctx)
	consumer, err := client.StreamConsume(following, &smq.ConsumeRequest{Topic: "exampleTopic", Offset: 3})
	must(err)
	for n := int64(3); n <= last.Offset; n++ {
		response, err := consumer.Recv()
		must(err)
		if response.Offset != n || (n > 3 && string(response.Message) != fmt.Sprintf("m%d", n-4)) {
			fmt.Printf("at %d came %d %q\n", n, response.Offset, response.Message)
			os.Exit(1)
		}
	}
	_, err = client.Produce(ctx, &smq.ProduceRequest{Topic: "exampleTopic", Message: []byte("live")}, grpc.UseCompressor(gzip.Name))
	must(err)
	response, err := consumer.Recv()
	must(err)
	fmt.Printf("followed %d %q\n", response.Offset, response.Message)
	stop()
	_, err = consumer.Recv()
	fmt.Println("stopped", status.Code(err))

	bulk, err := client.BulkRetrieve(ctx, &smq.BulkRetrieveRequest{Topic: "exampleTopic", StartOffset: 2, Limit: 2})
	must(err)
	fmt.Println("bulk", bulk.Count, bulk.NextOffset, bulk.Messages[0].Offset)
	_, err = client.DeleteUntilOffset(ctx, &smq.DeleteUntilOffsetRequest{Topic: "exampleTopic", Offset: 2})
	must(err)

	for _, offset := range []int64{2, 99_999} {
		_, err = client.Consume(ctx, &smq.ConsumeRequest{Topic: "exampleTopic", Offset: offset})
		fmt.Println("refused", status.Code(err), status.Convert(err).Message())
	}
	producer, err = client.StreamProduce(ctx)
	must(err)
	var sent error
	for sent == nil {
		sent = producer.Send(&smq.ProduceRequest{Topic: "none"})
	}
	_, err = producer.CloseAndRecv()
	fmt.Println("refused", sent == io.EOF, status.Code(err), status.Convert(err).Message())
	late, cancelLate := context.WithTimeout(ctx, 100*time.Millisecond)
	waiting, err := client.StreamConsume(late, &smq.ConsumeRequest{Topic: "exampleTopic", Offset: 99_999})
	must(err)
	_, err = waiting.Recv()
	cancelLate()
	fmt.Println("late", status.Code(err))

	health, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	must(err)
	fmt.Println("health", health.Status)
}

func mutual(ca, cert, key string) credentials.TransportCredentials {
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(ca)
	must(err)
	pool.AppendCertsFromPEM(pem)
	own, err := tls.LoadX509KeyPair(cert, key)
	must(err)
	return credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{own}, RootCAs: pool, ServerName: "localhost"})
}

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}
