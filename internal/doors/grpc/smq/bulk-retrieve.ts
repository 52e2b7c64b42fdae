import { setImmediate as nextTurn } from 'node:timers/promises';
import { copiedSliceBytes } from '../../../limits/broker.ts';
import { grpcReadBytes } from '../../../limits/grpc.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';
import { ENVELOPE_BYTES, writeEnvelope } from '../../../protocol/grpc/envelope.ts';
import { readMessage } from '../../../protocol/grpc/read-message.ts';
import { GrpcError, Status } from '../../../protocol/grpc/status.ts';
import { encodeMessage } from '../../../protocol/grpc/write-message.ts';
import { MessagesWriter } from '../../../protocol/smq/responses.ts';
import { BulkRetrieveRequest, BulkRetrieveResponse } from '../../../protocol/smq/smq.ts';
import type { Call, OpenCall } from '../call.ts';
import { OneRequest } from '../one-request.ts';
import { RecordFeed } from './record-feed.ts';
import { FIRST_OFFSET, logOffsetOf, type Topics } from './topics.ts';

/** BulkRetrieve: messages behind an offset, in one response. */
export function bulkRetrieve(topics: Topics): OpenCall {
  return (call) => new BulkRetrieveCall(call, topics);
}

class BulkRetrieveCall extends OneRequest {
  readonly #topics: Topics;
  #heldBytes = 0;

  constructor(call: Call, topics: Topics) {
    super(call);
    this.#topics = topics;
  }

  override over(): void {
    this.#release();
  }

  protected override request(bytes: Uint8Array, start: number, end: number): void {
    const { topic, startOffset, limit } = readMessage(BulkRetrieveRequest, bytes, start, end);
    const partition = this.#topics.toRead(topic, this.call.access);
    this.#retrieve(partition, startOffset, limit).catch((error) => this.call.fail(error));
  }

  async #retrieve(partition: PartitionLog, startOffset: bigint, limit: number): Promise<void> {
    // "Behind" an offset of SMQ is at the same number in the log, which counts from 0.
    const from = Math.max(logOffsetOf(startOffset) + FIRST_OFFSET, partition.firstOffset);
    const feed = new RecordFeed(partition, from);
    const writer = new MessagesWriter(copiedSliceBytes);
    const most = limit > 0 ? limit : Number.POSITIVE_INFINITY;
    let count = 0;
    await this.call.peer.context.unsent.room();
    while (count < most && (await feed.read(grpcReadBytes)) > 0) {
      if (this.call.isOver) return;
      while (count < most && feed.next()) {
        writer.retrievedMessage(feed.bytes, feed.start, feed.end, feed.offset + FIRST_OFFSET);
        count++;
      }
      this.#hold(writer.bytes);
      // Batches in memory come at once; other calls have their turn in between.
      await nextTurn();
    }
    const nextOffset = count === 0 ? startOffset : BigInt(feed.offset + FIRST_OFFSET + 1);
    const rest = encodeMessage(BulkRetrieveResponse, { count, nextOffset });
    const size = writer.bytes + rest.length;
    this.#checkSize(size);
    const envelope = new Uint8Array(ENVELOPE_BYTES);
    writeEnvelope(envelope, 0, size);
    this.call.peer.sendsMessages(count);
    this.call.write([envelope, ...writer.take(), rest], () => this.call.finish());
  }

  /** @throws GrpcError RESOURCE_EXHAUSTED where the response is too large, or all of them together. */
  #hold(bytes: number): void {
    this.#checkSize(bytes);
    const { bulk, unsent } = this.call.peer.context;
    const more = bytes - this.#heldBytes;
    if (bulk.wouldExceed(more)) unsent.evictStalled();
    if (bulk.wouldExceed(more)) {
      throw new GrpcError(Status.RESOURCE_EXHAUSTED, 'the server holds too many large responses; try again');
    }
    bulk.hold(more);
    this.#heldBytes = bytes;
  }

  #checkSize(bytes: number): void {
    const { maxMessageBytes } = this.call;
    if (bytes <= maxMessageBytes) return;
    throw new GrpcError(
      Status.RESOURCE_EXHAUSTED,
      `grpc: trying to send message larger than max (${bytes} vs. ${maxMessageBytes})`,
    );
  }

  #release(): void {
    this.call.peer.context.bulk.release(this.#heldBytes);
    this.#heldBytes = 0;
  }
}
