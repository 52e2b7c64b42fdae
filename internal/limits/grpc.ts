/** Limits and defaults of the gRPC door, each with its unit in its name and the reason for its value. */

import { GiB, KiB, MiB } from './units.ts';

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
/** Users whose credentials one connection remembers: a gateway makes calls for several. */
export const grpcLoginsPerConnection = 16;
