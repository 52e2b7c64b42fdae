import { copiedSliceBytes } from '../../../limits/broker.ts';
import { grpcConsumeChunkBytes, grpcFirstReadBytes, grpcReadBytes } from '../../../limits/grpc.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';
import { readMessage } from '../../../protocol/grpc/read-message.ts';
import { GrpcError, Status } from '../../../protocol/grpc/status.ts';
import { HEARTBEAT, MessagesWriter } from '../../../protocol/smq/responses.ts';
import { ConsumeRequest } from '../../../protocol/smq/smq.ts';
import type { Call, OpenCall } from '../call.ts';
import { SHUTTING_DOWN } from '../errors.ts';
import { OneRequest } from '../one-request.ts';
import { NO_MESSAGE } from './consume.ts';
import type { Heartbeats } from './heartbeats.ts';
import { RecordFeed } from './record-feed.ts';
import { FIRST_OFFSET, logOffsetOf, type Topics, topicGone } from './topics.ts';

/**
 * StreamConsume: follows a topic from an offset on, for as long as the client likes. At the end it waits for more, and
 * sends heartbeats meanwhile.
 */
export function streamConsume(topics: Topics, heartbeats: Heartbeats): OpenCall {
  return (call) => new StreamConsumeCall(call, topics, heartbeats);
}

class StreamConsumeCall extends OneRequest {
  readonly #topics: Topics;
  readonly #heartbeats: Heartbeats;
  readonly #writer = new MessagesWriter(copiedSliceBytes);
  #topic = '';
  #partition: PartitionLog | undefined;
  #feed: RecordFeed | undefined;
  #endListening: (() => void) | undefined;
  /** Little at first, and more for a client that takes it. */
  #readAtOnceBytes = grpcFirstReadBytes;
  /** Something runs that looks for more when it ends. */
  #isBusy = false;
  #isClosing = false;

  constructor(call: Call, topics: Topics, heartbeats: Heartbeats) {
    super(call);
    this.#topics = topics;
    this.#heartbeats = heartbeats;
  }

  /** Nothing was sent for a while; called by the heartbeats. */
  beat(): void {
    // A client that does not read gets no more to read.
    if (this.#isBusy) return;
    this.#send([HEARTBEAT]);
  }

  override over(): void {
    this.#endListening?.();
    this.#heartbeats.remove(this);
    this.#feed = undefined;
  }

  recheckAccess(): void {
    if (this.#partition !== undefined) this.#topics.checkRead(this.#topic, this.call.access);
  }

  /** The client is told at once, so that it comes back to the broker that follows. */
  override closing(): void {
    this.#isClosing = true;
    if (!this.#isBusy) this.#endForClosing();
  }

  protected override request(bytes: Uint8Array, start: number, end: number): void {
    const { topic, offset } = readMessage(ConsumeRequest, bytes, start, end);
    const partition = this.#topics.toRead(topic, this.call.access);
    this.#topic = topic;
    this.#partition = partition;
    this.#feed = new RecordFeed(partition, Math.max(logOffsetOf(offset), partition.firstOffset));
    this.#endListening = partition.onAdvance(() => this.#more());
    this.#heartbeats.add(this);
    this.#more();
  }

  #more(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#sendNext().catch((error) => this.call.fail(error));
  }

  /** Sends the next messages; where there are none, the next that are appended wake it up. */
  async #sendNext(): Promise<void> {
    const feed = this.#feed!;
    const partition = this.#partition!;
    await this.call.peer.context.unsent.room();
    for (;;) {
      if (this.call.isOver) return;
      if (this.#isClosing) return this.#endForClosing();
      if (!feed.hasBatches) {
        if (partition.isEnded) throw topicGone(this.#topic);
        if (feed.position < partition.firstOffset) throw new GrpcError(Status.UNKNOWN, NO_MESSAGE);
        const end = partition.readableEnd('committed');
        if (feed.position >= end) {
          // Nothing can happen between this look and the call that tells of more.
          this.#isBusy = false;
          return;
        }
        await this.#read(feed, partition, end);
        continue;
      }
      const messages = this.#fill(feed);
      if (messages === 0) continue;
      this.call.peer.sendsMessages(messages);
      this.#send(this.#writer.take());
      return;
    }
  }

  async #read(feed: RecordFeed, partition: PartitionLog, end: number): Promise<void> {
    const readBytes = await feed.read(this.#readAtOnceBytes);
    this.call.setReadBytes(readBytes);
    // Compaction may leave nothing at the end of what could be read.
    if (readBytes === 0 && feed.position >= partition.firstOffset) feed.skipTo(end);
  }

  #fill(feed: RecordFeed): number {
    const writer = this.#writer;
    let messages = 0;
    while (writer.bytes < grpcConsumeChunkBytes && feed.next()) {
      writer.consumeResponse(feed.bytes, feed.start, feed.end, feed.offset + FIRST_OFFSET);
      messages++;
    }
    return messages;
  }

  #send(pieces: readonly Uint8Array[]): void {
    this.#isBusy = true;
    this.#heartbeats.sent(this);
    this.call.write(pieces, () => {
      this.#isBusy = false;
      this.#readAtOnceBytes = Math.min(grpcReadBytes, this.#readAtOnceBytes * 2);
      if (this.#isClosing) this.#endForClosing();
      else this.#more();
    });
  }

  #endForClosing(): void {
    this.call.fail(new GrpcError(Status.UNAVAILABLE, SHUTTING_DOWN));
  }
}
