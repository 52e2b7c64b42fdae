import type { SmqClient } from '../../../internal/clients/smq/client.ts';
import { SmqRefusal } from '../../../internal/clients/smq/refusal.ts';
import * as smq from '../../../internal/protocol/smq/smq.ts';

/** SMQ's offsets begin at 1. */
export const FIRST_OFFSET = 1;

/** The offset of the oldest message of a topic; undefined where it has none. @throws as `SmqClient.unary`. */
export function earliestOffset(client: SmqClient, topic: string): Promise<number | undefined> {
  const types = { request: smq.GetEarliestOffsetRequest, response: smq.GetEarliestOffsetResponse };
  return unlessEmpty(client.unary('GetEarliestOffset', types, { topic }));
}

/** The offset of the newest message of a topic; undefined where it has none. @throws as `SmqClient.unary`. */
export function latestOffset(client: SmqClient, topic: string): Promise<number | undefined> {
  const types = { request: smq.GetLatestOffsetRequest, response: smq.GetLatestOffsetResponse };
  return unlessEmpty(client.unary('GetLatestOffset', types, { topic }));
}

async function unlessEmpty(answer: Promise<{ offset: bigint }>): Promise<number | undefined> {
  try {
    const { offset } = await answer;
    return Number(offset);
  } catch (error) {
    if (error instanceof SmqRefusal && error.isAboutEmptyTopic) return undefined;
    throw error;
  }
}
