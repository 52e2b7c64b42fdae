import type { JetStream } from '../jetstream.ts';

/** Messages of a subject that the leader of a stream counts, and no server could read. */
export interface Unread {
  readonly subject: string;
  readonly count: number;
}

/**
 * What nobody could read up to a sequence: a server passes over what is damaged, and goes on counting it. A subject with a later
 * message than that is not looked at, as more of it may have been written since it was read.
 *
 * @param seen by subject, how many messages were read from any server.
 * @throws StoreUnavailableError; JetStreamError
 */
export async function unreadMessages(
  jetStream: JetStream,
  stream: string,
  seen: ReadonlyMap<string, number>,
  until: number,
): Promise<Unread[]> {
  const unread: Unread[] = [];
  for (const [subject, counted] of await jetStream.subjects(stream)) {
    const count = counted - (seen.get(subject) ?? 0);
    if (count <= 0 || (await jetStream.lastSequence(stream, subject)) > until) continue;
    unread.push({ subject, count });
  }
  return unread;
}
