import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { JetStream } from './jetstream.ts';

/** Answers with messages 1 to 4, and with what says that these are all. @param loses whether one is lost in an answer. */
function answering(loses: (asked: number, sequence: number) => boolean) {
  const listeners = new Map<string, (error: null, message: Msg) => void>();
  let asked = 0;
  const connection = {
    subscribe(inbox: string, { callback }: { callback: (error: null, message: Msg) => void }) {
      listeners.set(inbox, callback);
      return { unsubscribe: () => listeners.delete(inbox) };
    },
    publish(_subject: string, _question: string, { reply }: { reply: string }) {
      asked++;
      const tell = (code: number, fields: Record<string, string>) =>
        listeners.get(reply)?.(null, messageWith(code, fields));
      for (let sequence = 1; sequence <= 4; sequence++) {
        if (loses(asked, sequence)) continue;
        const place = { 'Nats-Sequence': String(sequence), 'Nats-Last-Sequence': String(sequence - 1) };
        tell(0, { 'Nats-Subject': 's', ...place });
      }
      tell(204, { 'Nats-Last-Sequence': '4' });
    },
  };
  return { jetStream: new JetStream(connection as unknown as NatsConnection), asked: () => asked };
}

function messageWith(code: number, fields: Record<string, string>): Msg {
  const headers = { code, has: (name: string) => name in fields, get: (name: string) => fields[name] ?? '' };
  return { headers, data: new Uint8Array(0) } as unknown as Msg;
}

/* A claim is made by whoever has read all that is stored: one that missed a marker would take its epoch. */
describe('several messages of which one is lost on the way', () => {
  it.each([1, 2, 4])('are asked for once more: number %i', async (lost) => {
    const { jetStream, asked } = answering((time, sequence) => time === 1 && sequence === lost);
    const messages = await jetStream.several('L', '>', 1, 10, 1_000);
    expect(messages.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    expect(asked()).toBe(2);
  });

  it('are refused where each answer lacks one', async () => {
    const { jetStream } = answering((_time, sequence) => sequence === 2);
    await expect(jetStream.several('L', '>', 1, 10, 1_000)).rejects.toThrow('lost on the way');
  });
});
