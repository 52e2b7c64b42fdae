import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringSerializer;

/** Leaves transactions of each kind in the topic "orders": committed, aborted, side by side, and one without an end. */
class Transactions {
  static final String TOPIC = "orders";

  public static void main(String[] arguments) throws Exception {
    String bootstrap = arguments[0];
    KafkaProducer<String, String> plain = producer(bootstrap, null);
    KafkaProducer<String, String> committed = producer(bootstrap, "committed");
    KafkaProducer<String, String> aborted = producer(bootstrap, "aborted");
    KafkaProducer<String, String> open = producer(bootstrap, "open");

    send(plain, "before");
    committed.beginTransaction();
    send(committed, "committed 1");
    aborted.beginTransaction();
    send(aborted, "aborted 1");
    send(committed, "committed 2");
    committed.sendOffsetsToTransaction(offset(2), new ConsumerGroupMetadata("in-transaction"));
    committed.commitTransaction();
    send(aborted, "aborted 2");
    aborted.sendOffsetsToTransaction(offset(1), new ConsumerGroupMetadata("in-aborted"));
    aborted.abortTransaction();
    send(plain, "between");
    open.beginTransaction();
    send(open, "open 1");
    aborted.beginTransaction();
    send(aborted, "aborted 3");
    aborted.abortTransaction();
    send(plain, "behind");
    // As if it had crashed: nobody ends the last transaction.
    Runtime.getRuntime().halt(0);
  }

  static Map<TopicPartition, OffsetAndMetadata> offset(long offset) {
    return Map.of(new TopicPartition(TOPIC, 0), new OffsetAndMetadata(offset));
  }

  static void send(KafkaProducer<String, String> producer, String value) throws Exception {
    producer.send(new ProducerRecord<>(TOPIC, value)).get();
  }

  static KafkaProducer<String, String> producer(String bootstrap, String transactionalId) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("linger.ms", 0);
    properties.put("transaction.timeout.ms", 900_000);
    if (transactionalId != null) properties.put("transactional.id", transactionalId);
    KafkaProducer<String, String> producer =
        new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
    if (transactionalId != null) producer.initTransactions();
    return producer;
  }
}
