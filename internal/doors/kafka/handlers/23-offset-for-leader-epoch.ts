import { offsetForLeaderEpoch } from '../../../protocol/kafka/apis/23-offset-for-leader-epoch.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf, ResponseOf } from '../../../protocol/kafka/schema.ts';
import { storeError } from '../errors.ts';
import { endOfEpoch } from '../fetch/leader-epochs.ts';
import { defineHandler, type KafkaParts } from '../handler.ts';
import type { RequestAccess } from '../request-access.ts';
import { confirmedLeaderError } from '../topics.ts';

type Asked = RequestOf<typeof offsetForLeaderEpoch>['topics'][number]['partitions'][number];
type Found = ResponseOf<typeof offsetForLeaderEpoch>['topics'][number]['partitions'][number];

export const offsetForLeaderEpochHandler = defineHandler(
  offsetForLeaderEpoch,
  async (request, { parts, access }) => {
    const topics = request.topics.map(async ({ topic, partitions }) => ({
      topic,
      partitions: await Promise.all(partitions.map((asked) => answerFor(topic, asked, parts, access))),
    }));
    return { topics: await Promise.all(topics) };
  },
  { needs: ['describe topic'] },
);

async function answerFor(
  name: string,
  asked: Asked,
  { logs }: KafkaParts,
  access: RequestAccess,
): Promise<Found> {
  const denial = access.topicRefusal('describe', name);
  if (denial !== undefined) return failed(asked, denial.errorCode);
  const partition = logs.topic(name)?.partitions[asked.partition];
  if (partition === undefined) return failed(asked, KafkaErrorCode.unknownTopicOrPartition);
  const refusal = await confirmedLeaderError(partition, asked.currentLeaderEpoch);
  if (refusal !== undefined) return failed(asked, refusal);
  try {
    const end = await endOfEpoch(partition, asked.leaderEpoch);
    if (end === undefined) return failed(asked, KafkaErrorCode.none);
    return { partition: asked.partition, errorCode: KafkaErrorCode.none, ...end };
  } catch (error) {
    return failed(asked, storeError(error).errorCode);
  }
}

function failed({ partition }: Asked, errorCode: KafkaErrorCode): Found {
  return { partition, errorCode, leaderEpoch: -1, endOffset: -1 };
}
