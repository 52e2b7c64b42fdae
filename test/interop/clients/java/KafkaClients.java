import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The Java client. */
public class KafkaClients {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final BufferedReader INPUT =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    public static void main(String[] args) throws Exception {
        JsonNode options = JSON.readTree(args[1]);
        switch (args[0]) {
            case "produce" -> produce(options);
            case "consume" -> consume(options);
            case "admin" -> admin();
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static Properties properties() throws IOException {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
        String login = System.getenv("LOGIN");
        if (login != null) {
            logIn(properties, JSON.readTree(login));
        }
        return properties;
    }

    private static void logIn(Properties properties, JsonNode login) throws IOException {
        String mechanism = login.get("mechanism").asText();
        properties.put("security.protocol", login.has("ca") ? "SASL_SSL" : "SASL_PLAINTEXT");
        properties.put("sasl.mechanism", mechanism);
        if (login.has("ca")) {
            properties.put("ssl.truststore.type", "PEM");
            properties.put("ssl.truststore.location", login.get("ca").asText());
        }
        String modules = "org.apache.kafka.common.security.";
        if (login.has("token")) {
            Path file = Files.createTempFile("token", null);
            file.toFile().deleteOnExit();
            Files.writeString(file, login.get("token").asText());
            System.setProperty("org.apache.kafka.sasl.oauthbearer.allowed.files", file.toString());
            System.setProperty("org.apache.kafka.sasl.oauthbearer.allowed.urls", file.toUri().toString());
            properties.put("sasl.oauthbearer.token.endpoint.url", file.toUri().toString());
            properties.put("sasl.login.callback.handler.class", modules + "oauthbearer.OAuthBearerLoginCallbackHandler");
            properties.put("sasl.jaas.config", modules + "oauthbearer.OAuthBearerLoginModule required;");
        } else {
            String module = mechanism.equals("PLAIN") ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
            properties.put("sasl.jaas.config", String.format("%s%s required username=\"%s\" password=\"%s\";",
                    modules, module, login.get("user").asText(), login.get("password").asText()));
        }
    }

    private static void produce(JsonNode options) throws Exception {
        Properties properties = properties();
        if (options.has("compression")) {
            properties.put("compression.type", options.get("compression").asText());
        }
        if (options.has("maxBytes")) {
            properties.put("max.request.size", options.get("maxBytes").asText());
        }
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            boolean more = true;
            while (more) {
                List<JsonNode> batch = new ArrayList<>();
                more = readBatch(batch);
                List<Future<RecordMetadata>> futures = new ArrayList<>();
                for (JsonNode line : batch) {
                    futures.add(producer.send(record(options.get("topic").asText(), line)));
                }
                producer.flush();
                for (Future<RecordMetadata> future : futures) {
                    ObjectNode line = JSON.createObjectNode();
                    emit(line.put("partition", future.get().partition()).put("offset", future.get().offset()));
                }
            }
        }
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, JsonNode line) throws IOException {
        List<Header> headers = new ArrayList<>();
        for (JsonNode header : line.get("headers")) {
            headers.add(new RecordHeader(header.get(0).asText(), header.get(1).binaryValue()));
        }
        return new ProducerRecord<>(
                topic,
                line.has("partition") ? line.get("partition").asInt() : null,
                line.has("timestamp") ? line.get("timestamp").asLong() : null,
                line.get("key").binaryValue(),
                line.get("value").binaryValue(),
                headers);
    }

    private static void consume(JsonNode options) throws IOException {
        AtomicBoolean ended = new AtomicBoolean();
        Thread waiting = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {}
            } catch (IOException error) {
                error.printStackTrace();
            }
            ended.set(true);
        });
        waiting.setDaemon(true);
        waiting.start();

        Properties properties = properties();
        properties.put("auto.offset.reset", "earliest");
        boolean isInGroup = options.has("group");
        if (isInGroup) {
            properties.put("group.id", options.get("group").asText());
        }
        if (options.has("maxBytes")) {
            properties.put("max.partition.fetch.bytes", options.get("maxBytes").asText());
        }
        int wanted = options.has("count") ? options.get("count").asInt() : Integer.MAX_VALUE;
        boolean commits = isInGroup && options.has("count");
        if (commits) {
            properties.put("enable.auto.commit", "false");
        }
        String topic = options.get("topic").asText();
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            if (isInGroup) {
                consumer.subscribe(List.of(topic));
            } else {
                consumer.assign(consumer.partitionsFor(topic).stream()
                        .map(partition -> new TopicPartition(topic, partition.partition()))
                        .toList());
            }
            Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
            int seen = 0;
            while (!ended.get() && seen < wanted) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    if (seen == wanted) {
                        break;
                    }
                    emit(record);
                    next.put(
                            new TopicPartition(topic, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                    seen++;
                }
            }
            if (commits) {
                consumer.commitSync(next);
            }
        }
    }

    private static void emit(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode line = JSON.createObjectNode();
        line.put("partition", record.partition()).put("offset", record.offset()).put("timestamp", record.timestamp());
        line.put("key", record.key()).put("value", record.value());
        ArrayNode headers = line.putArray("headers");
        record.headers().forEach(header -> headers.addArray().add(header.key()).add(header.value()));
        emit(line);
    }

    private static void admin() throws Exception {
        List<JsonNode> steps = new ArrayList<>();
        try (Admin admin = Admin.create(properties())) {
            readBatch(steps);
            for (JsonNode step : steps) {
                ObjectNode answer = JSON.createObjectNode();
                try {
                    answer.set("ok", JSON.valueToTree(answer(admin, step)));
                } catch (ExecutionException error) {
                    answer.put("error", Errors.forException(error.getCause()).code());
                }
                emit(answer);
            }
        }
    }

    private static Object answer(Admin admin, JsonNode step) throws Exception {
        String topic = step.path("topic").asText();
        String group = step.path("group").asText();
        TopicPartition partition = new TopicPartition(topic, step.path("partition").asInt());
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return switch (step.get("op").asText()) {
            case "createTopic" -> {
                NewTopic created = new NewTopic(topic, step.get("partitions").asInt(), (short) 1);
                yield admin.createTopics(List.of(created.configs(configs(step)))).all().get();
            }
            case "topics" -> new TreeSet<>(admin.listTopics(new ListTopicsOptions()).names().get());
            case "describeTopic" -> admin.describeTopics(List.of(topic))
                    .allTopicNames().get().get(topic).partitions().size();
            case "configs" -> {
                var described = admin.describeConfigs(List.of(resource)).all().get().get(resource);
                Map<String, String> values = new TreeMap<>();
                step.get("names").forEach(name -> values.put(name.asText(), described.get(name.asText()).value()));
                yield values;
            }
            case "alterConfigs" -> {
                List<AlterConfigOp> changes = configs(step).entrySet().stream()
                        .map(each -> new AlterConfigOp(
                                new ConfigEntry(each.getKey(), each.getValue()), AlterConfigOp.OpType.SET))
                        .toList();
                yield admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get();
            }
            case "createPartitions" -> admin.createPartitions(
                    Map.of(topic, NewPartitions.increaseTo(step.get("total").asInt()))).all().get();
            case "deleteRecords" -> admin.deleteRecords(
                    Map.of(partition, RecordsToDelete.beforeOffset(step.get("before").asLong())))
                    .lowWatermarks().get(partition).get().lowWatermark();
            case "offset" -> {
                OffsetSpec spec = switch (step.get("at").asText()) {
                    case "earliest" -> OffsetSpec.earliest();
                    case "latest" -> OffsetSpec.latest();
                    default -> OffsetSpec.forTimestamp(step.get("at").asLong());
                };
                yield admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
            }
            case "groups" -> new TreeSet<>(
                    admin.listGroups().all().get().stream().map(each -> each.groupId()).toList());
            case "describeGroup" -> {
                var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
                boolean isEmpty = described.groupState() == GroupState.EMPTY;
                String state = isEmpty ? "Empty" : described.groupState().toString();
                yield Map.of("state", state, "members", described.members().size());
            }
            case "groupOffsets" -> {
                Map<String, Long> offsets = new TreeMap<>();
                admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get()
                        .forEach((where, committed) ->
                                offsets.put(where.topic() + "/" + where.partition(), committed.offset()));
                yield offsets;
            }
            case "setGroupOffset" -> admin.alterConsumerGroupOffsets(
                    group, Map.of(partition, new OffsetAndMetadata(step.get("offset").asLong()))).all().get();
            case "deleteGroupOffset" -> admin.deleteConsumerGroupOffsets(
                    group, Set.of(partition)).all().get();
            case "deleteGroup" -> admin.deleteConsumerGroups(List.of(group)).all().get();
            case "deleteTopic" -> admin.deleteTopics(List.of(topic)).all().get();
            default -> throw new IllegalArgumentException(step.toString());
        };
    }

    private static Map<String, String> configs(JsonNode step) {
        Map<String, String> configs = new HashMap<>();
        step.path("configs").fields().forEachRemaining(each -> configs.put(each.getKey(), each.getValue().asText()));
        return configs;
    }

    /** Reads up to an empty line or to the end; says whether there may be more. */
    private static boolean readBatch(List<JsonNode> batch) throws IOException {
        String line;
        while ((line = INPUT.readLine()) != null) {
            if (line.isBlank()) {
                return true;
            }
            batch.add(JSON.readTree(line));
        }
        return false;
    }

    private static void emit(ObjectNode line) {
        System.out.println(line);
    }
}
