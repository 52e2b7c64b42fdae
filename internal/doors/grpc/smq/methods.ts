import { GrpcError, Status } from '../../../protocol/grpc/status.ts';
import * as smq from '../../../protocol/smq/smq.ts';
import type { OpenCall } from '../call.ts';
import type { DoorContext } from '../context.ts';
import { unary } from '../one-request.ts';
import { Appenders } from './appender.ts';
import { bulkRetrieve } from './bulk-retrieve.ts';
import { consume } from './consume.ts';
import type { Heartbeats } from './heartbeats.ts';
import { produce } from './produce.ts';
import { streamConsume } from './stream-consume.ts';
import { streamProduce } from './stream-produce.ts';
import { FIRST_OFFSET, isEmpty, logOffsetOf, Topics } from './topics.ts';

/** The methods of smq.SuhaibMessageQueue, by their names. */
export function smqMethods(context: DoorContext, heartbeats: Heartbeats) {
  const topics = new Topics(context.logs, context.settings.allowRemoteWrites);
  const appenders = new Appenders(context.settled, context.logs.clock);

  return {
    Connect: unary(smq.ConnectRequest, smq.ConnectResponse, () => ({})),

    GetLatestOffset: unary(smq.GetLatestOffsetRequest, smq.GetLatestOffsetResponse, ({ topic }, call) => {
      const partition = topics.toRead(topic, call.access);
      if (isEmpty(partition)) throw new GrpcError(Status.UNKNOWN, 'topic is empty');
      return { offset: partition.readableEnd('committed') - 1 + FIRST_OFFSET };
    }),

    GetEarliestOffset: unary(
      smq.GetEarliestOffsetRequest,
      smq.GetEarliestOffsetResponse,
      ({ topic }, call) => {
        const partition = topics.toRead(topic, call.access);
        if (isEmpty(partition)) throw new GrpcError(Status.UNKNOWN, 'topic is empty');
        return { offset: partition.firstOffset + FIRST_OFFSET };
      },
    ),

    CreateTopic: unary(smq.CreateTopicRequest, smq.CreateTopicResponse, async ({ topic }, call) => {
      topics.checkWrites();
      await topics.create(topic, call.access);
      return {};
    }),

    Produce: produce(topics, appenders),

    Consume: unary(smq.ConsumeRequest, smq.ConsumeResponse, async ({ topic, offset }, call) => {
      const partition = topics.toRead(topic, call.access);
      await context.unsent.room();
      const { response, trace } = await consume(partition, offset);
      call.addMetadata(trace);
      call.peer.sendsMessages(1);
      return response;
    }),

    StreamProduce: streamProduce(topics, appenders),

    StreamConsume: streamConsume(topics, heartbeats),

    DeleteUntilOffset: unary(
      smq.DeleteUntilOffsetRequest,
      smq.DeleteUntilOffsetResponse,
      async ({ topic, offset }, call) => {
        topics.checkWrites();
        const partition = topics.toDelete(topic, call.access);
        // The message at this offset goes too.
        await partition.deleteUntil(logOffsetOf(offset) + 1);
        return {};
      },
    ),

    BulkRetrieve: bulkRetrieve(topics),
  } satisfies Record<string, OpenCall>;
}
