/** Every limit and default of the broker, with its unit in its name and the reason for its value. */

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** Largest payload by default: far above telemetry, far below what would hurt a small machine. */
export const maxMessageBytes = 16 * MiB;
/** What `-max-message` may be raised to: one buffer of the runtime holds it together with its frame. */
export const maxMessageBytesCeiling = 1 * GiB;

/** Clients at once by default: at some 10 KiB each they fit a machine with 2 GiB. */
export const maxClients = 100_000;
/** Connections beyond `maxClients` that may still be on their way to CONNECT, so that they can be told why not. */
export const maxUnconnectedConnections = 1_000;

/** A client that is there sends CONNECT at once; a slow mobile network with TLS needs some seconds. */
export const connectTimeoutMs = 10_000;
/** Off: the clients of the original sent PING only when asked to. TCP's own probes still find dead peers. */
export const keepAliveMs = 0;
/** How long a connection is quiet before TCP probes it: below the few minutes after which NATs forget it. */
export const tcpKeepAliveAfterMs = 60_000;
/** How often deadlines are looked at; they end up to this much late. */
export const deadlineSweepMs = 500;

/**
 * Messages that wait for one subscriber before its publishers pause. What they cost is their bytes, which have a bound of
 * their own: this one is there for bursts of the smallest messages.
 */
export const channelSize = 100_000;
/** Bytes that wait for one subscriber before its publishers pause: what a busy topic brings while a browser is at work. */
export const channelBytes = 8 * MiB;
/** Bytes that wait for all subscribers together: 64 stuck ones may have all that one may have, 1,000 share the rest. */
export const channelTotalBytes = 512 * MiB;
/** Bytes that a socket gets at once: one that takes so much in the time that publishers wait is slow, and not stuck. */
export const handOverBytes = 256 * KiB;
/** How long publishers wait for a full channel. Longer than a hiccup of a network, short for people. */
export const slowConsumerWaitMs = 1_000;

/** Filters of one client: when it goes, all of them end in one turn, which takes a second for so many. */
export const maxSubscriptionsPerClient = 100_000;
/** Filters of one SUBSCRIBE of MQTT: they are taken in one turn too, and the next packet waits for the others. */
export const maxFiltersPerSubscribe = 16_384;
/** Refusals that are logged of one client in a second: enough to see what is wrong, whatever it sends. */
export const refusalsLoggedPerSecond = 10;
/** Levels of a filter with wildcards: each is a node of the trie, and no naming scheme comes near this many. */
export const maxFilterLevels = 1_024;
/** Answers (PONG, SUBACK…) that wait for a client which sends but does not read, before it is not read either. */
export const maxWaitingControlBytes = 64 * KiB;

/**
 * Frames other than PUBLISH that one client may send before the others are served again. The runtime reads one
 * socket many times in a row while it has bytes.
 */
export const controlFramesPerTurn = 256;
/**
 * Bytes of one chunk that are taken in one turn, for the same reason. A read from a socket has at most 64 KiB; only
 * a WebSocket message is as long as the largest payload.
 */
export const bytesPerTurn = 256 * KiB;
/**
 * How long messages whose topics match very many filters, or which go to very many, are taken in one turn: others then
 * notice nothing, and giving way costs little of it.
 */
export const longestTurnMs = 10;

/** Topics whose targets are remembered; beyond this the table starts anew, so that topics cost no memory for ever. */
export const topicTableEntries = 65_536;
/** Bytes of names in the topic table, for the same reason: topics may be 64 KiB long. */
export const topicTableBytes = 16 * MiB;

/** Slices up to this size are copied together for one write; longer ones are handed on as they lie. */
export const copiedSliceBytes = 4 * KiB;
/** The first room for such copies, which quiet subscribers never outgrow. */
export const smallestSlabBytes = 1 * KiB;
/** The largest room for such copies: one write of this size costs no more per byte than a larger one. */
export const largestSlabBytes = 64 * KiB;

/** Bytes a socket takes before it asks to wait. Two full reads: enough to keep the kernel busy. */
export const socketHighWaterMarkBytes = 128 * KiB;
/** A WebSocket message may hold a whole frame: the largest payload and some of what stands around it. */
export const webSocketMessageSlackBytes = 256 * KiB;
/** How long a connection that was told why it is closed stays half open, so that it can read that. */
export const lingerMs = 2_000;

/** How long a stop waits for what was accepted to be delivered. */
export const shutdownTimeoutMs = 10_000;
/** A publisher that sent nothing for this long during a stop has nothing more on its way. */
export const shutdownQuietMs = 100;

/** How often certificate files are looked at for a change. */
export const certificateWatchMs = 2_000;
/** Group and owner: programs of other users on the machine are not let in by default. */
export const socketMode = 0o660;

/**
 * Bytes of one stored batch: SQLite holds 1,000,000,000 bytes in a row, and a batch shares that with its columns.
 */
export const maxStoredBatchBytes = 896 * MiB;
/** Bytes of one transaction of the store: beyond this a larger one is no faster, and the next ones wait longer. */
export const storeGroupBytes = 4 * MiB;
/**
 * Bytes of stored sessions and retained messages that are read at once at the start: so many that a read pays, and so few
 * that reading and taking over go on side by side.
 */
export const storeRestoreBytes = MiB / 4;
/** Batches of one transaction, for the same reason. */
export const storeGroupBatches = 8_192;
/** Transactions handed to the store's thread at once: one that runs, and one so that the thread never waits. */
export const storeGroupsInFlight = 2;
/** Bytes of the write-ahead log before they go to the main file: a larger one is written with fewer, longer pauses. */
export const storeCheckpointBytes = 64 * MiB;
/** Bytes of pages that a connection to the store keeps in memory. */
export const storeCacheBytes = 8 * MiB;
/** Bytes that one step of giving back space deletes; appends wait for no more than one step. */
export const storeSweepBytes = 4 * MiB;
/** Batches that one such step deletes, for the same reason. */
export const storeSweepBatches = 1_024;
/** Free room that the store's file keeps for what comes next, rather than shrinking and growing all the time. */
export const storeFreeBytesKept = 64 * MiB;
/** Pages by which the file shrinks in one step; appends wait for no more than one step. */
export const storeVacuumPages = 128;
/** First and longest pause before a store that failed is opened again. */
export const storeReopenAfterMs = 100;
export const storeReopenAtMostAfterMs = 5_000;
/** How long a connection to the store waits for another one: only a checkpoint holds one up, for a moment. */
export const storeBusyTimeoutMs = 10_000;

/** Memory for the newest batches of all logs: consumers near the end of a busy log then never touch the disk. */
export const tailCacheBytes = 64 * MiB;
/** How often logs are looked through for what is too old, too much, or to be compacted: as Kafka's cleaner does. */
export const retentionEveryMs = 15_000;
/** When they are looked through for the first time: the first moment after a start belongs to clients. */
export const retentionFirstAfterMs = 1_000;
/**
 * Partitions of all logs together, 5 KB of memory each: every topic of a `-log` filter is one, and anybody who may
 * publish makes topics.
 */
export const maxLogPartitions = 50_000;
/** How long a log keeps records by default: as Kafka does. */
export const logRetentionMs = 7 * 24 * 3_600_000;
/** Bytes of live messages on their way to the disk before their publishers pause. */
export const maxCaptureWaitingBytes = 16 * MiB;
/** Replays of one client: each follows every log that its filter may match. */
export const maxReplaysPerClient = 100;
/** Bytes that a replay reads at once: much for a disk, little for a subscriber that is slow. */
export const replayReadBytes = 256 * KiB;
/** What a compressed batch may expand to. */
export const maxExpandedBatchBytes = 256 * MiB;
/** Idempotent producers that one partition remembers, 200 bytes each; the ones that were quiet longest go first. */
export const maxProducersPerPartition = 100_000;
/** How long a partition remembers a quiet producer: as Kafka's `producer.id.expiration.ms`. */
export const producerExpirationMs = 24 * 3_600_000;

/** Consumer groups. */
/** Bounds of a member's session timeout, as Kafka's: shorter ones would follow every hiccup of a network. */
export const minGroupSessionTimeoutMs = 6_000;
export const maxGroupSessionTimeoutMs = 30 * 60_000;
/** How long a member that asked for its id for the first time waits for the others before it has to ask again. */
export const groupNewMemberJoinTimeoutMs = 5 * 60_000;
/** How long the first generation waits for members that were just given an id: some round trips. */
export const groupPendingJoinWaitMs = 100;
/** How long one that was only told its id keeps it without a connection: it has nothing to lose, and others wait for it. */
export const groupGonePendingGraceMs = 1_000;
/**
 * How long a member without a connection stays when a client of its name and host joins: it is probably that one, started
 * again. If not, it is heard in this time, which clients need to connect again (1 s) and until their next heartbeat (3 s).
 */
export const groupPredecessorWaitMs = 4_000;
/** What a group may have in the store: its members and assignments are written as one, in each generation twice. */
export const maxStoredGroupBytes = 64 * MiB;
/** Groups at once, most of them nothing but the offsets of readers that came and went. */
export const maxGroups = 100_000;
/** Members of one group: with each of them a rebalance gets slower for all. */
export const maxMembersPerGroup = 10_000;
/** What a member may say when it joins: names and metadata of a thousand topics with long names fit in well. */
export const maxGroupMemberBytes = 4 * MiB;
/** What all groups may have in memory: names, members, assignments. */
export const maxGroupsBytes = 256 * MiB;
/** What all committed offsets may take in memory: more than a million of them, with short notes. */
export const maxCommittedOffsetsBytes = 256 * MiB;
/** Characters of the note that may stand beside a committed offset, as in Kafka. */
export const maxOffsetMetadataCharacters = 4_096;
/** How long offsets outlast the last member of their group, as in Kafka. */
export const groupOffsetsRetentionMs = 7 * 24 * 3_600_000;
/** How often groups are looked through for offsets that are too old, and for groups that nothing is left of. */
export const groupSweepEveryMs = 10 * 60_000;
/** Groups that are looked through in one turn; everybody else waits meanwhile, well below a millisecond. */
export const groupsPerSweepTurn = 500;
/** How often such groups are looked for when there is no room for another one. */
export const idleGroupsDropEveryMs = 1_000;

// The `tinymq` program.
/** Bytes of one answer that `tinymq` takes: a Fetch may hold one batch that is larger than what was asked for. */
export const maxKafkaAnswerBytes = 256 * MiB;

// The Kafka log directory.
/** Bytes of a segment where its topic says nothing else: Kafka's own default. */
export const kafkaSegmentBytes = 1 * GiB;
/** Partitions of `__consumer_offsets` where there is none yet: Kafka's own default. */
export const kafkaOffsetsPartitions = 50;
/** The largest segment whatever a topic says: positions in Kafka's index files have 31 bits. */
export const kafkaSegmentBytesCeiling = 2 * GiB - 1;
/** Bytes of batches between two entries of an index file: Kafka's own default. */
export const kafkaIndexIntervalBytes = 4 * KiB;
/** Bytes of batches between two hints in memory: a read passes over so much at most, 10 GB have 160,000 of them. */
export const kafkaHintIntervalBytes = 64 * KiB;
/** What is looked at of an index file: 16 times what a segment of the usual size needs. */
export const kafkaIndexFileBytes = 32 * MiB;
/** Bytes read at once while batch headers are followed: many small batches, or a page where batches are large. */
export const kafkaWalkBytes = 128 * KiB;
export const kafkaWalkPageBytes = 4 * KiB;
/** Bytes read from a segment at once for a reader: as much as one fetch usually asks for. */
export const kafkaReadBytes = 4 * MiB;
/** Segment files open at once for reading and as many for writing: a process usually may open 1,024 files or more. */
export const kafkaOpenFiles = 256;
/** Index entries that wait in memory: after a crash the batches since then are looked through again, some 2 MiB. */
export const kafkaWaitingIndexEntries = 512;
/** Bytes of the store's own journal before it is written anew with what still counts. */
export const kafkaJournalBytes = 4 * MiB;

// Compaction of logs by key.
/** Memory for the keys of one compaction: some 800,000 of them; with more it takes several passes over the log. */
export const compactionKeysBytes = 24 * MiB;
/** Bytes that compaction reads and replaces at once: appends wait for no more than one such step. */
export const compactionReadBytes = 256 * KiB;
/** Bytes that one change has in a Kafka log directory, where each change writes whole segments anew. */
export const compactionGatherBytes = 64 * MiB;
/** How long compaction works before the broker's other work has its turn. */
export const compactionSliceMs = 5;
/**
 * Where compaction read this much and found too little that was old enough, it waits a second before it looks again:
 * looking takes a small part of the disk's time then.
 */
export const compactionLookBytesPerSecond = 1 * MiB;
/** Producers whose last batch is looked for while a partition is compacted; the batches of others may go. */
export const maxCompactionProducers = 100_000;

/* The gRPC door. */

/** Largest message of a call by default, as SMQ has it. */
export const maxGrpcMessageBytes = 1 * GiB;
/** Messages of calls that are arriving or on their way to the disk, all together: one of the largest, and others beside it. */
export const grpcHeldBytes = 2 * GiB;
/** Bytes of answers to BulkRetrieve that are held at once, for the same reason. */
export const grpcBulkBytes = 2 * GiB;
/** Bytes of one StreamProduce on their way to the disk before it is read no further. */
export const grpcStreamWaitingBytes = 1 * MiB;
/** Bytes of all streams together on their way to the disk before none is read further. */
export const grpcWaitingBytes = 64 * MiB;
/** A batch of produced messages is written when it has this size, or at the end of the turn. */
export const grpcBatchBytes = 512 * KiB;
/** Calls at once on one connection: SMQ set no bound, and a client that meets one waits in silence. */
export const grpcCallsPerConnection = 16_384;
/** Calls at once on all connections: at some 10 KiB each they fit a machine with 2 GiB. */
export const grpcCalls = 65_536;
/** How many calls of a connection are so many that none gets a larger window. */
export const grpcManyCalls = 64;
/** What a client may send ahead on one connection. What is read of it is confirmed at once. */
export const grpcConnectionWindowBytes = 4 * MiB;
/** Names and values of one header block. gRPC's own default is 8 KiB. */
export const grpcHeaderBytes = 32 * KiB;
/** What the client of `tinymq smq` may hold of responses, in MiB: one may be as large as the service allows. */
export const smqClientMemoryMiB = 1_024;
/** Calls that a client may cancel in a row, and how many more each second: above it the connection is closed. */
export const grpcCancelledCallsBurst = 16_384;
export const grpcCancelledCallsPerSecond = 500;
/** A connection that is quiet for so long is asked whether its peer is still there. */
export const grpcKeepAliveAfterMs = 60_000;
/** How long the answer to that may take. */
export const grpcKeepAliveTimeoutMs = 20_000;
/** A client that asks more often than this while nothing is sent to it wastes the radio of its device and our time. */
export const grpcMinPingIntervalMs = 10_000;
/** Such pings that are borne. */
export const grpcPingStrikes = 8;
/** How long a followed topic is quiet before its readers get a heartbeat, and then how often; as SMQ. */
export const grpcHeartbeatAfterMs = 10_000;
export const grpcHeartbeatEveryMs = 1_000;
/** Heartbeats of all streams in a second, beyond which each stream gets fewer. */
export const grpcHeartbeatsPerSecond = 1_000;
/** Bytes that one StreamConsume writes at once. */
export const grpcConsumeChunkBytes = 128 * KiB;
/** Responses that clients have not taken, all together, before no more are read from the logs. */
export const grpcUnsentBytes = 256 * MiB;
/** While others wait for that, a call whose client takes nothing for so long is ended. */
export const grpcUnsentPatienceMs = 5_000;
/** What a call may have unsent without being in anybody's way. */
export const grpcSmallUnsentBytes = 16 * KiB;
/** Bytes of a log that are read for a stream at first; a client that does not read costs no more. */
export const grpcFirstReadBytes = 16 * KiB;
/** Bytes of a log that are read at once for a call. */
export const grpcReadBytes = 1 * MiB;
/** Compressed messages up to this size are expanded at once: at the highest ratio that takes some milliseconds. */
export const grpcSyncExpandBytes = 8 * KiB;

/* HTTP/2, which gRPC stands on. */

/** What a client may send into one stream ahead of what is read, at first: as much as the protocol itself assumes. */
export const http2StreamWindowBytes = 64 * KiB;
/** What that grows to for a stream that sends much: enough to keep a long fat line busy. */
export const http2StreamWindowGrowsTo = 256 * KiB;
/** DATA kept for paused streams of one connection, beyond which the client is not told that it may send more. */
export const http2AheadBytes = 4 * MiB;
/** Bytes that are gathered for one write: with a quarter of it, large answers cost a fifth more CPU time. */
export const http2WriteBytes = 512 * KiB;
/** Bytes of the dynamic table of HPACK in each direction: the protocol's own value, which holds all that gRPC repeats. */
export const hpackTableBytes = 4 * KiB;
/** Bytes of a header block as it is sent: a list of the largest size takes less, however badly it is encoded. */
export const http2HeaderBlockBytes = 64 * KiB;
/** Frames of one header block; clients send full ones. */
export const http2HeaderBlockFrames = 64;
/** The last streams of a connection, of which is remembered whether we reset them: twice as many as may be open. */
export const http2ResetStreamsRemembered = 32_768;
/** Frames that carry nothing (PING, SETTINGS, empty DATA …) which a client may send in a row, and how many a second. */
export const http2IdleFramesBurst = 16_384;
export const http2IdleFramesPerSecond = 1_000;
/** How many of them a frame is worth that is sent to the client: it may confirm each one twice, and measure the way. */
export const http2IdleFramesPerFrame = 4;
/** Bytes of DATA that are worth one more. */
export const http2BytesPerIdleFrame = 1 * KiB;
/** Streams whose windows one SETTINGS changes, for each of which it counts once more: a look at all of them is work. */
export const http2StreamsPerIdleFrame = 64;

/** Bytes of a Kafka request: as Kafka's `socket.request.max.bytes`. */
export const kafkaMaxRequestBytes = 100 * MiB;
/** Requests of one Kafka connection that are under way at once: enough for the disk to take one batch in each. */
export const kafkaRequestsInFlight = 512;
/** Bytes of such requests; a connection that sends larger ones waits for its answers sooner. */
export const kafkaRequestBytesInFlight = 16 * MiB;
/** A batch that is this short, and expands to no more, is checked at once: that takes a millisecond or two at most. */
export const atOnceBytes = 64 * KiB;
/** Batches that expand to more than this are checked one after the other, so that their memory does not add up. */
export const aloneFromBytes = 4 * MiB;
/** How long a Kafka connection may be quiet: as Kafka's `connections.max.idle.ms`. */
export const kafkaIdleTimeoutMs = 600_000;

// The MQTT door, its sessions and retained messages.
/** Topics with a retained message: a million devices with one each, and room. */
export const maxRetainedMessages = 4_000_000;
/** What all retained messages may take: names, payloads and properties. */
export const maxRetainedBytes = 1 * GiB;
/** Sessions that outlast their connections: as many as clients by default, because each was one. */
export const maxSessions = 100_000;
/** How often it is logged that sessions were ended to make room: enough to see it, whatever comes. */
export const evictionsToldEveryMs = 1_000;
/** Messages that wait in one session by default, while its client is away or takes no more. */
export const sessionQueueMessages = 100_000;
/** Bytes of such messages by default. */
export const sessionQueueBytes = 64 * MiB;
/**
 * How much of the heap that the runtime allows may be taken by what waits in all sessions together: a broker that ran out of
 * it would end, and again at each start.
 */
export const sessionsShareOfHeap = 0.5;
/** Unanswered QoS 1 and 2 messages of one client before it is read no further: enough to keep a disk busy. */
export const mqttReceiveMaximum = 1_024;
/**
 * How long a client that has more than that of QoS 2 open may neither send nor release one: longer than an answer takes on
 * a slow network.
 */
export const mqttReleasePatienceMs = 1_000;
/** Unacknowledged messages to a client older than version 5, which cannot say how many it takes. */
export const mqttOldClientWindow = 1_024;
/** Topic aliases of one client in each direction: the topics that one device or program uses. */
export const mqttTopicAliases = 256;
/** Bytes of names behind the topic aliases of one client. */
export const mqttTopicAliasBytes = 64 * KiB;
/** What an MQTT packet may have beside the payload: topic, properties. */
export const mqttPacketSlackBytes = 256 * KiB;
/**
 * Changes of sessions that wait for the disk before publishers pause: a third of a second of its time. One message for
 * 10,000 sessions is 10,000 of them.
 */
export const sessionChangesWaiting = 16_384;
/**
 * Changes with which retained messages of QoS 2, two changes each, wait where they are: enough for the next transaction, and
 * so few that the publishers of live messages never wait for them.
 */
export const sessionChangesBusy = 2_048;
/**
 * How long a message that was sent waits to be acknowledged rather than written, if its client is quick as a rule: as long
 * as a transaction of the store takes, so that its publisher waits twice as long at worst, but at least and at most so long.
 */
export const acknowledgementWaitMs = 5;
export const acknowledgementWaitAtMostMs = 50;
/** Bytes that wait in a channel before a session keeps its next messages to itself. */
export const sessionSendAheadBytes = 256 * KiB;
/** Retained messages that are given to a new subscription at once; the others follow as they are taken. */
export const retainedPerStep = 256;
/** Topics for which a session remembers which of its subscriptions match. */
export const sessionTopicsRemembered = 1_000;
/** How long after its start a broker waits with wills that are due already: clients try again every second as a rule. */
export const willsAfterStartMs = 1_500;
/** How often sessions, wills and retained messages that are over are looked for. */
export const sessionSweepMs = 250;
/** How often the topics under $SYS are published, as mosquitto does. */
export const sysTopicsEveryMs = 10_000;
/** Partitions of one durable topic: Kafka's own controllers are slow beyond that, and a request may ask for 2^31. */
export const maxPartitionsPerTopic = 10_000;
/** Bytes of a Fetch answer, whatever is asked for: as Kafka's `fetch.max.bytes` on the broker. */
export const kafkaMaxFetchBytes = 55 * MiB;
/** Fetch sessions that are remembered, as Kafka's `max.incremental.fetch.session.cache.slots`. */
export const maxFetchSessions = 1_000;
/** Partitions of all fetch sessions together: some 100 bytes each, and a request names as many as it likes. */
export const maxFetchSessionPartitions = 1_000_000;
/** How long a fetch session is quiet before another may take its place, as in Kafka. */
export const fetchSessionIdleMs = 120_000;
/** Bytes that `tinymq produce` has read and not yet sent: enough to fill a connection, little for any machine. */
export const maxProducerWaitingBytes = 32 * MiB;
/** The number of the one broker that Kafka's clients see: as in the examples of Kafka's own documentation. */
export const kafkaNodeId = 1;
/** Bytes of one partition that `tinymq consume` asks for at once, and of all of them: as the Java client does. */
export const readerPartitionBytes = 1 * MiB;
export const readerTotalBytes = 50 * MiB;
/** How long a broker may wait for messages before it answers `tinymq consume` that there are none. */
export const readerWaitMs = 500;
/** How long a group waits for a sign of life of `tinymq consume -group` before it goes on without it. */
export const memberSessionTimeoutMs = 10_000;
/** How often it gives one: several times within that. */
export const memberHeartbeatMs = 2_000;
/** How long the group waits for it to finish what it has when partitions are shared anew. */
export const memberRebalanceTimeoutMs = 30_000;
/** How long it waits for the others to do so: they say how long themselves, the Java client five minutes. */
export const memberLongestJoinMs = 330_000;
/** How often it stores how far it has read: as the Java client does. */
export const groupCommitEveryMs = 5_000;
